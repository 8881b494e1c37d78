//! Codes: latents in fewer bytes, as `lnsp encode --dtype` and `--bits` store them. What else is to be
//! packed is named here and nowhere else.

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, exec_datafusion_err, exec_err, plan_err};
use lnsp::Matrix;
use lnsp::codes::Storage;

use super::vectors::{self, Vectors};
use crate::students::Loaded;

/// The packings that there are, for messages.
pub const NAMES: &str = "'f32', 'f16' and 'bits'";

/// How latents are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// As a list of `f32`.
    F32,
    /// As bytes, two a value.
    F16,
    /// As the code of few bits that the student's file carries.
    Bits,
}

impl Packing {
    /// The packing that the third argument of `lnsp_encode` names.
    ///
    /// # Errors
    /// A name that there is not.
    pub fn named(name: &str) -> Result<Self> {
        match name {
            "f32" => Ok(Packing::F32),
            "f16" => Ok(Packing::F16),
            "bits" => Ok(Packing::Bits),
            _ => plan_err!("lnsp_encode: no code is called {name:?}; there are {NAMES}"),
        }
    }

    /// The type of such a column.
    pub fn data_type(self) -> DataType {
        match self {
            Packing::F32 => vectors::vector_type(),
            Packing::F16 | Packing::Bits => DataType::Binary,
        }
    }

    /// The column of a student's `latents`, a row for each of `vectors` that is not null.
    ///
    /// # Errors
    /// A student without a code of few bits; more values in a batch than a column can count.
    pub fn column(self, student: &Loaded, vectors: &Vectors, latents: Matrix) -> Result<ArrayRef> {
        match self {
            Packing::F32 => vectors.lists(latents),
            Packing::F16 => {
                vectors.codes(Storage::F16.pack(&latents).map_err(|e| exec_datafusion_err!("{e}"))?)
            }
            Packing::Bits => vectors.codes(student.pack(&latents)?),
        }
    }
}

/// Checks, while a query is planned, that `of` is a column of latents: vectors or codes.
///
/// # Errors
/// As [`vectors::expect_vectors`].
pub fn expect_codes(function: &str, argument: &str, of: &DataType) -> Result<()> {
    match of {
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Ok(()),
        _ => vectors::expect_vectors(function, argument, of),
    }
}

/// A column of latents, as far as it must be unpacked to be compared with a query.
#[derive(Debug)]
pub enum Latents {
    /// Values, from lists or from bytes of two a value.
    Values(Vectors),
    /// Codes of few bits.
    Bits(BitCodes),
}

/// The rows of a column of codes of few bits that are not null.
#[derive(Debug)]
pub struct BitCodes {
    /// Their bytes, one code after the other.
    bytes: Vec<u8>,
    /// Bytes of one.
    each: usize,
    /// Which rows of the column are not null; none if all are.
    valid: Option<NullBuffer>,
    /// Rows of the column.
    len: usize,
}

impl BitCodes {
    /// The code at a place among those that are not null.
    pub fn of(&self, place: usize) -> &[u8] {
        &self.bytes[place * self.each..(place + 1) * self.each]
    }
}

/// Reads a column of latents, be it of vectors or of codes. A student says how long its codes are and,
/// by their length, which they are; without one they are of two bytes a value, as many as the first has.
///
/// # Errors
/// As [`vectors::read`], and codes of another length.
pub fn read(function: &str, column: &ArrayRef, student: Option<&Loaded>) -> Result<Latents> {
    let codes: Vec<Option<&[u8]>> = match column.data_type() {
        DataType::Binary => column.as_binary::<i32>().iter().collect(),
        DataType::LargeBinary => column.as_binary::<i64>().iter().collect(),
        DataType::BinaryView => column.as_binary_view().iter().collect(),
        _ => {
            let width = student.map(Loaded::latent);
            return vectors::read(function, column, width).map(Latents::Values);
        }
    };
    let each = length(function, &codes, student)?;
    let bytes: Vec<u8> = codes.iter().flatten().copied().flatten().copied().collect();
    let valid = column.logical_nulls().filter(|nulls| nulls.null_count() > 0);
    let len = column.len();
    if each > 0 && student.and_then(Loaded::code_bytes) == Some(each) {
        return Ok(Latents::Bits(BitCodes { bytes, each, valid, len }));
    }
    let rows = match each / 2 {
        0 => Matrix::zeros(0, student.map_or(0, Loaded::latent)),
        width => Storage::F16
            .unpack(&bytes, width)
            .map_err(|e| exec_datafusion_err!("{function}: {e}"))?,
    };
    Ok(Latents::Values(Vectors { rows, valid, len }))
}

/// Bytes of each code that is not null; 0 if all are.
fn length(function: &str, codes: &[Option<&[u8]>], student: Option<&Loaded>) -> Result<usize> {
    let Some((row, first)) = there(codes).next() else { return Ok(0) };
    if let Some(student) = student {
        let half = Storage::F16.bytes(student.latent());
        let bits = student.code_bytes();
        if first != half && Some(first) != bits {
            let bits = bits
                .map_or("; it has none of few bits".into(), |bits| format!(" or {bits} ('bits')"));
            return exec_err!(
                "{function}: row {row} of the batch is a code of {first} bytes; those of the student {} \
                 have {half} ('f16'){bits}",
                student.name()
            );
        }
    } else if first == 0 || !first.is_multiple_of(2) {
        return exec_err!(
            "{function}: row {row} of the batch is a code of {first} bytes, and 'f16' takes two a \
             value; name the student that made it as the third argument"
        );
    }
    match there(codes).find(|(_, bytes)| *bytes != first) {
        Some((row, bytes)) => exec_err!(
            "{function}: row {row} of the batch is a code of {bytes} bytes, those before have {first}"
        ),
        None => Ok(first),
    }
}

/// Rows that are not null, and how many bytes each has.
fn there<'a>(codes: &'a [Option<&[u8]>]) -> impl Iterator<Item = (usize, usize)> + 'a {
    codes.iter().enumerate().filter_map(|(row, code)| code.map(|code| (row, code.len())))
}

impl Latents {
    /// Which rows of the column are not null; none if all are.
    pub fn valid(&self) -> Option<&NullBuffer> {
        match self {
            Latents::Values(vectors) => vectors.valid.as_ref(),
            Latents::Bits(codes) => codes.valid.as_ref(),
        }
    }

    /// Rows of the column.
    pub fn len(&self) -> usize {
        match self {
            Latents::Values(vectors) => vectors.len,
            Latents::Bits(codes) => codes.len,
        }
    }

    /// All as values.
    ///
    /// # Errors
    /// As [`Loaded::unpack`].
    pub fn unpacked(self, student: &Loaded) -> Result<Vectors> {
        match self {
            Latents::Values(vectors) => Ok(vectors),
            Latents::Bits(BitCodes { bytes, valid, len, .. }) => {
                Ok(Vectors { rows: student.unpack(&bytes)?, valid, len })
            }
        }
    }
}
