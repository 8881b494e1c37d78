//! Trying students: which vectors are compared, with which students.

use lnsp::experiment::SideBySide;
use serde::{Deserialize, Serialize};

/// The bundled sentences.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoadExamples;

/// Answers [`LoadExamples`]: topics, each with its sentences; the rows of the vectors follow the
/// same order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Examples {
    /// Topics.
    pub topics: Vec<Topic>,
}

/// Sentences about one thing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Topic {
    /// What they are about.
    pub name: String,
    /// The sentences.
    pub sentences: Vec<String>,
}

/// Vectors of the visitor's own; the bytes of the file go beside it. They stay in the worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DropVectors {
    /// The file's name, whose ending says what it is.
    pub name: String,
}

/// Answers [`DropVectors`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Dropped {
    /// The file.
    pub name: String,
    /// Vectors in it that can be used.
    pub rows: usize,
    /// What was left out, in words, if anything.
    pub left_out: Option<String>,
}

/// Gives the vectors of the dropped file back, in f32 beside the answer, for the trainer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TakeVectors;

/// Takes the student that was trained in this tab, as [`TRAINED_HERE`]; its file goes beside it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PutStudent;

/// Which vectors are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VectorSet {
    /// The bundled sentences.
    #[default]
    Examples,
    /// Typed sentences, whose vectors go beside the question; then the bundled ones.
    Typed,
    /// The dropped file.
    Dropped,
}

/// Compares students with the teacher on a set of vectors; [`CompareBaselines`] goes on from there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CompareCodes {
    /// `auto`, `gpu` or `cpu`.
    pub device: String,
    /// The vectors.
    pub set: VectorSet,
    /// Which of them are looked at one by one.
    pub shown: Vec<usize>,
    /// Students by name, [`TRAINED_HERE`] among them, or by their files' addresses.
    pub students: Vec<String>,
}

/// The last comparison once more, with the baselines beside the students.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CompareBaselines;

/// Times the codes of the last comparison, students and baselines, as they store its vectors.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TimeCodes;

/// Answers [`TimeCodes`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CodeTimes {
    /// Vectors that were stored at once.
    pub vectors: usize,
    /// Each code's name and its microseconds for one vector: the median of a few samples, warm.
    pub codes: Vec<(String, f64)>,
}

/// Students and baselines in one answer, for a worker that several ask.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CompareAll {
    /// What to compare.
    pub codes: CompareCodes,
}

/// Name of the student that was trained in this tab.
pub const TRAINED_HERE: &str = "trained-here";
/// Vectors of a dropped file that are compared with each other at most: their number squared is
/// what it takes.
pub const MOST_COMPARED: usize = 2000;

/// Answers [`CompareCodes`] and [`CompareBaselines`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// The codes.
    pub side_by_side: SideBySide,
    /// The device that ran the students.
    pub device: String,
    /// What the baselines were fitted on.
    pub fitted_on: String,
    /// What else the reader should know, a sentence each.
    pub notes: Vec<String>,
}
