//! `lnsp demo`: the main job on the bundled vectors.

use std::path::PathBuf;

use super::ArchArgs;
use super::ui::Ui;

/// Arguments of `lnsp demo`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Folder for student, report and metrics.
    #[arg(long, value_name = "FOLDER", default_value = "lnsp-demo")]
    pub out: PathBuf,
    /// Which student.
    #[command(flatten)]
    pub arch: ArchArgs,
    /// Passes over the vectors.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub epochs: usize,
    /// Seed of everything random.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

/// Runs `lnsp demo`.
///
/// # Errors
/// Not built yet: always.
pub fn run(_args: &Args, _ui: &Ui) -> anyhow::Result<()> {
    anyhow::bail!("`lnsp demo` is not built yet")
}
