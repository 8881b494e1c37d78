//! Weights in host memory between file and device, at any precision.

use half::f16;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};

use crate::arch::Precision;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::kernels::Weight;
use crate::kernels::pack::int8_rows;
use crate::matrix::Matrix;

/// The values of a matrix, row after row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Values {
    F32(Vec<f32>),
    /// The bits of 16-bit floats.
    F16(Vec<u16>),
    /// Integers, and a scale a row.
    Int8(Vec<i8>, Vec<f32>),
}

/// A matrix in host memory; a vector is one of one row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct HostWeight {
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) values: Values,
}

impl HostWeight {
    pub(super) fn precision(&self) -> Precision {
        match self.values {
            Values::F32(_) => Precision::F32,
            Values::F16(_) => Precision::F16,
            Values::Int8(..) => Precision::Int8,
        }
    }

    /// The values in f32.
    pub(super) fn into_f32(self) -> Vec<f32> {
        match self.values {
            Values::F32(values) => values,
            Values::F16(bits) => {
                let mut values = vec![0.0; bits.len()];
                bits.reinterpret_cast::<f16>().convert_to_f32_slice(&mut values);
                values
            }
            Values::Int8(integers, scales) => {
                let rows = integers.chunks_exact(self.cols).zip(scales);
                rows.flat_map(|(row, s)| row.iter().map(move |v| f32::from(*v) * s)).collect()
            }
        }
    }

    /// The same at another precision.
    pub(super) fn at(self, precision: Precision) -> Result<Self> {
        if self.precision() == precision {
            return Ok(self);
        }
        let (rows, cols) = (self.rows, self.cols);
        let values = self.into_f32();
        let values = match precision {
            Precision::F32 => Values::F32(values),
            Precision::F16 => {
                let mut bits = vec![0; values.len()];
                bits.reinterpret_cast_mut::<f16>().convert_from_f32_slice(&values);
                Values::F16(bits)
            }
            Precision::Int8 => {
                let (integers, scales) = int8_rows(&Matrix::new(rows, cols, values)?);
                Values::Int8(integers, scales)
            }
        };
        Ok(Self { rows, cols, values })
    }

    /// Appends the rows of another matrix of the same width and precision.
    pub(super) fn append(&mut self, other: Self) {
        assert_eq!(self.cols, other.cols, "rows of one width");
        self.rows += other.rows;
        match (&mut self.values, other.values) {
            (Values::F32(a), Values::F32(b)) => a.extend(b),
            (Values::F16(a), Values::F16(b)) => a.extend(b),
            (Values::Int8(a, scales), Values::Int8(b, more)) => {
                a.extend(b);
                scales.extend(more);
            }
            _ => panic!("rows of different precisions"),
        }
    }

    /// Where a value is not finite, and what it is.
    pub(super) fn not_finite(&self) -> Option<(usize, f32)> {
        let find =
            |values: &[f32]| values.iter().position(|v| !v.is_finite()).map(|at| (at, values[at]));
        match &self.values {
            Values::F32(values) | Values::Int8(_, values) => find(values),
            Values::F16(bits) => {
                let wide = |bits: u16| f16::from_bits(bits).to_f32();
                let at = bits.iter().position(|b| !wide(*b).is_finite());
                at.map(|at| (at, wide(bits[at])))
            }
        }
    }

    /// On a device as the weight of a linear layer, in the order in which that reads it.
    pub(super) fn upload_for_products(self, device: &Device) -> Result<Weight> {
        let (rows, cols, precision) = (self.rows, self.cols, self.precision());
        let values = Matrix::new(rows, cols, self.into_f32())?;
        Weight::for_inference(device, precision, &values)
    }

    /// On a device, row after row.
    pub(super) fn upload(&self, device: &Device) -> Result<Weight> {
        let mut weight = Weight::zeros(device, self.precision(), self.rows, self.cols)?;
        let (words, scales) = weight.parts_mut();
        match &self.values {
            Values::F32(values) => device.write(words, values)?,
            Values::F16(bits) => device.write_words(words, &padded::<u16, 2>(bits, self.cols))?,
            Values::Int8(integers, row_scales) => {
                device.write_words(words, &padded::<i8, 4>(integers, self.cols))?;
                device.write(scales.expect("an int8 weight has scales"), row_scales)?;
            }
        }
        Ok(weight)
    }
}

/// Rows of small values in whole words, `N` values a word, filled up with zeros.
fn padded<T: bytemuck::Pod, const N: usize>(values: &[T], cols: usize) -> Vec<u32> {
    let per_row = cols.div_ceil(N);
    let mut words = vec![0u32; values.len() / cols * per_row];
    for (row, words) in values.chunks_exact(cols).zip(words.chunks_exact_mut(per_row)) {
        let room: &mut [T] = bytemuck::cast_slice_mut(words);
        room[..cols].copy_from_slice(row);
    }
    words
}

/// A vector of `len` zeros, or an error where there is no memory for it.
pub(super) fn zeroed<T: bytemuck::Zeroable + Clone>(what: &str, len: usize) -> Result<Vec<T>> {
    let mut values = Vec::new();
    values.try_reserve_exact(len).map_err(|_| Error::OutOfMemory {
        what: format!("reading {what}"),
        needed: (len * size_of::<T>()) as u64,
        available: "which the host does not have".into(),
        advice: "close other programs".into(),
    })?;
    values.resize(len, T::zeroed());
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(precision: Precision) -> HostWeight {
        let values = (0..35).map(|i| ((i * 29) % 35) as f32 * 0.03 - 0.5).collect();
        HostWeight { rows: 5, cols: 7, values: Values::F32(values) }.at(precision).unwrap()
    }

    #[test]
    fn widths_that_do_not_fill_a_word_reach_the_device() {
        let device = Device::cpu();
        for precision in Precision::ALL {
            let weight = sample(precision).upload(&device).unwrap();
            let mut wide = device.zeros(5, 7).unwrap();
            crate::kernels::pack::unpack(&device, &weight, &mut wide).unwrap();
            let got = pollster::block_on(device.read(&wide)).unwrap();
            assert_eq!(got, sample(precision).into_f32(), "{precision}");
            let (full, error) = (sample(Precision::F32).into_f32(), 3e-3);
            assert!(got.iter().zip(full).all(|(a, b)| (a - b).abs() < error), "{precision}");
        }
    }

    #[test]
    fn rows_are_appended_and_bad_values_found() {
        for precision in Precision::ALL {
            let mut both = sample(precision);
            both.append(sample(precision));
            assert_eq!((both.rows, both.not_finite()), (10, None));
            let one = sample(precision).into_f32();
            assert_eq!(both.into_f32(), [one.clone(), one].concat());
        }
        let bad = HostWeight { rows: 1, cols: 3, values: Values::F16(vec![0, 0x7c00, 0]) };
        assert_eq!(bad.not_finite(), Some((1, f32::INFINITY)));
    }
}
