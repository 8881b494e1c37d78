//! Principal components: the eigenvectors of the second-moment or the covariance matrix.

use nalgebra::{DMatrix, SymmetricEigen};

use super::product::{Operand, Threads, matmul, matmul_nt, multiply};
use super::rows::column_means;
use crate::error::{Error, Result};
use crate::matrix::Matrix;

/// Rows turned to `f64` at a time.
const BLOCK: usize = 1024;

/// Sweeps of the eigensolver after which it gives up.
const MAX_SWEEPS: usize = 100_000;

/// The directions in which a set of vectors varies most.
#[derive(Clone, Debug, PartialEq)]
pub struct Pca {
    /// Mean of the rows, taken off before projecting; `None` if not centred. Uncentred
    /// components keep cosines, centred ones do not.
    pub mean: Option<Vec<f32>>,
    /// `k × d` orthonormal rows, the direction of the largest variance first. In each the value
    /// of largest magnitude is positive, so that the same data gives the same signs.
    pub components: Matrix,
    /// Mean square of the projections on each component, descending (the variance, if centred).
    pub variances: Vec<f64>,
}

impl Pca {
    /// All `d` components of `rows` (n×d): eigenvectors of `Σ x xᵀ / n`, or of the covariance
    /// if `centred`, in `f64`.
    ///
    /// # Errors
    /// [`Error::Invalid`] without rows or columns, or with a value that is not finite.
    pub fn fit(rows: &Matrix, centred: bool) -> Result<Self> {
        let (n, d) = (rows.rows(), rows.cols());
        if n == 0 || d == 0 {
            return Err(Error::invalid(
                "PCA",
                format!("{n} rows of {d} values have no components"),
            ));
        }
        let mut moments = second_moments(rows);
        let means = centred.then(|| column_means(rows));
        if let Some(means) = &means {
            for (i, row) in moments.chunks_exact_mut(d).enumerate() {
                row.iter_mut().zip(means).for_each(|(v, mean)| *v -= means[i] * mean);
            }
        }
        if moments.iter().any(|v| !v.is_finite()) {
            return Err(Error::invalid(
                "PCA",
                "the vectors hold values that are not finite (or overflow when squared); \
                 leave such rows out",
            ));
        }
        let matrix = DMatrix::from_row_slice(d, d, &moments);
        let eigen = SymmetricEigen::try_new(matrix, f64::EPSILON, MAX_SWEEPS)
            .ok_or_else(|| Error::invalid("PCA", "the eigensolver did not converge"))?;
        let mut order: Vec<usize> = (0..d).collect();
        order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
        let mut components = Matrix::zeros(d, d);
        for (to, from) in order.iter().enumerate() {
            let column = eigen.eigenvectors.column(*from);
            let peak = column.iter().fold(0.0f64, |p, v| if v.abs() > p.abs() { *v } else { p });
            let sign = if peak < 0.0 { -1.0 } else { 1.0 };
            let out = components.row_mut(to);
            out.iter_mut().zip(column.iter()).for_each(|(o, v)| *o = (sign * v) as f32);
        }
        Ok(Self {
            mean: means.map(|m| m.iter().map(|v| *v as f32).collect()),
            components,
            variances: order.iter().map(|i| eigen.eigenvalues[*i].max(0.0)).collect(),
        })
    }

    /// The first `k` components alone.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless `1 ≤ k ≤` the number of components.
    pub fn truncated(&self, k: usize) -> Result<Self> {
        let available = self.components.rows();
        if k == 0 || k > available {
            return Err(Error::invalid(
                "PCA",
                format!("{k} components cannot be taken of {available}; choose 1 to {available}"),
            ));
        }
        Ok(Self {
            mean: self.mean.clone(),
            components: self.components.slice_rows(0, k),
            variances: self.variances[..k].to_vec(),
        })
    }

    /// Projections of `rows` (n×d) on the components: n×k.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the rows are not d wide.
    pub fn project(&self, rows: &Matrix) -> Result<Matrix> {
        expect_width("PCA projection", rows, self.components.cols())?;
        match &self.mean {
            None => Ok(matmul_nt(rows, &self.components)),
            Some(mean) => {
                let mut centred = rows.clone();
                for row in centred.data_mut().chunks_exact_mut(mean.len()) {
                    row.iter_mut().zip(mean).for_each(|(v, m)| *v -= m);
                }
                Ok(matmul_nt(&centred, &self.components))
            }
        }
    }

    /// The vectors (n×d) that latents (n×k) stand for.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the latents are not k wide.
    pub fn reconstruct(&self, latents: &Matrix) -> Result<Matrix> {
        expect_width("PCA reconstruction", latents, self.components.rows())?;
        let mut rows = matmul(latents, &self.components);
        if let Some(mean) = &self.mean {
            for row in rows.data_mut().chunks_exact_mut(mean.len()) {
                row.iter_mut().zip(mean).for_each(|(v, m)| *v += m);
            }
        }
        Ok(rows)
    }
}

/// `Σ x xᵀ / n` in `f64`, d×d, a block of rows at a time.
fn second_moments(rows: &Matrix) -> Vec<f64> {
    let d = rows.cols();
    let mut moments = vec![0.0f64; d * d];
    let mut wide = Vec::with_capacity(BLOCK.min(rows.rows()) * d);
    for block in rows.data().chunks(BLOCK * d) {
        wide.clear();
        wide.extend(block.iter().map(|v| f64::from(*v)));
        let block = Operand::new(&wide, wide.len() / d, d);
        multiply(block.transposed(), block, &mut moments, true, Threads::All);
    }
    moments.iter_mut().for_each(|v| *v /= rows.rows() as f64);
    moments
}

fn expect_width(what: &str, rows: &Matrix, width: usize) -> Result<()> {
    if rows.cols() == width {
        return Ok(());
    }
    Err(Error::invalid(what, format!("takes rows of {width} values, these have {}", rows.cols())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows with unequal, known axes and a mean that is not zero.
    fn sample(n: usize) -> Matrix {
        Matrix::from_fn(n, 5, |r, c| {
            let phase = (r * (c + 3) * 7 + c * 11) as f32 * 0.618;
            phase.sin() * [3.0, 0.2, 1.0, 0.0, 0.5][c] + [0.0, 1.5, 0.0, 0.0, -0.3][c]
        })
    }

    #[test]
    fn components_are_eigenvectors_of_a_naive_moment_matrix() {
        let rows = sample(301);
        for centred in [false, true] {
            let pca = Pca::fit(&rows, centred).unwrap();
            let means: Vec<f64> = (0..5)
                .map(|c| {
                    let sum: f64 = rows.iter_rows().map(|r| f64::from(r[c])).sum();
                    if centred { sum / 301.0 } else { 0.0 }
                })
                .collect();
            let moment = |i: usize, j: usize| -> f64 {
                let at = |r: &[f32], c: usize| f64::from(r[c]) - means[c];
                rows.iter_rows().map(|r| at(r, i) * at(r, j)).sum::<f64>() / 301.0
            };
            for (k, variance) in pca.variances.iter().enumerate() {
                let v = pca.components.row(k);
                for i in 0..5 {
                    let product: f64 = (0..5).map(|j| moment(i, j) * f64::from(v[j])).sum();
                    assert!((product - variance * f64::from(v[i])).abs() < 1e-5);
                }
                let peak = v.iter().fold(0.0f32, |p, x| if x.abs() > p.abs() { *x } else { p });
                assert!(peak > 0.0);
            }
            assert!(pca.variances.windows(2).all(|w| w[0] >= w[1]));
            let back = pca.reconstruct(&pca.project(&rows).unwrap()).unwrap();
            for (a, b) in back.data().iter().zip(rows.data()) {
                assert!((a - b).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn fewer_rows_than_columns_and_bad_rows() {
        let pca = Pca::fit(&sample(2), true).unwrap();
        assert!(pca.variances[1] < 1e-10);
        assert_eq!(pca.truncated(2).unwrap().project(&sample(3)).unwrap().cols(), 2);
        assert!(pca.truncated(0).is_err() && pca.truncated(6).is_err());
        assert!(pca.project(&Matrix::zeros(1, 4)).is_err());
        assert!(pca.reconstruct(&Matrix::zeros(1, 4)).is_err());
        assert!(Pca::fit(&Matrix::zeros(0, 4), false).is_err());
        let nan = Matrix::new(1, 2, vec![f32::NAN, 1.0]).unwrap();
        assert!(Pca::fit(&nan, false).is_err());
        assert_eq!(Pca::fit(&Matrix::zeros(3, 2), false).unwrap().variances, [0.0, 0.0]);
    }
}
