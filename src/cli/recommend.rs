//! `lnsp sizes --recommend`: which code meets some limits at least cost.

use std::path::{Path, PathBuf};

use anyhow::Context;
use pollster::block_on;

use super::journal::Journal;
use super::note::{KIND, RESULTS, bundled};
use super::ui::Ui;
use super::vectors::read_student;
use crate::arch::NOTE_LATENT;
use crate::device::Device;
use crate::error::Error;
use crate::experiment::Evaluation;
use crate::experiment::note::{Entry, NoteRun, RowId, Ruler, measure_baselines, student_quality};
use crate::experiment::recommend::{
    Candidate, Least, Limits, candidates_of_evaluation, candidates_of_run, recommend,
};
use crate::report::table::wrap;

/// The shipped students, where the project is at hand.
const SHIPPED: [&str; 3] = ["default-256", "student-512", "student-1024"];

/// Limits, and where measured figures come from.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Recommendation")]
pub struct RecommendArgs {
    /// Recommend the code that keeps to these limits at least cost: a student's or another.
    #[arg(long)]
    pub recommend: bool,
    /// Bytes of a stored vector at most.
    #[arg(long, value_name = "N", requires = "recommend")]
    pub max_bytes: Option<usize>,
    /// Milliseconds to make the code of one vector at most, on this device.
    #[arg(long, value_name = "MS", requires = "recommend")]
    pub max_ms: Option<f64>,
    /// Memory of what makes the code at most: weights, directions, ranges.
    #[arg(long, value_name = "MB", requires = "recommend")]
    pub max_memory: Option<f64>,
    /// overlap@10 at least, 0 to 1.
    #[arg(long, value_name = "Q", requires = "recommend")]
    pub min_overlap: Option<f64>,
    /// What is to be least: bytes, ms or memory.
    #[arg(long, value_name = "WHAT", requires = "recommend", default_value_t)]
    pub least: Least,
    /// Measured figures: the folder of lnsp note, or a file of lnsp eval --json [default: measured
    /// now, on the bundled vectors].
    #[arg(long, value_name = "PATH", requires = "recommend")]
    pub results: Option<PathBuf>,
    /// A student to measure now; may be given several times [default: the shipped ones].
    #[arg(long, value_name = "FILE", requires = "recommend", conflicts_with = "results")]
    pub student: Vec<PathBuf>,
}

impl RecommendArgs {
    fn limits(&self) -> crate::Result<Limits> {
        if let Some(mb) = self.max_memory.filter(|mb| !(mb.is_finite() && *mb >= 0.0)) {
            return Err(Error::invalid("--max-memory", format!("{mb} MB is no size")));
        }
        let limits = Limits {
            max_bytes: self.max_bytes,
            max_ms: self.max_ms,
            max_memory: self.max_memory.map(|mb| (1e6 * mb) as u64),
            min_overlap: self.min_overlap,
        };
        limits.check()?;
        Ok(limits)
    }
}

/// Runs `lnsp sizes --recommend`.
///
/// # Errors
/// Limits that make no sense; results that cannot be read; what measuring reports.
pub fn run(args: &RecommendArgs, ui: &Ui) -> anyhow::Result<()> {
    let limits = args.limits()?;
    let candidates = match &args.results {
        Some(path) => read(path)?,
        None => measure(args, ui)?,
    };
    let found = recommend(&candidates, &limits, args.least);
    if ui.json() {
        return ui.print_json(&found);
    }
    for line in &found.words {
        ui.print(&wrap(line, ui.terminal().width))?;
    }
    Ok(())
}

/// The figures in the folder of a run of the note, or in a file.
fn read(path: &Path) -> anyhow::Result<Vec<Candidate>> {
    let file = if path.is_dir() { path.join(RESULTS) } else { path.to_path_buf() };
    let name = file.display().to_string();
    let text = std::fs::read_to_string(&file).map_err(|e| Error::io(&file, e));
    let text =
        text.context("--results: give the folder of lnsp note or a file of lnsp eval --json")?;
    let candidates = match serde_json::from_str::<Evaluation>(&text) {
        Ok(evaluation) => candidates_of_evaluation(&evaluation),
        Err(_) => {
            let (_, entries) = Journal::read::<Entry>(&file, KIND).context("--results")?;
            let rows: Vec<RowId> = RowId::all().collect();
            candidates_of_run(&NoteRun::new(&rows, &entries)?)
        }
    };
    if candidates.is_empty() {
        let message = "holds no code that was measured; run lnsp note for family B, or lnsp eval";
        return Err(Error::format(name, message).into());
    }
    Ok(candidates)
}

/// Measures the baselines and students on the bundled vectors.
fn measure(args: &RecommendArgs, ui: &Ui) -> anyhow::Result<Vec<Candidate>> {
    let set = bundled(ui)?;
    let students = match args.student.is_empty() {
        true => shipped(),
        false => args.student.clone(),
    };
    let sample = Ruler::sample_of(&set.data);
    let ruler = Ruler::new(&set.data, &sample, set.pca()?, 0)?;
    let bar = ui.progress("measuring", Some(100));
    let cancel = ui.cancel();
    let device = Device::cpu();
    let mut report = |share: f64, what: &str| {
        bar.set((80.0 * share) as u64, what);
        let stop = cancel.load(std::sync::atomic::Ordering::SeqCst);
        if stop { Err(Error::Cancelled) } else { Ok(()) }
    };
    let baselines = block_on(measure_baselines(&ruler, NOTE_LATENT, &mut report))?;
    let mut all: Vec<Candidate> = baselines.codes.iter().map(Candidate::baseline).collect();
    for path in &students {
        let student = read_student(path)?;
        let arch = &student.info.arch;
        if arch.input() != set.data.held_out.cols() {
            let message = format!("{arch} does not take the bundled vectors of 384 values");
            return Err(Error::format(path.display().to_string(), message).into());
        }
        report(1.0, &format!("student {arch}"))?;
        let (_, _, codes) = block_on(student_quality(&device, &student.parameters, &ruler))?;
        all.extend(codes.iter().map(|code| Candidate::student(arch.widths()[1], code)));
    }
    Ok(all)
}

/// The students that come with the project, where they are.
fn shipped() -> Vec<PathBuf> {
    let program = std::env::current_exe().unwrap_or_default();
    let places = std::iter::once(PathBuf::from("."))
        .chain(program.ancestors().skip(1).map(Path::to_path_buf))
        .map(|place| place.join("www/students"));
    let folder = places.into_iter().find(|folder| folder.is_dir());
    let files = folder.into_iter().flat_map(|folder| {
        SHIPPED.map(|name| folder.join(format!("{name}.safetensors"))).into_iter()
    });
    files.filter(|file| file.is_file()).collect()
}
