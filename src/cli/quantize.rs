//! `lnsp quantize`: the smaller file of a student or a teacher.

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use serde::Serialize;

use super::ui::Ui;
use crate::arch::Precision;
use crate::error::{Error, Result};
use crate::format::files::write_whole;
use crate::number::{megabytes, percent};
use crate::student::StudentFile;
use crate::teacher;

/// Arguments of `lnsp quantize`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lnsp quantize --in student.safetensors --precision int8 --out student-int8.safetensors\n  \
    lnsp quantize --in model.safetensors --precision f16 --out teacher-f16.safetensors")]
pub struct Args {
    /// A student as `lnsp train` writes it, or a teacher's model.safetensors.
    #[arg(long = "in", value_name = "FILE")]
    pub input: PathBuf,
    /// How the matrices shall be stored: f16, or int8 with a scale a row.
    #[arg(long, value_name = "TYPE")]
    pub precision: Precision,
    /// The smaller file.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// What was done, for machines.
#[derive(Clone, Debug, Serialize)]
struct Summary<'a> {
    out: &'a Path,
    kind: &'static str,
    precision: Precision,
    bytes_before: usize,
    bytes: usize,
}

/// Runs `lnsp quantize`.
///
/// # Errors
/// A file that is missing, damaged, neither student nor teacher, or at a smaller precision
/// already; an output that cannot be written.
pub fn run(args: &Args, ui: &Ui) -> anyhow::Result<()> {
    let name = args.input.display().to_string();
    let before = std::fs::read(&args.input).map_err(|e| Error::io(&args.input, e))?;
    let kind = if is_student(&before) { "student" } else { "teacher" };
    let after = match kind {
        "student" => quantize_student(&name, &before, args.precision)?,
        _ => teacher::quantize(&name, &before, args.precision)?,
    };
    write_whole(&args.out, &after)?;
    if ui.json() {
        return ui.print_json(&Summary {
            out: &args.out,
            kind,
            precision: args.precision,
            bytes_before: before.len(),
            bytes: after.len(),
        });
    }
    ui.print(&format!(
        "{}: the {kind} in {}, {} MB, {} of {} MB",
        args.out.display(),
        args.precision,
        megabytes(after.len() as u64),
        percent(after.len() as f64 / before.len() as f64),
        megabytes(before.len() as u64)
    ))
}

/// Whether the file describes itself as a student, or has one's first layer.
fn is_student(bytes: &[u8]) -> bool {
    SafeTensors::read_metadata(bytes).is_ok_and(|(_, header)| {
        let described = header.metadata().as_ref().is_some_and(|all| all.contains_key("lnsp"));
        described || header.info("input_proj.weight").is_some()
    })
}

fn quantize_student(name: &str, bytes: &[u8], precision: Precision) -> Result<Vec<u8>> {
    narrowed(name, StudentFile::from_bytes(name, bytes)?, precision)?.to_bytes()
}

/// The student of the file `name`, to be stored at `precision`.
///
/// # Errors
/// [`Error::Format`] if it is stored at a smaller precision already.
pub fn narrowed(name: &str, mut file: StudentFile, precision: Precision) -> Result<StudentFile> {
    let stored = file.info.precision;
    if precision.bits() > stored.bits() {
        let message = format!(
            "is stored at {stored}, and {precision} brings nothing back; start from the full \
             weights"
        );
        return Err(Error::format(name, message));
    }
    file.info.precision = precision;
    Ok(file)
}
