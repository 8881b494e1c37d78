//! One attention layer as large as the teacher's, to stand beside a student.

use crate::arch::{Activation, Precision, TEACHER_WIDTH};
use crate::device::{Device, Tensor};
use crate::error::Result;
use crate::kernels::linear::{Epilogue, linear};
use crate::kernels::sequence_attention::sequence_attention;
use crate::kernels::{Sequences, Weight};
use crate::matrix::Matrix;

/// Heads of the teacher.
const HEADS: usize = 12;

/// A layer of the teacher's size with weights that mean nothing: only its time counts.
pub(super) struct Layer {
    places: Sequences,
    hidden: Tensor,
    qkv: Tensor,
    mixed: Tensor,
    inner: Tensor,
    change: Tensor,
    /// qkv, output, and the two of the feed-forward part.
    dense: [(Weight, Tensor); 4],
}

impl Layer {
    /// For one sequence of `tokens`.
    pub(super) fn new(device: &Device, tokens: usize) -> Result<Self> {
        let width = TEACHER_WIDTH;
        let dense = |from: usize, to: usize| -> Result<(Weight, Tensor)> {
            let scale = (1.0 / from as f32).sqrt();
            let values =
                Matrix::from_fn(to, from, |r, c| scale * ((r * 13 + c * 7) as f32 * 0.61).sin());
            let mut weight = Weight::zeros(device, Precision::F32, to, from)?;
            device.write(weight.parts_mut().0, values.data())?;
            Ok((weight, device.zeros(1, to)?))
        };
        let input = Matrix::from_fn(tokens, width, |r, c| ((r * 31 + c * 7) as f32 * 0.37).sin());
        Ok(Self {
            places: Sequences::new(device, &[tokens])?,
            hidden: device.upload_matrix(&input)?,
            qkv: device.zeros(tokens, 3 * width)?,
            mixed: device.zeros(tokens, width)?,
            inner: device.zeros(tokens, 4 * width)?,
            change: device.zeros(tokens, width)?,
            dense: [
                dense(width, 3 * width)?,
                dense(width, width)?,
                dense(width, 4 * width)?,
                dense(4 * width, width)?,
            ],
        })
    }

    /// q, k, v, the softmax over all tokens and the output layer: full attention.
    pub(super) fn attend(&mut self, device: &Device) -> Result<()> {
        let [qkv, output, ..] = &self.dense;
        linear(device, &self.hidden, &qkv.0, Some(&qkv.1), Epilogue::Linear, &mut self.qkv)?;
        sequence_attention(device, &self.qkv, HEADS, &self.places, &mut self.mixed)?;
        let (x, y) = (&self.mixed, &mut self.change);
        linear(device, x, &output.0, Some(&output.1), Epilogue::Linear, y)
    }

    /// The feed-forward part that follows in every layer.
    pub(super) fn feed_forward(&mut self, device: &Device) -> Result<()> {
        let [.., up, down] = &self.dense;
        let gelu = Epilogue::Activation(Activation::Gelu);
        linear(device, &self.change, &up.0, Some(&up.1), gelu, &mut self.inner)?;
        let (x, y) = (&self.inner, &mut self.mixed);
        linear(device, x, &down.0, Some(&down.1), Epilogue::Linear, y)
    }
}
