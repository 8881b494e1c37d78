//! The teacher's own neighbours and cosines, against which every code is held.

use crate::codes::Encoded;
use crate::error::Result;
use crate::linalg::product::matmul_nt;
use crate::linalg::unit_rows;
use crate::matrix::Matrix;
use crate::metrics::{
    Neighbours, PairRanks, cosines, explained_variance, mean, mean_squared_error, ndcg_at_k,
    overlap_at_k,
};

/// The k of overlap@k.
pub(super) const DEPTHS: [usize; 3] = [1, 10, 100];
/// Pairs whose cosines are ranked at most. The standard error of a correlation ρ over n pairs is
/// about (1 − ρ²)/√n: 0.0004 at ρ = 0.9.
const MAX_PAIRS: usize = 200_000;
/// Groups of the cosine sample, each a vector and its nearest.
const GROUPS: usize = 6;
/// Neighbours in a group.
const NEAREST: usize = 3;

/// What the teacher says of a set of vectors, computed once.
pub(super) struct Yardstick<'a> {
    teacher: &'a Matrix,
    truth: Neighbours,
    pairs: Option<PairRanks>,
}

/// How a code does; values of overlap and nDCG are one a vector.
pub(super) struct Score {
    pub overlaps: [Option<Vec<f32>>; 3],
    pub ndcg: Option<f64>,
    pub spearman: Option<f64>,
    pub cosine: Option<f64>,
    pub mean_squared_error: Option<f64>,
    pub explained_variance: Option<f64>,
}

impl<'a> Yardstick<'a> {
    pub fn new(teacher: &'a Matrix, seed: u64) -> Result<Self> {
        let enough = teacher.rows() > 1;
        Ok(Self {
            truth: Neighbours::within(teacher, teacher, DEPTHS[2])?,
            pairs: enough.then(|| PairRanks::new(teacher, MAX_PAIRS, seed)).transpose()?,
            teacher,
        })
    }

    /// Pairs behind Spearman's correlation.
    pub fn pairs(&self) -> usize {
        self.pairs.as_ref().map_or(0, PairRanks::len)
    }

    /// Whether there are `k` neighbours to count.
    pub fn reaches(&self, k: usize) -> bool {
        self.truth.depth() >= k
    }

    pub fn score(&self, code: &Encoded) -> Result<Score> {
        let (queries, documents) = (code.queries(), &code.documents);
        let found = Neighbours::within(queries, documents, self.truth.depth())?;
        let mut overlaps = [None, None, None];
        for (k, overlap) in DEPTHS.into_iter().zip(&mut overlaps) {
            if self.reaches(k) {
                *overlap = Some(overlap_at_k(&self.truth, &found, k)?);
            }
        }
        let ndcg = match self.reaches(10) {
            true => Some(mean(&ndcg_at_k(&self.truth, &found, 10)?)),
            false => None,
        };
        let spearman = match &self.pairs {
            Some(pairs) => pairs.spearman(queries, documents)?,
            None => None,
        };
        let mut score = Score {
            overlaps,
            ndcg,
            spearman,
            cosine: None,
            mean_squared_error: None,
            explained_variance: None,
        };
        if let Some(reconstruction) = &code.reconstruction {
            score.cosine = Some(mean(&cosines(self.teacher, reconstruction)?));
            score.mean_squared_error = Some(mean_squared_error(self.teacher, reconstruction)?);
            score.explained_variance = explained_variance(self.teacher, reconstruction)?;
        }
        Ok(score)
    }

    /// Rows for a heat map: a few drawn by the seed, each followed by its nearest, so that there
    /// is something other than unrelated vectors to see.
    pub fn sample_rows(&self, seed: u64) -> Vec<usize> {
        use rand::seq::SliceRandom;
        use rand_chacha::rand_core::SeedableRng;
        let mut order: Vec<usize> = (0..self.teacher.rows()).collect();
        order.shuffle(&mut rand_chacha::ChaCha8Rng::seed_from_u64(seed));
        let mut rows: Vec<usize> = Vec::new();
        for first in order {
            if rows.len() >= GROUPS * (NEAREST + 1) {
                break;
            }
            if rows.contains(&first) {
                continue;
            }
            rows.push(first);
            if self.reaches(1) {
                let nearest = self.truth.row(first).iter().map(|i| *i as usize);
                let new: Vec<usize> = nearest.filter(|i| !rows.contains(i)).take(NEAREST).collect();
                rows.extend(new);
            }
        }
        rows
    }
}

/// Cosines between the rows of `vectors` at `rows`, n×n.
pub(super) fn cosines_among(vectors: &Matrix, rows: &[usize]) -> Vec<f32> {
    let few = vectors.gather_rows(rows);
    cosines_between(&few, &few)
}

/// Cosines of the rows of `a` (n×d) with those of `b` (m×d), n×m.
pub(super) fn cosines_between(a: &Matrix, b: &Matrix) -> Vec<f32> {
    matmul_nt(&unit_rows(a), &unit_rows(b)).into_data()
}
