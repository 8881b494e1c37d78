//! `lnsp_encode` and `lnsp_decode`: vectors to latents and back.

use datafusion::arrow::array::ArrayRef;
use datafusion::common::Result;

use super::code::{self, Packing};
use super::vectors;
use crate::students::StudentRef;

/// Latents of a column of vectors.
///
/// # Errors
/// A student that is not to be had; a row of another width, or that is no vector.
pub fn encode(column: &ArrayRef, student: &StudentRef, packing: Packing) -> Result<ArrayRef> {
    let student = student.load()?;
    let vectors = vectors::read("lnsp_encode", column, Some(student.input()))?;
    packing.column(&student, &vectors, student.encode(&vectors.rows)?)
}

/// Vectors of a column of latents or codes.
///
/// # Errors
/// As [`encode`].
pub fn decode(column: &ArrayRef, student: &StudentRef) -> Result<ArrayRef> {
    let student = student.load()?;
    let latents = code::read("lnsp_decode", column, Some(&student))?.unpacked(&student)?;
    latents.lists(student.decode(&latents.rows)?)
}
