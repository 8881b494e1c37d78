//! Nearest neighbours by cosine, and how well a code keeps the teacher's.

use super::sort_key;
use crate::error::{Error, Result};
use crate::linalg::product::{Operand, Threads, multiply};
use crate::linalg::{map_blocks, unit_rows};
use crate::matrix::Matrix;

/// Scores held at a time by one thread, so that memory does not grow with the square of the
/// rows.
const SCORES_PER_BLOCK: usize = 1 << 20;

/// For each query its nearest documents by cosine, nearest first; of two at the same cosine
/// the one with the lower index comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbours {
    depth: usize,
    indices: Vec<u32>,
}

impl Neighbours {
    /// The `depth` nearest of `documents` (n×d) to each of `queries` (n×d), where row `i` of
    /// both stands for the same vector, which is not its own neighbour. The depth is cut to
    /// `n − 1`.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the shapes differ.
    pub fn within(queries: &Matrix, documents: &Matrix, depth: usize) -> Result<Self> {
        if queries.rows() != documents.rows() {
            return Err(Error::invalid(
                "neighbours",
                format!(
                    "{} queries and {} documents are not the same vectors",
                    queries.rows(),
                    documents.rows()
                ),
            ));
        }
        search(queries, documents, depth.min(queries.rows().saturating_sub(1)), true)
    }

    /// The `depth` nearest of `documents` (n×d) to each of `queries` (m×d). The depth is cut
    /// to n.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the widths differ.
    pub fn between(queries: &Matrix, documents: &Matrix, depth: usize) -> Result<Self> {
        search(queries, documents, depth.min(documents.rows()), false)
    }

    /// Lists of `depth` neighbours, query after query.
    pub(super) fn of(depth: usize, indices: Vec<u32>) -> Self {
        Self { depth, indices }
    }

    /// Number of neighbours of each query.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Number of queries (0 if the depth is 0).
    pub fn queries(&self) -> usize {
        self.indices.len().checked_div(self.depth).unwrap_or(0)
    }

    /// The neighbours of query `i`, nearest first, as rows of the documents.
    pub fn row(&self, i: usize) -> &[u32] {
        &self.indices[i * self.depth..(i + 1) * self.depth]
    }
}

fn search(queries: &Matrix, documents: &Matrix, depth: usize, skip: bool) -> Result<Neighbours> {
    let (width, count) = (documents.cols(), documents.rows());
    if queries.cols() != width {
        return Err(Error::invalid(
            "neighbours",
            format!("queries of {} values cannot search documents of {width}", queries.cols()),
        ));
    }
    if u32::try_from(count).is_err() {
        return Err(Error::invalid("neighbours", format!("{count} documents are too many")));
    }
    if depth == 0 {
        return Ok(Neighbours { depth, indices: Vec::new() });
    }
    let (queries, documents) = (unit_rows(queries), unit_rows(documents));
    let block = (SCORES_PER_BLOCK / count).clamp(8, 256);
    let lists = map_blocks(queries.rows(), block, |rows| {
        let part = &queries.data()[rows.start * width..rows.end * width];
        let mut scores = vec![0.0f32; rows.len() * count];
        let part = Operand::new(part, rows.len(), width);
        let all = Operand::from(&documents).transposed();
        multiply(part, all, &mut scores, false, Threads::One);
        let mut indices = Vec::with_capacity(rows.len() * depth);
        let mut keys = Vec::with_capacity(count);
        for (row, scores) in rows.zip(scores.chunks_exact(count)) {
            keys.clear();
            // The best score sorts first, hence the sign.
            keys.extend(scores.iter().enumerate().map(|(i, s)| sort_key(-s, i as u32)));
            if skip {
                keys.swap_remove(row);
            }
            if depth < keys.len() {
                keys.select_nth_unstable(depth - 1);
            }
            keys[..depth].sort_unstable();
            indices.extend(keys[..depth].iter().map(|key| *key as u32));
        }
        indices
    });
    Ok(Neighbours { depth, indices: lists.concat() })
}

/// Share of each query's true `k` nearest that are among the `k` nearest found; one value a
/// query.
///
/// # Errors
/// [`Error::Invalid`] if the lists are of different queries or shorter than `k`.
pub fn overlap_at_k(truth: &Neighbours, found: &Neighbours, k: usize) -> Result<Vec<f32>> {
    compare("overlap", truth, found, k, |truth, found| {
        let mut truth = truth.to_vec();
        truth.sort_unstable();
        let kept = found.iter().filter(|i| truth.binary_search(i).is_ok()).count();
        kept as f32 / k as f32
    })
}

/// Normalised discounted cumulative gain at `k` of the ranking found, one value a query. The
/// gain of a document is by its true rank: `k` for the nearest, `k − 1` for the next, … 1 for
/// the `k`-th, 0 beyond.
///
/// # Errors
/// [`Error::Invalid`] if the lists are of different queries or shorter than `k`.
pub fn ndcg_at_k(truth: &Neighbours, found: &Neighbours, k: usize) -> Result<Vec<f32>> {
    let ideal: Vec<f32> = (1..=k).rev().map(|gain| gain as f32).collect();
    compare("nDCG", truth, found, k, |truth, found| {
        let gain = |document| truth.iter().position(|t| t == document).map_or(0.0, |r| ideal[r]);
        let gains: Vec<f32> = found.iter().map(gain).collect();
        ndcg(&gains, &ideal, k)
    })
}

/// Normalised discounted cumulative gain: `Σ gainᵢ / log₂(i + 1)` over the first `k` places,
/// divided by the same sum of the `ideal` gains (all relevant documents, best first). 0 if
/// nothing is relevant.
pub fn ndcg(gains: &[f32], ideal: &[f32], k: usize) -> f32 {
    let discounted = |gains: &[f32]| -> f64 {
        let places = gains.iter().take(k).enumerate();
        places.map(|(i, gain)| f64::from(*gain) / ((i + 2) as f64).log2()).sum()
    };
    let best = discounted(ideal);
    if best > 0.0 { (discounted(gains) / best) as f32 } else { 0.0 }
}

fn compare(
    what: &str,
    truth: &Neighbours,
    found: &Neighbours,
    k: usize,
    one: impl Fn(&[u32], &[u32]) -> f32,
) -> Result<Vec<f32>> {
    let depth = truth.depth.min(found.depth);
    if k == 0 || k > depth {
        return Err(Error::invalid(
            format!("{what}@{k}"),
            format!("each vector has {depth} neighbours; choose k from 1 to {depth}"),
        ));
    }
    if truth.queries() != found.queries() {
        return Err(Error::invalid(
            format!("{what}@{k}"),
            format!("{} true lists, {} found", truth.queries(), found.queries()),
        ));
    }
    Ok((0..truth.queries()).map(|i| one(&truth.row(i)[..k], &found.row(i)[..k])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(rows: usize, cols: usize, seed: usize) -> Matrix {
        Matrix::from_fn(rows, cols, |r, c| ((r * 97 + c * 13 + seed * 7) as f32 * 1.37).sin())
    }

    /// The definition, with a full sort.
    fn naive(queries: &Matrix, documents: &Matrix, depth: usize, skip: bool) -> Vec<u32> {
        let (queries, documents) = (unit_rows(queries), unit_rows(documents));
        let mut all = Vec::new();
        for (i, q) in queries.iter_rows().enumerate() {
            let mut scored: Vec<(f64, usize)> = documents
                .iter_rows()
                .enumerate()
                .filter(|(j, _)| !(skip && i == *j))
                .map(|(j, d)| (q.iter().zip(d).map(|(a, b)| f64::from(a * b)).sum(), j))
                .collect();
            scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            all.extend(scored[..depth].iter().map(|s| s.1 as u32));
        }
        all
    }

    #[test]
    fn neighbours_against_a_full_sort() {
        let (a, b) = (sample(301, 5, 1), sample(301, 5, 2));
        let within = Neighbours::within(&a, &b, 7).unwrap();
        assert_eq!(within.indices, naive(&a, &b, 7, true));
        assert_eq!((within.queries(), within.depth()), (301, 7));
        let few = sample(13, 5, 3);
        let between = Neighbours::between(&few, &a, 11).unwrap();
        assert_eq!(between.indices, naive(&few, &a, 11, false));
    }

    #[test]
    fn ties_go_to_the_lower_index_and_depth_is_cut() {
        let same = Matrix::from_fn(5, 3, |_, c| c as f32);
        let all = Neighbours::within(&same, &same, 100).unwrap();
        assert_eq!(all.depth(), 4);
        assert_eq!(all.row(2), [0, 1, 3, 4]);
        let zeros = Neighbours::between(&Matrix::zeros(1, 3), &same, 3).unwrap();
        assert_eq!(zeros.row(0), [0, 1, 2]);
        let one = Neighbours::within(&Matrix::zeros(1, 3), &Matrix::zeros(1, 3), 10).unwrap();
        assert_eq!((one.depth(), one.queries()), (0, 0));
        assert!(overlap_at_k(&one, &one, 1).is_err());
    }

    #[test]
    fn overlap_and_ndcg_by_hand() {
        let truth = Neighbours { depth: 3, indices: vec![4, 2, 7, 1, 2, 3] };
        let found = Neighbours { depth: 3, indices: vec![2, 9, 4, 8, 9, 0] };
        assert_eq!(overlap_at_k(&truth, &found, 3).unwrap(), [2.0 / 3.0, 0.0]);
        assert_eq!(overlap_at_k(&truth, &found, 1).unwrap(), [0.0, 0.0]);
        assert_eq!(overlap_at_k(&truth, &truth, 2).unwrap(), [1.0, 1.0]);
        // Gains found: 2, 0, 3; ideal: 3, 2, 1.
        let log3 = 3.0f64.log2();
        let expected = (2.0 + 3.0 / 2.0) / (3.0 + 2.0 / log3 + 0.5);
        let got = ndcg_at_k(&truth, &found, 3).unwrap();
        assert!((f64::from(got[0]) - expected).abs() < 1e-6);
        assert_eq!(got[1], 0.0);
        assert_eq!(ndcg_at_k(&truth, &truth, 3).unwrap(), [1.0, 1.0]);
        assert_eq!(ndcg(&[], &[], 10), 0.0);
        assert!(overlap_at_k(&truth, &found, 4).is_err());
        assert!(overlap_at_k(&truth, &found, 0).is_err());
        let short = Neighbours { depth: 3, indices: vec![1, 2, 3] };
        assert!(overlap_at_k(&truth, &short, 3).is_err());
    }
}
