//! Seeded random rotations and projections.

use nalgebra::DMatrix;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use crate::error::{Error, Result};
use crate::matrix::Matrix;

/// A `width × width` rotation (or reflection), uniform over all of them: the Q of a Gaussian
/// matrix's QR decomposition, with the signs of R's diagonal moved into Q.
///
/// # Errors
/// [`Error::Invalid`] if `width` is 0.
pub fn random_rotation(width: usize, seed: u64) -> Result<Matrix> {
    random_projection(width, width, seed)
}

/// `count × width`: orthonormal rows that span a uniformly random subspace. `x · rowsᵀ` is the
/// projection.
///
/// # Errors
/// [`Error::Invalid`] unless `1 ≤ count ≤ width`.
pub fn random_projection(count: usize, width: usize, seed: u64) -> Result<Matrix> {
    if count == 0 || count > width {
        return Err(Error::invalid(
            "random projection",
            format!("from {width} values to {count} is not possible; choose 1 to {width}"),
        ));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let gaussian = DMatrix::<f64>::from_fn(width, count, |_, _| rng.sample(StandardNormal));
    let qr = gaussian.qr();
    let (q, r) = (qr.q(), qr.r());
    Ok(Matrix::from_fn(count, width, |row, col| {
        let sign = if r[(row, row)] < 0.0 { -1.0 } else { 1.0 };
        (sign * q[(col, row)]) as f32
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::product::matmul_nt;

    #[test]
    fn rows_are_orthonormal_and_follow_the_seed() {
        for (count, width) in [(1, 1), (1, 7), (5, 13), (37, 37)] {
            let rows = random_projection(count, width, 3).unwrap();
            let gram = matmul_nt(&rows, &rows);
            for i in 0..count {
                for (j, v) in gram.row(i).iter().enumerate() {
                    let expected = if i == j { 1.0 } else { 0.0 };
                    assert!((v - expected).abs() < 1e-5, "{count}×{width}: {i} {j} {v}");
                }
            }
            assert_eq!(rows, random_projection(count, width, 3).unwrap());
            assert!(width == 1 || rows != random_projection(count, width, 4).unwrap());
        }
        assert!(random_projection(0, 4, 0).is_err());
        assert!(random_projection(5, 4, 0).is_err());
        assert!(random_rotation(0, 0).is_err());
    }
}
