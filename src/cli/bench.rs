//! `lnsp bench`: latency, throughput and memory.

use super::ui::Ui;
use crate::arch::Arch;

/// Arguments of `lnsp bench`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Hidden widths S to measure; may be given several times [default: the note's].
    #[arg(long, value_name = "S")]
    pub width: Vec<usize>,
    /// Any other architecture, such as 768-512-128-512-768; may be given several times.
    #[arg(long, value_name = "LIST")]
    pub arch: Vec<Arch>,
    /// Vectors in a training step.
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub batch: usize,
    /// Seconds spent on each measurement.
    #[arg(long, value_name = "S", default_value_t = 1.0)]
    pub seconds: f64,
}

/// Runs `lnsp bench`.
///
/// # Errors
/// Not built yet: always.
pub fn run(_args: &Args, _ui: &Ui) -> anyhow::Result<()> {
    anyhow::bail!("`lnsp bench` is not built yet")
}
