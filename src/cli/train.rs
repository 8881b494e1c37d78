//! `lnsp train`: train a student on vectors.

use std::path::PathBuf;

use clap::ValueEnum;

use super::ArchArgs;
use super::ui::Ui;

/// Arguments of `lnsp train`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Which student.
    #[command(flatten)]
    pub arch: ArchArgs,
    /// Vectors to train on, .npy, .safetensors or .parquet [default: the bundled 20,000].
    #[arg(long, value_name = "FILE")]
    pub vectors: Option<PathBuf>,
    /// Where the student goes.
    #[arg(long, value_name = "FILE", default_value = "student.safetensors")]
    pub out: PathBuf,
    /// Passes over the vectors.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub epochs: usize,
    /// Vectors in a step.
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub batch: usize,
    /// Highest learning rate [default: by the initialisation].
    #[arg(long, value_name = "RATE")]
    pub rate: Option<f32>,
    /// Start: spectral (as PCA of the training vectors) or random.
    #[arg(long, value_enum, default_value_t, hide_possible_values = true)]
    pub init: InitChoice,
    /// Weight of 1 − cosine between output and teacher.
    #[arg(long, value_name = "W", default_value_t = 1.0)]
    pub alignment: f32,
    /// Weight of the Gram loss: latents keep the cosines between vectors.
    #[arg(long, value_name = "W", default_value_t = 1.0)]
    pub geometry: f32,
    /// Weight of the mean squared error of the output.
    #[arg(long, value_name = "W", default_value_t = 0.0)]
    pub mse: f32,
    /// Weight of the diversity term on the latents.
    #[arg(long, value_name = "W", default_value_t = 0.0)]
    pub diversity: f32,
    /// Seed of everything random.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Go on from the checkpoint beside the output.
    #[arg(long)]
    pub resume: bool,
    /// Leave out rows that cannot be used, and count them.
    #[arg(long)]
    pub skip_bad: bool,
}

/// How a student starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum InitChoice {
    /// As uncentred PCA of the training vectors.
    #[default]
    Spectral,
    /// From random numbers.
    Random,
}

/// Runs `lnsp train`.
///
/// # Errors
/// Not built yet: always.
pub fn run(_args: &Args, _ui: &Ui) -> anyhow::Result<()> {
    anyhow::bail!("`lnsp train` is not built yet")
}
