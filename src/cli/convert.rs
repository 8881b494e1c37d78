//! One half of a student over a file of vectors of any length: what `encode` and `decode` share.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Instant;

use clap::ValueEnum;
use pollster::block_on;
use serde::Serialize;

use super::device::open_device;
use super::ui::Ui;
use super::vectors::{End, Input, ReadArgs, read_student};
use crate::arch::Precision;
use crate::error::Error;
use crate::format::{Dtype, Metadata, VectorReader, WriteOptions, files};
use crate::matrix::Matrix;
use crate::number::{count, decimal};
use crate::source::Skipped;
use crate::student::Student;

/// Rows in memory at a time.
const ROWS: usize = 1024;

/// How values are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Stored {
    /// Single precision.
    #[default]
    F32,
    /// Half precision.
    F16,
}

impl Stored {
    /// The same for the formats.
    pub fn dtype(self) -> Dtype {
        match self {
            Stored::F32 => Dtype::F32,
            Stored::F16 => Dtype::F16,
        }
    }
}

/// Which half of the student.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Vectors to latents.
    Encode,
    /// Latents to vectors.
    Decode,
}

/// From where to where, and through which student.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// Which half of it.
    pub direction: Direction,
    /// The student's file.
    pub student: &'a Path,
    /// What is read.
    pub input: &'a Input,
    /// How it is read.
    pub read: &'a ReadArgs,
    /// What is written.
    pub out: &'a Path,
    /// How values are stored there.
    pub stored: Stored,
}

/// What was done, for machines.
#[derive(Clone, Debug, Serialize)]
struct Summary<'a> {
    out: &'a Path,
    rows: u64,
    width: usize,
    skipped: Skipped,
    device: String,
    seconds: f64,
    vectors_per_second: f64,
}

/// Does the job in constant memory. The output appears when it is whole.
///
/// # Errors
/// A file that is missing, damaged or of another width than the student; a bad row, unless such
/// rows are left out; an output that cannot be written; what the device reports; Ctrl-C.
pub fn convert(job: &Job<'_>, ui: &Ui) -> anyhow::Result<()> {
    let file = read_student(job.student)?;
    let arch = file.info.arch.clone();
    let (label, tensor, end, to) = match job.direction {
        Direction::Encode => ("encode", "latents", End::Vectors, arch.latent()),
        Direction::Decode => ("decode", "vectors", End::Latents, arch.output()),
    };
    let mut source = job.read.open_for(ui, job.input, &arch, end, false)?;
    let metadata = Metadata::from([
        ("lnsp".into(), format!("{tensor} by {arch}")),
        ("teacher".into(), file.info.teacher.clone()),
    ]);
    let options = WriteOptions { dtype: job.stored.dtype(), tensor: tensor.into(), metadata };
    let mut writer = files::create(job.out, to, &options)?;
    let device = open_device(ui, arch.widths()[1])?;
    // Stored f16 and int8 weights are these f32 values; batches run fastest over them.
    let student = Student::new(&device, &file.parameters, Precision::F32)?;
    drop(file);
    let cancel = ui.cancel();
    let bar = ui.progress(label, source.rows());
    let (began, mut rows) = (Instant::now(), 0);
    let mut batch = Matrix::default();
    while source.read(ROWS, &mut batch)? > 0 {
        let result = match job.direction {
            Direction::Encode => block_on(student.encode_rows(&batch))?,
            Direction::Decode => block_on(student.decode_rows(&batch))?,
        };
        writer.write(&result)?;
        rows += result.rows() as u64;
        let rate = rows as f64 / began.elapsed().as_secs_f64().max(1e-9);
        bar.set(rows + source.skipped().total(), &format!("{} rows/s", decimal(rate, 0)));
        if cancel.load(Ordering::SeqCst) {
            return Err(Error::Cancelled.into());
        }
    }
    writer.finish()?;
    drop(bar);
    let seconds = began.elapsed().as_secs_f64();
    let rate = rows as f64 / seconds.max(1e-9);
    let skipped = source.skipped();
    if ui.json() {
        return ui.print_json(&Summary {
            out: job.out,
            rows,
            width: to,
            skipped,
            device: device.name(),
            seconds,
            vectors_per_second: rate,
        });
    }
    if skipped.total() > 0 {
        ui.warn(&format!("{}: {skipped}", job.input.path().display()));
    }
    ui.print(&format!(
        "{}: {} {tensor} of {to} values in {} s, {} rows/s",
        job.out.display(),
        count(rows),
        decimal(seconds, 1),
        decimal(rate, 0)
    ))
}
