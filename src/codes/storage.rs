//! How rows of numbers are stored: as `f32`, `f16`, or a byte a value.

use half::f16;

use super::{TrellisCode, expect_whole, expect_width};
use crate::error::{Error, Result};
use crate::matrix::Matrix;

/// The number format of stored rows, little-endian.
#[derive(Clone, Debug, PartialEq)]
pub enum Storage {
    /// Four bytes a value.
    F32,
    /// Two bytes a value; beyond ±65504 it saturates.
    F16,
    /// One byte a value.
    Int8(Int8Range),
    /// A few bits a value, on average.
    Trellis(TrellisCode),
}

impl Storage {
    /// A byte a value, ranges taken from the training `rows`.
    ///
    /// # Errors
    /// As [`Int8Range::fit`].
    pub fn int8(rows: &Matrix) -> Result<Self> {
        Int8Range::fit(rows).map(Storage::Int8)
    }

    /// Its name: `f32`, `f16`, `int8` or `trellis`.
    pub fn name(&self) -> &'static str {
        match self {
            Storage::F32 => "f32",
            Storage::F16 => "f16",
            Storage::Int8(_) => "int8",
            Storage::Trellis(_) => "trellis",
        }
    }

    /// Whether stored values differ from the given ones.
    pub fn lossy(&self) -> bool {
        *self != Storage::F32
    }

    /// Bytes of what it keeps besides: a low end and a step for each value of int8, the code's own
    /// figures.
    pub fn model_bytes(&self) -> u64 {
        match self {
            Storage::F32 | Storage::F16 => 0,
            Storage::Int8(range) => 4 * (range.low.len() + range.step.len()) as u64,
            Storage::Trellis(code) => code.model_bytes(),
        }
    }

    /// Bytes of a row of `width` values.
    pub fn bytes(&self, width: usize) -> usize {
        match self {
            Storage::F32 => 4 * width,
            Storage::F16 => 2 * width,
            Storage::Int8(_) => width,
            Storage::Trellis(code) => code.bytes(),
        }
    }

    /// The stored form of `rows`, row after row.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the rows are not as wide as the ranges.
    pub fn pack(&self, rows: &Matrix) -> Result<Vec<u8>> {
        let half = |v: &f32| f16::from_f32(v.clamp(-65504.0, 65504.0)).to_le_bytes();
        match self {
            Storage::F32 => Ok(rows.data().iter().flat_map(|v| v.to_le_bytes()).collect()),
            Storage::F16 => Ok(rows.data().iter().flat_map(half).collect()),
            Storage::Int8(range) => range.pack(rows),
            Storage::Trellis(code) => code.pack(rows),
        }
    }

    /// The rows of `width` values that bytes stand for.
    ///
    /// # Errors
    /// [`Error::Format`] if the bytes are not whole rows, [`Error::Invalid`] if the rows are
    /// not as wide as the ranges.
    pub fn unpack(&self, bytes: &[u8], width: usize) -> Result<Matrix> {
        if let Storage::Trellis(code) = self {
            return code.unpack(bytes);
        }
        let rows = expect_whole(self.name(), bytes, self.bytes(width))?;
        let data = match self {
            Storage::F32 => bytes
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect(),
            Storage::F16 => {
                bytes.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32()).collect()
            }
            Storage::Int8(range) => range.unpack(bytes, width)?,
            Storage::Trellis(_) => unreachable!("unpacked above"),
        };
        Matrix::new(rows, width, data)
    }
}

/// A range for every coordinate, cut into 255 equal steps: value ≈ low + code · step. The range
/// is the least and greatest value in the training set (as scalar quantisation is fitted in
/// faiss and in sentence-transformers); what lies outside is clamped.
#[derive(Clone, Debug, PartialEq)]
pub struct Int8Range {
    pub(super) low: Vec<f32>,
    pub(super) step: Vec<f32>,
}

impl Int8Range {
    /// The ranges of the columns of `rows` (n×d). A column that hardly varies gets a step of
    /// 0: all its values become the least one.
    ///
    /// # Errors
    /// [`Error::Invalid`] without rows, or with values that are not finite.
    pub fn fit(rows: &Matrix) -> Result<Self> {
        if rows.rows() == 0 || rows.data().iter().any(|v| !v.is_finite()) {
            return Err(Error::invalid(
                "int8 ranges",
                "need at least one training row, and finite values only",
            ));
        }
        let mut low = rows.row(0).to_vec();
        let mut high = low.clone();
        for row in rows.iter_rows() {
            low.iter_mut().zip(row).for_each(|(l, v)| *l = l.min(*v));
            high.iter_mut().zip(row).for_each(|(h, v)| *h = h.max(*v));
        }
        let step = low.iter().zip(&high).map(|(l, h)| {
            let step = (h / 255.0) - (l / 255.0);
            // Steps that f32 cannot add to the low end, or that are no normal number.
            let least = (f32::EPSILON * l.abs().max(h.abs())).max(f32::MIN_POSITIVE);
            if step > 4.0 * least { step } else { 0.0 }
        });
        Ok(Self { step: step.collect(), low })
    }

    fn pack(&self, rows: &Matrix) -> Result<Vec<u8>> {
        expect_width("int8", rows, self.low.len())?;
        let byte = |((v, low), step): ((&f32, &f32), &f32)| {
            if *step > 0.0 { ((v - low) / step).round().clamp(0.0, 255.0) as u8 } else { 0 }
        };
        Ok(rows
            .iter_rows()
            .flat_map(|row| row.iter().zip(&self.low).zip(&self.step).map(byte))
            .collect())
    }

    fn unpack(&self, bytes: &[u8], width: usize) -> Result<Vec<f32>> {
        if width != self.low.len() {
            return Err(Error::invalid(
                "int8",
                format!("ranges of {} coordinates cannot unpack {width}", self.low.len()),
            ));
        }
        let value = |((b, low), step): ((&u8, &f32), &f32)| low + f32::from(*b) * step;
        Ok(bytes
            .chunks_exact(width)
            .flat_map(|row| row.iter().zip(&self.low).zip(&self.step).map(value))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn int8_is_within_half_a_step_and_guards_flat_columns() {
        let rows = Matrix::from_fn(50, 4, |r, c| match c {
            0 => (r as f32 * 0.7).sin(),
            1 => 3.25,
            2 => 1e-32 * r as f32,
            _ => 1000.0 + 1e-4 * r as f32,
        });
        let storage = Storage::int8(&rows).unwrap();
        let bytes = storage.pack(&rows).unwrap();
        assert_eq!(bytes.len(), 200);
        let back = storage.unpack(&bytes, 4).unwrap();
        for (x, y) in rows.iter_rows().zip(back.iter_rows()) {
            assert!((x[0] - y[0]).abs() <= 1.0 / 255.0 + 1e-6);
            assert_eq!(y[1], 3.25);
            assert!((x[2] - y[2]).abs() <= 49.0 / 510.0 * 1.01e-32);
            assert!((x[3] - y[3]).abs() < 0.01);
        }
        assert_eq!(storage.pack(&back).unwrap(), bytes);
        let wild = Matrix::new(1, 4, vec![9.0, -9.0, f32::NAN, f32::INFINITY]).unwrap();
        assert_eq!(storage.pack(&wild).unwrap(), [255, 0, 0, 0]);
    }

    #[test]
    fn floats_and_bad_input() {
        let rows = Matrix::new(2, 2, vec![0.5, -1.0 / 3.0, 1e9, 0.0]).unwrap();
        assert_eq!(Storage::F32.unpack(&Storage::F32.pack(&rows).unwrap(), 2).unwrap(), rows);
        let half = Storage::F16.unpack(&Storage::F16.pack(&rows).unwrap(), 2).unwrap();
        assert!((half.data()[1] + 1.0 / 3.0).abs() < 2e-4);
        assert_eq!(half.data()[2], 65504.0);
        assert!(Storage::F32.unpack(&[0; 7], 1).is_err());
        assert!(Storage::F16.unpack(&[0; 4], 0).is_err());
        assert!(Storage::int8(&Matrix::zeros(0, 3)).is_err());
        assert!(Storage::int8(&Matrix::new(1, 1, vec![f32::NAN]).unwrap()).is_err());
        let int8 = Storage::int8(&rows).unwrap();
        assert!(int8.pack(&Matrix::zeros(1, 3)).is_err());
        assert!(int8.unpack(&[0; 3], 3).is_err());
    }
}
