//! `lnsp encode`: vectors to latents.

use std::path::PathBuf;

use super::ui::Ui;

/// Arguments of `lnsp encode`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The student, as `lnsp train` writes it.
    #[arg(long, value_name = "FILE", default_value = "student.safetensors")]
    pub student: PathBuf,
    /// Vectors, .npy, .safetensors or .parquet.
    #[arg(long = "in", value_name = "FILE")]
    pub input: PathBuf,
    /// Latents, in the format of its ending.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Leave out rows that cannot be used, and count them.
    #[arg(long)]
    pub skip_bad: bool,
}

/// Runs `lnsp encode`.
///
/// # Errors
/// Not built yet: always.
pub fn run(_args: &Args, _ui: &Ui) -> anyhow::Result<()> {
    anyhow::bail!("`lnsp encode` is not built yet")
}
