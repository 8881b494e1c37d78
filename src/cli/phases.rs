//! `lnsp phases`: the note's strategy carried out, with the controls that tell its causes apart.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};

use super::device::open_device;
use super::eval::command_line;
use super::sweep::{Best, Results, Session};
use super::ui::Ui;
use super::vectors::{HELD_OUT, Loaded, ReadArgs, TRAINING, given_or_bundled, load};
use crate::arch::Arch;
use crate::device::Device;
use crate::error::Error;
use crate::experiment::phases::{Arm, Design, PhaseSet, Phases, Tuned};
use crate::experiment::sweep::{Kind, RunData, RunSettings, Values, name, varying};
use crate::format::VectorReader;
use crate::format::files::{AtomicFile, write_whole};
use crate::linalg::near_rows;
use crate::matrix::Matrix;
use crate::number::count;
use crate::report::phases_page::{phases_report, phases_tables};
use crate::report::table::wrap;
use crate::train::{TrainConfig, Trainer};

/// Arguments of `lnsp phases`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lnsp phases --quick                           a few minutes, to see how it goes\n  \
    lnsp phases --larger corpus/vectors.safetensors --report phases.html\n  \
    lnsp phases --phase 1                         one phase; the next reads it from the folder\n\n\
    Phase 1 trains the first student with several alignment weights. Phase 2 trains the second\n\
    with the best of them on the larger set, Phase 3 the third. Controls train each student on\n\
    the other set, longer, and with the usual and the worst weight, so that width, vectors, epochs\n\
    and alignment weight can be told apart. Weights are chosen on vectors set aside from the\n\
    training set; everything is compared on held-out ones, vector by vector, over all seeds.\n\n\
    The same command again goes on with what is missing. docs/corpus.md of the project says how\n\
    to make a larger set.")]
pub struct Args {
    /// Folder for the results of every phase, its best student and what follows.
    #[arg(long, value_name = "FOLDER", default_value = "lnsp-phases")]
    pub out: PathBuf,
    /// Vectors of Phase 1 [default: the bundled 20,000].
    #[arg(long, value_name = "FILE")]
    pub vectors: Option<PathBuf>,
    /// Vectors of Phases 2 and 3 [default: those of Phase 1, which leaves their question open].
    #[arg(long, value_name = "FILE")]
    pub larger: Option<PathBuf>,
    /// Take the first N of the larger set only [default: all; 60,000 with --quick].
    #[arg(long, value_name = "N")]
    pub larger_limit: Option<NonZeroUsize>,
    /// Vectors that everything is compared on [default: the bundled 3,000].
    #[arg(long, value_name = "FILE")]
    pub held_out: Option<PathBuf>,
    /// How to read them.
    #[command(flatten)]
    pub read: ReadArgs,
    /// Alignment weights of Phase 1 [default: 0.1,0.3,1,3,10; 0.1,1,10 with --quick].
    #[arg(
        long, value_name = "LIST", allow_hyphen_values = true,
        value_parser = |text: &str| parse(text, Kind::Decimal)
    )]
    pub alignment_weight: Option<Values>,
    /// Seeds [default: 1..3; 1,2 with --quick].
    #[arg(
        long, value_name = "LIST", allow_hyphen_values = true,
        value_parser = |text: &str| parse(text, Kind::Whole)
    )]
    pub seed: Option<Values>,
    /// Passes over the vectors [default: 20; 3 with --quick].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub epochs: Option<u32>,
    /// Vectors in a step.
    #[arg(long, value_name = "N", default_value_t = TrainConfig::default().batch)]
    pub batch: usize,
    /// The students of the three phases, given three times [default: S = 256, 512, 768].
    #[arg(long, value_name = "LIST")]
    pub arch: Vec<Arch>,
    /// Fewer weights, seeds and epochs: to see how it goes, not to conclude from.
    #[arg(long)]
    pub quick: bool,
    /// This phase alone: 1, 2, 3, or 4 for the controls.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=4))]
    pub phase: Option<u8>,
    /// Vectors of each set that are set aside to choose by [default: a tenth, at most 2,000].
    #[arg(long, value_name = "N")]
    pub validation_rows: Option<usize>,
    /// Runs at a time on the CPU [default: one a core].
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// Write a report to read, one HTML file.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

/// Seed of the vectors set aside.
const VALIDATION_SEED: u64 = 727;
/// Vectors of the larger set at `--quick`.
const QUICK_LARGER: usize = 60_000;
/// From this cosine with a held-out vector on, a vector of the larger set is the same sentence.
const SAME: f32 = 0.999;
/// Rows compared with the held-out ones at a time.
const BLOCK: usize = 8192;

fn parse(text: &str, kind: Kind) -> Result<Values, String> {
    Values::parse(text, kind).map_err(|e| e.to_string())
}

/// Both sets with their results.
struct Sets {
    device: Device,
    first: (RunData, Results),
    larger: Option<(RunData, Results)>,
}

/// Runs `lnsp phases`.
///
/// # Errors
/// Settings, vectors and results that do not fit together, before anything is trained; a phase whose
/// predecessor is not done; an output that cannot be written; too little memory; Ctrl-C.
pub fn run(args: &Args, ui: &Ui) -> anyhow::Result<()> {
    let design = design(args)?;
    design.check()?;
    if let Some(path) = &args.report {
        // Refused now rather than after the work.
        drop(AtomicFile::create(path)?);
    }
    let (first, larger) = read(args, ui, &design)?;
    std::fs::create_dir_all(&args.out).map_err(|e| Error::io(&args.out, e)).context("--out")?;
    drop(AtomicFile::create(&args.out.join("phases.json"))?);
    let open = |data: RunData, file: &str| -> anyhow::Result<(RunData, Results)> {
        let results = Results::open(&args.out.join(file), &data.id, ui)?;
        Ok((data, results))
    };
    let widest = design.archs.iter().map(|arch| arch.widths()[1]).max().unwrap_or(1);
    let mut sets = Sets {
        device: open_device(ui, widest)?,
        first: open(first, "first.jsonl")?,
        larger: larger.map(|data| open(data, "larger.jsonl")).transpose()?,
    };
    if !design.larger {
        ui.warn("no --larger set: Phases 2 and 3 run on the vectors of Phase 1");
    }
    let wanted = |phase: u8| args.phase.is_none_or(|only| only == phase);
    if wanted(1) {
        ui.status("Phase 1: alignment weights");
        phase_1(args, ui, &design, &mut sets)?;
    }
    let tuned = tuned(args, &design, &sets)?;
    let arms = design.arms(tuned);
    for phase in [2, 3] {
        let arm = arms.iter().find(|arm| arm.phase == Some(phase)).filter(|_| wanted(phase));
        if let Some(arm) = arm {
            ui.status(&format!("Phase {phase}: {}, alignment weight {}", arm.label, tuned.best));
            let student = args.out.join(format!("phase-{phase}.safetensors"));
            complete(args, ui, std::slice::from_ref(arm), &mut sets, Some(&student))?;
        }
    }
    if wanted(4) {
        ui.status("Controls");
        complete(args, ui, &arms, &mut sets, None)?;
    }
    match args.phase {
        Some(4) | None => conclude(args, ui, &design, tuned, &sets),
        Some(phase) => said(args, ui, phase, tuned),
    }
}

fn design(args: &Args) -> anyhow::Result<Design> {
    let list = |given: &Option<Values>, quick, full, kind| match (given, args.quick) {
        (Some(values), _) => Ok(values.clone()),
        (None, true) => Values::parse(quick, kind),
        (None, false) => Values::parse(full, kind),
    };
    let weights = list(&args.alignment_weight, "0.1,1,10", "0.1,0.3,1,3,10", Kind::Decimal)?;
    let seeds = list(&args.seed, "1,2", "1..3", Kind::Whole)?;
    let archs = match args.arch.as_slice() {
        [] => [256, 512, 768].map(Arch::family_b).into_iter().collect::<crate::Result<Vec<_>>>()?,
        given => given.to_vec(),
    };
    let Ok(archs) = <[Arch; 3]>::try_from(archs) else {
        bail!("--arch: give the students of all three phases, or none");
    };
    Ok(Design {
        archs,
        alignments: weights.grid().iter().filter_map(|v| v.as_f64()).map(|v| v as f32).collect(),
        seeds: seeds.grid().iter().filter_map(|v| v.as_u64()).collect(),
        epochs: args.epochs.unwrap_or(if args.quick { 3 } else { 20 }),
        batch: args.batch,
        larger: args.larger.is_some(),
    })
}

/// Both sets, with the held-out vectors that every run is scored on.
fn read(args: &Args, ui: &Ui, design: &Design) -> anyhow::Result<(RunData, Option<RunData>)> {
    let width = design.archs[0].input();
    let open = |path: &Path, limit| -> anyhow::Result<Loaded> {
        let source = args.read.open(path)?;
        if source.width() != width {
            bail!(
                "{}: its vectors are {} wide, the students take {width}: choose others with --arch",
                path.display(),
                source.width()
            );
        }
        Ok(load(ui, path, source, limit)?)
    };
    let first = given_or_bundled(args.vectors.as_deref(), TRAINING, "--vectors")?;
    let first = open(&first, None)?;
    let held_out = match (&args.held_out, &args.vectors) {
        (None, Some(_)) => {
            bail!("--held-out: name vectors to compare on that are not among those of --vectors")
        }
        (given, _) => given_or_bundled(given.as_deref(), HELD_OUT, "--held-out")?,
    };
    let held_out = open(&held_out, None)?.rows;
    let data = |loaded: Loaded| -> anyhow::Result<RunData> {
        let usual = (loaded.rows.rows() / 10).clamp(11, 2000);
        let rows = args.validation_rows.unwrap_or(usual);
        let held_out = Some(Arc::clone(&held_out));
        let mut data = RunData::new(&loaded.rows, (rows, VALIDATION_SEED), held_out)?;
        for arch in &design.archs {
            let config = TrainConfig { batch: design.batch, ..TrainConfig::suited_to(arch, None) };
            Trainer::check(arch, &TrainConfig { validation_rows: 0, ..config }, &data.training)?;
        }
        data.name = loaded.name;
        data.teacher = loaded.teacher;
        Ok(data)
    };
    let larger = args.larger.as_ref().map(|path| -> anyhow::Result<RunData> {
        let quick = args.quick.then(|| NonZeroUsize::new(QUICK_LARGER).expect("above 0"));
        let mut loaded = open(path, args.larger_limit.or(quick))?;
        loaded.rows = Arc::new(without(ui, &loaded.rows, &held_out));
        data(loaded)
    });
    Ok((data(first)?, larger.transpose()?))
}

/// The rows that are no held-out vector: who trains on what it is measured on measures nothing.
fn without(ui: &Ui, rows: &Matrix, held_out: &Matrix) -> Matrix {
    let bar = ui.progress("compare with the held-out vectors", Some(rows.rows() as u64));
    let mut kept = Vec::with_capacity(rows.rows());
    for start in (0..rows.rows()).step_by(BLOCK) {
        let end = (start + BLOCK).min(rows.rows());
        let near = near_rows(&rows.slice_rows(start, end), held_out, SAME);
        kept.extend((start..end).filter(|i| !near[i - start]));
        bar.set(end as u64, "");
    }
    drop(bar);
    let left_out = rows.rows() - kept.len();
    if left_out > 0 {
        ui.status(&format!(
            "{} vectors of the larger set are held-out ones, too (cosine {SAME} or more): left out",
            count(left_out as u64)
        ));
    }
    rows.gather_rows(&kept)
}

fn phase_1(args: &Args, ui: &Ui, design: &Design, sets: &mut Sets) -> anyhow::Result<()> {
    let runs = design.phase_1();
    train(
        args,
        ui,
        &runs,
        &sets.device,
        &mut sets.first,
        Some(&args.out.join("phase-1.safetensors")),
    )
}

/// What Phase 1 found, from the folder.
fn tuned(args: &Args, design: &Design, sets: &Sets) -> anyhow::Result<Tuned> {
    let runs = design.phase_1();
    let records = set(&sets.first).of(&runs);
    if records.len() < runs.len() {
        bail!(
            "the other phases read the alignment weight that Phase 1 found, and {} of its {} runs \
             are not in {}: run --phase 1 first, with the same settings",
            runs.len() - records.len(),
            runs.len(),
            args.out.display()
        );
    }
    design.tuned(&records).context("every training of Phase 1 diverged; give other weights")
}

fn set((data, results): &(RunData, Results)) -> PhaseSet<'_> {
    PhaseSet { data, records: results.runs() }
}

/// Trains what is missing of `arms`, those on the first set before those on the larger one.
fn complete(
    args: &Args,
    ui: &Ui,
    arms: &[Arm],
    sets: &mut Sets,
    student: Option<&Path>,
) -> anyhow::Result<()> {
    let of = |larger: bool| -> Vec<RunSettings> {
        arms.iter().filter(|arm| arm.larger == larger).flat_map(|arm| arm.runs.clone()).collect()
    };
    let (first, larger) = (of(false), of(true));
    if !first.is_empty() {
        train(args, ui, &first, &sets.device, &mut sets.first, student)?;
    }
    if let Some(set) = sets.larger.as_mut().filter(|_| !larger.is_empty()) {
        train(args, ui, &larger, &sets.device, set, student)?;
    }
    Ok(())
}

fn train(
    args: &Args,
    ui: &Ui,
    runs: &[RunSettings],
    device: &Device,
    (data, results): &mut (RunData, Results),
    student: Option<&Path>,
) -> anyhow::Result<()> {
    let device = Some(device.clone());
    let mut session = Session { ui, jobs: args.jobs, device, data, results };
    let names = varying(runs);
    let known = session.records(runs);
    let mut best = student.map(|path| Best::new(path, &known));
    let mut keep = |finished: &_| best.as_mut().map_or(Ok(()), |best| best.see(finished));
    let device = session.complete(runs, "", &|run| name(run, &names), &mut keep)?;
    if let Some(path) = student
        && let Some(best) = crate::experiment::sweep::best_run(&session.records(runs))
    {
        session.student_of(best, &device, path)?;
    }
    Ok(())
}

/// Compares everything, keeps it in the folder and prints it.
fn conclude(
    args: &Args,
    ui: &Ui,
    design: &Design,
    tuned: Tuned,
    sets: &Sets,
) -> anyhow::Result<()> {
    ui.status("comparing on the held-out vectors");
    let larger = sets.larger.as_ref().map(set);
    let phases = Phases::new(design, tuned, set(&sets.first), larger)?;
    let path = args.out.join("phases.json");
    write_whole(&path, &serde_json::to_vec_pretty(&phases)?)?;
    if let Some(report) = &args.report {
        let page = phases_report(&phases, &command_line())?.to_html();
        write_whole(report, page.as_bytes())?;
        ui.status(&format!("report: {}", report.display()));
    }
    if ui.json() {
        return ui.print_json(&phases);
    }
    for table in &phases_tables(&phases) {
        ui.table(table)?;
        ui.print("")?;
    }
    let width = ui.terminal().width;
    for sentence in &phases.recommendation {
        ui.print(&wrap(sentence, width))?;
    }
    for finding in &phases.findings {
        let words =
            format!("Claim {}: {}. {}", finding.id, finding.standing.words(), finding.words);
        ui.print(&wrap(&words, width))?;
    }
    ui.print(&format!("\nWritten: {} and the students beside it", path.display()))
}

/// After one phase alone.
fn said(args: &Args, ui: &Ui, phase: u8, tuned: Tuned) -> anyhow::Result<()> {
    if ui.json() {
        return ui.print_json(&serde_json::json!({ "phase": phase, "tuned": tuned }));
    }
    ui.print(&format!(
        "Phase {phase} is done. Best alignment weight by the vectors set aside: {}, worst {}. \
         Results and student are in {}.",
        tuned.best,
        tuned.worst,
        args.out.display()
    ))
}
