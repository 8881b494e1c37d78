//! Vectors in files: `.npy`, `.safetensors` and `.parquet`, read and written in batches, so that
//! a file larger than memory needs no more than one batch of it.
//!
//! Readers take `Read + Seek` (Parquet: a file or bytes), writers take `Write + Seek`: how many
//! rows there will be is known at the end only, so the header gets its room at the start and its
//! content at [`VectorWriter::finish`]. Readers deliver what the file says; whether a row is
//! usable is for [`crate::source`] to judge.

pub mod npy;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod raw;
pub mod safetensors;
#[cfg(feature = "text")]
pub mod text;

#[cfg(feature = "cli")]
pub mod files;

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Seek, Write};

pub use raw::{RawReader, RawWriter};

use crate::error::{Error, Result};
use crate::matrix::Matrix;

/// Free text about a file, by name: safetensors `__metadata__`, Parquet key-value pairs.
pub type Metadata = BTreeMap<String, String>;

/// No vector is wider than this; a header that says so is damaged.
pub const MAX_WIDTH: usize = 1 << 20;

/// How many bytes of a file's start [`FileKind::detect`] wants to see (fewer if there are fewer).
pub const HEAD_BYTES: usize = 64;

/// The file formats for vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// One NumPy array.
    Npy,
    /// Named tensors.
    Safetensors,
    /// Apache Parquet, a column of lists of floats.
    Parquet,
}

impl FileKind {
    /// The kind that the extension of the file name `name` stands for.
    ///
    /// # Errors
    /// [`Error::Format`] for any other extension.
    pub fn from_name(name: &str) -> Result<Self> {
        let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
        match file.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase()).as_deref() {
            Some("npy") => Ok(FileKind::Npy),
            Some("safetensors") => Ok(FileKind::Safetensors),
            Some("parquet" | "pq") => Ok(FileKind::Parquet),
            Some(other) => Err(Error::format(
                name,
                format!("{other:?} is no vector format; use .npy, .safetensors or .parquet"),
            )),
            None => Err(Error::format(
                name,
                "the name has no extension to tell the format; use .npy, .safetensors or .parquet",
            )),
        }
    }

    /// The kind that the first bytes of a file speak for; `None` if they speak for none.
    pub fn sniff(head: &[u8]) -> Option<Self> {
        if head.starts_with(npy::MAGIC) {
            Some(FileKind::Npy)
        } else if head.starts_with(b"PAR1") {
            Some(FileKind::Parquet)
        } else if head.get(8) == Some(&b'{') {
            Some(FileKind::Safetensors)
        } else {
            None
        }
    }

    /// The kind of the file `name` that starts with `head` ([`HEAD_BYTES`] of it). The extension
    /// decides, the content must not contradict it; a name without extension goes by content.
    ///
    /// # Errors
    /// [`Error::Format`] if the file is empty, of no known kind, or of another than its name says.
    pub fn detect(name: &str, head: &[u8]) -> Result<Self> {
        if head.is_empty() {
            return Err(Error::format(name, "the file is empty"));
        }
        if head.starts_with(b"PK\x03\x04") {
            return Err(Error::format(
                name,
                "this is a zip archive (.npz?); save the one array of vectors with numpy.save",
            ));
        }
        if head.starts_with(b"version https://git-lfs") {
            return Err(Error::format(
                name,
                "this is a Git LFS pointer, not the file itself; fetch it with git lfs pull",
            ));
        }
        match (Self::from_name(name), Self::sniff(head)) {
            (Ok(named), Some(found)) if named != found => Err(Error::format(
                name,
                format!(
                    "the name says {}, the content is {}; rename it to .{}",
                    named.name(),
                    found.name(),
                    found.extension()
                ),
            )),
            (Ok(named), _) => Ok(named),
            (Err(_), Some(found)) => Ok(found),
            (Err(error), None) => Err(error),
        }
    }

    /// The format's name in messages.
    pub fn name(self) -> &'static str {
        match self {
            FileKind::Npy => "npy",
            FileKind::Safetensors => "safetensors",
            FileKind::Parquet => "Parquet",
        }
    }

    /// The usual extension, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            FileKind::Npy => "npy",
            FileKind::Safetensors => "safetensors",
            FileKind::Parquet => "parquet",
        }
    }
}

/// How one value is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// IEEE half precision.
    F16,
    /// bfloat16: the upper half of an `f32`.
    Bf16,
    /// Single precision.
    F32,
    /// Double precision.
    F64,
    /// Bytes: codes, not values.
    U8,
}

impl Dtype {
    /// Bytes of one value.
    pub fn bytes(self) -> usize {
        match self {
            Dtype::U8 => 1,
            Dtype::F16 | Dtype::Bf16 => 2,
            Dtype::F32 => 4,
            Dtype::F64 => 8,
        }
    }

    /// Name in messages: `f16`, `bf16`, `f32`, `f64`, `u8`.
    pub fn name(self) -> &'static str {
        match self {
            Dtype::F16 => "f16",
            Dtype::Bf16 => "bf16",
            Dtype::F32 => "f32",
            Dtype::F64 => "f64",
            Dtype::U8 => "u8",
        }
    }
}

/// A row of the last batch that the file does not hold as a vector of the right width.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Row within the last batch.
    pub row: usize,
    /// What the file holds there.
    pub message: String,
}

/// Vectors from somewhere, batch by batch.
pub trait VectorReader {
    /// The file, or another name of the source, for messages.
    fn name(&self) -> &str;
    /// Values in a vector.
    fn width(&self) -> usize;
    /// Rows in all, where that is known.
    fn rows(&self) -> Option<u64>;
    /// Replaces `into` by the next rows, at most `max_rows` (at least one) of them, and returns
    /// how many there are: 0 at the end, possibly fewer than `max_rows` before it.
    ///
    /// # Errors
    /// [`Error::Format`] for damaged content, [`Error::Io`] if reading fails.
    fn read(&mut self, max_rows: usize, into: &mut Matrix) -> Result<usize>;
    /// Rows of the last batch that are no vectors of this width; they read as NaN.
    fn misfits(&self) -> &[Misfit] {
        &[]
    }
    /// What the file says about itself.
    fn metadata(&self) -> &Metadata;
}

/// Vectors to somewhere, batch by batch.
pub trait VectorWriter {
    /// Appends rows of the width that the writer was made for.
    ///
    /// # Errors
    /// [`Error::Invalid`] for another width, [`Error::Row`] for a value that the file's type
    /// cannot hold, [`Error::Io`] if writing fails.
    fn write(&mut self, rows: &Matrix) -> Result<()>;
    /// Completes the file and returns the number of rows in it. A writer that is dropped
    /// instead leaves no usable file.
    ///
    /// # Errors
    /// [`Error::Io`] if writing fails.
    fn finish(self: Box<Self>) -> Result<u64>;
}

/// Which vectors of a file to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Tensor of a safetensors file; else `vectors`, else the only 2-D tensor.
    pub tensor: Option<String>,
    /// Column of a Parquet file; else `vectors`, else the only column of lists of floats.
    pub column: Option<String>,
}

/// How to write vectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteOptions {
    /// Stored type: `F32` or `F16` (Parquet: `F32`).
    pub dtype: Dtype,
    /// Name of the tensor (safetensors) or column (Parquet).
    pub tensor: String,
    /// What the file shall say about itself (`.npy` has no room for it).
    pub metadata: Metadata,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self { dtype: Dtype::F32, tensor: VECTORS.to_owned(), metadata: Metadata::new() }
    }
}

/// Default name of the tensor or column of vectors.
pub const VECTORS: &str = "vectors";

/// Default name of a tensor of codes (bytes).
pub const CODES: &str = "codes";

/// Reads `.npy` or `.safetensors` of any supported type, vectors or codes, from a stream.
/// `preferred` is the tensor to take where the options name none.
///
/// # Errors
/// [`Error::Format`] for anything that is not a whole, sound file of that kind.
pub fn open_raw<R: Read + Seek>(
    kind: FileKind,
    name: &str,
    stream: R,
    options: &ReadOptions,
    preferred: &str,
) -> Result<RawReader<R>> {
    match kind {
        FileKind::Npy => npy::open(name, stream),
        FileKind::Safetensors => {
            safetensors::open(name, stream, options.tensor.as_deref(), preferred)
        }
        FileKind::Parquet => Err(Error::format(
            name,
            "codes are kept in .npy or .safetensors, and this is a Parquet file",
        )),
    }
}

/// Refuses options that mean nothing for a file of this kind, rather than ignore them.
pub(crate) fn check_options(kind: FileKind, options: &ReadOptions) -> Result<()> {
    if options.tensor.is_some() && kind != FileKind::Safetensors {
        return Err(Error::invalid(
            "tensor",
            format!("a name of a tensor is for .safetensors files, and this is {}", kind.name()),
        ));
    }
    if options.column.is_some() && kind != FileKind::Parquet {
        return Err(Error::invalid(
            "column",
            format!("a name of a column is for .parquet files, and this is {}", kind.name()),
        ));
    }
    Ok(())
}

/// Vectors from the bytes of a file called `name`.
///
/// # Errors
/// [`Error::Format`] for anything that is not a whole, sound file of vectors;
/// [`Error::Invalid`] for options that do not go with it.
pub fn open_bytes<'a>(
    name: &str,
    bytes: &'a [u8],
    options: &ReadOptions,
) -> Result<Box<dyn VectorReader + 'a>> {
    let kind = FileKind::detect(name, &bytes[..bytes.len().min(HEAD_BYTES)])?;
    check_options(kind, options)?;
    match kind {
        #[cfg(feature = "parquet")]
        FileKind::Parquet => {
            let bytes = bytes::Bytes::copy_from_slice(bytes);
            Ok(Box::new(parquet::ParquetReader::new(name, bytes, options.column.as_deref())?))
        }
        #[cfg(not(feature = "parquet"))]
        FileKind::Parquet => Err(no_parquet(name)),
        _ => {
            let reader = open_raw(kind, name, Cursor::new(bytes), options, VECTORS)?;
            reader.require_floats()?;
            Ok(Box::new(reader))
        }
    }
}

#[cfg(not(feature = "parquet"))]
pub(crate) fn no_parquet(name: &str) -> Error {
    Error::format(
        name,
        "this build reads and writes no Parquet (the feature `parquet` is off); \
         use .npy or .safetensors",
    )
}

/// All vectors in the bytes of a file called `name`, not judged (see [`crate::source`]).
///
/// # Errors
/// As [`open_bytes`] and [`read_to_matrix`].
pub fn read_all(name: &str, bytes: &[u8], options: &ReadOptions) -> Result<Matrix> {
    read_to_matrix(&mut *open_bytes(name, bytes, options)?, None)
}

/// Rows that [`read_to_matrix`] asks for at a time.
const BATCH: usize = 4096;

/// Memory for at most so many values is taken on the word of a header.
const TRUSTED: usize = 1 << 24;

/// Reads the rows of `reader`, at most `limit` of them, into memory.
///
/// # Errors
/// Those of the reader; [`Error::Row`] for a row that is no vector of the reader's width;
/// [`Error::OutOfMemory`] if they do not fit.
pub fn read_to_matrix(reader: &mut dyn VectorReader, limit: Option<usize>) -> Result<Matrix> {
    let width = reader.width();
    let limit = limit.unwrap_or(usize::MAX);
    let promised = reader.rows().map_or(0, |n| n.min(limit as u64)).saturating_mul(width as u64);
    let mut values = Vec::with_capacity(promised.min(TRUSTED as u64) as usize);
    let (mut rows, mut batch) = (0, Matrix::default());
    while rows < limit {
        let n = reader.read(BATCH.min(limit - rows), &mut batch)?;
        if n == 0 {
            break;
        }
        if let Some(Misfit { row, message }) = reader.misfits().first() {
            let (name, row) = (reader.name().to_owned(), (rows + row) as u64);
            return Err(Error::Row { name, row, message: message.clone() });
        }
        values.try_reserve(batch.data().len()).map_err(|_| Error::OutOfMemory {
            what: format!("reading {}", reader.name()),
            needed: promised.max(((rows + n) * width) as u64).saturating_mul(4),
            available: format!("memory ended after {rows} rows"),
            advice: "take fewer rows".into(),
        })?;
        values.extend_from_slice(batch.data());
        rows += n;
    }
    Matrix::new(rows, width, values)
}

/// A writer of vectors of `width` values to a stream; `name` is for messages.
///
/// # Errors
/// [`Error::Invalid`] for a width of 0 or a type that the format cannot hold; [`Error::Io`] if
/// the header cannot be written.
pub fn create<'a, W: Write + Seek + Send + 'a>(
    kind: FileKind,
    name: &str,
    stream: W,
    width: usize,
    options: &WriteOptions,
) -> Result<Box<dyn VectorWriter + 'a>> {
    if options.dtype == Dtype::U8 {
        return Err(Error::invalid("dtype", "vectors are floats, not bytes; use f32 or f16"));
    }
    match kind {
        #[cfg(feature = "parquet")]
        FileKind::Parquet => {
            Ok(Box::new(parquet::ParquetWriter::new(name, stream, width, options)?))
        }
        #[cfg(not(feature = "parquet"))]
        FileKind::Parquet => Err(no_parquet(name)),
        _ => Ok(Box::new(create_raw(kind, name, stream, width, options)?)),
    }
}

/// A writer of `.npy` or `.safetensors` rows of `width` values, vectors or codes.
///
/// # Errors
/// As [`create`]; [`Error::Invalid`] for Parquet.
pub fn create_raw<W: Write + Seek>(
    kind: FileKind,
    name: &str,
    stream: W,
    width: usize,
    options: &WriteOptions,
) -> Result<RawWriter<W>> {
    match kind {
        FileKind::Npy => npy::create(name, stream, width, options.dtype),
        FileKind::Safetensors => safetensors::create(name, stream, width, options),
        FileKind::Parquet => {
            Err(Error::invalid("out", "codes are kept in .npy or .safetensors, not in Parquet"))
        }
    }
}

/// Checks that `width` is one a vector can have.
pub(crate) fn check_width(name: &str, width: u64) -> Result<usize> {
    match usize::try_from(width) {
        Ok(0) => Err(Error::format(name, "its vectors have no values (width 0)")),
        Ok(width) if width <= MAX_WIDTH => Ok(width),
        _ => Err(Error::format(
            name,
            format!(
                "its vectors would be {width} wide, above the limit of {MAX_WIDTH}; is the header damaged, or the array transposed?"
            ),
        )),
    }
}

/// Checks that there are rows at all.
pub(crate) fn check_rows(name: &str, rows: u64) -> Result<u64> {
    if rows == 0 {
        return Err(Error::format(name, "the file is sound but holds no rows"));
    }
    Ok(rows)
}
