//! Vectors as checked batches: what trainer, encoder and measurements read.
//!
//! A row is refused if a kernel could make nothing of it: not of the expected width, NaN or
//! infinite, zero, or of a norm that cannot be squared in `f32`. A coordinate that is constant
//! over the whole set is fine: two of the teacher's are practically zero on every input.

use std::fmt;

use crate::error::{Error, Result};
pub use crate::format::read_to_matrix;
use crate::format::{Metadata, Misfit, VectorReader};
use crate::matrix::Matrix;

/// What to do with a row that cannot be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BadRows {
    /// Stop with an error that names the row.
    #[default]
    Refuse,
    /// Leave it out and count it.
    Skip,
}

/// Why a row cannot be used.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Nan(usize),
    Infinite(usize),
    Zero,
    Tiny(f64),
    Huge(f64),
}

/// Rows that were left out, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Skipped {
    /// Rows with a NaN (a null element of a list among them).
    pub nan: u64,
    /// Rows with an infinite value (or one beyond the range of `f32`).
    pub infinite: u64,
    /// Rows of zeros only.
    pub zero: u64,
    /// Rows whose squared norm is subnormal in `f32`: they cannot be normalised.
    pub tiny: u64,
    /// Rows whose squared norm overflows `f32`.
    pub huge: u64,
    /// Rows of another width, or null.
    pub misfit: u64,
}

impl Skipped {
    /// Rows left out for whatever reason.
    pub fn total(&self) -> u64 {
        self.nan + self.infinite + self.zero + self.tiny + self.huge + self.misfit
    }

    fn count(&mut self, fault: Fault) {
        match fault {
            Fault::Nan(_) => self.nan += 1,
            Fault::Infinite(_) => self.infinite += 1,
            Fault::Zero => self.zero += 1,
            Fault::Tiny(_) => self.tiny += 1,
            Fault::Huge(_) => self.huge += 1,
        }
    }
}

/// "3 rows left out: 2 with NaN, 1 zero".
impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reasons = [
            (self.nan, "with NaN"),
            (self.infinite, "infinite"),
            (self.zero, "zero"),
            (self.tiny, "too short to normalise"),
            (self.huge, "too long to normalise"),
            (self.misfit, "null or of another width"),
        ];
        match self.total() {
            0 => return f.write_str("no row left out"),
            1 => f.write_str("1 row left out")?,
            n => write!(f, "{n} rows left out")?,
        }
        let mut before = ": ";
        for (n, reason) in reasons.into_iter().filter(|(n, _)| *n > 0) {
            write!(f, "{before}{n} {reason}")?;
            before = ", ";
        }
        Ok(())
    }
}

/// The vectors of a reader, each of them checked; itself a [`VectorReader`].
pub struct VectorSource<'a> {
    reader: Box<dyn VectorReader + 'a>,
    bad: BadRows,
    skipped: Skipped,
    /// Rows taken from the reader.
    taken: u64,
}

impl<'a> VectorSource<'a> {
    /// The vectors of `reader`, which must have `width` values each if a width is given.
    ///
    /// # Errors
    /// [`Error::Format`] if they have another width.
    pub fn new(
        reader: Box<dyn VectorReader + 'a>,
        width: Option<usize>,
        bad: BadRows,
    ) -> Result<Self> {
        if let Some(width) = width.filter(|&w| w != reader.width()) {
            return Err(Error::format(
                reader.name(),
                format!(
                    "its vectors are {} wide, {width} is wanted; use vectors of that width or a \
                     student made for these",
                    reader.width()
                ),
            ));
        }
        Ok(Self { reader, bad, skipped: Skipped::default(), taken: 0 })
    }

    /// The rows left out so far.
    pub fn skipped(&self) -> Skipped {
        self.skipped
    }

    /// Drops the bad rows of the `n` in `batch`, or refuses the first of them.
    fn sift(&mut self, n: usize, batch: &mut Matrix) -> Result<usize> {
        let width = batch.cols();
        let misfits = self.reader.misfits();
        let mut kept = 0;
        for i in 0..n {
            let verdict = match misfits.binary_search_by_key(&i, |m: &Misfit| m.row) {
                Ok(m) => Some((None, misfits[m].message.clone())),
                Err(_) => check(batch.row(i)).map(|fault| (Some(fault), fault.to_string())),
            };
            match (verdict, self.bad) {
                (None, _) => {
                    if kept < i {
                        batch.data_mut().copy_within(i * width..(i + 1) * width, kept * width);
                    }
                    kept += 1;
                }
                (Some((fault, _)), BadRows::Skip) => match fault {
                    Some(fault) => self.skipped.count(fault),
                    None => self.skipped.misfit += 1,
                },
                (Some((_, what)), BadRows::Refuse) => {
                    return Err(Error::Row {
                        name: self.reader.name().to_owned(),
                        row: self.taken + i as u64,
                        message: format!("{what}; --skip-bad leaves such rows out"),
                    });
                }
            }
        }
        self.taken += n as u64;
        if kept < n {
            let mut values = std::mem::take(batch).into_data();
            values.truncate(kept * width);
            *batch = Matrix::new(kept, width, values)?;
        }
        Ok(kept)
    }
}

impl VectorReader for VectorSource<'_> {
    fn name(&self) -> &str {
        self.reader.name()
    }

    fn width(&self) -> usize {
        self.reader.width()
    }

    /// Rows before any is left out.
    fn rows(&self) -> Option<u64> {
        self.reader.rows()
    }

    /// As the trait says; the end is an error if every single row was left out.
    fn read(&mut self, max_rows: usize, into: &mut Matrix) -> Result<usize> {
        loop {
            let n = self.reader.read(max_rows, into)?;
            if n == 0 && self.taken > 0 && self.taken == self.skipped.total() {
                let message = format!("no row can be used: {}", self.skipped);
                return Err(Error::format(self.reader.name(), message));
            }
            let kept = self.sift(n, into)?;
            if kept > 0 || n == 0 {
                return Ok(kept);
            }
        }
    }

    fn metadata(&self) -> &Metadata {
        self.reader.metadata()
    }
}

/// The fault of a row, if any.
fn check(row: &[f32]) -> Option<Fault> {
    // One pass for the many good rows: NaN and infinity both show in the sum.
    let squared: f64 = row.iter().map(|&v| f64::from(v) * f64::from(v)).sum();
    if squared >= f64::from(f32::MIN_POSITIVE) && squared <= f64::from(f32::MAX) {
        return None;
    }
    if let Some(i) = row.iter().position(|v| v.is_nan()) {
        Some(Fault::Nan(i))
    } else if let Some(i) = row.iter().position(|v| v.is_infinite()) {
        Some(Fault::Infinite(i))
    } else if squared == 0.0 {
        Some(Fault::Zero)
    } else if squared < 1.0 {
        Some(Fault::Tiny(squared.sqrt()))
    } else {
        Some(Fault::Huge(squared.sqrt()))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Nan(i) => write!(f, "value {i} is NaN"),
            Fault::Infinite(i) => write!(f, "value {i} is infinite"),
            Fault::Zero => f.write_str("all values are zero, so it has no direction"),
            Fault::Tiny(norm) => write!(f, "its norm {norm:e} is too small to normalise in f32"),
            Fault::Huge(norm) => write!(f, "its norm {norm:e} is too large to normalise in f32"),
        }
    }
}
