//! What an evaluation found, as plain data.

use serde::{Deserialize, Serialize};

use crate::metrics::Interval;
use crate::student::StudentInfo;

/// A student beside its baselines on one set of held-out vectors. Values of single vectors are
/// left out; what is here is means and intervals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Version of this library.
    pub version: String,
    /// The device the student ran on.
    pub device: String,
    /// What the student's file says about itself.
    pub student: StudentInfo,
    /// The vectors that everything was measured on.
    pub held_out: SetInfo,
    /// The vectors that baselines and int8 ranges were fitted on.
    pub training: SetInfo,
    /// Resamples behind each interval.
    pub resamples: usize,
    /// Seed of the bootstrap, the pairs, the rotation and the projection.
    pub seed: u64,
    /// Pairs of vectors behind Spearman's correlation.
    pub pairs: usize,
    /// Every code, by bytes a vector, the better overlap@10 first among equals.
    pub rows: Vec<Row>,
    /// The comparisons behind the verdict.
    pub comparisons: Comparisons,
    /// What it comes to, a sentence each.
    pub verdict: Vec<String>,
    /// What the reader should know about this measurement, a sentence each.
    pub notes: Vec<String>,
    /// Cosines of a few vectors, for a heat map.
    #[serde(skip)]
    pub sample: Option<CosineSample>,
}

/// A set of vectors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetInfo {
    /// Its file, or another name.
    pub name: String,
    /// Vectors used.
    pub rows: usize,
    /// Values in a vector.
    pub width: usize,
    /// Rows of the file that could not be used and were left out.
    pub left_out: u64,
}

/// Whose code a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The student's.
    Student,
    /// The student's before any training.
    Start,
    /// Another student's, in the few bytes of its own code or in f32.
    Other,
    /// A baseline's.
    Baseline,
}

/// How one code does. Overlaps are shares of the teacher's k nearest neighbours that the code
/// keeps, all held-out vectors against each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The code.
    pub name: String,
    /// Whose it is.
    pub kind: Kind,
    /// Exact bytes of one stored vector.
    pub bytes_per_vector: usize,
    /// Whether the query keeps more precision than the stored documents.
    pub asymmetric: bool,
    /// Microseconds to encode and store one of the held-out vectors, all at once, on all cores; with
    /// queries and comparisons left out. `None` if it was not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encode_microseconds: Option<f64>,
    /// Mean cosine of reconstruction and teacher.
    pub cosine: Option<f64>,
    /// Mean squared error of the reconstruction, a coordinate.
    pub mean_squared_error: Option<f64>,
    /// Share of the teacher's variance that the reconstruction explains.
    pub explained_variance: Option<f64>,
    /// Spearman's correlation of pair cosines with the teacher's.
    pub spearman: Option<f64>,
    /// overlap@1 with its 95 % interval.
    pub overlap_at_1: Option<Interval>,
    /// overlap@10 with its 95 % interval.
    pub overlap_at_10: Option<Interval>,
    /// overlap@100 with its 95 % interval.
    pub overlap_at_100: Option<Interval>,
    /// Mean nDCG@10, gains by the teacher's rank.
    pub ndcg_at_10: Option<f64>,
    /// overlap@10 less that of PCA of the same latent width, vector by vector.
    pub to_pca: Option<Interval>,
    /// overlap@10 less that of the teacher in int8.
    pub to_int8: Option<Interval>,
    /// overlap@10 less that of the student's own start (the student's rows only).
    pub to_start: Option<Interval>,
}

impl Row {
    /// Mean overlap@10, if there are enough vectors for it.
    pub fn overlap(&self) -> Option<f64> {
        self.overlap_at_10.map(|interval| interval.mean)
    }
}

/// What a 95 % interval of a difference says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Above zero throughout.
    Better,
    /// Below zero throughout.
    Worse,
    /// Zero is within it.
    Even,
}

impl Outcome {
    /// The outcome of a difference.
    pub fn of(difference: &Interval) -> Self {
        if difference.low > 0.0 {
            Outcome::Better
        } else if difference.high < 0.0 {
            Outcome::Worse
        } else {
            Outcome::Even
        }
    }
}

/// Two codes compared by overlap@10, vector by vector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The code in question.
    pub subject: String,
    /// What it is compared with.
    pub rival: String,
    /// Bytes a vector of the subject.
    pub bytes: usize,
    /// Bytes a vector of the rival.
    pub rival_bytes: usize,
    /// Mean overlap@10 of the subject.
    pub overlap: f64,
    /// Mean overlap@10 of the rival.
    pub rival_overlap: f64,
    /// Subject less rival.
    pub difference: Interval,
    /// What the difference says of the subject.
    pub outcome: Outcome,
}

/// The comparisons that the verdict rests on; none without ten neighbours a vector.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Comparisons {
    /// The student (f32 throughout) with PCA of the same latent width.
    pub pca: Option<Comparison>,
    /// The student (f32 throughout) with its own start.
    pub start: Option<Comparison>,
    /// For each number of bytes that the student can be stored in: its best code of that size
    /// with the best baseline that takes no more.
    pub equal_bytes: Vec<Comparison>,
}

/// Cosines among a few held-out vectors, each n×n, row after row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CosineSample {
    /// Which held-out vectors, as rows of the set.
    pub rows: Vec<usize>,
    /// Between the teacher's vectors.
    pub teacher: Vec<f32>,
    /// Between the student's latents.
    pub latents: Vec<f32>,
    /// Between the student's outputs.
    pub outputs: Vec<f32>,
}
