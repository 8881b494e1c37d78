//! `lnsp eval`: quality of a student beside its baselines.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use super::DeviceChoice;
use super::device::open_device;
use super::text::TextArgs;
use super::ui::Ui;
use super::vectors::{
    End, HELD_OUT, Input, Loaded, ReadArgs, TRAINING, given_or_bundled, load, read_student,
};
use crate::device::Device;
use crate::error::Error;
use crate::experiment::{EvalOptions, Evaluation, VectorSet, evaluate};
use crate::format::files;
use crate::report::eval_page::eval_report;
use crate::report::eval_tables::eval_tables;
use crate::report::table::wrap;
use crate::student::StudentFile;

/// Arguments of `lnsp eval`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lnsp eval --student student.safetensors\n  \
    lnsp eval --student student.safetensors --vectors held_out.npy --training train.npy\n  \
    lnsp eval --student student.safetensors --text sentences.txt\n  \
    lnsp eval --report eval.html --json > eval.json")]
pub struct Args {
    /// The student, as `lnsp train` writes it.
    #[arg(long, value_name = "FILE", default_value = "student.safetensors")]
    pub student: PathBuf,
    /// Held-out vectors to measure on, .npy, .safetensors or .parquet [default: the bundled
    /// 3,000, if they are in ./data].
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    pub vectors: Option<PathBuf>,
    /// Vectors that baselines and int8 ranges are fitted on, best the student's own training
    /// set [default: the bundled 20,000, if they are in ./data].
    #[arg(long, value_name = "FILE")]
    pub training: Option<PathBuf>,
    /// Held-out texts in place of vectors.
    #[command(flatten)]
    pub text: TextArgs,
    /// Measure on the first N held-out vectors only.
    #[arg(long, value_name = "N")]
    pub limit: Option<NonZeroUsize>,
    /// Measure the untrained start of a student that began at random, too (that of a spectral
    /// one always is).
    #[arg(long)]
    pub start: bool,
    /// Write a report to read, one HTML file.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Bootstrap samples behind the confidence intervals.
    #[arg(
        long, value_name = "N", default_value_t = 1000,
        value_parser = clap::value_parser!(u64).range(1..=1_000_000)
    )]
    pub resamples: u64,
    /// Seed of everything random.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// How to read both files.
    #[command(flatten)]
    pub read: ReadArgs,
}

/// Runs `lnsp eval`.
///
/// # Errors
/// A file that is missing, damaged or of another width than the student; what the device
/// reports; a report that cannot be written.
pub fn run(args: &Args, ui: &Ui) -> anyhow::Result<()> {
    let student = read_student(&args.student)?;
    let held_out = Input::new(&args.text, args.vectors.as_deref(), HELD_OUT, "--vectors")?;
    let training = given_or_bundled(args.training.as_deref(), TRAINING, "--training")?;
    let training = Input::Vectors(training);
    if let Some(path) = &args.report {
        // Refused now rather than after the work.
        drop(files::AtomicFile::create(path)?);
    }
    let arch = &student.info.arch;
    // The student is a small part of this work, which is done on the CPU anyway.
    let device = match ui.device() {
        DeviceChoice::Auto | DeviceChoice::Cpu => Device::cpu(),
        DeviceChoice::Gpu => open_device(ui, arch.widths()[1])?,
    };
    let read = |input: &Input, limit| -> anyhow::Result<Loaded> {
        let source = args.read.open_for(ui, input, arch, End::Vectors, true)?;
        Ok(load(ui, input.path(), source, limit)?)
    };
    let (held_out, training) = (read(&held_out, args.limit)?, read(&training, None)?);
    let options =
        EvalOptions { resamples: args.resamples as usize, seed: args.seed, start: args.start };
    let evaluation = measure(ui, &device, &student, &training, &held_out, &options)?;
    if let Some(path) = &args.report {
        write_report(path, &evaluation)?;
        ui.status(&format!("report: {}", path.display()));
    }
    if ui.json() { ui.print_json(&evaluation) } else { print(&evaluation, ui) }
}

/// Measures a student, with progress; Ctrl-C ends it.
///
/// # Errors
/// As [`evaluate`].
pub fn measure(
    ui: &Ui,
    device: &Device,
    student: &StudentFile,
    training: &Loaded,
    held_out: &Loaded,
    options: &EvalOptions,
) -> crate::Result<Evaluation> {
    let cancel = ui.cancel();
    let bar = ui.progress("eval", Some(100));
    let mut progress = |done: usize, total: usize, what: &str| {
        bar.set((100 * done).checked_div(total).unwrap_or(0) as u64, what);
        if cancel.load(Ordering::SeqCst) { Err(Error::Cancelled) } else { Ok(()) }
    };
    pollster::block_on(evaluate(
        device,
        student,
        set(training),
        set(held_out),
        options,
        &mut progress,
    ))
}

fn set(loaded: &Loaded) -> VectorSet<'_> {
    let left_out = loaded.skipped.total();
    VectorSet { name: &loaded.path, vectors: &loaded.rows, left_out }
}

/// Writes the page of an evaluation, with the command line that made it.
///
/// # Errors
/// As [`eval_report`] and [`files::write_whole`].
pub fn write_report(path: &Path, evaluation: &Evaluation) -> crate::Result<()> {
    let page = eval_report(evaluation, &command_line())?.to_html();
    files::write_whole(path, page.as_bytes())
}

/// Tables, verdict and notes for people.
///
/// # Errors
/// As [`Ui::print`].
pub fn print(evaluation: &Evaluation, ui: &Ui) -> anyhow::Result<()> {
    let width = ui.terminal().width;
    for table in &eval_tables(evaluation) {
        ui.table(table)?;
        ui.print("")?;
    }
    for sentence in &evaluation.verdict {
        ui.print(&wrap(sentence, width))?;
    }
    for note in &evaluation.notes {
        ui.print(&wrap(&format!("Note: {note}"), width))?;
    }
    Ok(())
}

/// This process's command line as it can be typed again.
pub(super) fn command_line() -> String {
    let words = std::env::args_os().skip(1).map(|word| quoted(&word.to_string_lossy()));
    ["lnsp".to_string()].into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

/// A word as a POSIX shell takes it.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.into();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_the_shell() {
        assert_eq!(quoted("--report=a/b.html"), "--report=a/b.html");
        assert_eq!(quoted("it's $x"), r"'it'\''s $x'");
        assert_eq!(quoted(""), "''");
    }
}
