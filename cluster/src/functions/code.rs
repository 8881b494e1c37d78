//! Codes: latents in fewer bytes, as `lnsp encode --dtype` stores them. What else is to be packed
//! is named here and nowhere else.

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, exec_datafusion_err, exec_err, plan_err};
use lnsp::Matrix;
use lnsp::codes::Storage;

use super::vectors::{self, Vectors};

/// How latents are packed.
#[derive(Clone, Debug, PartialEq)]
pub enum Packing {
    /// As a list of `f32`.
    Lists,
    /// As bytes.
    Bytes(Storage),
}

impl Packing {
    /// The packing that the third argument of `lnsp_encode` names.
    ///
    /// # Errors
    /// A name that there is not.
    pub fn named(name: &str) -> Result<Self> {
        match name {
            "f32" => Ok(Packing::Lists),
            "f16" => Ok(Packing::Bytes(Storage::F16)),
            _ => plan_err!("lnsp_encode: no code is called {name:?}; there are 'f32' and 'f16'"),
        }
    }

    /// The type of such a column.
    pub fn data_type(&self) -> DataType {
        match self {
            Packing::Lists => vectors::vector_type(),
            Packing::Bytes(_) => DataType::Binary,
        }
    }

    /// The column of `latents`, a row for each of `vectors` that is not null.
    ///
    /// # Errors
    /// More values in a batch than a column can count.
    pub fn column(&self, vectors: &Vectors, latents: Matrix) -> Result<ArrayRef> {
        match self {
            Packing::Lists => vectors.lists(latents),
            Packing::Bytes(storage) => {
                let bytes = storage.pack(&latents).map_err(|e| exec_datafusion_err!("{e}"))?;
                vectors.codes(bytes)
            }
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

/// Reads a column of latents, be it of vectors or of codes, each of `width` values, or of as many as
/// the first has.
///
/// # Errors
/// As [`vectors::read`], and codes of different lengths.
pub fn read(function: &str, column: &ArrayRef, width: Option<usize>) -> Result<Vectors> {
    let codes: Vec<Option<&[u8]>> = match column.data_type() {
        DataType::Binary => column.as_binary::<i32>().iter().collect(),
        DataType::LargeBinary => column.as_binary::<i64>().iter().collect(),
        DataType::BinaryView => column.as_binary_view().iter().collect(),
        _ => return vectors::read(function, column, width),
    };
    let first = codes.iter().flatten().next().map_or(0, |code| code.len());
    let bytes = width.map_or(first, |width| Storage::F16.bytes(width));
    if let Some((row, code)) = codes.iter().enumerate().find_map(|(row, code)| {
        code.filter(|c| c.len() != bytes || !bytes.is_multiple_of(2)).map(|c| (row, c))
    }) {
        return exec_err!(
            "{function}: row {row} of the batch is a code of {} bytes, {bytes} are wanted ('f16' \
             takes two a value)",
            code.len()
        );
    }
    let width = bytes / 2;
    let rows = match width {
        0 => Matrix::zeros(0, 0),
        _ => Storage::F16
            .unpack(&codes.iter().flatten().copied().flatten().copied().collect::<Vec<u8>>(), width)
            .map_err(|e| exec_datafusion_err!("{function}: {e}"))?,
    };
    let valid = column.logical_nulls().filter(|nulls| nulls.null_count() > 0);
    Ok(Vectors { rows, valid, len: column.len() })
}
