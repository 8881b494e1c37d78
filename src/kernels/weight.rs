//! A weight matrix in f32, f16 or int8 on a device.

use crate::arch::Precision;
use crate::device::{Device, Tensor};
use crate::error::Result;

/// An `outputs × inputs` weight matrix, packed at its precision.
///
/// f32: one value a word. f16: two values a word, the earlier in the low half. int8: four values
/// a word, the earliest in the low byte, and one scale a row: value = integer · scale. Rows start
/// on a word; the last word of a row is filled with zeros.
#[derive(Debug)]
pub struct Weight {
    precision: Precision,
    outputs: usize,
    inputs: usize,
    words: Tensor,
    scales: Option<Tensor>,
}

/// A borrowed [`Weight`], or an f32 tensor taken as one.
#[derive(Clone, Copy, Debug)]
pub struct WeightRef<'a> {
    /// How the values are packed.
    pub precision: Precision,
    /// Rows.
    pub outputs: usize,
    /// Values in a row.
    pub inputs: usize,
    /// `outputs × words_per_row`.
    pub words: &'a Tensor,
    /// `1 × outputs`, for int8.
    pub scales: Option<&'a Tensor>,
}

impl Weight {
    /// Words of a row of `inputs` values.
    pub fn words_per_row(precision: Precision, inputs: usize) -> usize {
        match precision {
            Precision::F32 => inputs,
            Precision::F16 => inputs.div_ceil(2),
            Precision::Int8 => inputs.div_ceil(4),
        }
    }

    /// A zero weight, to be filled by [`crate::kernels::pack`] or [`Device::write_words`].
    ///
    /// # Errors
    /// Out of memory.
    pub fn zeros(
        device: &Device,
        precision: Precision,
        outputs: usize,
        inputs: usize,
    ) -> Result<Self> {
        let words = device.zeros(outputs, Self::words_per_row(precision, inputs))?;
        let scales = match precision {
            Precision::Int8 => Some(device.zeros(1, outputs)?),
            _ => None,
        };
        Ok(Self { precision, outputs, inputs, words, scales })
    }

    /// The borrowed form.
    pub fn view(&self) -> WeightRef<'_> {
        WeightRef {
            precision: self.precision,
            outputs: self.outputs,
            inputs: self.inputs,
            words: &self.words,
            scales: self.scales.as_ref(),
        }
    }

    /// The packed words and the scales, to write.
    pub fn parts_mut(&mut self) -> (&mut Tensor, Option<&mut Tensor>) {
        (&mut self.words, self.scales.as_mut())
    }

    /// Bytes on the device.
    pub fn bytes(&self) -> u64 {
        self.words.bytes() + self.scales.as_ref().map_or(0, Tensor::bytes)
    }
}

/// The precision as the shaders know it.
pub(crate) fn shader_variant(precision: Precision) -> u32 {
    match precision {
        Precision::F32 => 0,
        Precision::F16 => 1,
        Precision::Int8 => 2,
    }
}

impl<'a> From<&'a Tensor> for WeightRef<'a> {
    fn from(tensor: &'a Tensor) -> Self {
        Self {
            precision: Precision::F32,
            outputs: tensor.rows(),
            inputs: tensor.cols(),
            words: tensor,
            scales: None,
        }
    }
}

impl<'a> From<&'a Weight> for WeightRef<'a> {
    fn from(weight: &'a Weight) -> Self {
        weight.view()
    }
}
