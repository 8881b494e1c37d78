//! `lnsp demo`: the main job on the bundled vectors.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;

use super::device::open_device;
use super::eval::{self, measure, quoted, write_report};
use super::training::{self, Outcome};
use super::ui::Ui;
use super::vectors::{End, HELD_OUT, Input, Loaded, ReadArgs, TRAINING, given_or_bundled, load};
use super::{ArchArgs, memory, train};
use crate::arch::Arch;
use crate::device::Device;
use crate::error::Error;
use crate::experiment::{EvalOptions, Evaluation};
use crate::format::files;
use crate::number::{count, decimal};
use crate::report::size_tables::size_tables;
use crate::report::table::wrap;
use crate::sizes::Sizes;
use crate::student::StudentFile;
use crate::train::TrainConfig;

/// Arguments of `lnsp demo`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lnsp demo\n  \
    lnsp demo --width 512 --out wider")]
pub struct Args {
    /// Folder for student, report and metrics.
    #[arg(long, value_name = "FOLDER", default_value = "lnsp-demo")]
    pub out: PathBuf,
    /// Which student.
    #[command(flatten)]
    pub arch: ArchArgs,
    /// Passes over the vectors [default: as lnsp train].
    #[arg(long, value_name = "N")]
    pub epochs: Option<u32>,
    /// Seed of everything random [default: as lnsp train].
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

/// The files of a demo.
#[derive(Clone, Debug, Serialize)]
struct Written {
    student: PathBuf,
    report: PathBuf,
    metrics: PathBuf,
}

/// What `metrics.json` holds, and `--json` prints.
#[derive(Debug, Serialize)]
struct Metrics<'a> {
    files: &'a Written,
    training_steps: u64,
    training_seconds: f64,
    vectors_per_second: f64,
    sizes: &'a Sizes,
    evaluation: &'a Evaluation,
}

/// Runs `lnsp demo`.
///
/// # Errors
/// The bundled vectors are not to be found; the folder cannot be written to; and as
/// `lnsp train` and `lnsp eval`.
pub fn run(args: &Args, ui: &Ui) -> anyhow::Result<()> {
    let arch = args.arch.arch()?;
    let default = TrainConfig::suited_to(&arch, None);
    let config = TrainConfig {
        epochs: args.epochs.unwrap_or(default.epochs),
        seed: args.seed.unwrap_or(default.seed),
        ..default
    };
    let written = files_in(&args.out)?;
    let (training, held_out) = read(ui, &arch, &config)?;
    let device = open_device(ui, arch.widths()[1])?;
    let (student, outcome) = learn(ui, &device, &arch, &config, &training)?;
    let bytes = student.to_bytes()?;
    files::write_whole(&written.student, &bytes)?;
    ui.status("measuring it beside every baseline, on vectors that training never saw");
    let options = EvalOptions { seed: config.seed, ..EvalOptions::default() };
    let evaluation = measure(ui, &device, &student, &training, &held_out, &options)?;
    let own = std::slice::from_ref(&arch);
    let sizes = Sizes::new(&[], arch.variant(), arch.activation(), own, config.batch)?;
    let metrics = Metrics {
        files: &written,
        training_steps: outcome.steps,
        training_seconds: outcome.time.as_secs_f64(),
        vectors_per_second: outcome.rate,
        sizes: &sizes,
        evaluation: &evaluation,
    };
    write_report(&written.report, &evaluation)?;
    files::write_whole(&written.metrics, &serde_json::to_vec_pretty(&metrics)?)?;
    if ui.json() {
        return ui.print_json(&metrics);
    }
    for table in &size_tables(&sizes) {
        ui.table(table)?;
        ui.print("")?;
    }
    eval::print(&evaluation, ui)?;
    ui.print("")?;
    for line in train::words(&written.student, bytes.len(), &student, &outcome).lines() {
        ui.print(&wrap(line, ui.terminal().width))?;
    }
    for line in explain(&evaluation) {
        ui.print(&wrap(&line, ui.terminal().width))?;
    }
    ui.print(&next(&written, &arch, &held_out.path))
}

/// The folder, made if need be, and the files in it; refused now rather than after the work.
fn files_in(folder: &Path) -> anyhow::Result<Written> {
    std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e)).context("--out")?;
    let written = Written {
        student: folder.join("student.safetensors"),
        report: folder.join("report.html"),
        metrics: folder.join("metrics.json"),
    };
    for path in [&written.student, &written.report, &written.metrics] {
        drop(files::AtomicFile::create(path)?);
    }
    Ok(written)
}

/// Both bundled files, if the training fits in memory.
fn read(ui: &Ui, arch: &Arch, config: &TrainConfig) -> anyhow::Result<(Loaded, Loaded)> {
    let read = ReadArgs::default();
    let training = Input::Vectors(given_or_bundled(None, TRAINING, "the training vectors")?);
    let held_out = Input::Vectors(given_or_bundled(None, HELD_OUT, "the held-out vectors")?);
    let source = read.open_for(ui, &training, arch, End::Vectors, true)?;
    memory::check_training(arch, config.batch, &source, None, memory::available())?;
    let training = load(ui, training.path(), source, None)?;
    let source = read.open_for(ui, &held_out, arch, End::Vectors, true)?;
    Ok((training, load(ui, held_out.path(), source, None)?))
}

/// Trains; the training is short, so it keeps no checkpoints.
fn learn(
    ui: &Ui,
    device: &Device,
    arch: &Arch,
    config: &TrainConfig,
    vectors: &Loaded,
) -> anyhow::Result<(StudentFile, Outcome)> {
    let mut trainer = train::begin(ui, device, arch, config, vectors)?;
    let outcome = training::train(ui, &mut trainer, None)?;
    Ok((training::student(&trainer, vectors, Default::default())?, outcome))
}

/// What it comes to for somebody who has not read the tables.
fn explain(evaluation: &Evaluation) -> Vec<String> {
    let arch = &evaluation.student.arch;
    let mut lines = vec![format!(
        "The student squeezes each vector of {} numbers into {} and makes {} of them again. \
         overlap@10 is the share of a vector's ten nearest neighbours that are still its \
         neighbours when only the {} are compared.",
        arch.input(),
        arch.latent(),
        arch.output(),
        arch.latent()
    )];
    let lost = evaluation.comparisons.equal_bytes.iter();
    let lost = lost.filter(|c| c.outcome == crate::experiment::Outcome::Worse);
    if let Some(c) = lost.max_by_key(|c| c.bytes) {
        lines.push(format!(
            "For bytes alone there are better codes: at {} bytes a vector {} keeps {}, the student \
             {}.",
            count(c.bytes as u64),
            c.rival,
            decimal(c.rival_overlap, 3),
            decimal(c.overlap, 3)
        ));
    }
    lines
}

/// Commands that go on from here.
fn next(written: &Written, arch: &Arch, held_out: &str) -> String {
    let program = program();
    let shown = |path: &Path| quoted(&path.display().to_string());
    let (student, report) = (shown(&written.student), shown(&written.report));
    let latents = shown(&written.student.with_file_name("latents.npy"));
    let width = 2 * arch.latent().max(arch.widths()[1]);
    format!(
        "\nWritten: {student}, {report}, {}\n\n\
         Next:\n  \
         the same with plots: open {report} in a browser\n  \
         a wider student:\n    \
         {program} demo --width {width} --out lnsp-demo-{width}\n  \
         {} numbers for each {} (your own vectors go with --in):\n    \
         {program} encode --student {student} --in {} --out {latents}\n  \
         a student of your own vectors (other widths than 384: --arch):\n    \
         {program} train --vectors YOURS.npy --out mine.safetensors",
        shown(&written.metrics),
        arch.latent(),
        arch.input(),
        quoted(held_out),
    )
}

/// This program as it was called, if by a path.
fn program() -> String {
    let called = std::env::args().next().unwrap_or_default();
    let here = std::env::current_dir().unwrap_or_default();
    let path = Path::new(&called);
    let short = path.strip_prefix(&here).unwrap_or(path);
    if short.components().count() > 1 {
        quoted(&short.display().to_string())
    } else {
        "lnsp".into()
    }
}
