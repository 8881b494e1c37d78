//! A few vectors before and after compression, among all the vectors at hand: what several codes
//! keep of their cosines and neighbours, what they cost, and what that comes to in words.

use serde::{Deserialize, Serialize};

use super::evaluation::{Comparison, Kind, Outcome};
use super::verdict::at_equal_bytes;
use super::yardstick::cosines_between;
use crate::codes::Encoded;
use crate::error::{Error, Result};
use crate::matrix::Matrix;
use crate::metrics::{
    Interval, Neighbours, bootstrap_mean, cosines, mean, overlap_at_k, paired_difference,
};
use crate::number::{count, decimal};

/// Neighbours that are counted, where there are so many.
const K: usize = 10;
/// Resamples behind an interval.
const RESAMPLES: usize = 1000;
/// Seed of the resamples.
const SEED: u64 = 727;

/// What the teacher says of a set of vectors, computed once for all codes.
#[derive(Clone, Debug)]
pub struct Reference {
    vectors: Matrix,
    shown: Vec<usize>,
    truth: Neighbours,
    /// What each vector is about, if that is known.
    labels: Option<Vec<usize>>,
}

/// A vector near another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Its row.
    pub row: usize,
    /// Its cosine with the other, as the code has it.
    pub cosine: f32,
    /// Its place among the teacher's neighbours, from 1; `None` if it was none of them.
    pub before: Option<usize>,
}

/// What one code keeps. Of the shown vectors: cosines (m×m, row after row) and neighbours; means
/// over all vectors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// The code.
    pub name: String,
    /// Whose it is.
    pub kind: Kind,
    /// Exact bytes of one stored vector.
    pub bytes_per_vector: usize,
    /// Whether the query keeps more precision than the stored vectors.
    pub asymmetric: bool,
    /// Mean share of the teacher's k nearest neighbours that stay.
    pub overlap: f64,
    /// The same with its 95 % interval.
    pub interval: Interval,
    /// Mean share of the k nearest that have the vector's own label, with its 95 % interval; `None`
    /// without labels.
    pub same_label: Option<Interval>,
    /// Mean cosine of the vectors and what the code gives back; `None` if it gives nothing back.
    pub reconstruction: Option<f64>,
    /// Cosines among the shown vectors.
    pub cosines: Vec<f32>,
    /// The k nearest of each shown vector, nearest first.
    pub neighbours: Vec<Vec<Neighbour>>,
    /// Neighbours that each shown vector has lost, as rows, the nearest first.
    pub lost: Vec<Vec<usize>>,
    /// What it comes to.
    pub sentence: String,
    /// Share of neighbours kept, a vector.
    #[serde(skip)]
    overlaps: Vec<f32>,
}

/// Several codes on the same vectors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SideBySide {
    /// Vectors in all.
    pub vectors: usize,
    /// Neighbours that are counted: ten, or all others if there are fewer.
    pub k: usize,
    /// The shown vectors, as rows.
    pub shown: Vec<usize>,
    /// The teacher first, then the codes as they were given.
    pub codes: Vec<Kept>,
    /// How each code of a student does at equal bytes, a sentence or two each.
    pub verdict: Vec<String>,
}

impl Reference {
    /// The teacher's `vectors` (n×d), of which those at `shown` are looked at one by one.
    ///
    /// # Errors
    /// [`Error::Invalid`] for fewer than two vectors, or a row that is not there.
    pub fn new(vectors: Matrix, shown: &[usize]) -> Result<Self> {
        if vectors.rows() < 2 {
            return Err(Error::invalid(
                "vectors",
                format!("{} given; neighbours need at least two", vectors.rows()),
            ));
        }
        if let Some(row) = shown.iter().find(|row| **row >= vectors.rows()) {
            return Err(Error::invalid(
                "shown vectors",
                format!("there is no row {row}, there are {}", vectors.rows()),
            ));
        }
        let truth = Neighbours::within(&vectors, &vectors, K)?;
        Ok(Self { vectors, shown: shown.to_vec(), truth, labels: None })
    }

    /// The same with a label for each vector, so that codes are scored by a task, too: whether the
    /// nearest of a vector have its label.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there are not as many labels as vectors.
    pub fn labelled(self, labels: Vec<usize>) -> Result<Self> {
        if labels.len() != self.vectors.rows() {
            return Err(Error::invalid(
                "labels",
                format!("{} given for {} vectors", labels.len(), self.vectors.rows()),
            ));
        }
        Ok(Self { labels: Some(labels), ..self })
    }

    /// The vectors.
    pub fn vectors(&self) -> &Matrix {
        &self.vectors
    }

    /// The teacher itself, for the first column.
    ///
    /// # Errors
    /// None that depends on the vectors.
    pub fn teacher(&self) -> Result<Kept> {
        let whole = Encoded {
            name: "teacher".into(),
            bytes_per_vector: 4 * self.vectors.cols(),
            asymmetric: false,
            queries: None,
            documents: self.vectors.clone(),
            reconstruction: Some(self.vectors.clone()),
        };
        let mut kept = self.kept(Kind::Baseline, &whole)?;
        kept.sentence = format!(
            "The teacher's own vectors take {} bytes each.",
            count(kept.bytes_per_vector as u64)
        );
        Ok(kept)
    }

    /// What a code of these vectors keeps.
    ///
    /// # Errors
    /// [`Error::Invalid`] if `code` is of other vectors.
    pub fn kept(&self, kind: Kind, code: &Encoded) -> Result<Kept> {
        let k = self.truth.depth();
        let (queries, documents) = (code.queries(), &code.documents);
        let found = Neighbours::within(queries, documents, k)?;
        let overlaps = overlap_at_k(&self.truth, &found, k)?;
        let interval = bootstrap_mean(&overlaps, RESAMPLES, SEED)?;
        let of_shown = queries.gather_rows(&self.shown);
        let count_of = self.shown.len();
        let (mut neighbours, mut lost) = (Vec::new(), Vec::new());
        for (i, row) in self.shown.iter().enumerate() {
            let (truth, found) = (self.truth.row(*row), found.row(*row));
            let rows: Vec<usize> = found.iter().map(|row| *row as usize).collect();
            let near =
                cosines_between(&of_shown.slice_rows(i, i + 1), &documents.gather_rows(&rows));
            let place = |row| truth.iter().position(|t| *t as usize == row).map(|at| at + 1);
            let one = |(row, cosine)| Neighbour { row, cosine, before: place(row) };
            neighbours.push(rows.iter().copied().zip(near).map(one).collect());
            let gone = truth.iter().filter(|row| !found.contains(row));
            lost.push(gone.map(|row| *row as usize).collect());
        }
        let cosines_shown = match count_of {
            0 => Vec::new(),
            _ => cosines_between(&of_shown, &documents.gather_rows(&self.shown)),
        };
        Ok(Kept {
            name: code.name.clone(),
            kind,
            bytes_per_vector: code.bytes_per_vector,
            asymmetric: code.asymmetric,
            overlap: mean(&overlaps),
            interval,
            same_label: match &self.labels {
                Some(labels) => {
                    Some(bootstrap_mean(&with_own_label(&found, labels), RESAMPLES, SEED)?)
                }
                None => None,
            },
            reconstruction: match &code.reconstruction {
                Some(back) => Some(mean(&cosines(&self.vectors, back)?)),
                None => None,
            },
            cosines: cosines_shown,
            neighbours,
            lost,
            sentence: sentence(code.bytes_per_vector, 4 * self.vectors.cols(), interval.mean, k),
            overlaps,
        })
    }

    /// The teacher beside `codes`, with the verdict.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a code is of other vectors.
    pub fn side_by_side(&self, codes: Vec<Kept>) -> Result<SideBySide> {
        let mut verdict = Vec::new();
        for subject in codes.iter().filter(|code| code.kind == Kind::Student) {
            if let Some(comparison) = at_its_bytes(subject, &codes)? {
                verdict.push(format!("{}: {}", subject.name, at_equal_bytes(&comparison)));
            }
        }
        let mut all = vec![self.teacher()?];
        all.extend(codes);
        Ok(SideBySide {
            vectors: self.vectors.rows(),
            k: self.truth.depth(),
            shown: self.shown.clone(),
            codes: all,
            verdict,
        })
    }
}

/// A student beside the best baseline that takes no more bytes.
fn at_its_bytes(subject: &Kept, codes: &[Kept]) -> Result<Option<Comparison>> {
    let fits = |code: &&Kept| {
        code.kind == Kind::Baseline && code.bytes_per_vector <= subject.bytes_per_vector
    };
    let best = codes.iter().filter(fits).reduce(|a, b| if b.overlap > a.overlap { b } else { a });
    let Some(rival) = best else { return Ok(None) };
    let difference = paired_difference(&subject.overlaps, &rival.overlaps, RESAMPLES, SEED)?;
    Ok(Some(Comparison {
        subject: subject.name.clone(),
        rival: rival.name.clone(),
        bytes: subject.bytes_per_vector,
        rival_bytes: rival.bytes_per_vector,
        overlap: subject.overlap,
        rival_overlap: rival.overlap,
        outcome: Outcome::of(&difference),
        difference,
    }))
}

/// For each query the share of its neighbours that have its label.
fn with_own_label(found: &Neighbours, labels: &[usize]) -> Vec<f32> {
    let share = |(i, own): (usize, &usize)| {
        let alike = found.row(i).iter().filter(|row| labels[**row as usize] == *own).count();
        alike as f32 / found.depth() as f32
    };
    labels.iter().enumerate().map(share).collect()
}

fn sentence(bytes: usize, whole: usize, overlap: f64, k: usize) -> String {
    let kept = decimal(overlap * k as f64, 1);
    let kept = kept.strip_suffix(".0").unwrap_or(&kept);
    let near = if k == 1 { "neighbour" } else { "neighbours" };
    format!(
        "With {} bytes a vector instead of {}, {kept} of {k} nearest {near} stay on average.",
        count(bytes as u64),
        count(whole as u64)
    )
}

/// What it costs to keep `vectors` of `bytes` each for a month at `price` a GB (10⁹ bytes).
pub fn monthly_price(bytes: usize, vectors: f64, price: f64) -> f64 {
    bytes as f64 * vectors / 1e9 * price
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Directions at these angles, in degrees.
    fn fan(degrees: &[f32]) -> Matrix {
        Matrix::from_fn(degrees.len(), 2, |r, c| {
            let angle = degrees[r].to_radians();
            if c == 0 { angle.cos() } else { angle.sin() }
        })
    }

    fn code(name: &str, bytes: usize, documents: Matrix, queries: Option<Matrix>) -> Encoded {
        Encoded {
            name: name.into(),
            bytes_per_vector: bytes,
            asymmetric: queries.is_some(),
            queries,
            reconstruction: Some(documents.clone()),
            documents,
        }
    }

    #[test]
    fn neighbours_that_change_are_told_with_their_places() {
        // Twelve others, so that ten are counted and two are not.
        let degrees = [0., 1., 3., 6., 10., 15., 21., 28., 36., 45., 55., 66., 78.];
        let reference = Reference::new(fan(&degrees), &[0, 12]).unwrap();
        let mut moved = degrees;
        moved[1] = 70.0; // the nearest of the first goes away
        let kept = reference.kept(Kind::Student, &code("s", 4, fan(&moved), None)).unwrap();
        assert_eq!(kept.lost[0], [1]);
        assert_eq!(kept.neighbours[0].len(), 10);
        let first = &kept.neighbours[0][0];
        assert_eq!((first.row, first.before), (2, Some(2)));
        assert!((first.cosine - 3.0f32.to_radians().cos()).abs() < 1e-6);
        let last = &kept.neighbours[0][9];
        assert_eq!((last.row, last.before), (11, None));
        assert_eq!(kept.neighbours[1][0].row, 1);
        assert_eq!(kept.cosines.len(), 4);
        assert!((kept.cosines[1] - 78.0f32.to_radians().cos()).abs() < 1e-6);
        assert_eq!(kept.cosines[1], kept.cosines[2]);
        let truth = Neighbours::within(&fan(&degrees), &fan(&degrees), 10).unwrap();
        let found = Neighbours::within(&fan(&moved), &fan(&moved), 10).unwrap();
        let wanted = mean(&overlap_at_k(&truth, &found, 10).unwrap());
        assert_eq!(kept.overlap, wanted);
        assert!((kept.interval.mean - wanted).abs() < 1e-12);
        assert!(kept.interval.low < kept.overlap && kept.overlap < kept.interval.high);
        assert_eq!(kept.same_label, None);
        let wanted = 12.0 / 13.0 + 69.0f64.to_radians().cos() / 13.0;
        assert!((kept.reconstruction.unwrap() - wanted).abs() < 1e-6);
    }

    #[test]
    fn labels_score_the_neighbours_of_each_code() {
        // Two bundles of twelve, each about one thing.
        let degrees: Vec<f32> = (0..24).map(|i| (i % 12) as f32 + (i / 12 * 90) as f32).collect();
        let labels: Vec<usize> = (0..24).map(|i| 7 - i / 12).collect();
        let reference = Reference::new(fan(&degrees), &[]).unwrap();
        assert!(reference.clone().labelled(vec![1; 23]).is_err());
        let reference = reference.labelled(labels).unwrap();
        let share = |degrees: &[f32]| {
            let kept = reference.kept(Kind::Baseline, &code("c", 4, fan(degrees), None)).unwrap();
            kept.same_label.unwrap()
        };
        assert_eq!(share(&degrees).mean, 1.0);
        // The first of each bundle goes to the other: it finds strangers only, and is itself among
        // the ten of the five nearest to it.
        let mut mixed = degrees.clone();
        mixed.swap(0, 12);
        let lost = share(&mixed);
        assert!((lost.mean - (5.0 * 0.9 + 6.0) / 12.0).abs() < 1e-6, "{lost:?}");
        assert!(lost.low < lost.mean && lost.mean < lost.high);
    }

    #[test]
    fn queries_of_their_own_are_used() {
        let degrees = [0., 20., 50., 90.];
        let reference = Reference::new(fan(&degrees), &[1]).unwrap();
        let turned = fan(&[90., 50., 20., 0.]);
        let code = code("turned", 4, fan(&degrees), Some(turned));
        let kept = reference.kept(Kind::Baseline, &code).unwrap();
        // The second asks from 50°: the third, at 50°, is nearest.
        assert_eq!(kept.neighbours[0][0].row, 2);
        assert!((kept.neighbours[0][0].cosine - 1.0).abs() < 1e-6);
        assert!((kept.cosines[0] - 30.0f32.to_radians().cos()).abs() < 1e-6);
        // Three others: all are counted, and all stay.
        assert_eq!((kept.overlap, kept.neighbours[0].len()), (1.0, 3));
    }

    #[test]
    fn the_verdict_names_the_best_rival_of_no_more_bytes() {
        let degrees: Vec<f32> = (0..40).map(|i| (i * i) as f32 * 0.05).collect();
        let worse: Vec<f32> = (0..40).map(|i| ((i * 17) % 40) as f32).collect();
        let reference = Reference::new(fan(&degrees), &[]).unwrap();
        let kept = |kind, name: &str, bytes, degrees: &[f32]| {
            reference.kept(kind, &code(name, bytes, fan(degrees), None)).unwrap()
        };
        let all = reference
            .side_by_side(vec![
                kept(Kind::Baseline, "too large", 9, &degrees),
                kept(Kind::Baseline, "poor", 8, &worse),
                kept(Kind::Baseline, "good", 7, &degrees),
                kept(Kind::Student, "student", 8, &worse),
                kept(Kind::Student, "small", 2, &degrees),
            ])
            .unwrap();
        assert_eq!((all.k, all.codes.len(), all.codes[0].bytes_per_vector), (10, 6, 8));
        assert_eq!(all.codes[0].overlap, 1.0);
        assert_eq!(all.verdict.len(), 1, "none for a student without rivals");
        assert!(all.verdict[0].contains("the best code is good (7 bytes) with 1.000"));
        assert!(all.verdict[0].contains("the student loses"), "{}", all.verdict[0]);
        assert_eq!(
            all.codes[3].sentence,
            "With 7 bytes a vector instead of 8, 10 of 10 nearest neighbours stay on average."
        );
    }

    #[test]
    fn too_few_vectors_and_rows_that_are_not_there_are_refused() {
        assert!(Reference::new(fan(&[1.0]), &[]).is_err());
        assert!(Reference::new(fan(&[1.0, 2.0]), &[2]).is_err());
        let two = Reference::new(fan(&[1.0, 2.0]), &[0, 1]).unwrap();
        assert!(two.kept(Kind::Student, &code("s", 1, fan(&[1.0]), None)).is_err());
        let kept = two.kept(Kind::Student, &code("s", 1, fan(&[1.0, 2.0]), None)).unwrap();
        assert!(kept.sentence.ends_with("1 of 1 nearest neighbour stay on average."));
    }

    #[test]
    fn prices() {
        assert!((monthly_price(1536, 1e6, 0.25) - 0.384).abs() < 1e-12);
    }
}
