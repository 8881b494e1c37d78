//! The score of a student: one number between 0 and 1 for what it keeps of the teacher.
//!
//! The note gives a score of 0.414 and does not define it. This one is ours and cannot be compared
//! with it:
//!
//! > score = (overlap@10 + Spearman + cosine) / 3, each no less than 0
//!
//! - *overlap@10*: share of the teacher's ten nearest neighbours that the latents keep, for whoever
//!   searches;
//! - *Spearman*: rank correlation of pair cosines, latents against teacher, for whoever clusters or
//!   compares similarities;
//! - *cosine*: mean cosine of the output and the teacher's vector, for whoever decodes.
//!
//! The teacher itself scores 1. A latent that says nothing of the teacher scores next to 0, and so
//! does an output: a negative correlation counts as none. More of any part never lowers the score.
//! A part that is no number (latents that overflow, or that are all the same) counts as 0, since
//! such a student keeps nothing of that kind. Neighbours are the fewer to tell apart the fewer
//! vectors there are, so scores compare on the same vectors alone.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::matrix::Matrix;
use crate::metrics::{Neighbours, PairRanks, cosines, mean, overlap_at_k};
use crate::student::Student;

/// Neighbours that are counted.
const K: usize = 10;
/// Pairs whose cosines are ranked at most.
const MAX_PAIRS: usize = 200_000;
/// Seed of these pairs, the same for all, so that scores on the same vectors compare.
const PAIRS_SEED: u64 = 0;

/// The score of a student and the parts that it is the mean of; a part that is no number is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Between 0 and 1; see [`crate::experiment::score`].
    pub score: f64,
    /// Mean overlap@10 of the latents, 0 to 1.
    pub overlap_at_10: Option<f64>,
    /// Spearman's correlation of the latents' pair cosines, −1 to 1.
    pub spearman: Option<f64>,
    /// Mean cosine of output and teacher, −1 to 1.
    pub cosine: Option<f64>,
}

impl Score {
    /// The score of these parts, each between −1 and 1.
    pub fn new(overlap_at_10: Option<f64>, spearman: Option<f64>, cosine: Option<f64>) -> Self {
        let parts = [overlap_at_10, spearman, cosine].map(|part| part.filter(|v| v.is_finite()));
        let [overlap_at_10, spearman, cosine] = parts;
        let sum: f64 = parts.iter().map(|part| part.unwrap_or(0.0).clamp(0.0, 1.0)).sum();
        Self { score: sum / parts.len() as f64, overlap_at_10, spearman, cosine }
    }
}

/// A score with the overlap@10 of each vector behind it, so that two students can be compared
/// vector by vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// The score.
    pub score: Score,
    /// overlap@10, one a vector.
    pub overlaps: Vec<f32>,
}

/// Vectors on which students are scored, with what the teacher says of them computed once.
#[derive(Clone, Debug)]
pub struct ScoreSet {
    vectors: Arc<Matrix>,
    truth: Neighbours,
    pairs: PairRanks,
}

impl ScoreSet {
    /// Takes `vectors`, the teacher's, as rows.
    ///
    /// # Errors
    /// [`Error::Invalid`] for fewer than 11 of them: each needs ten others.
    pub fn new(vectors: Arc<Matrix>) -> Result<Self> {
        if vectors.rows() <= K {
            return Err(Error::invalid(
                "score",
                format!(
                    "{} vectors to score on are too few: each needs {K} others; give at least {}",
                    vectors.rows(),
                    K + 1
                ),
            ));
        }
        Ok(Self {
            truth: Neighbours::within(&vectors, &vectors, K)?,
            pairs: PairRanks::new(&vectors, MAX_PAIRS, PAIRS_SEED)?,
            vectors,
        })
    }

    /// The vectors, as rows.
    pub fn vectors(&self) -> &Matrix {
        &self.vectors
    }

    /// Scores what a student makes of the vectors: latents (n×k) and outputs (n×width).
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is not a row for each vector, or an output of another width.
    pub fn score(&self, latents: &Matrix, outputs: &Matrix) -> Result<Scored> {
        let cosines = cosines(&self.vectors, outputs)?;
        let finite = |rows: &Matrix| rows.data().iter().all(|v| v.is_finite());
        let cosine = finite(outputs).then(|| mean(&cosines));
        if latents.rows() == self.vectors.rows() && !finite(latents) {
            let overlaps = vec![0.0; latents.rows()];
            return Ok(Scored { score: Score::new(None, None, cosine), overlaps });
        }
        let found = Neighbours::within(latents, latents, K)?;
        let overlaps = overlap_at_k(&self.truth, &found, K)?;
        let spearman = self.pairs.spearman(latents, latents)?;
        Ok(Scored { score: Score::new(Some(mean(&overlaps)), spearman, cosine), overlaps })
    }

    /// Scores a student.
    ///
    /// # Errors
    /// As [`Self::score`], and what its device reports.
    pub async fn score_student(&self, student: &Student) -> Result<Scored> {
        let latents = student.encode(&self.vectors).await?;
        let outputs = student.decode(&latents).await?;
        self.score(&latents, &outputs)
    }
}

/// How much a figure varies from run to run, such as the score over seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Runs.
    pub runs: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation, that of a sample (over n − 1); `None` for a single run.
    pub deviation: Option<f64>,
    /// The coefficient of variation: the deviation as a share of the mean; `None` for a single run
    /// or a mean of 0.
    pub variation: Option<f64>,
}

impl Spread {
    /// The spread of `values`; `None` if there are none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares = || values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
        let deviation = (values.len() > 1).then(|| (squares() / (n - 1.0)).sqrt());
        let variation = deviation.filter(|_| mean != 0.0).map(|sd| sd / mean.abs());
        (!values.is_empty()).then_some(Self { runs: values.len(), mean, deviation, variation })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn waves(rows: usize, cols: usize, step: f32) -> Matrix {
        Matrix::from_fn(rows, cols, |r, c| ((r * cols + c) as f32 * step).sin())
    }

    #[test]
    fn the_teacher_scores_one_and_noise_next_to_nothing() {
        let vectors = Arc::new(waves(60, 8, 0.37));
        let set = ScoreSet::new(vectors.clone()).unwrap();
        let own = set.score(&vectors, &vectors).unwrap();
        assert!((own.score.score - 1.0).abs() < 1e-6, "{own:?}");
        assert_eq!(own.overlaps, vec![1.0; 60]);
        let other = waves(60, 8, 1.91);
        let scored = set.score(&other, &other).unwrap();
        assert!(scored.score.score < 0.3, "{scored:?}");
        let mean: f64 = scored.overlaps.iter().map(|v| f64::from(*v)).sum::<f64>() / 60.0;
        assert!((scored.score.overlap_at_10.unwrap() - mean).abs() < 1e-12);
    }

    #[test]
    fn what_is_no_number_counts_as_nothing() {
        let vectors = Arc::new(waves(20, 4, 0.7));
        let set = ScoreSet::new(vectors.clone()).unwrap();
        let broken = Matrix::from_fn(20, 4, |r, _| if r == 3 { f32::NAN } else { 1.0 });
        let both = set.score(&broken, &broken).unwrap();
        assert_eq!(both.score, Score::new(None, None, None));
        assert_eq!((both.score.score, both.overlaps.len()), (0.0, 20));
        let latents = set.score(&broken, &vectors).unwrap().score;
        assert!((latents.score - 1.0 / 3.0).abs() < 1e-6, "{latents:?}");
        // All latents alike: no order among them.
        let same = set.score(&Matrix::from_fn(20, 4, |_, _| 1.0), &vectors).unwrap().score;
        assert_eq!(same.spearman, None);
        assert!(set.score(&waves(19, 4, 0.7), &vectors).is_err());
        assert!(set.score(&vectors, &waves(20, 5, 0.7)).is_err());
        let few = ScoreSet::new(Arc::new(waves(10, 4, 0.7))).unwrap_err().to_string();
        assert!(few.contains("at least 11"), "{few}");
    }

    #[test]
    fn spread_by_hand() {
        let spread = Spread::of(&[1.0, 2.0, 3.0]).unwrap();
        assert_eq!((spread.runs, spread.mean), (3, 2.0));
        assert_eq!((spread.deviation, spread.variation), (Some(1.0), Some(0.5)));
        let one = Spread::of(&[0.4]).unwrap();
        assert_eq!((one.deviation, one.variation), (None, None));
        assert_eq!(Spread::of(&[-1.0, 1.0]).unwrap().variation, None);
        assert_eq!(Spread::of(&[]), None);
    }

    fn part() -> impl Strategy<Value = Option<f64>> {
        prop_oneof![Just(None), Just(Some(f64::NAN)), (-1.0..=1.0f64).prop_map(Some)]
    }

    proptest! {
        #[test]
        fn between_zero_and_one_and_monotone(
            parts in [part(), part(), part()], which in 0..3usize, more in 0.0..2.0f64,
        ) {
            let of = |p: [Option<f64>; 3]| Score::new(p[0], p[1], p[2]).score;
            let score = of(parts);
            prop_assert!((0.0..=1.0).contains(&score));
            let mut better = parts;
            better[which] = Some((parts[which].filter(|v| v.is_finite()).unwrap_or(-1.0) + more).min(1.0));
            prop_assert!(of(better) >= score);
        }
    }
}
