//! Transform coding: principal components, with the bits where they remove most error.

use super::bits::{BitReader, BitWriter};
use super::{Code, MAX_BITS, expect_whole, expect_width, gaussian_levels};
use crate::error::{Error, Result};
use crate::linalg::{Pca, column_deviations, column_means};
use crate::matrix::Matrix;

/// Principal components with the mean and deviation of each on a training set: what all
/// budgets share.
#[derive(Clone, Debug, PartialEq)]
pub struct TransformBasis {
    pub(super) pca: Pca,
    pub(super) means: Vec<f32>,
    pub(super) deviations: Vec<f32>,
}

impl TransformBasis {
    /// Measures the projections of `train` (n×d) on the components of `pca`.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the widths differ, without rows, or with values that are not finite.
    pub fn fit(pca: &Pca, train: &Matrix) -> Result<Self> {
        let latents = pca.project(train)?;
        if latents.rows() == 0 || latents.data().iter().any(|v| !v.is_finite()) {
            return Err(Error::invalid(
                "PCA transform coding",
                "needs at least one training row, and finite values only",
            ));
        }
        let means = column_means(&latents);
        Ok(Self {
            pca: pca.clone(),
            deviations: column_deviations(&latents, &means),
            means: means.iter().map(|m| *m as f32).collect(),
        })
    }
}

/// PCA transform coding with a fixed number of bytes a vector: each latent is taken as Gaussian
/// with its training mean and deviation and quantised by Lloyd–Max levels; a latent without
/// bits is its mean. Documents are reconstructed in the teacher's space, queries stay in `f32`.
#[derive(Clone, Debug, PartialEq)]
pub struct PcaTransform {
    basis: TransformBasis,
    bits: Vec<u8>,
    bytes: usize,
}

impl PcaTransform {
    /// A code of exactly `bytes` bytes a vector.
    ///
    /// # Errors
    /// [`Error::Invalid`] if `bytes` is 0 or more than the coordinates can take.
    pub fn new(basis: &TransformBasis, bytes: usize) -> Result<Self> {
        let most = basis.deviations.len() * usize::from(MAX_BITS) / 8;
        if bytes == 0 || bytes > most {
            return Err(Error::invalid(
                "PCA transform coding",
                format!("{bytes} bytes a vector is not possible here; choose 1 to {most}"),
            ));
        }
        let bits = allocate(&basis.deviations, 8 * bytes, &distortions());
        Ok(Self { basis: basis.clone(), bits, bytes })
    }

    /// Bits of each component; they sum to eight times the bytes.
    pub fn bits(&self) -> &[u8] {
        &self.bits
    }
}

/// Gives `budget` bits one by one, each to the coordinate whose next bit removes most squared
/// error, the first of equals; `distortions` are those of a unit Gaussian with 0, 1, … bits. Since
/// each further bit removes less, this is the best division.
pub(super) fn allocate(deviations: &[f32], budget: usize, distortions: &[f64]) -> Vec<u8> {
    let gain = |deviation: f32, bits: u8| match distortions.get(usize::from(bits)..) {
        Some([now, next, ..]) => f64::from(deviation).powi(2) * (now - next),
        _ => -1.0,
    };
    let mut bits = vec![0u8; deviations.len()];
    let mut gains: Vec<f64> = deviations.iter().map(|d| gain(*d, 0)).collect();
    for _ in 0..budget {
        let best =
            (0..gains.len()).fold(0, |best, i| if gains[i] > gains[best] { i } else { best });
        bits[best] += 1;
        gains[best] = gain(deviations[best], bits[best]);
    }
    bits
}

/// Mean squared errors of Lloyd–Max levels on a unit Gaussian.
fn distortions() -> Vec<f64> {
    (0..=MAX_BITS).map(|bits| gaussian_levels(bits).distortion()).collect()
}

impl Code for PcaTransform {
    fn name(&self) -> String {
        format!("PCA transform coding, {} bytes", self.bytes)
    }

    fn width(&self) -> usize {
        self.basis.pca.components.cols()
    }

    fn bytes_per_vector(&self) -> usize {
        self.bytes
    }

    fn asymmetric(&self) -> bool {
        true
    }

    fn model_bytes(&self) -> u64 {
        let TransformBasis { pca, means, deviations } = &self.basis;
        let numbers = pca.components.data().len() + means.len() + deviations.len();
        4 * numbers as u64 + self.bits.len() as u64
    }

    fn pack(&self, x: &Matrix) -> Result<Vec<u8>> {
        expect_width(&self.name(), x, self.width())?;
        let TransformBasis { pca, means, deviations } = &self.basis;
        let latents = pca.project(x)?;
        let mut writer = BitWriter::with_capacity(x.rows() * self.bytes);
        for row in latents.iter_rows() {
            for (i, bits) in self.bits.iter().enumerate().filter(|(_, bits)| **bits > 0) {
                let deviation = deviations[i];
                let unit = if deviation > 0.0 { (row[i] - means[i]) / deviation } else { 0.0 };
                writer.write(gaussian_levels(*bits).quantise(unit), *bits);
            }
        }
        Ok(writer.into_bytes())
    }

    fn unpack(&self, bytes: &[u8]) -> Result<Matrix> {
        let rows = expect_whole(&self.name(), bytes, self.bytes)?;
        let TransformBasis { pca, means, deviations } = &self.basis;
        let mut latents = Matrix::zeros(rows, means.len());
        for (row, bytes) in bytes.chunks_exact(self.bytes).enumerate() {
            let mut reader = BitReader::new(bytes);
            for (i, value) in latents.row_mut(row).iter_mut().enumerate() {
                let bits = self.bits[i];
                *value = means[i] + deviations[i] * gaussian_levels(bits).level(reader.read(bits));
            }
        }
        pca.reconstruct(&latents)
    }

    fn queries(&self, x: &Matrix) -> Result<Matrix> {
        expect_width(&self.name(), x, self.width())?;
        Ok(x.clone())
    }

    fn decode(&self, documents: &Matrix) -> Result<Option<Matrix>> {
        expect_width(&self.name(), documents, self.width())?;
        Ok(Some(documents.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_meet_the_budget_and_no_move_of_one_bit_is_better() {
        let deviations = [2.0, 1.0, 0.7, 0.31, 0.1, 0.0, 1e-16];
        let error = |bits: &[u8]| -> f64 {
            let one =
                |(d, b): (&f32, &u8)| f64::from(*d).powi(2) * gaussian_levels(*b).distortion();
            deviations.iter().zip(bits).map(one).sum()
        };
        for budget in [0, 1, 5, 16, 40, 56] {
            let bits = allocate(&deviations, budget, &distortions());
            assert_eq!(bits.iter().map(|b| usize::from(*b)).sum::<usize>(), budget);
            assert!(bits.iter().all(|b| *b <= MAX_BITS));
            let best = error(&bits);
            for from in 0..7 {
                for to in 0..7 {
                    if from != to && bits[from] > 0 && bits[to] < MAX_BITS {
                        let mut other = bits.clone();
                        other[from] -= 1;
                        other[to] += 1;
                        assert!(error(&other) >= best - 1e-12, "{budget}: {bits:?} {other:?}");
                    }
                }
            }
        }
    }
}
