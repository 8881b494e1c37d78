//! Vectors of widths that the bundled teacher does not have: random, with a spectrum like its own.

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::linalg::Pca;
use crate::matrix::Matrix;

/// Eigenvalues below this share of the largest are rounding, not spectrum.
const NOTHING: f64 = 1e-9;

/// How the eigenvalues of a teacher's uncentred second-moment matrix fall off: the first holds a
/// share of its own (the vectors' common direction), the others follow
/// `ln λᵢ = level + power · ln i + rate · i/d` for i = 2 … d.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spectrum {
    /// The first eigenvalue as a share of the sum of all.
    pub first: f64,
    /// Exponent of the rank, negative.
    pub power: f64,
    /// Decay over the whole width, negative.
    pub rate: f64,
}

impl Spectrum {
    /// The law that fits the variances of `pca`, which is not centred, best in the mean square of
    /// the logarithm, each octave of ranks counting alike.
    ///
    /// # Errors
    /// [`Error::Invalid`] with fewer than four variances that are not nought.
    pub fn fit(pca: &Pca) -> Result<Self> {
        let all = &pca.variances;
        let (sum, d): (f64, f64) = (all.iter().sum(), all.len() as f64);
        let largest = all.first().copied().unwrap_or(0.0);
        let there = all.iter().enumerate().skip(1).filter(|(_, v)| **v > NOTHING * largest);
        // Columns 1, ln i, i/d; weight 1/i.
        let (mut moments, mut right, mut count) = ([[0.0f64; 3]; 3], [0.0f64; 3], 0);
        for (rank, variance) in there {
            let i = (rank + 1) as f64;
            let x = [1.0, i.ln(), i / d];
            for r in 0..3 {
                for c in 0..3 {
                    moments[r][c] += x[r] * x[c] / i;
                }
                right[r] += x[r] * variance.ln() / i;
            }
            count += 1;
        }
        if count < 3 {
            let message = format!("{count} variances are too few to fit a law");
            return Err(Error::invalid("spectrum", message));
        }
        let moments = nalgebra::Matrix3::from_fn(|r, c| moments[r][c]);
        let law = moments.lu().solve(&nalgebra::Vector3::from(right));
        let law = law.ok_or_else(|| Error::invalid("spectrum", "its law is not determined"))?;
        Ok(Self { first: largest / sum, power: law[1], rate: law[2] })
    }

    /// The eigenvalues of vectors of `width` values, descending, with the sum 1.
    pub fn eigenvalues(&self, width: usize) -> Vec<f64> {
        let of = |i: usize| {
            let i = i as f64;
            (self.power * i.ln() + self.rate * i / width as f64).exp()
        };
        let others: Vec<f64> = (2..=width).map(of).collect();
        let scale = (1.0 - self.first) / others.iter().sum::<f64>();
        std::iter::once(self.first).chain(others.iter().map(|v| v * scale)).collect()
    }
}

/// `rows` unit vectors of `width` values whose second moments have the eigenvalues of `spectrum`
/// (nearly: making the rows unit shifts them a little); the same seed gives the same vectors.
///
/// A row is `Σ gᵢ √λᵢ eᵢ` with gᵢ normal, g₁ = 1, in a basis that mixes all coordinates of a block:
/// a permutation, signs, and a Hadamard transform over the largest power of two that divides the
/// width. It is orthogonal and takes `width · log(width)` operations, where a random rotation of
/// 8,192 values would take minutes to make.
pub fn synthetic(spectrum: &Spectrum, rows: usize, width: usize, seed: u64) -> Matrix {
    let deviations: Vec<f32> =
        spectrum.eigenvalues(width).iter().map(|v| v.sqrt() as f32).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut order: Vec<usize> = (0..width).collect();
    order.shuffle(&mut rng);
    let signs: Vec<f32> =
        (0..width).map(|_| if rng.random::<bool>() { 1.0 } else { -1.0 }).collect();
    let block = 1 << width.trailing_zeros();
    let mut all = Matrix::zeros(rows, width);
    for row in 0..rows {
        let row = all.row_mut(row);
        for (i, (to, deviation)) in order.iter().zip(&deviations).enumerate() {
            let g: f32 = if i == 0 { 1.0 } else { rng.sample(StandardNormal) };
            row[*to] = signs[i] * g * deviation;
        }
        row.chunks_exact_mut(block).for_each(hadamard);
        let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt();
        row.iter_mut().for_each(|v| *v /= norm);
    }
    all
}

/// The Hadamard transform of a power of two of values, without its factor: rows are made unit
/// afterwards.
fn hadamard(values: &mut [f32]) {
    let mut half = 1;
    while half < values.len() {
        for pair in values.chunks_exact_mut(2 * half) {
            let (low, high) = pair.split_at_mut(half);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIKE_MINILM: Spectrum = Spectrum { first: 0.12, power: -0.5, rate: -2.5 };

    #[test]
    fn the_law_comes_back_from_its_own_eigenvalues() {
        let variances = LIKE_MINILM.eigenvalues(384);
        assert!((variances.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(variances.windows(2).all(|w| w[0] >= w[1]));
        let pca = Pca { mean: None, components: Matrix::zeros(384, 384), variances };
        let law = Spectrum::fit(&pca).unwrap();
        for (a, b) in [
            (law.first, LIKE_MINILM.first),
            (law.power, LIKE_MINILM.power),
            (law.rate, LIKE_MINILM.rate),
        ] {
            assert!((a - b).abs() < 1e-9, "{law:?}");
        }
        let few = Pca { mean: None, components: Matrix::zeros(3, 3), variances: vec![1.0; 3] };
        assert!(Spectrum::fit(&few).is_err());
    }

    #[test]
    fn vectors_are_unit_follow_the_seed_and_have_the_spectrum() {
        let width = 96;
        let all = synthetic(&LIKE_MINILM, 20_000, width, 7);
        for row in all.iter_rows() {
            let norm: f32 = row.iter().map(|v| v * v).sum();
            assert!((norm - 1.0).abs() < 1e-5);
        }
        let found = Pca::fit(&all, false).unwrap().variances;
        let wanted = LIKE_MINILM.eigenvalues(width);
        for i in [0, 1, 5, 20, 60, 95] {
            assert!((found[i] / wanted[i] - 1.0).abs() < 0.15, "{i}: {} {}", found[i], wanted[i]);
        }
        let again = synthetic(&LIKE_MINILM, 10, width, 7);
        assert_eq!(again.data(), &all.data()[..10 * width]);
        assert_ne!(again, synthetic(&LIKE_MINILM, 10, width, 8));
    }

    /// No coordinate stands out: the basis mixes them.
    #[test]
    fn coordinates_are_mixed() {
        let all = synthetic(&LIKE_MINILM, 2000, 128, 3);
        let power = |c: usize| all.iter_rows().map(|r| r[c] * r[c]).sum::<f32>() / 2000.0;
        let (least, most) =
            (0..128).map(power).fold((f32::MAX, 0.0f32), |(l, m), p| (l.min(p), m.max(p)));
        assert!(most < 6.0 * least, "{least} {most}");
    }

    #[test]
    fn hadamard_by_hand() {
        let mut values = [1.0, 2.0, 3.0, 4.0];
        hadamard(&mut values);
        assert_eq!(values, [10.0, -2.0, -4.0, 0.0]);
    }
}
