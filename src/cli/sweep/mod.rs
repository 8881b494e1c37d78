//! `lnsp sweep`: many trainings, side by side.

mod axes;
mod estimate;
mod live;
mod merge;
mod plan;
mod results;
mod session;
mod workers;

pub(super) use self::results::Results;
pub(super) use self::session::{Best, Session};

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use pollster::block_on;
use serde::Serialize;

use self::axes::Axes;
use self::merge::Merged;
use self::plan::{Plan, Shard};
use super::eval::{command_line, quoted};
use super::ui::{Ui, Usage};
use super::vectors::{HELD_OUT, Loaded, ReadArgs, TRAINING, given_or_bundled, load};
use crate::arch::{Activation, Arch, Variant};
use crate::experiment::ScoreSet;
use crate::experiment::sweep::{RunData, Sweep, beside_pca};
use crate::format::VectorReader;
use crate::format::files::{AtomicFile, write_whole};
use crate::report::sweep_page::sweep_report;
use crate::report::sweep_tables::{runs_table, sweep_tables};
use crate::report::table::wrap;

/// Arguments of `lnsp sweep`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lnsp sweep --alignment-weight 0.1,0.5,1 --seed 1..3\n  \
    lnsp sweep --width 256,512 --learning-rate 1e-4..1e-2:log:3 --epochs 10,20 --report sweep.html\n  \
    lnsp sweep --random 20 --learning-rate 1e-5..1e-2:log --geometry-weight 1..100:log --seed 1,2\n  \
    lnsp sweep --seed 1..5 --init random          stability over seeds\n  \
    lnsp sweep --seed 1..8 --shard 1/2 --out a.jsonl   one of two machines; then\n  \
    lnsp sweep --seed 1..8 --merge a.jsonl b.jsonl     all of them; --dry-run says only what is missing\n\n\
    LIST is values parted by commas, or ranges LOW..HIGH, with :log for steps that multiply and\n\
    :N for how many (1e-4..1e-2:log:5; 1..5 are whole numbers, each).\n\n\
    Which run is best is decided on vectors set aside from the training set, the same for all runs.\n\
    Held-out vectors are read for the best run alone, at the end: choosing by them would make their\n\
    figure too good.\n\n\
    The same command again goes on with what is missing, after Ctrl-C or a kill.")]
pub struct Args {
    /// What is searched over.
    #[command(flatten)]
    pub axes: Axes,
    /// Any widths, such as 384-256-192-256-384; may be given several times.
    #[arg(long, value_name = "LIST")]
    pub arch: Vec<Arch>,
    /// plain, or sn727 (an inference from the note's 545K parameters).
    #[arg(long, default_value_t)]
    pub variant: Variant,
    /// gelu or relu.
    #[arg(long, default_value_t)]
    pub activation: Activation,
    /// Draw N combinations, each trained with every seed, in place of all there are.
    #[arg(long, value_name = "N")]
    pub random: Option<NonZeroUsize>,
    /// Seed of that drawing.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub random_seed: u64,
    /// Vectors to train on, .npy, .safetensors or .parquet [default: the bundled 20,000].
    #[arg(long, value_name = "FILE")]
    pub vectors: Option<PathBuf>,
    /// Train on the first N vectors only.
    #[arg(long, value_name = "N")]
    pub limit: Option<NonZeroUsize>,
    /// How to read them.
    #[command(flatten)]
    pub read: ReadArgs,
    /// Vectors of these set aside to choose by [default: a tenth, at most 2,000].
    #[arg(long, value_name = "N")]
    pub validation_rows: Option<usize>,
    /// Seed that they are drawn by, the same for every run.
    #[arg(long, value_name = "N", default_value_t = 727)]
    pub validation_seed: u64,
    /// Vectors on which the best run is measured at the end [default: the bundled 3,000, if it
    /// trains on the bundled vectors].
    #[arg(long, value_name = "FILE")]
    pub held_out: Option<PathBuf>,
    /// Runs at a time on the CPU [default: one a core]; a GPU takes them one after another.
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// Results, one line of JSON a run; those in it are not run again.
    #[arg(long, value_name = "FILE", default_value = "sweep.jsonl")]
    pub out: PathBuf,
    /// Where the best run's student goes [default: beside the results, as .best.safetensors].
    #[arg(long, value_name = "FILE")]
    pub student: Option<PathBuf>,
    /// Do the I-th of N parts of the runs only, as another machine does the others.
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Take the runs of other results files on the same vectors, too, or of all .jsonl of a folder;
    /// what came twice and what is missing is said, and what is missing is trained.
    #[arg(long, value_name = "FILE|FOLDER", num_args = 1..)]
    pub merge: Vec<PathBuf>,
    /// List the runs and about how long they take, and train nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Print CSV: every run with every setting.
    #[arg(long)]
    pub csv: bool,
    /// Write a report to read, one HTML file.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

/// Everything that `--json` prints.
#[derive(Serialize)]
struct Document<'a> {
    results: &'a Path,
    student: &'a Path,
    #[serde(skip_serializing_if = "Option::is_none")]
    merged: Option<&'a Merged>,
    #[serde(flatten)]
    sweep: &'a Sweep,
}

/// Runs `lnsp sweep`.
///
/// # Errors
/// Settings, vectors and files that do not fit together, before anything is trained; an output that
/// cannot be written; too little memory; Ctrl-C.
pub fn run(args: &Args, ui: &Ui) -> anyhow::Result<()> {
    if args.csv && ui.json() {
        return Err(Usage("--csv and --json exclude each other".into()).into());
    }
    let plan = Plan::new(args)?;
    let student =
        args.student.clone().unwrap_or_else(|| args.out.with_extension("best.safetensors"));
    // Refused now rather than after the work.
    for path in [Some(&student), args.report.as_ref()].into_iter().flatten() {
        if *path == args.out {
            return Err(Usage(format!("--out and another output are {}", path.display())).into());
        }
        drop(AtomicFile::create(path)?);
    }
    let (data, held_out) = read(args, ui, &plan)?;
    let gathered = merge::gather(&args.merge, &data.id)?;
    if args.dry_run {
        return match args.merge.is_empty() {
            true => plan.list(ui, &data),
            false => missing(ui, &gathered.against(&plan, &data.id, &BTreeMap::new())),
        };
    }
    let mut results = Results::open(&args.out, &data.id, ui)?;
    let merged =
        (!args.merge.is_empty()).then(|| gathered.against(&plan, &data.id, results.runs()));
    merged.iter().for_each(|merged| merged.say(ui));
    gathered.add_to(&mut results)?;
    let mut session =
        Session { ui, jobs: args.jobs, device: None, data: &data, results: &mut results };
    let mut best = Best::new(&student, &session.records(&plan.runs));
    let (mine, words) = (plan.mine(), plan.words());
    let device =
        session.complete(&mine, &words, &|run| plan.name(run), &mut |done| best.see(done))?;
    let mut sweep = Sweep::new(&data, session.records(&plan.runs));
    let best = sweep.best_run().map(|run| session.student_of(run, &device, &student));
    if let Some(best) = best.transpose()?.flatten() {
        let mut sets = vec![("set aside, chose it", data.validation())];
        sets.extend(held_out.as_ref().map(|set| ("held out", set)));
        sweep.beside_pca = block_on(beside_pca(&device, &best, &data.training, &sets))?;
    }
    let document = Document {
        results: results.path(),
        student: &student,
        merged: merged.as_ref(),
        sweep: &sweep,
    };
    conclude(args, ui, &plan, &document)
}

/// What `--merge --dry-run` prints: what there is, and what is missing.
fn missing(ui: &Ui, merged: &Merged) -> anyhow::Result<()> {
    if ui.json() {
        return ui.print_json(merged);
    }
    merged.say(ui);
    Ok(())
}

/// The vectors to train on, those set aside, and the held-out ones for the end.
fn read(args: &Args, ui: &Ui, plan: &Plan) -> anyhow::Result<(RunData, Option<ScoreSet>)> {
    let path = given_or_bundled(args.vectors.as_deref(), TRAINING, "--vectors")?;
    let width = plan.runs[0].arch.input();
    let open = |path: &Path, limit| -> anyhow::Result<Loaded> {
        let source = args.read.open(path)?;
        if source.width() != width {
            anyhow::bail!(
                "{}: its vectors are {} wide, the students take {width}: choose others with --arch",
                path.display(),
                source.width()
            );
        }
        Ok(load(ui, path, source, limit)?)
    };
    let vectors = open(&path, args.limit)?;
    let rows = vectors.rows.rows();
    let validation = args.validation_rows.unwrap_or((rows / 10).clamp(11, 2000));
    let mut data = RunData::new(&vectors.rows, (validation, args.validation_seed), None)?;
    data.name = vectors.name;
    data.teacher = vectors.teacher;
    plan.check(&data)?;
    let held_out = match (&args.held_out, &args.vectors) {
        (Some(path), _) => Some(path.clone()),
        // Where the bundled vectors are not at hand, neither are these: no error.
        (None, None) => given_or_bundled(None, HELD_OUT, "--held-out").ok(),
        (None, Some(_)) => None,
    };
    let held_out = held_out.map(|path| -> anyhow::Result<ScoreSet> {
        ScoreSet::new(Arc::clone(&open(&path, None)?.rows)).context("--held-out")
    });
    Ok((data, held_out.transpose()?))
}

fn conclude(args: &Args, ui: &Ui, plan: &Plan, document: &Document<'_>) -> anyhow::Result<()> {
    let &Document { sweep, results, student, .. } = document;
    if let Some(path) = &args.report {
        let page = sweep_report(sweep, &command_line())?.to_html();
        write_whole(path, page.as_bytes())?;
        ui.status(&format!("report: {}", path.display()));
    }
    if ui.json() {
        return ui.print_json(document);
    }
    if args.csv {
        return ui.print_raw(&runs_table(sweep).to_csv());
    }
    for table in &sweep_tables(sweep) {
        ui.table(table)?;
        ui.print("")?;
    }
    let missing = plan.runs.len() - sweep.runs.len();
    if missing > 0 {
        ui.print(&format!("{missing} of {} runs are left to other shards", plan.runs.len()))?;
    }
    let Some(best) = sweep.best_run().filter(|run| run.validation.is_some()) else {
        return ui.print("Every training diverged: lower --learning-rate.");
    };
    let width = ui.terminal().width;
    ui.print(&wrap(&format!("best run: {}", plan.name(&best.settings())), width))?;
    ui.print(&format!("its student: {}, results: {}", student.display(), results.display()))?;
    ui.print(&format!("next, on all vectors: {}", plan::train_command(args, &best.settings())))
}
