//! The command `lnsp`: one file a subcommand, each an `Args` and a `run`, thin over the library.

use std::process::ExitCode;

use anyhow::Context;
use clap::{ArgAction, ColorChoice, Parser, Subcommand, ValueEnum};

use crate::arch::{Activation, Arch, NOTE_LATENT, TEACHER_WIDTH, Variant};

pub mod baselines;
pub mod bench;
pub mod codes;
pub mod compare;
pub mod convert;
pub mod decode;
pub mod demo;
pub mod device;
pub mod devices;
pub mod embed;
pub mod encode;
pub mod eval;
pub mod export;
pub mod import;
pub mod journal;
pub mod machine;
pub mod memory;
pub mod note;
pub mod parts;
pub mod phases;
pub mod progress;
pub mod quantize;
pub mod recommend;
pub mod search;
pub mod settings;
pub mod sizes;
pub mod sweep;
pub mod tasks;
pub mod teacher;
pub mod text;
pub mod train;
pub mod training;
pub mod ui;
pub mod vectors;

use ui::{Closed, Ui, Usage};

/// Train, measure and try LNSP students: small networks that squeeze a teacher's sentence
/// embedding through a narrow latent and align the result with the teacher again.
#[derive(Debug, Parser)]
#[command(
    name = "lnsp",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Examples:\n  \
        lnsp demo                       train, evaluate and compare on the bundled vectors\n  \
        lnsp sizes                      the note's tables beside exact counts\n  \
        lnsp train --width 512 --out student.safetensors\n  \
        lnsp eval --student student.safetensors\n\n\
        Results go to standard output, progress to standard error. `lnsp COMMAND --help` has the rest."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What every subcommand takes.
    #[command(flatten)]
    pub global: Global,
}

/// What every subcommand takes.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Everywhere")]
pub struct Global {
    /// Print one JSON document instead of text.
    #[arg(long, global = true)]
    pub json: bool,
    /// Where to compute: auto (the faster one for the work at hand), gpu or cpu.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "DEVICE",
        hide_possible_values = true
    )]
    pub device: DeviceChoice,
    /// No progress, results and errors only.
    #[arg(long, short, global = true, action = ArgAction::SetTrue)]
    pub quiet: bool,
    /// Colour: always, never, or auto (on a terminal and without NO_COLOR).
    #[arg(
        long, global = true, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN",
        hide_possible_values = true
    )]
    pub color: ColorChoice,
}

/// Where to compute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DeviceChoice {
    /// Whichever is faster for the work at hand.
    #[default]
    Auto,
    /// The GPU, or an error if there is none.
    Gpu,
    /// The CPU.
    Cpu,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Recompute the note's tables, with your own architectures beside them.
    Sizes(sizes::Args),
    /// List what can compute here and what `auto` picks.
    Devices(devices::Args),
    /// Train a student on vectors.
    Train(train::Args),
    /// Measure a student against the teacher and every baseline.
    Eval(eval::Args),
    /// Cosines of a few sentences before and after.
    Compare(compare::Args),
    /// Turn texts into the teacher's vectors.
    Embed(embed::Args),
    /// Turn vectors into latents or codes.
    Encode(encode::Args),
    /// Turn latents or codes back into vectors.
    Decode(decode::Args),
    /// Find the nearest neighbours among documents that lie as codes.
    Search(search::Args),
    /// Store a student or a teacher at f16 or int8.
    Quantize(quantize::Args),
    /// Take a student elsewhere: ONNX, SentenceTransformer, JavaScript, PyTorch.
    Export(export::Args),
    /// Make a student of a state dict from elsewhere.
    Import(import::Args),
    /// Fit the baselines on vectors and keep them in a small file, as the page has them.
    Baselines(baselines::Args),
    /// Measure latency, throughput and memory.
    Bench(bench::Args),
    /// Train with many settings side by side and see which matter.
    Sweep(sweep::Args),
    /// Carry out the note's strategy: tune on a small student, then widen it, with controls.
    Phases(phases::Args),
    /// Train, evaluate and compare on the bundled vectors, and write a report.
    Demo(demo::Args),
    /// Run the whole note here: every row measured, every claim with its verdict, a report.
    Note(note::Args),
    /// One row of the note, for `lnsp note` to call.
    #[command(hide = true)]
    NoteRow(note::child::Args),
}

/// Hidden width of a student of which nothing is said.
const DEFAULT_WIDTH: usize = 256;

/// Which student: a width of family B, or any widths.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ArchArgs {
    /// Hidden width S of 384→S→192→S→384.
    #[arg(
        long, value_name = "S", conflicts_with = "arch",
        help = format!("Hidden width S of 384→S→192→S→384 [default: {DEFAULT_WIDTH}]")
    )]
    pub width: Option<usize>,
    /// Width L of the latent in 384→S→L→S→384 [default: 192]; other than that, S is 2 · L if it is
    /// not given.
    #[arg(long, value_name = "L", conflicts_with = "arch")]
    pub latent: Option<usize>,
    /// Any widths, such as 384-256-192-256-384.
    #[arg(long, value_name = "LIST")]
    pub arch: Option<Arch>,
    /// plain, or sn727 (an inference from the note's 545K parameters) [default: plain].
    #[arg(long)]
    pub variant: Option<Variant>,
    /// gelu or relu [default: gelu].
    #[arg(long)]
    pub activation: Option<Activation>,
}

impl ArchArgs {
    /// The architecture they name.
    ///
    /// # Errors
    /// As [`Arch::new`].
    pub fn arch(&self) -> anyhow::Result<Arch> {
        let widths = match &self.arch {
            Some(arch) => arch.widths().to_vec(),
            None => match self.latent.filter(|latent| *latent != NOTE_LATENT) {
                None => family_b(self.width.unwrap_or(DEFAULT_WIDTH))?.widths().to_vec(),
                Some(latent) => {
                    let hidden = self.width.unwrap_or(latent.saturating_mul(2));
                    vec![TEACHER_WIDTH, hidden, latent, hidden, TEACHER_WIDTH]
                }
            },
        };
        let activation = self.activation.unwrap_or_default();
        Ok(Arch::new(widths, activation, self.variant.unwrap_or_default())?)
    }

    /// What was given and is otherwise in `other`, in words.
    ///
    /// # Errors
    /// As [`Self::arch`].
    pub fn differences(&self, other: &Arch) -> anyhow::Result<Vec<String>> {
        let mut found = Vec::new();
        if self.width.is_some() || self.latent.is_some() || self.arch.is_some() {
            let given = self.arch()?;
            if given.widths() != other.widths() {
                found.push(format!("{given} where it has {other}"));
            }
        }
        if let Some(given) = self.variant.filter(|v| *v != other.variant()) {
            found.push(format!("--variant {given} where it has {}", other.variant()));
        }
        if let Some(given) = self.activation.filter(|a| *a != other.activation()) {
            found.push(format!("--activation {given} where it has {}", other.activation()));
        }
        Ok(found)
    }
}

/// `--width S` as an architecture.
fn family_b(width: usize) -> anyhow::Result<Arch> {
    Arch::family_b(width).with_context(|| format!("--width {width}"))
}

/// Runs the command line of this process; its whole `main`.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(refused) => {
            // A closed pipe leaves nobody to tell.
            let _ = refused.print();
            return ExitCode::from(refused.exit_code() as u8);
        }
    };
    let ui = Ui::new(&cli.global);
    match run(&cli.command, &ui) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Closed>() => ExitCode::SUCCESS,
        Err(error) => {
            ui.error(&error);
            ExitCode::from(exit_code(&error))
        }
    }
}

fn run(command: &Command, ui: &Ui) -> anyhow::Result<()> {
    let threads = match command {
        Command::Bench(args) => args.threads,
        _ => None,
    };
    // This thread works with the others: handing every kernel to them and sleeping until it is done
    // would take longer than a small kernel itself.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0));
    pool.use_current_thread().build_global()?;
    match command {
        Command::Sizes(args) => sizes::run(args, ui),
        Command::Devices(args) => devices::run(args, ui),
        Command::Train(args) => train::run(args, ui),
        Command::Eval(args) => eval::run(args, ui),
        Command::Compare(args) => compare::run(args, ui),
        Command::Embed(args) => embed::run(args, ui),
        Command::Encode(args) => encode::run(args, ui),
        Command::Decode(args) => decode::run(args, ui),
        Command::Search(args) => search::run(args, ui),
        Command::Quantize(args) => quantize::run(args, ui),
        Command::Export(args) => export::run(args, ui),
        Command::Import(args) => import::run(args, ui),
        Command::Baselines(args) => baselines::run(args, ui),
        Command::Bench(args) => bench::run(args, ui),
        Command::Sweep(args) => sweep::run(args, ui),
        Command::Phases(args) => phases::run(args, ui),
        Command::Demo(args) => demo::run(args, ui),
        Command::Note(args) => note::run(args, ui),
        Command::NoteRow(args) => note::child::run(args, ui),
    }
}

/// 2 for a command line that contradicts itself, 130 for work that Ctrl-C ended, else 1.
fn exit_code(error: &anyhow::Error) -> u8 {
    if error.is::<Usage>() {
        2
    } else if matches!(error.downcast_ref(), Some(crate::Error::Cancelled)) {
        130
    } else {
        1
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn exit_codes() {
        assert_eq!(exit_code(&anyhow::anyhow!("any")), 1);
        assert_eq!(exit_code(&anyhow::Error::new(Usage("either".into()))), 2);
        let cancelled = anyhow::Error::new(crate::Error::Cancelled).context("training");
        assert_eq!(exit_code(&cancelled), 130);
    }
}
