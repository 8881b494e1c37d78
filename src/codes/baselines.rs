//! The codes that every student is compared with.

use super::{Code, PcaTransform, Projected, RotatedBits, TransformBasis};
use crate::error::Result;
use crate::linalg::Pca;
use crate::matrix::Matrix;

/// Budgets of the PCA transform code for 384-wide vectors, in bytes a vector: four, two, one
/// and half a bit a coordinate.
pub const TRANSFORM_BYTES: [usize; 4] = [192, 96, 48, 24];

/// All baselines for vectors like `train` (n×d) beside latents of `latent` values, fitted on
/// `train`: the teacher as `f32` and int8; PCA to `latent`, half and a quarter of it, centred
/// too, with int8 latents; truncation; random projection; 4, 2 and 1 bit after a rotation; PCA
/// transform coding at [`TRANSFORM_BYTES`] (scaled with the width). `seed` chooses the rotation
/// and the projection.
///
/// # Errors
/// [`crate::Error::Invalid`] if `latent` is not 1 to d, without rows, or with values that are
/// not finite.
pub fn baselines(train: &Matrix, latent: usize, seed: u64) -> Result<Vec<Box<dyn Code>>> {
    let width = train.cols();
    let teacher = Projected::whole(width)?;
    let pca = Pca::fit(train, false)?;
    let uncentred = Projected::pca(&pca, latent)?;
    let centred = Projected::pca(&Pca::fit(train, true)?, latent)?;
    let mut all: Vec<Box<dyn Code>> = vec![
        Box::new(teacher.clone()),
        Box::new(teacher.int8(train)?),
        Box::new(uncentred.clone()),
        Box::new(uncentred.int8(train)?),
        Box::new(centred),
    ];
    for k in [latent / 2, latent / 4] {
        if k > 0 {
            all.push(Box::new(Projected::pca(&pca, k)?));
        }
    }
    all.push(Box::new(Projected::truncation(width, latent)?));
    all.push(Box::new(Projected::random(width, latent, seed)?));
    for bits in [4, 2, 1] {
        all.push(Box::new(RotatedBits::new(width, bits, seed)?));
    }
    let basis = TransformBasis::fit(&pca, train)?;
    for bytes in TRANSFORM_BYTES {
        let bytes = bytes * width / crate::arch::TEACHER_WIDTH;
        if bytes > 0 {
            all.push(Box::new(PcaTransform::new(&basis, bytes)?));
        }
    }
    Ok(all)
}
