//! A row measured in a process of its own, so that the growth of its memory is the row's and a
//! system that runs out of memory ends the row alone.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, bail};
use pollster::block_on;
use serde::{Deserialize, Serialize};

use crate::cli::device::choose;
use crate::cli::machine::{peak_process_bytes, process_bytes};
use crate::cli::memory;
use crate::cli::ui::Ui;
use crate::cli::vectors::ReadArgs;
use crate::error::Error;
use crate::experiment::bench::training_rows;
use crate::experiment::note::{
    Entry, Plan, RowId, SkippedRow, Spectrum, measure_row, measuring_bytes, synthetic,
};
use crate::matrix::Matrix;
use crate::source::read_to_matrix;

/// Kept free for the system and the process itself.
const SPARE: u64 = 128 << 20;

/// What a child is to do, on its standard input.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Task {
    pub row: RowId,
    pub plan: Plan,
    pub source: Source,
}

/// Where its vectors come from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Source {
    /// A file of vectors.
    File { path: PathBuf, tensor: Option<String>, column: Option<String>, skip_bad: bool },
    /// Random ones.
    Synthetic(Spectrum),
}

/// A line of its standard output.
#[derive(Debug, Serialize, Deserialize)]
enum Line {
    /// What comes next.
    Next(String),
    /// What was found; the last line.
    Found(Box<Entry>),
}

/// Arguments of the hidden subcommand; there are none, the task comes on standard input.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {}

/// Runs the hidden subcommand: one task, then the end.
///
/// # Errors
/// A task that cannot be read, vectors that cannot be read, what the device reports.
pub fn run(_: &Args, ui: &Ui) -> anyhow::Result<()> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("reading the task")?;
    let task: Task = serde_json::from_str(&line).context("this is for lnsp note to call")?;
    // Whoever gave the task holds the other end: when it is gone, nobody waits for the answer.
    std::thread::spawn(|| {
        let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
        std::process::exit(1);
    });
    let say = |line: &Line| ui.print_raw(&format!("{}\n", serde_json::to_string(line)?));
    say(&Line::Found(Box::new(measure(&task, ui, &mut |what| {
        say(&Line::Next(what.into())).map_err(|_| Error::Cancelled)
    })?)))
}

fn measure(
    task: &Task,
    ui: &Ui,
    announce: &mut dyn FnMut(&str) -> crate::Result<()>,
) -> anyhow::Result<Entry> {
    let Task { row, plan, source } = task;
    if let Some(skipped) = does_not_fit(*row, plan, memory::available())? {
        return Ok(Entry::Skipped(skipped));
    }
    announce("the vectors")?;
    let rows = training_rows(&row.arch(), plan.training_batch);
    let (data, name) = vectors(source, row.arch().input(), rows, plan.seed)?;
    let (device, _) = choose(ui.device(), row.width)?;
    let memory = || process_bytes().zip(peak_process_bytes());
    let is_synthetic = matches!(source, Source::Synthetic(_));
    let (vectors, how) = ((name.as_str(), is_synthetic), (*row, plan));
    match block_on(measure_row(&device, how, Arc::new(data), vectors, &memory, announce)) {
        Ok(found) => Ok(Entry::Row(found)),
        Err(cause @ Error::OutOfMemory { .. }) => Ok(Entry::Skipped(SkippedRow {
            row: *row,
            needed: Some(measuring_bytes(*row, plan)?),
            available: Some(memory::available()),
            reason: cause.to_string(),
        })),
        Err(cause) => Err(cause.into()),
    }
}

/// The row that is skipped because it needs more memory than there is.
fn does_not_fit(row: RowId, plan: &Plan, available: u64) -> crate::Result<Option<SkippedRow>> {
    let needed = measuring_bytes(row, plan)? + SPARE;
    Ok((needed > available).then(|| SkippedRow {
        row,
        needed: Some(needed),
        available: Some(available),
        reason: format!("needs {needed} bytes, {available} are available"),
    }))
}

fn vectors(
    source: &Source,
    width: usize,
    rows: usize,
    seed: u64,
) -> anyhow::Result<(Matrix, String)> {
    match source {
        Source::File { path, tensor, column, skip_bad } => {
            let (tensor, column) = (tensor.clone(), column.clone());
            let read = ReadArgs { tensor, column, skip_bad: *skip_bad };
            let data = read_to_matrix(&mut read.open(path)?, Some(rows))?;
            Ok((data, crate::cli::vectors::file_name(path)))
        }
        Source::Synthetic(spectrum) => {
            let name = format!("synthetic, with the teacher's spectrum extended to {width}");
            Ok((synthetic(spectrum, rows, width, seed), name))
        }
    }
}

/// Has a child do `task`; `next` is told what it is at. Nothing if `stop` was set meanwhile.
///
/// # Errors
/// What the child says, if it fails.
pub(super) fn delegate(
    task: &Task,
    device: &str,
    stop: &AtomicBool,
    next: &mut dyn FnMut(&str),
) -> anyhow::Result<Option<Entry>> {
    let mut child = Command::new(std::env::current_exe().context("finding this program")?)
        .args(["note-row", "--quiet", "--color", "never", "--device", device])
        // glibc keeps freed blocks of some megabytes for later; what is counted is to be what is
        // held, so this process hands them back at once.
        .env("MALLOC_MMAP_THRESHOLD_", "1048576")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("starting a process for a row")?;
    // Held open until the answer is there: the child ends when it closes.
    let mut input = child.stdin.take().context("the row's process has no input")?;
    let sent = writeln!(input, "{}", serde_json::to_string(task)?);
    let output = BufReader::new(child.stdout.take().context("the row's process has no output")?);
    let mut found = None;
    for line in output.lines() {
        match serde_json::from_str(&line.unwrap_or_default()) {
            Ok(Line::Next(what)) => next(&what),
            Ok(Line::Found(entry)) => found = Some(*entry),
            Err(_) => {}
        }
        if stop.load(Ordering::SeqCst) {
            // It may have been told, too; if not, there is nothing in it worth keeping.
            let _ = child.kill();
        }
    }
    drop(input);
    let mut said = String::new();
    if let Some(mut errors) = child.stderr.take() {
        let _ = errors.read_to_string(&mut said);
    }
    let status = child.wait().context("waiting for a row's process")?;
    if stop.load(Ordering::SeqCst) {
        return Ok(None);
    }
    match found {
        Some(entry) => Ok(Some(entry)),
        // Ended from outside, as a system does that runs out of memory.
        None if status.code().is_none() => Ok(Some(Entry::Skipped(SkippedRow {
            row: task.row,
            needed: Some(measuring_bytes(task.row, &task.plan)?),
            available: Some(memory::available()),
            reason: format!("its process was ended from outside ({status})"),
        }))),
        None => {
            sent.context("giving a row's process its task")?;
            let said = said.trim().trim_start_matches("error: ").to_string();
            bail!("{}: {}", task.row, if said.is_empty() { status.to_string() } else { said })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::note::Mode;

    #[test]
    fn what_does_not_fit_is_skipped_with_the_figure_that_says_why() {
        let row: RowId = "A-8192".parse().unwrap();
        let plan = Mode::Quick.plan(&row.arch(), 1);
        let needed = measuring_bytes(row, &plan).unwrap() + SPARE;
        assert_eq!(does_not_fit(row, &plan, needed).unwrap(), None);
        let skipped = does_not_fit(row, &plan, needed - 1).unwrap().unwrap();
        assert_eq!((skipped.needed, skipped.available), (Some(needed), Some(needed - 1)));
        assert!(skipped.reason.contains(&needed.to_string()), "{}", skipped.reason);
        assert!(needed > 3_300_000_000 && needed < 4_500_000_000, "{needed}");
    }

    #[test]
    fn random_vectors_have_the_width_that_was_asked_for() {
        let law = Spectrum { first: 0.1, power: -0.5, rate: -2.0 };
        let (data, name) = vectors(&Source::Synthetic(law), 768, 5, 1).unwrap();
        assert_eq!((data.rows(), data.cols()), (5, 768));
        assert!(name.contains("synthetic") && name.contains("768"), "{name}");
    }
}
