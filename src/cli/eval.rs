//! `lnsp eval`: quality of a student beside its baselines.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use serde::Serialize;

use super::DeviceChoice;
use super::device::open_device;
use super::tasks::{embed_tasks, read_task};
use super::text::TextArgs;
use super::ui::Ui;
use super::vectors::{
    End, HELD_OUT, Input, Loaded, ReadArgs, TRAINING, given_or_bundled, load, read_student,
};
use crate::device::Device;
use crate::error::Error;
use crate::experiment::tasks::{TaskEvaluation, TaskReport, TaskSet, TaskSpec, evaluate_tasks};
use crate::experiment::{EvalOptions, Evaluation, VectorSet, evaluate};
use crate::format::files;
use crate::report::eval_page::eval_report;
use crate::report::eval_tables::eval_tables;
use crate::report::table::wrap;
use crate::report::task_page::{task_report, task_sections};
use crate::report::task_tables::task_tables;
use crate::student::StudentFile;

/// Arguments of `lnsp eval`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lnsp eval --student student.safetensors\n  \
    lnsp eval --student student.safetensors --vectors held_out.npy --training train.npy\n  \
    lnsp eval --student student.safetensors --text sentences.txt\n  \
    lnsp eval --report eval.html --json > eval.json\n  \
    lnsp eval --student s192.safetensors --beside s96.safetensors --beside s48.safetensors\n  \
    lnsp eval --task sts:pairs.tsv --task beir:scifact --task analogy:questions-words.txt\n\n\
    Tasks: sts:FILE has lines of text, text and score, parted by tabs; beir:FOLDER has\n\
    corpus.jsonl, queries.jsonl and qrels/test.tsv; analogy:FILE has lines of four words.\n\
    scripts/fetch-benchmarks.sh of the project fetches some.")]
pub struct Args {
    /// The student, as `lnsp train` writes it.
    #[arg(long, value_name = "FILE", default_value = "student.safetensors")]
    pub student: PathBuf,
    /// Held-out vectors to measure on, .npy, .safetensors or .parquet [default: the bundled
    /// 3,000, if they are in ./data; none if there are tasks].
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    pub vectors: Option<PathBuf>,
    /// Vectors that baselines and int8 ranges are fitted on, best the student's own training
    /// set [default: the bundled 20,000, if they are in ./data].
    #[arg(long, value_name = "FILE")]
    pub training: Option<PathBuf>,
    /// Measure on a task with human judgement, sts:FILE, beir:FOLDER or analogy:FILE; may be
    /// given again.
    #[arg(long = "task", value_name = "KIND:PATH")]
    pub tasks: Vec<TaskSpec>,
    /// Measure on the first N held-out vectors only.
    #[arg(long, value_name = "N")]
    pub limit: Option<NonZeroUsize>,
    /// Measure the untrained start of a student that began at random, too (that of a spectral
    /// one always is).
    #[arg(long)]
    pub start: bool,
    /// Another student to compare with, in the few bytes of its own code or in f32; may be given
    /// again.
    #[arg(long, value_name = "FILE")]
    pub beside: Vec<PathBuf>,
    /// Measure how long storing vectors takes, too; no two runs print quite the same then.
    #[arg(long)]
    pub time: bool,
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
    /// Held-out texts in place of vectors, and who embeds them and those of tasks.
    #[command(flatten)]
    pub text: TextArgs,
}

/// What `--json` prints where both were measured.
#[derive(Serialize)]
struct Both<'a> {
    #[serde(flatten)]
    evaluation: &'a Evaluation,
    tasks: &'a [TaskEvaluation],
}

/// Runs `lnsp eval`.
///
/// # Errors
/// A file that is missing, damaged or of another width than the student; what the device
/// reports; a report that cannot be written.
pub fn run(args: &Args, ui: &Ui) -> anyhow::Result<()> {
    let student = read_student(&args.student)?;
    let wanted = args.tasks.is_empty() || args.vectors.is_some() || args.text.text.is_some();
    let held_out = Input::new(&args.text, args.vectors.as_deref(), HELD_OUT, "--vectors");
    let held_out = if wanted { Some(held_out?) } else { None };
    let training = given_or_bundled(args.training.as_deref(), TRAINING, "--training")?;
    let training = Input::Vectors(training);
    let tasks = args.tasks.iter().map(|spec| read_task(ui, spec)).collect::<Result<Vec<_>, _>>()?;
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
    let read = |how: &ReadArgs, input: &Input, limit| -> anyhow::Result<Loaded> {
        let source = how.open_for(ui, input, arch, End::Vectors, true)?;
        Ok(load(ui, input.path(), source, limit)?)
    };
    let held_out = held_out.map(|input| read(&args.read, &input, args.limit)).transpose()?;
    let training = read(&args.read.beside(&args.text), &training, None)?;
    let options = EvalOptions {
        resamples: args.resamples as usize,
        seed: args.seed,
        start: args.start,
        beside: args.beside.iter().map(|path| beside(path)).collect::<anyhow::Result<_>>()?,
        timed: args.time,
    };
    // The teacher first: whatever is wrong with it shows before the long work.
    let sets = match tasks.is_empty() {
        true => Vec::new(),
        false => embed_tasks(ui, &args.text.teacher, &student, tasks)?,
    };
    let evaluation = held_out
        .map(|held_out| measure(ui, &device, &student, &training, &held_out, &options))
        .transpose()?;
    let found = match sets.is_empty() {
        true => None,
        false => Some(measure_tasks(ui, &device, &student, &training, &sets, &options)?),
    };
    conclude(args, ui, evaluation.as_ref(), found.as_ref())
}

/// Another student, by the name of its file.
fn beside(path: &Path) -> anyhow::Result<(String, StudentFile)> {
    let name = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    Ok((name, read_student(path)?))
}

/// Writes the report and prints what was measured: vectors, tasks, or both.
fn conclude(
    args: &Args,
    ui: &Ui,
    evaluation: Option<&Evaluation>,
    found: Option<&TaskReport>,
) -> anyhow::Result<()> {
    let tasks = found.map_or(&[][..], |found| &found.tasks[..]);
    if let Some(path) = &args.report {
        let page = match (evaluation, found) {
            (Some(evaluation), _) => {
                let mut page = eval_report(evaluation, &command_line())?;
                let sections = task_sections(tasks, evaluation.resamples)?;
                // How it was measured stands last.
                let end = page.sections.len().saturating_sub(1);
                page.sections.splice(end..end, sections);
                page
            }
            (None, Some(found)) => task_report(found, &command_line())?,
            (None, None) => return Ok(()),
        };
        files::write_whole(path, page.to_html().as_bytes())?;
        ui.status(&format!("report: {}", path.display()));
    }
    match (evaluation, found) {
        (Some(evaluation), Some(_)) if ui.json() => ui.print_json(&Both { evaluation, tasks }),
        (Some(evaluation), None) if ui.json() => ui.print_json(evaluation),
        (None, Some(found)) if ui.json() => ui.print_json(found),
        _ => {
            if let Some(evaluation) = evaluation {
                print(evaluation, ui)?;
                if !tasks.is_empty() {
                    ui.print("")?;
                }
            }
            print_tasks(tasks, args.resamples as usize, ui)
        }
    }
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
    let (training, held_out) = (set(training), set(held_out));
    let mut progress = progress(ui, "eval");
    pollster::block_on(evaluate(device, student, training, held_out, options, &mut progress))
}

/// Measures a student on tasks, with progress; Ctrl-C ends it.
///
/// # Errors
/// As [`evaluate_tasks`].
fn measure_tasks(
    ui: &Ui,
    device: &Device,
    student: &StudentFile,
    training: &Loaded,
    sets: &[TaskSet],
    options: &EvalOptions,
) -> crate::Result<TaskReport> {
    let mut progress = progress(ui, "tasks");
    let training = set(training);
    pollster::block_on(evaluate_tasks(device, student, training, sets, options, &mut progress))
}

/// A bar for the codes done, that Ctrl-C ends.
fn progress(ui: &Ui, label: &str) -> impl FnMut(usize, usize, &str) -> crate::Result<()> {
    let (cancel, bar) = (ui.cancel(), ui.progress(label, Some(100)));
    move |done: usize, total: usize, what: &str| {
        bar.set((100 * done).checked_div(total).unwrap_or(0) as u64, what);
        if cancel.load(Ordering::SeqCst) { Err(Error::Cancelled) } else { Ok(()) }
    }
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

/// Tables, verdict and notes of each task.
fn print_tasks(tasks: &[TaskEvaluation], resamples: usize, ui: &Ui) -> anyhow::Result<()> {
    let width = ui.terminal().width;
    for (i, task) in tasks.iter().enumerate() {
        if i > 0 {
            ui.print("")?;
        }
        for table in &task_tables(task, resamples) {
            ui.table(table)?;
            ui.print("")?;
        }
        for sentence in &task.verdict {
            ui.print(&wrap(sentence, width))?;
        }
        for note in &task.notes {
            ui.print(&wrap(&format!("Note: {note}"), width))?;
        }
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
