//! `lnsp train`: train a student on vectors.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use pollster::block_on;
use serde::Serialize;

use super::device::open_device;
use super::settings::Settings;
use super::text::TextArgs;
use super::training::{self, Checkpoints, Outcome};
use super::ui::{Ui, Usage};
use super::vectors::{Input, Loaded, ReadArgs, TRAINING, file_name, load};
use super::{ArchArgs, memory};
use crate::arch::{Arch, Precision};
use crate::error::Error;
use crate::format::VectorReader;
use crate::format::files::{AtomicFile, write_whole};
use crate::number::{count, decimal, megabytes};
use crate::source::Skipped;
use crate::student::{Init, StudentFile};
use crate::train::{Checkpoint, TrainConfig, Trainer};

/// Arguments of `lnsp train`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lnsp train                                    the bundled vectors, S = 256\n  \
    lnsp train --width 512 --epochs 40 --out s512.safetensors\n  \
    lnsp train --vectors mine.npy --arch 768-512-128-512-768 --skip-bad\n  \
    lnsp train --text sentences.txt               (embed once with lnsp embed to train often)\n  \
    lnsp train --resume                           go on after Ctrl-C")]
pub struct Args {
    /// Which student.
    #[command(flatten)]
    pub arch: ArchArgs,
    /// Vectors to train on, .npy, .safetensors or .parquet [default: the bundled 20,000].
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    pub vectors: Option<PathBuf>,
    /// Texts in place of vectors.
    #[command(flatten)]
    pub text: TextArgs,
    /// Train on the first N vectors only.
    #[arg(long, value_name = "N")]
    pub limit: Option<NonZeroUsize>,
    /// How to read them.
    #[command(flatten)]
    pub read: ReadArgs,
    /// Where the student goes.
    #[arg(long, value_name = "FILE", default_value = "student.safetensors")]
    pub out: PathBuf,
    /// Weights in that file: f32, f16 or int8; training itself is in f32.
    #[arg(long, value_name = "PRECISION", default_value_t)]
    pub precision: Precision,
    /// Where the state of the training is kept on the way [default: OUT.checkpoint].
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// Least seconds between two checkpoints.
    #[arg(
        long, value_name = "SECONDS", default_value_t = 30.0, value_parser = seconds,
        allow_negative_numbers = true
    )]
    pub checkpoint_every: f64,
    /// Go on from the checkpoint, with its settings and the same vectors.
    #[arg(long)]
    pub resume: bool,
    /// How to train.
    #[command(flatten)]
    pub settings: Settings,
}

fn seconds(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number")?;
    let fits = Duration::try_from_secs_f64(value).is_ok();
    if fits { Ok(value) } else { Err("not a time of 0 seconds or more".into()) }
}

/// What a training came to, for machines.
#[derive(Debug, Serialize)]
struct Summary<'a> {
    student: &'a Path,
    arch: &'a Arch,
    precision: Precision,
    parameters: u64,
    file_bytes: usize,
    training_set: &'a str,
    vectors: usize,
    skipped: Skipped,
    device: String,
    peak_tensor_bytes: u64,
    epochs: u32,
    stopped_early: bool,
    steps: u64,
    seconds: f64,
    vectors_per_second: f64,
    metrics: &'a std::collections::BTreeMap<String, f64>,
    training: &'a std::collections::BTreeMap<String, serde_json::Value>,
}

/// Runs `lnsp train`.
///
/// # Errors
/// Settings, vectors or a checkpoint that do not fit together; an output that cannot be written;
/// too little memory; a training that diverges; Ctrl-C.
pub fn run(args: &Args, ui: &Ui) -> anyhow::Result<()> {
    let kept_at = args.checkpoint.clone().unwrap_or_else(|| beside(&args.out));
    if kept_at == args.out {
        return Err(Usage("--checkpoint and --out name the same file".into()).into());
    }
    let found = find_checkpoint(&kept_at, args.resume)?;
    let (arch, config) = plan(args, found.as_ref())?;
    // Refused now rather than after the work.
    for path in [&args.out, &kept_at] {
        drop(AtomicFile::create(path)?);
    }
    let vectors = read(args, ui, &arch, &config)?;
    let device = open_device(ui, arch.widths()[1])?;
    let mut trainer = match &found {
        Some(found) => {
            ui.status(&format!("going on from step {}", count(found.step())));
            block_on(Trainer::resume(&device, found, vectors.rows.clone()))?
        }
        None => begin(ui, &device, &arch, &config, &vectors)?,
    };
    let every = Duration::from_secs_f64(args.checkpoint_every);
    let mut checkpoints = Checkpoints::new(&kept_at, every, found.as_ref());
    drop(found);
    let outcome = training::train(ui, &mut trainer, Some(&mut checkpoints))?;
    let file = training::student(&trainer, &vectors, args.precision)?;
    let bytes = file.to_bytes()?;
    if let Err(cause) = write_whole(&args.out, &bytes) {
        // The work must not be lost with its last step.
        let kept = match checkpoints.write(&mut trainer) {
            Ok(()) => checkpoints.words(),
            Err(also) => format!("{} ({also})", checkpoints.words()),
        };
        return Err(anyhow::Error::new(cause).context(format!("the student was not saved; {kept}")));
    }
    checkpoints.remove(ui);
    let summary = Summary {
        student: &args.out,
        arch: &file.info.arch,
        precision: args.precision,
        parameters: arch.parameter_count(),
        file_bytes: bytes.len(),
        training_set: &file.info.training_set,
        vectors: vectors.rows.rows(),
        skipped: vectors.skipped,
        device: device.name(),
        peak_tensor_bytes: device.ledger().usage().peak_bytes,
        epochs: trainer.progress().epoch,
        stopped_early: outcome.stopped_early,
        steps: outcome.steps,
        seconds: outcome.time.as_secs_f64(),
        vectors_per_second: outcome.rate,
        metrics: &file.info.metrics,
        training: &file.info.training,
    };
    if ui.json() {
        return ui.print_json(&summary);
    }
    ui.print(&words(&args.out, bytes.len(), &file, &outcome))?;
    ui.print(&format!("next: lnsp eval --student {}", args.out.display()))
}

/// `student.safetensors` → `student.safetensors.checkpoint`.
fn beside(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".checkpoint");
    name.into()
}

/// The checkpoint to go on from, if that is wanted. An unfinished training is not overwritten
/// by a new one.
fn find_checkpoint(path: &Path, resume: bool) -> anyhow::Result<Option<Checkpoint>> {
    let name = path.display().to_string();
    let read = || -> anyhow::Result<Checkpoint> {
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
        Ok(Checkpoint::from_bytes(&name, &bytes)?)
    };
    match (resume, path.exists()) {
        (true, true) => read().map(Some),
        (true, false) => {
            bail!("--resume: there is no checkpoint {name}; start without --resume")
        }
        (false, false) => Ok(None),
        (false, true) if !path.is_file() => Ok(None), // refused as an output
        (false, true) => match read() {
            Ok(found) => bail!(
                "{name} holds an unfinished training (step {}); go on with --resume, or remove \
                 it to start anew",
                count(found.step())
            ),
            Err(_) => bail!("{name} is there and no checkpoint; name another with --checkpoint"),
        },
    }
}

/// Validation rows for latents in a few bits, where the start is kept unless training is clearly ahead:
/// fewer rows would hardly ever tell.
const FEW_BITS_VALIDATION: usize = 2000;

/// The architecture and settings: the command line's, or those of the checkpoint if the command
/// line does not contradict them.
fn plan(args: &Args, found: Option<&Checkpoint>) -> anyhow::Result<(Arch, TrainConfig)> {
    let Some(found) = found else {
        let arch = args.arch.arch()?;
        let mut config =
            args.settings.over(&TrainConfig::suited_to(&arch, args.settings.init()?))?;
        if config.latent_bits > 0 && !args.settings.gives("validation_rows") {
            config.validation_rows = FEW_BITS_VALIDATION;
        }
        return Ok((arch, config));
    };
    let mut differences = args.arch.differences(found.arch())?;
    differences.extend(args.settings.differences(found.config())?);
    if !differences.is_empty() {
        return Err(Usage(format!(
            "--resume goes on with the checkpoint's settings, which differ: {}; leave these out, \
             or start anew without --resume",
            differences.join(", ")
        ))
        .into());
    }
    Ok((found.arch().clone(), found.config().clone()))
}

/// Reads the vectors, if they and the training fit in memory.
fn read(args: &Args, ui: &Ui, arch: &Arch, config: &TrainConfig) -> anyhow::Result<Loaded> {
    let input = Input::new(&args.text, args.vectors.as_deref(), TRAINING, "--vectors")?;
    let source = args.read.open_input(ui, &input, true)?;
    memory::check_training(arch, config.batch, &source, args.limit, memory::available())?;
    if source.width() != arch.input() || arch.output() != arch.input() {
        bail!(
            "{}: its vectors are {} wide; {arch} must take and give that width: choose it with \
             --arch",
            input.path().display(),
            source.width()
        );
    }
    Ok(load(ui, input.path(), source, args.limit)?)
}

/// A training at its start.
pub(super) fn begin(
    ui: &Ui,
    device: &crate::device::Device,
    arch: &Arch,
    config: &TrainConfig,
    vectors: &Loaded,
) -> anyhow::Result<Trainer> {
    ui.status(&match config.init {
        Init::Spectral => format!("{arch}, starting from PCA of the vectors"),
        Init::Random => format!("{arch}, starting from random numbers"),
    });
    block_on(Trainer::new(device, arch, config, vectors.rows.clone()))
        .with_context(|| format!("training on {}", vectors.name))
}

/// What was learned, in two or three lines.
pub(super) fn words(path: &Path, bytes: usize, file: &StudentFile, outcome: &Outcome) -> String {
    let info = &file.info;
    let mut text = format!(
        "{}: {}, {} parameters, {} MB in {}\n{} steps in {} s, {} vectors/s{}",
        file_name(path),
        info.arch,
        count(info.arch.parameter_count()),
        megabytes(bytes as u64),
        info.precision,
        count(outcome.steps),
        decimal(outcome.time.as_secs_f64(), 1),
        decimal(outcome.rate, 0),
        if outcome.stopped_early { "; stopped early, for want of progress" } else { "" }
    );
    let metric = |name: &str| info.metrics.get(name).copied();
    if let (Some(epoch), Some(start), Some(kept)) =
        (metric("epoch"), metric("start_validation_overlap@10"), metric("validation_overlap@10"))
    {
        let (start, kept) = (decimal(start, 4), decimal(kept, 4));
        text.push_str(&match epoch {
            0.0 => format!(
                "\nno epoch kept more neighbours of the vectors set aside than the start \
                 (overlap@10 {start}): the file holds the start"
            ),
            _ => format!(
                "\nepoch {epoch} is in the file: overlap@10 {kept} on the vectors set aside, \
                 {start} at the start"
            ),
        });
    }
    text
}
