//! Where a training begins.

use crate::arch::Arch;
use crate::error::Result;
use crate::linalg::Pca;
use crate::matrix::Matrix;
use crate::student::{Init, Parameters};
use crate::train::TrainConfig;

/// The parameters with which a training on `data` (teacher vectors as rows) begins: with
/// spectral initialisation the PCA of all rows, those set aside for validation too, since a
/// twentieth fewer rows cost the start more than training brings.
///
/// # Errors
/// [`crate::Error::Arch`] if the architecture cannot start as configured,
/// [`crate::Error::Invalid`] for data of which there is no PCA.
pub fn start(arch: &Arch, config: &TrainConfig, data: &Matrix) -> Result<Parameters> {
    match config.init {
        Init::Random => Ok(Parameters::random(arch, config.seed)),
        Init::Spectral => {
            let pca = Pca::fit(data, false)?;
            Parameters::spectral(arch, &pca.truncated(arch.latent())?, config.seed)
        }
    }
}
