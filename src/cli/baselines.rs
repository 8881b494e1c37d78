//! `lnsp baselines`: fit the baselines on vectors and keep them in a small file, for who compares
//! students without the vectors: the page.

use std::path::{Path, PathBuf};

use pollster::block_on;
use serde::Serialize;

use super::device::open_device;
use super::ui::Ui;
use super::vectors::{ReadArgs, TRAINING, given_or_bundled, load, read_student};
use crate::arch::Precision;
use crate::codes::Fitted;
use crate::format::files::{AtomicFile, write_whole};
use crate::number::count;
use crate::student::Student;

/// Arguments of `lnsp baselines`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  \
    lnsp baselines --student student-256.safetensors --out baselines.safetensors")]
pub struct Args {
    /// Vectors to fit them on, .npy, .safetensors or .parquet [default: the bundled 20,000].
    #[arg(long, value_name = "FILE")]
    pub vectors: Option<PathBuf>,
    /// How to read them.
    #[command(flatten)]
    pub read: ReadArgs,
    /// A student whose latents' ranges go into the file under its name, for int8; as often as
    /// wanted.
    #[arg(long, value_name = "FILE")]
    pub student: Vec<PathBuf>,
    /// Where they go.
    #[arg(long, value_name = "FILE", default_value = "baselines.safetensors")]
    pub out: PathBuf,
}

#[derive(Debug, Serialize)]
struct Summary<'a> {
    baselines: &'a Path,
    file_bytes: usize,
    training_set: &'a str,
    students: Vec<String>,
}

/// Runs `lnsp baselines`.
///
/// # Errors
/// Files that cannot be read or written, and a student of other vectors.
pub fn run(args: &Args, ui: &Ui) -> anyhow::Result<()> {
    // Refused now rather than after the work.
    drop(AtomicFile::create(&args.out)?);
    let path = given_or_bundled(args.vectors.as_deref(), TRAINING, "--vectors")?;
    let vectors = load(ui, &path, args.read.open(&path)?, None)?;
    let rows = &*vectors.rows;
    let name = format!("{}, {} vectors", vectors.name, count(rows.rows() as u64));
    ui.status("fitting PCA and the ranges of int8");
    let mut fitted = Fitted::fit(&name, rows)?;
    let mut students = Vec::new();
    for path in &args.student {
        let file = read_student(path)?;
        let device = open_device(ui, file.info.arch.widths()[1])?;
        let student = Student::new(&device, &file.parameters, Precision::F32)?;
        let stem = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        fitted.add_student(&stem, &block_on(student.encode(rows))?)?;
        students.push(stem);
    }
    let bytes = fitted.to_bytes()?;
    write_whole(&args.out, &bytes)?;
    let summary = Summary {
        baselines: &args.out,
        file_bytes: bytes.len(),
        training_set: &fitted.training_set,
        students,
    };
    if ui.json() {
        return ui.print_json(&summary);
    }
    ui.print(&format!(
        "{}: baselines fitted on {}, {} bytes",
        args.out.display(),
        fitted.training_set,
        count(bytes.len() as u64)
    ))
}
