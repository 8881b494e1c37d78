//! `lnsp eval`: quality of a student beside its baselines.

use std::path::PathBuf;

use super::ui::Ui;

/// Arguments of `lnsp eval`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The student, as `lnsp train` writes it.
    #[arg(long, value_name = "FILE", default_value = "student.safetensors")]
    pub student: PathBuf,
    /// Vectors to measure on, .npy, .safetensors or .parquet [default: the bundled 3,000].
    #[arg(long, value_name = "FILE")]
    pub vectors: Option<PathBuf>,
    /// Vectors the baselines are fitted to [default: the bundled 20,000].
    #[arg(long, value_name = "FILE")]
    pub fit: Option<PathBuf>,
    /// Write a report to read, one HTML file.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Bootstrap samples behind the confidence intervals.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub bootstrap: usize,
    /// Seed of everything random.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Leave out rows that cannot be used, and count them.
    #[arg(long)]
    pub skip_bad: bool,
}

/// Runs `lnsp eval`.
///
/// # Errors
/// Not built yet: always.
pub fn run(_args: &Args, _ui: &Ui) -> anyhow::Result<()> {
    anyhow::bail!("`lnsp eval` is not built yet")
}
