//! One half of a student over a file of vectors of any length: what `encode` and `decode` share.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Instant;

use clap::ValueEnum;
use pollster::block_on;
use serde::Serialize;

use super::codes::{self, CodeFile};
use super::device::open_device;
use super::ui::Ui;
use super::vectors::{End, Input, ReadArgs, read_student};
use crate::arch::Precision;
use crate::codes::TrellisCode;
use crate::error::Error;
use crate::format::files::CodeWriter;
use crate::format::{Dtype, Metadata, VectorReader, VectorWriter, WriteOptions, files};
use crate::matrix::Matrix;
use crate::number::{count, decimal};
use crate::source::{Skipped, VectorSource};
use crate::student::{Student, StudentFile};

/// Rows in memory at a time.
const ROWS: usize = 1024;

/// How values are stored in a file of vectors.
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
    /// Encode to codes of so many bits a latent, in place of latents.
    pub bits: Option<u32>,
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

/// Where rows come from.
enum From<'a> {
    Rows(VectorSource<'a>),
    Codes(CodeFile, Box<TrellisCode>),
}

impl From<'_> {
    fn rows(&self) -> Option<u64> {
        match self {
            From::Rows(source) => source.rows(),
            From::Codes(file, _) => file.rows(),
        }
    }

    fn skipped(&self) -> Skipped {
        match self {
            From::Rows(source) => source.skipped(),
            From::Codes(..) => Skipped::default(),
        }
    }

    /// The next rows; codes unpacked.
    fn read(&mut self, batch: &mut Matrix) -> crate::Result<usize> {
        match self {
            From::Rows(source) => source.read(ROWS, batch),
            From::Codes(file, code) => {
                *batch = code.unpack(file.read(ROWS)?)?;
                Ok(batch.rows())
            }
        }
    }
}

/// Where results go.
enum To {
    Rows(Box<dyn VectorWriter>),
    Codes(CodeWriter, Box<TrellisCode>),
}

impl To {
    fn write(&mut self, rows: &Matrix) -> crate::Result<()> {
        match self {
            To::Rows(writer) => writer.write(rows),
            To::Codes(writer, code) => writer.write(&code.pack(rows)?),
        }
    }

    fn finish(self) -> crate::Result<u64> {
        match self {
            To::Rows(writer) => writer.finish(),
            To::Codes(writer, _) => writer.finish(),
        }
    }
}

/// Opens what the job reads: codes where a file of them is given to decode.
fn source<'a>(job: &Job<'a>, ui: &'a Ui, file: &StudentFile) -> anyhow::Result<From<'a>> {
    let end = match job.direction {
        Direction::Encode => End::Vectors,
        Direction::Decode => End::Latents,
    };
    if let (Direction::Decode, Input::Vectors(path)) = (job.direction, job.input)
        && let Some(codes) = CodeFile::open_if_codes(path)
    {
        let code = codes.belongs_to(file, job.student)?;
        return Ok(From::Codes(codes, Box::new(code)));
    }
    Ok(From::Rows(job.read.open_for(ui, job.input, &file.info.arch, end, false)?))
}

/// Opens what the job writes, and how many values or bytes a row of it has.
fn sink(job: &Job<'_>, file: &StudentFile) -> anyhow::Result<(To, usize)> {
    let arch = &file.info.arch;
    if let Some(bits) = job.bits {
        let code = codes::code_of(file, job.student, bits)?;
        let writer = codes::create(job.out, file, &code)?;
        let bytes = code.bytes();
        return Ok((To::Codes(writer, Box::new(code)), bytes));
    }
    let (tensor, to) = match job.direction {
        Direction::Encode => ("latents", arch.latent()),
        Direction::Decode => ("vectors", arch.output()),
    };
    let metadata = Metadata::from([
        ("lnsp".into(), format!("{tensor} by {arch}")),
        ("teacher".into(), file.info.teacher.clone()),
    ]);
    let options = WriteOptions { dtype: job.stored.dtype(), tensor: tensor.into(), metadata };
    Ok((To::Rows(files::create(job.out, to, &options)?), to))
}

/// Does the job in constant memory. The output appears when it is whole.
///
/// # Errors
/// A file that is missing, damaged or of another width than the student; a bad row, unless such
/// rows are left out; codes of another student, or bits that the student has no code of; an output
/// that cannot be written; what the device reports; Ctrl-C.
pub fn convert(job: &Job<'_>, ui: &Ui) -> anyhow::Result<()> {
    let file = read_student(job.student)?;
    let mut source = source(job, ui, &file)?;
    let (mut writer, to) = sink(job, &file)?;
    let device = open_device(ui, file.info.arch.widths()[1])?;
    // Stored f16 and int8 weights are these f32 values; batches run fastest over them.
    let student = Student::new(&device, &file.parameters, Precision::F32)?;
    drop(file);
    let cancel = ui.cancel();
    let (label, noun, unit) = match (job.direction, job.bits) {
        (Direction::Encode, None) => ("encode", "latents", "values"),
        (Direction::Encode, Some(_)) => ("encode", "codes", "bytes"),
        (Direction::Decode, _) => ("decode", "vectors", "values"),
    };
    let bar = ui.progress(label, source.rows());
    let (began, mut rows) = (Instant::now(), 0);
    let mut batch = Matrix::default();
    while source.read(&mut batch)? > 0 {
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
        "{}: {} {noun} of {to} {unit} in {} s, {} rows/s",
        job.out.display(),
        count(rows),
        decimal(seconds, 1),
        decimal(rate, 0)
    ))
}
