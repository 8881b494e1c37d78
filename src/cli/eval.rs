//! `lnsp eval`: quality of a student beside its baselines.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use anyhow::Context;

use super::DeviceChoice;
use super::ui::Ui;
use crate::arch::Arch;
use crate::device::{Device, Gpu, GpuOptions};
use crate::error::Error;
use crate::experiment::{EvalOptions, Evaluation, VectorSet, evaluate};
use crate::format::{ReadOptions, files};
use crate::matrix::Matrix;
use crate::number::count;
use crate::report::eval_page::eval_report;
use crate::report::eval_tables::eval_tables;
use crate::report::table::wrap;
use crate::source::{BadRows, VectorSource, read_to_matrix};
use crate::student::StudentFile;

/// The bundled vectors, as the project has them.
const BUNDLED_TRAINING: &str = "data/vectors_train_20k.safetensors";
const BUNDLED_HELD_OUT: &str = "data/vectors_heldout_3k.safetensors";

/// Arguments of `lnsp eval`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lnsp eval --student student.safetensors\n  \
    lnsp eval --student student.safetensors --vectors held_out.npy --training train.npy\n  \
    lnsp eval --report eval.html --json > eval.json")]
pub struct Args {
    /// The student, as `lnsp train` writes it.
    #[arg(long, value_name = "FILE", default_value = "student.safetensors")]
    pub student: PathBuf,
    /// Held-out vectors to measure on, .npy, .safetensors or .parquet [default: the bundled
    /// 3,000, if they are in ./data].
    #[arg(long, value_name = "FILE")]
    pub vectors: Option<PathBuf>,
    /// Vectors that baselines and int8 ranges are fitted on, best the student's own training
    /// set [default: the bundled 20,000, if they are in ./data].
    #[arg(long, value_name = "FILE")]
    pub training: Option<PathBuf>,
    /// Measure on the first N held-out vectors only.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
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
    /// Leave out rows that cannot be used, and count them.
    #[arg(long)]
    pub skip_bad: bool,
}

/// Runs `lnsp eval`.
///
/// # Errors
/// A file that is missing, damaged or of another width than the student; what the device
/// reports; a report that cannot be written.
pub fn run(args: &Args, ui: &Ui) -> anyhow::Result<()> {
    let student = read_student(&args.student)?;
    let held_out = or_bundled(args.vectors.as_deref(), BUNDLED_HELD_OUT, "--vectors")?;
    let training = or_bundled(args.training.as_deref(), BUNDLED_TRAINING, "--training")?;
    if let Some(path) = &args.report {
        // Refused now rather than after the work.
        drop(files::AtomicFile::create(path)?);
    }
    let (device, arch) = (open_device(ui)?, &student.info.arch);
    let limit = args.limit.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    let (vectors, left_out) = read_vectors(&held_out, arch, args.skip_bad, limit, ui)?;
    let (fit, fit_left_out) = read_vectors(&training, arch, args.skip_bad, None, ui)?;
    let names = [&held_out, &training].map(|path| path.display().to_string());
    let options =
        EvalOptions { resamples: args.resamples as usize, seed: args.seed, start: args.start };
    let cancel = ui.cancel();
    let bar = ui.progress("eval", Some(100));
    let mut progress = |done: usize, total: usize, what: &str| {
        bar.set((100 * done).checked_div(total).unwrap_or(0) as u64, what);
        if cancel.load(Ordering::SeqCst) { Err(Error::Cancelled) } else { Ok(()) }
    };
    let evaluation = pollster::block_on(evaluate(
        &device,
        &student,
        VectorSet { name: &names[1], vectors: &fit, left_out: fit_left_out },
        VectorSet { name: &names[0], vectors: &vectors, left_out },
        &options,
        &mut progress,
    ))?;
    drop(bar);
    if let Some(path) = &args.report {
        let page = eval_report(&evaluation, &command_line())?.to_html();
        files::write_whole(path, page.as_bytes())?;
        ui.status(&format!("report: {}", path.display()));
    }
    if ui.json() { ui.print_json(&evaluation) } else { print(&evaluation, ui) }
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

fn read_student(path: &Path) -> anyhow::Result<StudentFile> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e)).with_context(|| {
        format!("--student {}: give a file that `lnsp train` has written", path.display())
    })?;
    Ok(StudentFile::from_bytes(&path.display().to_string(), &bytes)?)
}

/// The file given, else the bundled one where it can be found.
fn or_bundled(given: Option<&Path>, bundled: &str, flag: &str) -> anyhow::Result<PathBuf> {
    match given {
        Some(path) => Ok(path.to_path_buf()),
        None if Path::new(bundled).is_file() => Ok(bundled.into()),
        None => Err(Error::invalid(
            flag,
            format!(
                "not given, and the bundled {bundled} is not here; name a file of the student's \
                 teacher's vectors, or run this in the project's folder"
            ),
        )
        .into()),
    }
}

/// The usable vectors of a file and how many rows were left out.
fn read_vectors(
    path: &Path,
    arch: &Arch,
    skip_bad: bool,
    limit: Option<usize>,
    ui: &Ui,
) -> anyhow::Result<(Matrix, u64)> {
    let reader = files::open(path, &ReadOptions::default())?;
    if reader.width() != arch.input() {
        let message = format!(
            "its vectors are {} wide, the student {arch} takes {}; give vectors of the student's \
             teacher, or a student made for these",
            reader.width(),
            arch.input()
        );
        return Err(Error::format(path.display().to_string(), message).into());
    }
    let bad = if skip_bad { BadRows::Skip } else { BadRows::Refuse };
    let mut source = VectorSource::new(reader, None, bad)?;
    let vectors = read_to_matrix(&mut source, limit)?;
    let left_out = source.skipped();
    if left_out.total() > 0 {
        ui.warn(&format!("{}: {left_out}", path.display()));
    }
    ui.status(&format!("{}: {} vectors", path.display(), count(vectors.rows() as u64)));
    Ok((vectors, left_out.total()))
}

/// `auto` is the CPU: the student is a small part of this work, which is done there anyway.
fn open_device(ui: &Ui) -> anyhow::Result<Device> {
    Ok(match ui.device() {
        DeviceChoice::Auto | DeviceChoice::Cpu => Device::cpu(),
        DeviceChoice::Gpu => Device::Gpu(pollster::block_on(Gpu::open(&GpuOptions::default()))?),
    })
}

/// This process's command line as it can be typed again.
pub(super) fn command_line() -> String {
    let words = std::env::args_os().skip(1).map(|word| quoted(&word.to_string_lossy()));
    ["lnsp".to_string()].into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

/// A word as a POSIX shell takes it.
fn quoted(word: &str) -> String {
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

    #[test]
    fn without_the_bundled_vectors_there_is_advice() {
        let error = or_bundled(None, "data/none.npy", "--training").unwrap_err().to_string();
        assert!(error.starts_with("--training: not given") && error.contains("name a file"));
        assert_eq!(or_bundled(Some(Path::new("a")), "x", "y").unwrap(), Path::new("a"));
    }
}
