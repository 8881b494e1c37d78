//! A weight matrix in f32, f16 or int8 on a device.

use crate::arch::Precision;
use crate::device::{Device, Tensor};
use crate::error::Result;
use crate::kernels::pack::{pack, pack_panels};
use crate::linalg::panels::{Cut, Values};
use crate::matrix::Matrix;

/// An `outputs × inputs` weight matrix, packed at its precision.
///
/// f32: one value a word. f16: two values a word, the earlier in the low half. int8: four values
/// a word, the earliest in the low byte, and one scale a row: value = integer · scale. Rows start
/// on a word; the last word of a row is filled with zeros.
///
/// On the CPU a weight that will not change is kept in the order in which products read it
/// ([`Weight::for_inference`]).
#[derive(Debug)]
pub struct Weight {
    precision: Precision,
    outputs: usize,
    inputs: usize,
    words: Tensor,
    scales: Option<Tensor>,
    layout: Layout,
}

/// The order of a weight's values.
#[derive(Clone, Copy, Debug)]
enum Layout {
    /// Row after row.
    Rows,
    /// The transposed weight in panels.
    Panels(Cut),
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
    layout: Layout,
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
        Ok(Self { precision, outputs, inputs, words, scales, layout: Layout::Rows })
    }

    /// The given values in f32, row after row.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`], and what the device reports.
    pub fn from_rows(device: &Device, values: &Matrix) -> Result<Self> {
        let (outputs, inputs) = (values.rows(), values.cols());
        let mut weight = Self::zeros(device, Precision::F32, outputs, inputs)?;
        device.write(&mut weight.words, values.data())?;
        Ok(weight)
    }

    /// A weight of the given values that only [`linear`](crate::kernels::linear::linear) will read:
    /// on the CPU it is in panels, and nothing else understands its words.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`], and what the device reports.
    pub fn for_inference(device: &Device, precision: Precision, values: &Matrix) -> Result<Self> {
        let (outputs, inputs) = (values.rows(), values.cols());
        if device.is_gpu() {
            if precision == Precision::F32 {
                return Self::from_rows(device, values);
            }
            let mut weight = Self::zeros(device, precision, outputs, inputs)?;
            pack(device, &device.upload_matrix(values)?, &mut weight)?;
            return Ok(weight);
        }
        let cut = Cut::new(inputs, outputs);
        let words = device.zeros(1, Self::words_per_row(precision, cut.len()))?;
        let scales = match precision {
            Precision::Int8 => Some(device.zeros(1, outputs)?),
            _ => None,
        };
        let mut weight =
            Self { precision, outputs, inputs, words, scales, layout: Layout::Panels(cut) };
        pack_panels(precision, values, cut, weight.parts_mut());
        Ok(weight)
    }

    /// The borrowed form.
    pub fn view(&self) -> WeightRef<'_> {
        WeightRef {
            precision: self.precision,
            outputs: self.outputs,
            inputs: self.inputs,
            words: &self.words,
            scales: self.scales.as_ref(),
            layout: self.layout,
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

impl<'a> WeightRef<'a> {
    /// How the transposed weight is cut and its panels, if that is how it is kept.
    pub(crate) fn panels(self) -> Option<(Cut, Values<'a>)> {
        let Layout::Panels(cut) = self.layout else { return None };
        let words = self.words.host();
        let values = match (self.precision, self.scales) {
            (Precision::F32, _) => Values::F32(words),
            (Precision::F16, _) => Values::F16(&bytemuck::cast_slice(words)[..cut.len()]),
            (Precision::Int8, scales) => {
                let scales = scales.expect("an int8 weight has scales").host();
                Values::Int8(&bytemuck::cast_slice(words)[..cut.len()], scales)
            }
        };
        Some((cut, values))
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
            layout: Layout::Rows,
        }
    }
}

impl<'a> From<&'a Weight> for WeightRef<'a> {
    fn from(weight: &'a Weight) -> Self {
        weight.view()
    }
}
