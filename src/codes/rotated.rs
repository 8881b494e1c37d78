//! A few bits a coordinate after a random rotation.

use super::bits::{BitReader, BitWriter};
use super::{Code, MAX_BITS, expect_whole, expect_width, gaussian_levels};
use crate::error::{Error, Result};
use crate::linalg::product::{matmul, matmul_nt};
use crate::linalg::{random_rotation, unit_rows};
use crate::matrix::Matrix;

/// The direction of a vector in `bits` bits a coordinate. A random rotation spreads it evenly,
/// so that each coordinate of the unit vector is nearly Gaussian with deviation 1/√d: that one
/// scale serves all, and nothing is fitted. The norm is not stored: documents come back with
/// about unit norm. Queries stay in `f32`.
#[derive(Clone, Debug, PartialEq)]
pub struct RotatedBits {
    rotation: Matrix,
    bits: u8,
}

impl RotatedBits {
    /// A code of `bits` bits for each of `width` coordinates, rotated as `seed` says.
    ///
    /// # Errors
    /// [`Error::Invalid`] if `width` is 0 or `bits` is not 1 to [`MAX_BITS`].
    pub fn new(width: usize, bits: u8, seed: u64) -> Result<Self> {
        Self { rotation: random_rotation(width, seed)?, bits: 1 }.with_bits(bits)
    }

    /// The same rotation with `bits` bits for each coordinate.
    ///
    /// # Errors
    /// [`Error::Invalid`] if `bits` is not 1 to [`MAX_BITS`].
    pub fn with_bits(&self, bits: u8) -> Result<Self> {
        if bits == 0 || bits > MAX_BITS {
            return Err(Error::invalid(
                "bits a coordinate",
                format!("{bits} is not from 1 to {MAX_BITS}"),
            ));
        }
        Ok(Self { rotation: self.rotation.clone(), bits })
    }

    fn scale(&self) -> f32 {
        (self.width() as f32).sqrt()
    }
}

impl Code for RotatedBits {
    fn name(&self) -> String {
        format!("rotated teacher, {} bit", self.bits)
    }

    fn width(&self) -> usize {
        self.rotation.cols()
    }

    fn bytes_per_vector(&self) -> usize {
        (self.width() * usize::from(self.bits)).div_ceil(8)
    }

    fn asymmetric(&self) -> bool {
        true
    }

    fn model_bytes(&self) -> u64 {
        4 * self.rotation.data().len() as u64
    }

    fn pack(&self, x: &Matrix) -> Result<Vec<u8>> {
        expect_width(&self.name(), x, self.width())?;
        let rotated = matmul_nt(&unit_rows(x), &self.rotation);
        let (levels, scale) = (gaussian_levels(self.bits), self.scale());
        let mut writer = BitWriter::with_capacity(x.rows() * self.bytes_per_vector());
        for row in rotated.iter_rows() {
            row.iter().for_each(|v| writer.write(levels.quantise(v * scale), self.bits));
            writer.align();
        }
        Ok(writer.into_bytes())
    }

    fn unpack(&self, bytes: &[u8]) -> Result<Matrix> {
        let rows = expect_whole(&self.name(), bytes, self.bytes_per_vector())?;
        let (levels, scale) = (gaussian_levels(self.bits), self.scale());
        let mut rotated = Matrix::zeros(rows, self.width());
        for (row, bytes) in bytes.chunks_exact(self.bytes_per_vector()).enumerate() {
            let mut reader = BitReader::new(bytes);
            for value in rotated.row_mut(row) {
                *value = levels.level(reader.read(self.bits)) / scale;
            }
        }
        Ok(matmul(&rotated, &self.rotation))
    }

    fn queries(&self, x: &Matrix) -> Result<Matrix> {
        expect_width(&self.name(), x, self.width())?;
        Ok(x.clone())
    }

    fn decode(&self, documents: &Matrix) -> Result<Option<Matrix>> {
        expect_width(&self.name(), documents, self.width())?;
        Ok(Some(documents.clone()))
    }
}
