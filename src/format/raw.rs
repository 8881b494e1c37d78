//! Rows of little-endian values one after the other: the body of `.npy` and `.safetensors`.

use std::io::{Read, Seek, SeekFrom, Write};

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

use super::{Dtype, Metadata, VectorReader, VectorWriter, check_rows, check_width};
use crate::error::{Error, Result};
use crate::matrix::Matrix;

/// What a header promises about the rows that follow it.
pub(super) struct Layout {
    pub dtype: Dtype,
    pub rows: u64,
    pub width: u64,
    pub metadata: Metadata,
}

/// A reader of rows of fixed size, either vectors ([`VectorReader`]) or codes.
pub struct RawReader<R> {
    name: String,
    stream: R,
    dtype: Dtype,
    width: usize,
    rows: u64,
    next: u64,
    bytes: Vec<u8>,
    metadata: Metadata,
}

impl<R: Read> RawReader<R> {
    /// Rows of `layout` in `stream`, which stands at the first of them with `available` bytes
    /// left for them (0 rows, a mad width and missing bytes are errors here, before any
    /// allocation).
    pub(super) fn new(name: &str, stream: R, layout: Layout, available: u64) -> Result<Self> {
        let width = check_width(name, layout.width)?;
        let rows = check_rows(name, layout.rows)?;
        let row_bytes = (width * layout.dtype.bytes()) as u64;
        if rows.checked_mul(row_bytes).is_none_or(|needed| needed > available) {
            return Err(truncated(name, rows, width, layout.dtype, available / row_bytes));
        }
        Ok(Self {
            name: name.to_owned(),
            stream,
            dtype: layout.dtype,
            width,
            rows,
            next: 0,
            bytes: Vec::new(),
            metadata: layout.metadata,
        })
    }

    /// How the values are stored.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Checks that these are vectors.
    ///
    /// # Errors
    /// [`Error::Format`] if they are bytes.
    pub fn require_floats(&self) -> Result<()> {
        if self.dtype != Dtype::U8 {
            return Ok(());
        }
        Err(Error::format(
            &self.name,
            "holds bytes (u8), that is codes, where vectors of floats are wanted; decode it first",
        ))
    }

    /// Replaces `into` by the next rows of bytes, at most `max_rows`; 0 at the end.
    ///
    /// # Errors
    /// [`Error::Format`] if the file holds floats or ends early; [`Error::Io`].
    pub fn read_codes(&mut self, max_rows: usize, into: &mut Vec<u8>) -> Result<usize> {
        if self.dtype != Dtype::U8 {
            return Err(Error::format(
                &self.name,
                format!("holds vectors ({}) where codes (u8) are wanted", self.dtype.name()),
            ));
        }
        let n = self.fill(max_rows)?;
        std::mem::swap(into, &mut self.bytes);
        Ok(n)
    }

    /// Brings the next rows into `self.bytes`.
    fn fill(&mut self, max_rows: usize) -> Result<usize> {
        let n = (self.rows - self.next).min(max_rows as u64);
        let row_bytes = (self.width * self.dtype.bytes()) as u64;
        let wanted = n * row_bytes; // no overflow: rows · row_bytes was checked
        self.bytes.clear();
        // `take` keeps the buffer's growth to bytes that are really there.
        (&mut self.stream)
            .take(wanted)
            .read_to_end(&mut self.bytes)
            .map_err(|e| Error::io(&self.name, e))?;
        if (self.bytes.len() as u64) < wanted {
            let there = self.next + self.bytes.len() as u64 / row_bytes;
            return Err(truncated(&self.name, self.rows, self.width, self.dtype, there));
        }
        self.next += n;
        Ok(n as usize)
    }
}

fn truncated(name: &str, rows: u64, width: usize, dtype: Dtype, there: u64) -> Error {
    Error::format(
        name,
        format!(
            "truncated: its header promises {rows} rows of {width} {}, {there} whole rows are \
             there; copy or download it again",
            dtype.name()
        ),
    )
}

impl<R: Read> VectorReader for RawReader<R> {
    fn name(&self) -> &str {
        &self.name
    }

    fn width(&self) -> usize {
        self.width
    }

    fn rows(&self) -> Option<u64> {
        Some(self.rows)
    }

    fn read(&mut self, max_rows: usize, into: &mut Matrix) -> Result<usize> {
        self.require_floats()?;
        let n = self.fill(max_rows)?;
        let mut values = std::mem::take(into).into_data();
        to_f32(self.dtype, &self.bytes, &mut values);
        *into = Matrix::new(n, self.width, values)?;
        Ok(n)
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

/// Replaces `into` by the values stored in `bytes`. `f64` is rounded; what `f32` cannot hold
/// becomes infinite, as the check of rows expects.
pub(crate) fn to_f32(dtype: Dtype, bytes: &[u8], into: &mut Vec<f32>) {
    into.clear();
    match dtype {
        Dtype::F32 => into.extend(bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b))),
        Dtype::F64 => {
            into.extend(bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b) as f32));
        }
        Dtype::F16 => {
            let half: Vec<_> =
                bytes.as_chunks::<2>().0.iter().map(|b| f16::from_le_bytes(*b)).collect();
            into.resize(half.len(), 0.0);
            half.convert_to_f32_slice(into);
        }
        Dtype::Bf16 => {
            into.extend(bytes.as_chunks::<2>().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()));
        }
        Dtype::U8 => into.extend(bytes.iter().map(|&b| f32::from(b))),
    }
}

/// The header for a given number of rows; of the same length whatever that number.
pub(super) type HeaderFn = Box<dyn Fn(u64) -> Result<Vec<u8>>>;

/// A writer of rows of fixed size after a header that is completed at the end.
pub struct RawWriter<W> {
    name: String,
    stream: W,
    start: u64,
    header: HeaderFn,
    dtype: Dtype,
    width: usize,
    rows: u64,
    bytes: Vec<u8>,
}

impl<W: Write + Seek> RawWriter<W> {
    /// Writes the header of an empty file and is ready for rows.
    pub(super) fn new(
        name: &str,
        mut stream: W,
        dtype: Dtype,
        width: usize,
        header: HeaderFn,
    ) -> Result<Self> {
        if !matches!(dtype, Dtype::F16 | Dtype::F32 | Dtype::U8) {
            let message = format!("{} is not written; use f32 or f16", dtype.name());
            return Err(Error::invalid("dtype", message));
        }
        if width == 0 || width > MAX {
            let message = format!("{width} values in a row cannot be written; 1 to {MAX} can");
            return Err(Error::invalid("width", message));
        }
        let start = stream.stream_position().map_err(|e| Error::io(name, e))?;
        stream.write_all(&header(0)?).map_err(|e| Error::io(name, e))?;
        let name = name.to_owned();
        Ok(Self { name, stream, start, header, dtype, width, rows: 0, bytes: Vec::new() })
    }

    /// Appends rows of bytes.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the file is one of floats or `codes` are not whole rows;
    /// [`Error::Io`] if writing fails.
    pub fn write_codes(&mut self, codes: &[u8]) -> Result<()> {
        if self.dtype != Dtype::U8 || !codes.len().is_multiple_of(self.width) {
            return Err(Error::invalid(
                "codes",
                format!(
                    "{} bytes cannot be written as rows of {} {}",
                    codes.len(),
                    self.width,
                    self.dtype.name()
                ),
            ));
        }
        self.stream.write_all(codes).map_err(|e| Error::io(&self.name, e))?;
        self.rows += (codes.len() / self.width) as u64;
        Ok(())
    }

    /// Completes the header and gives back the stream and the number of rows.
    ///
    /// # Errors
    /// [`Error::Io`] if writing fails.
    pub fn into_inner(mut self) -> Result<(W, u64)> {
        let header = (self.header)(self.rows)?;
        let mut patch = || {
            self.stream.seek(SeekFrom::Start(self.start))?;
            self.stream.write_all(&header)?;
            self.stream.seek(SeekFrom::End(0))?;
            self.stream.flush()
        };
        patch().map_err(|e| Error::io(&self.name, e))?;
        Ok((self.stream, self.rows))
    }
}

const MAX: usize = super::MAX_WIDTH;

impl<W: Write + Seek> VectorWriter for RawWriter<W> {
    fn write(&mut self, rows: &Matrix) -> Result<()> {
        check_batch(rows, self.width)?;
        self.bytes.clear();
        match self.dtype {
            Dtype::F32 => {
                self.bytes.extend(rows.data().iter().flat_map(|v| v.to_le_bytes()));
            }
            Dtype::F16 => {
                let mut half = vec![f16::ZERO; rows.data().len()];
                half.convert_from_f32_slice(rows.data());
                let lost = half
                    .iter()
                    .zip(rows.data())
                    .position(|(h, v)| h.is_infinite() && v.is_finite());
                if let Some(i) = lost {
                    return Err(Error::Row {
                        name: self.name.clone(),
                        row: self.rows + (i / self.width) as u64,
                        message: format!(
                            "value {} is {}, beyond the range of f16 (65504); write f32",
                            i % self.width,
                            rows.data()[i]
                        ),
                    });
                }
                self.bytes.extend(half.iter().flat_map(|v| v.to_le_bytes()));
            }
            Dtype::Bf16 | Dtype::F64 | Dtype::U8 => {
                let message = format!("floats cannot be written as {}", self.dtype.name());
                return Err(Error::invalid("dtype", message));
            }
        }
        self.stream.write_all(&self.bytes).map_err(|e| Error::io(&self.name, e))?;
        self.rows += rows.rows() as u64;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<u64> {
        self.into_inner().map(|(_, rows)| rows)
    }
}

/// Checks a batch against the width of the file.
pub(super) fn check_batch(rows: &Matrix, width: usize) -> Result<()> {
    if rows.cols() == width || rows.rows() == 0 {
        return Ok(());
    }
    let message = format!("rows of {} values into a file of rows of {width}", rows.cols());
    Err(Error::invalid("vectors", message))
}

/// Bytes from the current position to the end of `stream`, which stays where it is.
pub(super) fn remaining<S: Seek>(name: &str, stream: &mut S) -> Result<u64> {
    let mut measure = || {
        let here = stream.stream_position()?;
        let end = stream.seek(SeekFrom::End(0))?;
        stream.seek(SeekFrom::Start(here))?;
        Ok(end.saturating_sub(here))
    };
    measure().map_err(|e| Error::io(name, e))
}
