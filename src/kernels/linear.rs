//! A linear layer with its activation: `y = act(x · Wᵀ + b)`.

use pulp::Simd;

use crate::arch::{Activation, Precision};
use crate::device::{Device, Dispatch, Gpu, TILED_ROWS, Tensor, cut_rows, grid, only, word};
use crate::error::Result;
use crate::kernels::activation::{apply, shader_code};
use crate::kernels::linear_vector::linear_vector;
use crate::kernels::weight::shader_variant;
use crate::kernels::{WeightRef, expect_shape};
use crate::linalg::panels::OutRows;
use crate::linalg::product::{
    Finish, Operand, Out, Threads, WORTH_SHARING, multiply_packed, multiply_then,
};

/// What follows the product.
#[derive(Debug)]
pub enum Epilogue<'a> {
    /// Nothing.
    Linear,
    /// The activation.
    Activation(Activation),
    /// The activation, and its slope at each value (`m × outputs`), which the backward pass
    /// multiplies with.
    ActivationAndSlope(Activation, &'a mut Tensor),
}

/// `y = act(x · Wᵀ + b)`: x `m × inputs`, W `outputs × inputs`, b `1 × outputs`,
/// y `m × outputs`.
///
/// # Errors
/// [`crate::Error::Shape`], and what the device reports.
pub fn linear<'w>(
    device: &Device,
    x: &Tensor,
    weight: impl Into<WeightRef<'w>>,
    bias: Option<&Tensor>,
    epilogue: Epilogue<'_>,
    y: &mut Tensor,
) -> Result<()> {
    let weight = weight.into();
    let m = x.rows();
    expect_shape("linear", "x", x, m, weight.inputs)?;
    expect_shape("linear", "y", y, m, weight.outputs)?;
    if let Some(bias) = bias {
        expect_shape("linear", "bias", bias, 1, weight.outputs)?;
    }
    if let Epilogue::ActivationAndSlope(_, slope) = &epilogue {
        expect_shape("linear", "slope", slope, m, weight.outputs)?;
    }
    match device {
        Device::Cpu(_) => {
            on_cpu(x, weight, bias, epilogue, y);
            Ok(())
        }
        Device::Gpu(gpu) => on_gpu(gpu, x, weight, bias, epilogue, y),
    }
}

/// Rows up to which the kernel that reads the weight once is the faster one.
const VECTOR_ROWS: usize = 4;

fn on_gpu(
    gpu: &Gpu,
    x: &Tensor,
    weight: WeightRef<'_>,
    bias: Option<&Tensor>,
    epilogue: Epilogue<'_>,
    y: &mut Tensor,
) -> Result<()> {
    let (kind, slope) = match epilogue {
        Epilogue::Linear => (None, None),
        Epilogue::Activation(kind) => (Some(kind), None),
        Epilogue::ActivationAndSlope(kind, slope) => (Some(kind), Some(&*slope)),
    };
    for outputs in cut_rows(&[weight.words], TILED_ROWS) {
        let (words, words_at) = outputs.of(weight.words);
        for rows in cut_rows(&[x, y], TILED_ROWS) {
            let ((x, x_at), (y_chunk, y_at)) = (rows.of(x), rows.of(y));
            let (shader, groups) = if rows.count <= VECTOR_ROWS {
                ("linear_vector", grid(outputs.count.div_ceil(8)))
            } else {
                let tiles = |n: usize| word(n.div_ceil(64));
                ("linear", [tiles(outputs.count), tiles(rows.count)])
            };
            gpu.run(&Dispatch {
                shader,
                variant: shader_variant(weight.precision),
                params: &[
                    word(rows.count),
                    word(weight.inputs),
                    word(outputs.count),
                    word(weight.words.cols()),
                    x_at,
                    words_at,
                    y_at,
                    word(y.cols()),
                    word(outputs.first),
                    u32::from(bias.is_some()),
                    shader_code(kind),
                    u32::from(slope.is_some()),
                ],
                reads: &[
                    x,
                    words,
                    bias.map_or(gpu.no_input(), only),
                    weight.scales.map_or(gpu.no_input(), only),
                ],
                writes: &[y_chunk, slope.map_or(gpu.no_output(), |slope| rows.of(slope).0)],
                groups,
            })?;
        }
    }
    Ok(())
}

fn on_cpu(
    x: &Tensor,
    weight: WeightRef<'_>,
    bias: Option<&Tensor>,
    epilogue: Epilogue<'_>,
    y: &mut Tensor,
) {
    let (m, inputs, outputs) = (x.rows(), weight.inputs, weight.outputs);
    let (kind, slope) = match epilogue {
        Epilogue::Linear => (None, None),
        Epilogue::Activation(kind) => (Some(kind), None),
        Epilogue::ActivationAndSlope(kind, slope) => (Some(kind), Some(slope.host_mut())),
    };
    let after = After { bias: bias.map(Tensor::host), kind };
    let (x, y) = (x.host(), y.host_mut());
    let beside = slope.unwrap_or_default();
    if m == 1
        && let Some(panels) = weight.panels()
    {
        linear_vector(x, panels, y, beside, after);
        return;
    }
    let x = Operand::new(x, m, inputs);
    match weight.panels() {
        Some((cut, values)) => {
            let shared = m * inputs * outputs >= WORTH_SHARING;
            let threads = if shared { Threads::All } else { Threads::One };
            let out = OutRows { values: y, beside, stride: outputs, first: 0, accumulate: false };
            multiply_packed(x, cut, values, out, threads, after);
        }
        None => {
            let unpacked;
            let w = match weight.precision {
                Precision::F32 => weight.words.host(),
                _ => {
                    unpacked = unpack(weight);
                    &unpacked
                }
            };
            let w = Operand::new(w, outputs, inputs).transposed();
            let out = Out { values: y, beside, accumulate: false };
            multiply_then(x, w, out, Threads::All, after);
        }
    }
}

/// What follows the product, piece by piece.
#[derive(Clone, Copy)]
struct After<'a> {
    bias: Option<&'a [f32]>,
    kind: Option<Activation>,
}

impl Finish for After<'_> {
    #[inline(always)]
    fn finish<S: Simd>(self, simd: S, at: usize, y: &mut [f32], slope: &mut [f32]) {
        if let Some(bias) = self.bias {
            let (b, b_rest) = S::as_simd_f32s(&bias[at..at + y.len()]);
            let (y, y_rest) = S::as_mut_simd_f32s(y);
            y.iter_mut().zip(b).for_each(|(y, b)| *y = simd.add_f32s(*y, *b));
            y_rest.iter_mut().zip(b_rest).for_each(|(y, b)| *y += b);
        }
        if let Some(kind) = self.kind {
            apply(simd, kind, y, slope);
        }
    }
}

/// The weight in f32, `outputs × inputs`.
fn unpack(weight: WeightRef<'_>) -> Vec<f32> {
    let mut values = vec![0.0; weight.outputs * weight.inputs];
    crate::kernels::pack::unpack_rows(weight, &mut values);
    values
}
