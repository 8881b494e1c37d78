//! Rank correlation of pair cosines: does the code order pairs of vectors as the teacher does?

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::sort_key;
use crate::device::dot;
use crate::error::{Error, Result};
use crate::linalg::{map_blocks, unit_rows};
use crate::matrix::Matrix;

/// Pairs scored by one thread at a time.
const BLOCK: usize = 1 << 14;

/// Pairs of rows and the ranks of their cosines in the teacher's space, computed once and
/// compared with any number of codes.
#[derive(Clone, Debug, PartialEq)]
pub struct PairRanks {
    rows: usize,
    pairs: Vec<(u32, u32)>,
    ranks: Vec<f64>,
}

impl PairRanks {
    /// All pairs of different rows of `teacher` if there are at most `max_pairs`, else a sample
    /// of `max_pairs` of them drawn with replacement from `seed`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for fewer than two rows, or more than 2³² of them.
    pub fn new(teacher: &Matrix, max_pairs: usize, seed: u64) -> Result<Self> {
        let refuse = |message: String| Err(Error::invalid("pair cosines", message));
        let Ok(rows) = u32::try_from(teacher.rows()) else {
            return refuse(format!("{} rows are too many", teacher.rows()));
        };
        if rows < 2 || max_pairs == 0 {
            return refuse(format!("{max_pairs} pairs of {rows} rows are none; give at least two"));
        }
        let all = u64::from(rows) * u64::from(rows - 1) / 2;
        let pairs: Vec<(u32, u32)> = if all <= max_pairs as u64 {
            (0..rows).flat_map(|i| (i + 1..rows).map(move |j| (i, j))).collect()
        } else {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let draw = |_| {
                let first = rng.random_range(0..rows);
                let second = rng.random_range(0..rows - 1);
                (first, if second < first { second } else { second + 1 })
            };
            (0..max_pairs).map(draw).collect()
        };
        let ranks = average_ranks(&pair_cosines(&pairs, teacher, teacher));
        Ok(Self { rows: teacher.rows(), pairs, ranks })
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there are none (never, once built).
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Spearman's correlation of the teacher's pair cosines with those of a code: for each pair
    /// the cosine of the first row of `queries` and the second of `documents` (both n×k).
    /// `None` if the code gives all pairs one cosine.
    ///
    /// # Errors
    /// [`Error::Invalid`] if rows or widths do not fit.
    pub fn spearman(&self, queries: &Matrix, documents: &Matrix) -> Result<Option<f64>> {
        if queries.cols() != documents.cols()
            || queries.rows() != self.rows
            || documents.rows() != self.rows
        {
            return Err(Error::invalid(
                "pair cosines",
                format!(
                    "{} teacher rows, {} queries of {} values, {} documents of {}",
                    self.rows,
                    queries.rows(),
                    queries.cols(),
                    documents.rows(),
                    documents.cols()
                ),
            ));
        }
        Ok(pearson(&self.ranks, &average_ranks(&pair_cosines(&self.pairs, queries, documents))))
    }
}

/// Cosine of the first row of `queries` and the second of `documents` for each pair.
///
/// # Panics
/// If a pair names a row that is not there, or the widths differ.
pub fn pair_cosines(pairs: &[(u32, u32)], queries: &Matrix, documents: &Matrix) -> Vec<f32> {
    let (queries, documents) = (unit_rows(queries), unit_rows(documents));
    let cosine = |(i, j): &(u32, u32)| dot(queries.row(*i as usize), documents.row(*j as usize));
    map_blocks(pairs.len(), BLOCK, |block| pairs[block].iter().map(cosine).collect::<Vec<_>>())
        .concat()
}

/// Ranks from 1, ascending; equal values share the mean of their ranks.
///
/// # Panics
/// If there are 2³² values or more.
pub fn average_ranks(values: &[f32]) -> Vec<f64> {
    assert!(u32::try_from(values.len()).is_ok(), "at most 2³² − 1 values can be ranked");
    let mut keys: Vec<u64> =
        values.iter().enumerate().map(|(i, v)| sort_key(*v, i as u32)).collect();
    keys.sort_unstable();
    let mut ranks = vec![0.0; values.len()];
    let mut below = 0;
    for run in keys.chunk_by(|a, b| a >> 32 == b >> 32) {
        let rank = below as f64 + (run.len() + 1) as f64 / 2.0;
        run.iter().for_each(|key| ranks[*key as u32 as usize] = rank);
        below += run.len();
    }
    ranks
}

/// Spearman's rank correlation, ties with average ranks; `None` if either side is constant.
///
/// # Errors
/// [`Error::Invalid`] if the lengths differ.
pub fn spearman(a: &[f32], b: &[f32]) -> Result<Option<f64>> {
    if a.len() != b.len() {
        return Err(Error::invalid("Spearman", format!("{} and {} values", a.len(), b.len())));
    }
    Ok(pearson(&average_ranks(a), &average_ranks(b)))
}

pub(super) fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len().max(1) as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        let (dx, dy) = (x - mean_a, y - mean_b);
        ab += dx * dy;
        aa += dx * dx;
        bb += dy * dy;
    }
    (aa > 0.0 && bb > 0.0).then(|| ab / (aa * bb).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranks_with_ties_and_signs() {
        let ranks = average_ranks(&[3.0, -1.0, 3.0, 0.0, -0.0, -2.5]);
        assert_eq!(ranks, [5.5, 2.0, 5.5, 3.5, 3.5, 1.0]);
        assert!(average_ranks(&[]).is_empty());
    }

    #[test]
    fn by_hand() {
        // Rank differences 1, 1, 0, 0: 1 − 6·2 / (4·15) = 0.8.
        let rho = spearman(&[1.0, 2.0, 3.0, 4.0], &[20.0, 10.0, 30.0, 40.0]).unwrap().unwrap();
        assert!((rho - 0.8).abs() < 1e-12);
        assert_eq!(spearman(&[1.0, 2.0], &[5.0, 5.0]).unwrap(), None);
        assert!(spearman(&[1.0], &[1.0, 2.0]).is_err());
    }

    #[test]
    fn pairs_all_or_sampled() {
        let rows = Matrix::from_fn(40, 6, |r, c| ((r * 17 + c * 5) as f32).sin());
        let all = PairRanks::new(&rows, 780, 0).unwrap();
        assert_eq!(all.len(), 780);
        assert!((all.spearman(&rows, &rows).unwrap().unwrap() - 1.0).abs() < 1e-12);
        let some = PairRanks::new(&rows, 500, 7).unwrap();
        assert_eq!(some.len(), 500);
        assert!(some.pairs.iter().all(|(i, j)| i != j && *i < 40 && *j < 40));
        assert_eq!(some, PairRanks::new(&rows, 500, 7).unwrap());
        assert_ne!(some.pairs, PairRanks::new(&rows, 500, 8).unwrap().pairs);
        assert!(all.spearman(&rows, &Matrix::zeros(39, 6)).is_err());
        assert_eq!(all.spearman(&rows, &Matrix::zeros(40, 6)).unwrap(), None);
        assert!(PairRanks::new(&Matrix::zeros(1, 3), 10, 0).is_err());
    }

    proptest! {
        #[test]
        fn a_monotone_map_keeps_the_order(values in prop::collection::vec(-50i32..50, 2..80)) {
            let a: Vec<f32> = values.iter().map(|v| *v as f32).collect();
            let b: Vec<f32> = a.iter().map(|v| v.powi(3) + v).collect();
            let c: Vec<f32> = a.iter().map(|v| -v).collect();
            if let Some(rho) = spearman(&a, &b).unwrap() {
                prop_assert!((rho - 1.0).abs() < 1e-12);
                prop_assert!((spearman(&a, &c).unwrap().unwrap() + 1.0).abs() < 1e-12);
            } else {
                prop_assert!(values.iter().all(|v| *v == values[0]));
            }
        }
    }
}
