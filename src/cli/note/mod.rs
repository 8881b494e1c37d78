//! `lnsp note`: the whole note on this machine.

pub mod child;
mod sets;
mod stages;

use std::path::PathBuf;

use serde::Serialize;

use super::eval::command_line;
use super::journal::Journal;
use super::machine::Machine;
use super::parts::Job;
use super::sizes::FamilyChoice;
use super::ui::{Ui, Usage};
use super::vectors::ReadArgs;
use crate::device::Device;
use crate::experiment::claims::{Finding, Here, findings};
use crate::experiment::note::{Entry, Mode, NoteRun, RowId};
use crate::format::files;
use crate::note::{self, Family};
use crate::number::count;
use crate::report::note_page::{About, note_report};
use crate::report::note_tables::{claim_lines, note_tables};
use crate::report::table::wrap;
use crate::train::TrainConfig;
pub use sets::{Set, bundled};

use sets::Sets;
use stages::{Settings, Stage, config, stages, work};

/// The results, a line a stage.
pub const RESULTS: &str = "results.jsonl";
/// What the results are of.
pub const KIND: &str = "note";

/// Arguments of `lnsp note`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lnsp note                                   every row and claim, quickly, into lnsp-note/\n  \
    lnsp note --full --out full                 as long as it takes; the same command goes on\n  \
    lnsp note --family b --device gpu --out gpu\n  \
    lnsp note --rows B-256,A-8192 --json\n  \
    lnsp note --vectors mine768.npy             the rows whose width is 768 run on your vectors\n\n\
    Quick: five samples of what is slow, batches of 64 in the largest rows, students trained for\n\
    five epochs. Full: a second of samples a figure, an epoch of steps in every row, students\n\
    trained as lnsp train does. What was stopped or killed goes on with the row it was in.")]
pub struct Args {
    /// A minute or two (the default).
    #[arg(long, conflicts_with = "full")]
    pub quick: bool,
    /// Everything measured in full: some minutes more, on slow machines an hour.
    #[arg(long)]
    pub full: bool,
    /// Folder for results and report.
    #[arg(long, value_name = "FOLDER", default_value = "lnsp-note")]
    pub out: PathBuf,
    /// Write the report here [default: report.html in the folder].
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Only these rows, such as B-256,A-8192; claims are tested as far as these tell.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub rows: Vec<RowId>,
    /// Only this table: a, b or all.
    #[arg(long, value_enum, hide_possible_values = true)]
    pub family: Option<FamilyChoice>,
    /// Vectors to train on, for the rows whose width they have [default: the bundled 20,000].
    #[arg(long, value_name = "FILE")]
    pub vectors: Option<PathBuf>,
    /// Vectors to measure on, with --vectors [default: its last tenth, 3,000 at most].
    #[arg(long, value_name = "FILE", requires = "vectors")]
    pub held_out: Option<PathBuf>,
    /// Epochs that students are trained for [default: 5, with --full as lnsp train].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub epochs: Option<u32>,
    /// Seed of everything random [default: as lnsp train].
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Drop the results that are in the folder.
    #[arg(long)]
    pub restart: bool,
    /// Size of the last cache of this machine's processor in MB, for the claim about it.
    #[arg(long, value_name = "MB")]
    pub cache: Option<f64>,
    /// How to read the vectors.
    #[command(flatten)]
    pub read: ReadArgs,
}

/// Everything that `--json` prints.
#[derive(Serialize)]
struct Document<'a> {
    version: &'static str,
    source: &'static str,
    settings: &'a Job,
    machine: &'a Machine,
    #[serde(flatten)]
    run: &'a NoteRun,
    findings: &'a [Finding],
}

/// Runs `lnsp note`.
///
/// # Errors
/// Arguments that do not fit together; vectors that cannot be read; a folder that cannot be written
/// to, or holds results of other settings; what a stage reports; Ctrl-C.
pub fn run(args: &Args, ui: &Ui) -> anyhow::Result<()> {
    let rows = rows(args)?;
    let settings = Settings {
        mode: if args.full { Mode::Full } else { Mode::Quick },
        epochs: args.epochs,
        seed: args.seed.unwrap_or(TrainConfig::default().seed),
    };
    let cache = cache_bytes(args.cache)?;
    let whole = args.rows.is_empty() && args.family.is_none();
    let machine = Machine::look();
    // Before the results' file, which would remember vectors that cannot be read.
    let sets = Sets::read(ui, args.vectors.as_deref(), args.held_out.as_deref(), &args.read)?;
    // One device for the whole run, by the width in the middle of the tables.
    let device = super::device::open_device(ui, 1024)?;
    let job = job(args, &settings, &device, &machine);
    let head = (KIND, &job);
    let (mut journal, entries) = Journal::open::<Entry>(&args.out, RESULTS, head, args.restart)?;
    let page = args.report.clone().unwrap_or_else(|| args.out.join("report.html"));
    // Refused now rather than after the work.
    drop(files::AtomicFile::create(&page)?);
    let mut run = NoteRun::new(&rows, &entries)?;
    if !entries.is_empty() {
        let (done, path) = (count(entries.len() as u64), journal.path().display());
        ui.status(&format!("going on from {path}: {done} results are there"));
    }
    let all: Vec<Stage> = stages(&rows, &sets, whole);
    work(ui, &all, (&sets, &device, &settings), &mut journal, &mut run)
        .map_err(|cause| stopped(cause, args))?;
    let here = Here { memory: Some(machine.memory_bytes), ..Here::of(&device) };
    let findings = findings(&run, &here, cache)?;
    let about = About {
        command: command_line(),
        settings: job.clone().into_iter().collect(),
        machine: machine.words(),
        trained: rows.first().map(|row| config(*row, &settings)),
    };
    let report = note_report(&run, &findings, &about)?;
    files::write_whole(&page, report.to_html().as_bytes())?;
    if ui.json() {
        return ui.print_json(&Document {
            version: env!("CARGO_PKG_VERSION"),
            source: note::SOURCE,
            settings: &job,
            machine: &machine,
            run: &run,
            findings: &findings,
        });
    }
    print(&run, &findings, ui)?;
    ui.print(&format!("\nreport: {}", page.display()))
}

fn rows(args: &Args) -> anyhow::Result<Vec<RowId>> {
    let of_family = |row: &RowId| match args.family {
        Some(FamilyChoice::A) => row.family == Family::A,
        Some(FamilyChoice::B) => row.family == Family::B,
        Some(FamilyChoice::All) | None => true,
    };
    let named = |row: &RowId| args.rows.is_empty() || args.rows.contains(row);
    let rows: Vec<RowId> = RowId::all().filter(|row| of_family(row) && named(row)).collect();
    if rows.is_empty() {
        return Err(Usage("--rows names no row of that --family".into()).into());
    }
    Ok(rows)
}

fn cache_bytes(megabytes: Option<f64>) -> crate::Result<Option<u64>> {
    match megabytes {
        Some(mb) if !(mb.is_finite() && (0.0..=1e6).contains(&mb)) => {
            Err(crate::Error::invalid("--cache", format!("{mb} is not between 0 and 1000000 MB")))
        }
        mb => Ok(mb.map(|mb| (1e6 * mb) as u64)),
    }
}

/// What results have in common: with another of these they would be of another run.
fn job(args: &Args, settings: &Settings, device: &Device, machine: &Machine) -> Job {
    let mut job = Job::from([
        ("version".into(), env!("CARGO_PKG_VERSION").into()),
        ("device".into(), device.name()),
        ("processor".into(), format!("{}, {} threads", machine.cpu, machine.threads)),
        ("mode".into(), settings.mode.to_string()),
        ("seed".into(), settings.seed.to_string()),
        ("epochs".into(), settings.epochs.map_or("default".into(), |n| n.to_string())),
    ]);
    for (name, path) in [("vectors", &args.vectors), ("held out", &args.held_out)] {
        let path = path.as_ref().map_or("bundled".into(), |path| path.display().to_string());
        job.insert(name.into(), path);
    }
    job
}

/// After Ctrl-C, how to go on.
fn stopped(cause: anyhow::Error, args: &Args) -> anyhow::Error {
    match cause.downcast_ref() {
        Some(crate::Error::Cancelled) => cause.context(format!(
            "stopped; what was done is in {}, the same command goes on from there",
            args.out.join(RESULTS).display()
        )),
        _ => cause,
    }
}

fn print(run: &NoteRun, findings: &[Finding], ui: &Ui) -> anyhow::Result<()> {
    for table in &note_tables(run)? {
        ui.table(table)?;
        ui.print("")?;
    }
    for line in claim_lines(findings) {
        ui.print(&wrap(&line, ui.terminal().width))?;
    }
    Ok(())
}
