//! What a student in training is to beat: PCA of the same latent width on the same rows.

use crate::error::Result;
use crate::linalg::Pca;
use crate::matrix::Matrix;
use crate::metrics::{Neighbours, overlap_at_k};
use crate::train::{Split, TrainConfig};

/// Mean overlap@10 of uncentred PCA to `latent` values on the rows of `data` (n×d) that a training
/// with `config` sets aside. It is fitted on all rows, as the start of the training is: with fewer
/// it would be an easier line than the one the student begins on. `None` if fewer than eleven rows
/// are set aside.
///
/// # Errors
/// [`crate::Error::Invalid`] for values that are not finite, or a latent wider than the rows.
pub fn pca_line(data: &Matrix, latent: usize, config: &TrainConfig) -> Result<Option<f64>> {
    const K: usize = 10;
    let split = Split::new(data.rows(), config.validation_rows, config.seed);
    if split.validation.len() <= K {
        return Ok(None);
    }
    let pca = Pca::fit(data, false)?.truncated(latent)?;
    let rows = data.gather_rows(&split.validation);
    let truth = Neighbours::within(&rows, &rows, K)?;
    let latents = pca.project(&rows)?;
    let kept = overlap_at_k(&truth, &Neighbours::within(&latents, &latents, K)?, K)?;
    Ok(Some(kept.iter().map(|v| f64::from(*v)).sum::<f64>() / kept.len() as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_components_keep_all_neighbours_and_few_rows_have_none() {
        let data = Matrix::from_fn(120, 7, |r, c| ((r * 31 + 7) * (c * c + 3) % 97) as f32 - 48.0);
        let config = TrainConfig { validation_rows: 20, ..TrainConfig::default() };
        assert_eq!(pca_line(&data, 7, &config).unwrap(), Some(1.0));
        let part = pca_line(&data, 3, &config).unwrap().unwrap();
        assert!(part > 0.2 && part < 1.0, "{part}");
        assert_eq!(pca_line(&data.slice_rows(0, 30), 3, &config).unwrap(), None);
        assert!(pca_line(&data, 8, &config).is_err());
    }
}
