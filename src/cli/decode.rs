//! `lnsp decode`: latents to vectors.

use std::path::PathBuf;

use super::ui::Ui;

/// Arguments of `lnsp decode`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The student, as `lnsp train` writes it.
    #[arg(long, value_name = "FILE", default_value = "student.safetensors")]
    pub student: PathBuf,
    /// Latents, .npy, .safetensors or .parquet.
    #[arg(long = "in", value_name = "FILE")]
    pub input: PathBuf,
    /// Vectors, in the format of its ending.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Leave out rows that cannot be used, and count them.
    #[arg(long)]
    pub skip_bad: bool,
}

/// Runs `lnsp decode`.
///
/// # Errors
/// Not built yet: always.
pub fn run(_args: &Args, _ui: &Ui) -> anyhow::Result<()> {
    anyhow::bail!("`lnsp decode` is not built yet")
}
