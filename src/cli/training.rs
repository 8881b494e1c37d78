//! The loop around a [`Trainer`]: progress, checkpoints, Ctrl-C, and the student at its end.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use pollster::block_on;

use super::ui::Ui;
use super::vectors::Loaded;
use crate::arch::Precision;
use crate::error::Error;
use crate::format::files;
use crate::number::{count, decimal};
use crate::student::StudentFile;
use crate::train::{Budget, Checkpoint, EpochRecord, Progress, Trainer};

/// Between two looks at Ctrl-C.
const SLICE: Duration = Duration::from_millis(100);

/// Where the state of a training is kept, and how often.
#[derive(Debug)]
pub struct Checkpoints {
    path: PathBuf,
    every: Duration,
    last: Instant,
    /// The step that the file holds, if there is one.
    kept: Option<u64>,
}

impl Checkpoints {
    /// Checkpoints in the file at `path`, at most one in each `every`; `found` is the one that
    /// lies there already.
    pub fn new(path: &Path, every: Duration, found: Option<&Checkpoint>) -> Self {
        let kept = found.map(Checkpoint::step);
        Self { path: path.into(), every, last: Instant::now(), kept }
    }

    fn is_due(&self) -> bool {
        self.last.elapsed() >= self.every
    }

    /// Replaces the checkpoint; the old one stays whole until the new one is.
    ///
    /// # Errors
    /// What the device or the file system reports.
    pub fn write(&mut self, trainer: &mut Trainer) -> crate::Result<()> {
        let checkpoint = block_on(trainer.checkpoint())?;
        self.last = Instant::now();
        files::write_whole(&self.path, &checkpoint.to_bytes()?)?;
        self.kept = Some(checkpoint.step());
        Ok(())
    }

    /// Removes the checkpoint of a training that is over.
    pub fn remove(&self, ui: &Ui) {
        if self.kept.is_some()
            && let Err(cause) = std::fs::remove_file(&self.path)
        {
            ui.warn(&format!("{} is of no more use but stays: {cause}", self.path.display()));
        }
    }

    /// What is kept, for an error's text.
    pub fn words(&self) -> String {
        let path = self.path.display();
        match self.kept {
            Some(step) => format!(
                "the checkpoint of step {} is in {path}; the same command with --resume goes on \
                 from there",
                count(step)
            ),
            None => format!("there is no checkpoint in {path} yet"),
        }
    }
}

/// What a training took.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Steps done now, those before a resume left out.
    pub steps: u64,
    /// Time it took.
    pub time: Duration,
    /// Vectors a second.
    pub rate: f64,
    /// Whether patience ended it.
    pub stopped_early: bool,
}

/// Trains to the end, in slices that leave room for progress, checkpoints and Ctrl-C.
///
/// # Errors
/// [`Error::Cancelled`] after Ctrl-C, with a checkpoint written where there are any;
/// [`Error::Training`] if it diverges; what the device reports.
pub fn train(
    ui: &Ui,
    trainer: &mut Trainer,
    mut checkpoints: Option<&mut Checkpoints>,
) -> anyhow::Result<Outcome> {
    let cancel = ui.cancel();
    let bar = ui.progress("train", Some(trainer.total_steps()));
    let (began, first) = (Instant::now(), trainer.progress().step);
    let batch = trainer.batch() as u64;
    // A resumed training has shown its first epochs before.
    let mut shown = if first > 0 { trainer.history().len() } else { 0 };
    loop {
        let advanced = block_on(trainer.advance(Budget::time(SLICE)));
        let progress = match (advanced, &checkpoints) {
            (Ok(progress), _) => progress,
            (Err(cause), Some(kept)) => anyhow::bail!("{cause}; {}", kept.words()),
            (Err(cause), None) => return Err(cause.into()),
        };
        for record in &trainer.history()[shown..] {
            bar.line(&epoch_line(record, trainer));
        }
        shown = trainer.history().len();
        let steps = progress.step - first;
        let rate = (steps * batch) as f64 / began.elapsed().as_secs_f64().max(1e-9);
        if let Some(stop) = progress.stop {
            let stopped_early = stop == crate::train::Stop::Early;
            return Ok(Outcome { steps, time: began.elapsed(), rate, stopped_early });
        }
        bar.set(progress.step, &message(&progress, rate));
        if cancel.load(Ordering::SeqCst) {
            drop(bar);
            return Err(stopped(trainer, &progress, checkpoints));
        }
        if let Some(checkpoints) = checkpoints.as_deref_mut().filter(|c| c.is_due())
            && let Err(cause) = checkpoints.write(trainer)
        {
            bar.line(&format!("warning: no checkpoint could be written ({cause})"));
        }
    }
}

/// Keeps the state after Ctrl-C and says how to go on.
fn stopped(
    trainer: &mut Trainer,
    progress: &Progress,
    checkpoints: Option<&mut Checkpoints>,
) -> anyhow::Error {
    let at = format!("stopped at step {} of {}", count(progress.step), count(progress.total_steps));
    let said = match checkpoints {
        None => at,
        Some(checkpoints) => match checkpoints.write(trainer) {
            Ok(()) => format!("{at}; {}", checkpoints.words()),
            Err(cause) => {
                format!("{at}; it could not be kept ({cause}), {}", checkpoints.words())
            }
        },
    };
    anyhow::Error::new(Error::Cancelled).context(said)
}

/// `epoch 4 of 20  loss 0.0310  alignment 0.0281  geometry 0.0001  overlap@10 0.8869 (best)`.
fn epoch_line(record: &EpochRecord, trainer: &Trainer) -> String {
    let mut line = match record.epoch {
        0 => "start        ".to_string(),
        epoch => format!("epoch {epoch:>2} of {}", trainer.config().epochs),
    };
    if record.epoch > 0 {
        let losses = record.losses;
        line.push_str(&format!(
            "  loss {:.5}  alignment {:.5}  geometry {:.6}",
            losses.total, losses.alignment, losses.geometry
        ));
    }
    if let Some(overlap) = record.validation_overlap {
        line.push_str(&format!("  overlap@10 {overlap:.4}"));
        if record.epoch > 0 && trainer.best_epoch().0 == record.epoch {
            line.push_str(" (best)");
        }
    }
    line
}

fn message(progress: &Progress, rate: f64) -> String {
    let losses = progress.losses;
    format!(
        "epoch {}  loss {:.4}  alignment {:.4}  geometry {:.5}  {} vectors/s",
        progress.epoch + 1,
        losses.total,
        losses.alignment,
        losses.geometry,
        decimal(rate, 0)
    )
}

/// The student of a training, with all that is known of how it came about.
///
/// # Errors
/// As [`Trainer::student_file`].
pub fn student(
    trainer: &Trainer,
    vectors: &Loaded,
    precision: Precision,
) -> crate::Result<StudentFile> {
    block_on(trainer.student_file(
        &vectors.name,
        vectors.rows.rows(),
        vectors.teacher.as_deref(),
        precision,
    ))
}
