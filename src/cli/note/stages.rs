//! The stages of a run, one after the other, each kept as soon as it is done.

use std::sync::atomic::Ordering;

use pollster::block_on;

use super::child::{Task, delegate};
use super::sets::{Set, Sets};
use crate::arch::NOTE_LATENT;
use crate::cli::journal::Journal;
use crate::cli::memory;
use crate::cli::progress::Progress;
use crate::cli::ui::Ui;
use crate::device::Device;
use crate::error::Error;
use crate::experiment::claims::{Setting, measured, tested_alone};
use crate::experiment::note::{
    Entry, Measured, Mode, NoteRun, Quality, RowId, Ruler, measure_baselines, train_and_measure,
};
use crate::note::{self, CLAIMS, Claim, Family};
use crate::number::{decimal, megabytes};
use crate::train::TrainConfig;

/// The widest row of family A that a student is trained of: fitting PCA takes the cube of it.
const WIDEST_TRAINED: usize = 1024;
/// Operations a second, to guess how long a stage takes.
const GUESS: f64 = 5e10;
/// Vectors that the claims which train use in a quick run.
const FEW_VECTORS: usize = 2000;

/// The note's own student.
const SMALLEST: RowId = RowId { family: Family::B, width: 256 };

/// What decides over a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub mode: Mode,
    pub epochs: Option<u32>,
    pub seed: u64,
}

/// One stage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Stage {
    Measure(RowId),
    Baselines,
    Train(RowId),
    Test(&'static Claim),
}

impl Stage {
    fn name(self) -> String {
        match self {
            Stage::Measure(row) => format!("{row}"),
            Stage::Train(row) => format!("{row}, student"),
            Stage::Baselines => "baselines".into(),
            Stage::Test(claim) => format!("claim {}", claim.id),
        }
    }

    /// Whether its result is there already. A row that was skipped is tried again: there may be
    /// more memory now.
    fn is_done(self, run: &NoteRun) -> bool {
        let row = |id| run.row(id);
        match self {
            Stage::Measure(id) => row(id).is_some_and(|row| row.measured.is_some()),
            Stage::Train(id) => row(id).is_some_and(|row| row.quality.is_some()),
            Stage::Baselines => run.baselines.is_some(),
            Stage::Test(claim) => run.claims.iter().any(|found| found.id == claim.id),
        }
    }

    /// Seconds that it may take, roughly.
    fn seconds(self, settings: &Settings) -> f64 {
        match self {
            Stage::Measure(row) => {
                let (arch, plan) = (row.arch(), settings.mode.plan(&row.arch(), settings.seed));
                let flops = arch.flops_per_vector() as f64;
                let samples = plan.training_samples.max(5) as f64;
                let steps = samples * (3 * plan.training_batch) as f64 * flops;
                // The optimiser and the random start go through every parameter.
                let passes = (4.0 + samples) * arch.parameter_count() as f64 * 100.0;
                (steps + passes + 7.0 * plan.batch as f64 * flops) / GUESS
                    + 4.0 * plan.seconds
                    + 0.3
            }
            Stage::Train(row) => {
                let epochs = f64::from(config(row, settings).epochs);
                let vectors = 20e3 * (3.0 * epochs + 1.5);
                vectors * row.arch().flops_per_vector() as f64 / GUESS + 1.5
            }
            Stage::Baselines => 6.0,
            Stage::Test(_) => 3.0,
        }
    }
}

/// The settings with which a row's student is trained: those of `lnsp train`, but for the epochs.
pub(super) fn config(row: RowId, settings: &Settings) -> TrainConfig {
    let usual = TrainConfig::suited_to(&row.arch(), None);
    let epochs = settings.epochs.unwrap_or_else(|| settings.mode.epochs(usual.epochs));
    TrainConfig { epochs, seed: settings.seed, ..usual }
}

/// Everything that a run of `rows` has to do; claims are tested by themselves if `claims`.
pub(super) fn stages(rows: &[RowId], sets: &Sets, claims: bool) -> Vec<Stage> {
    let mut all: Vec<Stage> = rows.iter().copied().map(Stage::Measure).collect();
    let trains = |row: &RowId| {
        sets.of(*row).is_some() && (row.family == Family::B || row.width <= WIDEST_TRAINED)
    };
    let trained: Vec<RowId> = rows.iter().copied().filter(trains).collect();
    if trained.iter().any(|row| row.family == Family::B) {
        all.push(Stage::Baselines);
    }
    all.extend(trained.into_iter().map(Stage::Train));
    if claims {
        all.extend(CLAIMS.iter().filter(|claim| tested_alone(claim)).map(Stage::Test));
    }
    all
}

/// Does the stages that `run` lacks, and keeps each result in `journal` and `run`.
///
/// # Errors
/// [`Error::Cancelled`] after Ctrl-C, with everything that was done kept; what a stage reports.
pub(super) fn work(
    ui: &Ui,
    stages: &[Stage],
    (sets, device, settings): (&Sets, &Device, &Settings),
    journal: &mut Journal,
    run: &mut NoteRun,
) -> anyhow::Result<()> {
    let left: Vec<Stage> = stages.iter().copied().filter(|stage| !stage.is_done(run)).collect();
    if left.is_empty() {
        return Ok(());
    }
    let ms = |stage: Stage| (1e3 * stage.seconds(settings)) as u64;
    let bar = ui.progress("note", Some(left.iter().map(|stage| ms(*stage)).sum()));
    let (mut done, mut rulers) = (0, Rulers::default());
    for stage in left {
        let at = At { ui, bar: &bar, stage, done, whole: ms(stage) };
        at.says(0.0, "")?;
        let entry = match stage {
            Stage::Measure(row) => Some(at.measure(row, sets, device, settings)?),
            Stage::Train(row) => sets
                .of(row)
                .map(|set| {
                    rulers.with(set, settings, |ruler| at.train(row, ruler, device, settings))
                })
                .transpose()?,
            Stage::Baselines => sets
                .of(SMALLEST)
                .map(|set| rulers.with(set, settings, |ruler| at.baselines(ruler)))
                .transpose()?,
            Stage::Test(claim) => Some(at.test(claim, sets, device, settings)?),
        };
        if let Some(entry) = entry {
            journal.append(&entry)?;
            bar.line(&words(&entry));
            run.take(entry);
        }
        done += ms(stage);
    }
    Ok(())
}

/// Samples of training vectors by the file they are from; the rulers borrow them.
#[derive(Default)]
struct Rulers {
    samples: Vec<(std::path::PathBuf, crate::Matrix)>,
}

impl Rulers {
    fn with<T>(
        &mut self,
        set: &Set,
        settings: &Settings,
        f: impl FnOnce(&Ruler<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        if !self.samples.iter().any(|(path, _)| *path == set.path) {
            self.samples.push((set.path.clone(), Ruler::sample_of(&set.data)));
        }
        let sample = &self.samples.iter().find(|(path, _)| *path == set.path).expect("put there").1;
        f(&Ruler::new(&set.data, sample, set.pca()?, settings.seed)?)
    }
}

/// A stage at work: what it says, and where.
struct At<'a> {
    ui: &'a Ui,
    bar: &'a Progress,
    stage: Stage,
    done: u64,
    whole: u64,
}

impl At<'_> {
    /// Shows how far the stage is; refuses to go on after Ctrl-C.
    fn says(&self, share: f64, what: &str) -> crate::Result<()> {
        let sep = if what.is_empty() { "" } else { ": " };
        let done = self.done + (share * self.whole as f64) as u64;
        self.bar.set(done, &format!("{}{sep}{what}", self.stage.name()));
        if self.ui.cancel().load(Ordering::SeqCst) { Err(Error::Cancelled) } else { Ok(()) }
    }

    fn measure(
        &self,
        row: RowId,
        sets: &Sets,
        device: &Device,
        settings: &Settings,
    ) -> anyhow::Result<Entry> {
        let plan = settings.mode.plan(&row.arch(), settings.seed);
        let task = Task { row, plan, source: sets.source(row)? };
        let name = if device.is_gpu() { "gpu" } else { "cpu" };
        let mut next = |what: &str| drop(self.says(0.3, what));
        let found = delegate(&task, name, &self.ui.cancel(), &mut next)?;
        Ok(found.ok_or(Error::Cancelled)?)
    }

    fn train(
        &self,
        row: RowId,
        ruler: &Ruler<'_>,
        device: &Device,
        settings: &Settings,
    ) -> anyhow::Result<Entry> {
        let config = config(row, settings);
        let mut says = |share: f64, what: &str| self.says(share, what);
        let found = train_and_measure(device, row, &config, ruler, &mut says);
        Ok(Entry::Quality(block_on(found)?))
    }

    fn baselines(&self, ruler: &Ruler<'_>) -> anyhow::Result<Entry> {
        let mut says = |share: f64, what: &str| self.says(share, what);
        Ok(Entry::Baselines(block_on(measure_baselines(ruler, NOTE_LATENT, &mut says))?))
    }

    fn test(
        &self,
        claim: &'static Claim,
        sets: &Sets,
        device: &Device,
        settings: &Settings,
    ) -> anyhow::Result<Entry> {
        let data = sets.of(SMALLEST).map(|set| &set.data.training);
        let most = if settings.mode == Mode::Quick { FEW_VECTORS } else { usize::MAX };
        let vectors = data.map(|all| match all.rows() > most {
            // From all over the set, as a short training on its first vectors knows one text.
            true => {
                let step = all.rows() / most;
                let rows: Vec<usize> = (0..most).map(|i| i * step).collect();
                std::sync::Arc::new(all.gather_rows(&rows))
            }
            false => all.clone(),
        });
        let setting = Setting {
            seconds: settings.mode.plan(&SMALLEST.arch(), settings.seed).seconds,
            available: (!device.is_gpu()).then(memory::available),
            stop: self.ui.cancel(),
            vectors,
        };
        let mut announce = |what: &str| self.says(0.5, what);
        let found = block_on(measured(claim, device, &setting, &mut announce))?;
        let none = || Error::invalid("claim", format!("{} is not measured", claim.id));
        Ok(Entry::Claim(found.ok_or_else(none)?))
    }
}

/// A line about a result, as it comes.
fn words(entry: &Entry) -> String {
    match entry {
        Entry::Row(found) => row_words(found),
        Entry::Skipped(skipped) => format!("{:<7} skipped: {}", skipped.row, skipped.reason),
        Entry::Quality(found) => quality_words(found),
        Entry::Baselines(found) => format!("{} baselines measured", found.codes.len()),
        Entry::Claim(found) => {
            let statement = note::claim(&found.id).map_or("", |claim| claim.statement);
            format!("{:?}: {}", statement, found.standing.words())
        }
    }
}

fn row_words(found: &Measured) -> String {
    let memory = match found.process_deviation() {
        Some(off) => format!(", process {}", crate::number::signed_percent(off)),
        None => String::new(),
    };
    format!(
        "{:<7} one vector {} ms, step of {} {} ms, {} MB in training (predicted {}, {}{memory})",
        found.row,
        decimal(found.one.median_ms, 3),
        found.step.batch,
        decimal(found.step.median_ms, 1),
        megabytes(found.ledger_bytes),
        megabytes(found.predicted_bytes),
        crate::number::signed_percent(found.ledger_deviation()),
    )
}

fn quality_words(found: &Quality) -> String {
    let (Ok(held), Ok(seen), Ok(less)) = (found.held_out_mean(), found.seen_mean(), found.to_pca())
    else {
        return format!("{:<7} trained", found.row);
    };
    format!(
        "{:<7} {} epochs in {} s: overlap@10 {} held out ({} to PCA), {} of those trained on",
        found.row,
        found.config.epochs,
        decimal(found.seconds, 1),
        decimal(held.mean, 4),
        crate::number::signed(less.mean, 4),
        decimal(seen.mean, 4),
    )
}
