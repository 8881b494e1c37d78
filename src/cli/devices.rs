//! `lnsp devices`: what can compute here, and what `auto` picks and why.

use super::ui::Ui;

/// Arguments of `lnsp devices`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Hidden width S that `auto` is asked about.
    #[arg(long, value_name = "S", default_value_t = 256)]
    pub width: usize,
}

/// Runs `lnsp devices`.
///
/// # Errors
/// Not built yet: always.
pub fn run(_args: &Args, _ui: &Ui) -> anyhow::Result<()> {
    anyhow::bail!("`lnsp devices` is not built yet")
}
