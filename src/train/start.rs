//! Where a training begins.

use crate::arch::Arch;
use crate::error::Result;
use crate::linalg::Pca;
use crate::matrix::Matrix;
use crate::student::{Init, Parameters};
use crate::train::{Split, TrainConfig};

/// The parameters with which a training on `data` (teacher vectors as rows) begins; the rows
/// that are set aside for validation have no part in them.
///
/// # Errors
/// [`crate::Error::Arch`] if the architecture cannot start as configured,
/// [`crate::Error::Invalid`] for data of which there is no PCA.
pub fn start(arch: &Arch, config: &TrainConfig, data: &Matrix) -> Result<Parameters> {
    match config.init {
        Init::Random => Ok(Parameters::random(arch, config.seed)),
        Init::Spectral => {
            let split = Split::new(data.rows(), config.validation_rows, config.seed);
            let pca = Pca::fit(&data.gather_rows(&split.training), false)?;
            Parameters::spectral(arch, &pca.truncated(arch.latent())?, config.seed)
        }
    }
}
