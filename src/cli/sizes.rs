//! `lnsp sizes`: the note's tables recomputed.

use clap::ValueEnum;

use super::family_b;
use super::recommend::{self, RecommendArgs};
use super::ui::{Ui, Usage};
use crate::arch::{Activation, Arch, Variant};
use crate::note::Family;
use crate::report::size_tables::{size_csv, size_summary, size_tables};
use crate::report::table::wrap;
use crate::sizes::{DEFAULT_BATCH, Sizes};

/// Arguments of `lnsp sizes`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lnsp sizes                                  both of the note's tables\n  \
    lnsp sizes --family b --variant sn727       what the note's 545K parameters may be\n  \
    lnsp sizes --width 300 --arch 768-512-128-512-768\n  \
    lnsp sizes --csv > sizes.csv                one line an architecture, bytes as bytes\n  \
    lnsp sizes --recommend --max-bytes 192 --min-overlap 0.9\n  \
    lnsp sizes --recommend --max-ms 0.1 --least ms --results lnsp-note")]
pub struct Args {
    /// Which of the note's tables: a, b or all [default: all; with --width or --arch, none].
    #[arg(long, value_enum, hide_possible_values = true)]
    pub family: Option<FamilyChoice>,
    /// An architecture of yours, such as 384-256-192-256-384; may be given several times.
    #[arg(long, value_name = "LIST")]
    pub arch: Vec<Arch>,
    /// A hidden width S of yours for 384→S→192→S→384; may be given several times.
    #[arg(long, value_name = "S")]
    pub width: Vec<usize>,
    /// Graph of family B and of your architectures: plain, or sn727 (an inference from the
    /// note's 545K parameters).
    #[arg(long, default_value_t)]
    pub variant: Variant,
    /// gelu or relu; it changes the FLOPs alone.
    #[arg(long, default_value_t)]
    pub activation: Activation,
    /// Vectors in a training step.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_BATCH)]
    pub batch: usize,
    /// Print CSV: every figure, one line an architecture.
    #[arg(long)]
    pub csv: bool,
    /// Which code to take.
    #[command(flatten)]
    pub recommend: RecommendArgs,
}

/// Which of the note's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FamilyChoice {
    /// N→N→N/2→N→N.
    A,
    /// 384→S→192→S→384.
    B,
    /// Both.
    All,
}

/// Runs `lnsp sizes`.
///
/// # Errors
/// A width of zero or too large to count, a batch of zero, `--csv` with `--json`.
pub fn run(args: &Args, ui: &Ui) -> anyhow::Result<()> {
    if args.csv && ui.json() {
        return Err(Usage("--csv and --json exclude each other".into()).into());
    }
    if args.recommend.recommend {
        return recommend::run(&args.recommend, ui);
    }
    let mut own = Vec::new();
    for &width in &args.width {
        own.push(family_b(width)?);
    }
    own.extend(args.arch.iter().cloned());
    let own = own
        .iter()
        .map(|arch| arch.with_activation(args.activation).with_variant(args.variant))
        .collect::<crate::Result<Vec<_>>>()?;
    let families: &[Family] = match args.family {
        Some(FamilyChoice::A) => &[Family::A],
        Some(FamilyChoice::B) => &[Family::B],
        None if !own.is_empty() => &[],
        Some(FamilyChoice::All) | None => &[Family::A, Family::B],
    };
    let sizes = Sizes::new(families, args.variant, args.activation, &own, args.batch)?;
    if ui.json() {
        return ui.print_json(&sizes);
    }
    if args.csv {
        return ui.print_raw(&size_csv(&sizes));
    }
    for (i, table) in size_tables(&sizes).iter().enumerate() {
        if i > 0 {
            ui.print("")?;
        }
        ui.table(table)?;
    }
    match size_summary(&sizes) {
        Some(summary) => ui.print(&format!("\n{}", wrap(&summary, ui.terminal().width))),
        None => Ok(()),
    }
}
