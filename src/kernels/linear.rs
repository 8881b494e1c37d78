//! A linear layer with its activation: `y = act(x · Wᵀ + b)`.

use crate::arch::{Activation, Precision};
use crate::device::{
    Device, Dispatch, Gpu, LANES, TILED_ROWS, Tensor, cut_rows, dot, grid, only, par_rows,
    vectorised, word,
};
use crate::error::Result;
use crate::kernels::activation::{apply_block, shader_code};
use crate::kernels::pack::unpack_f16;
use crate::kernels::weight::shader_variant;
use crate::kernels::{WeightRef, expect_shape};
use crate::linalg::product::{Operand, Threads, multiply};

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

/// Rows that one core takes at a time: enough to repay packing the weights, few enough that the
/// results are still in its cache for the epilogue.
const BLOCK: usize = 128;

fn on_cpu(
    x: &Tensor,
    weight: WeightRef<'_>,
    bias: Option<&Tensor>,
    epilogue: Epilogue<'_>,
    y: &mut Tensor,
) {
    let (m, inputs, outputs) = (x.rows(), weight.inputs, weight.outputs);
    let bias = bias.map(Tensor::host);
    if m == 1 {
        one_vector(x.host(), weight, bias, y.host_mut());
        match epilogue {
            Epilogue::Linear => {}
            Epilogue::Activation(kind) => apply_block(kind, y.host_mut(), None),
            Epilogue::ActivationAndSlope(kind, slope) => {
                apply_block(kind, y.host_mut(), Some(slope.host_mut()));
            }
        }
        return;
    }
    let unpacked;
    let w = match weight.precision {
        Precision::F32 => weight.words.host(),
        _ => {
            unpacked = unpack(weight);
            &unpacked
        }
    };
    let x = x.host();
    let block = |first: usize, y: &mut [f32], slope: Option<&mut [f32]>, kind, threads| {
        let rows = y.len() / outputs;
        let x = Operand::new(&x[first * inputs..(first + rows) * inputs], rows, inputs);
        multiply(x, Operand::new(w, outputs, inputs).transposed(), y, false, threads);
        if let Some(bias) = bias {
            for row in y.chunks_exact_mut(outputs) {
                row.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
            }
        }
        if let Some(kind) = kind {
            apply_block(kind, y, slope);
        }
    };
    let y = y.host_mut();
    let (kind, slope) = match epilogue {
        Epilogue::Linear => (None, None),
        Epilogue::Activation(kind) => (Some(kind), None),
        Epilogue::ActivationAndSlope(kind, slope) => (Some(kind), Some(slope.host_mut())),
    };
    let size = BLOCK * outputs;
    #[cfg(feature = "rayon")]
    if m * inputs * outputs >= 1 << 20 {
        use rayon::prelude::*;
        if m < 2 * rayon::current_num_threads() * BLOCK / 2 {
            block(0, y, slope, kind, Threads::All);
        } else if let Some(slope) = slope {
            y.par_chunks_mut(size)
                .zip(slope.par_chunks_mut(size))
                .enumerate()
                .for_each(|(i, (y, slope))| block(i * BLOCK, y, Some(slope), kind, Threads::One));
        } else {
            y.par_chunks_mut(size)
                .enumerate()
                .for_each(|(i, y)| block(i * BLOCK, y, None, kind, Threads::One));
        }
        return;
    }
    let _ = (m, size);
    block(0, y, slope, kind, Threads::One);
}

/// Weights above which the product with one vector is shared between the cores.
const SHARED_VECTOR: usize = 1 << 21;

/// `y = W · x + b`, straight from the packed weights: this is bound by reading them.
fn one_vector(x: &[f32], weight: WeightRef<'_>, bias: Option<&[f32]>, y: &mut [f32]) {
    let per_row = weight.words.cols();
    let words = weight.words.host();
    let scales = weight.scales.map(Tensor::host);
    let block = |first: usize, y: &mut [f32]| {
        let words = &words[first * per_row..(first + y.len()) * per_row];
        vectorised(
            #[inline(always)]
            || match weight.precision {
                Precision::F32 => {
                    for (y, row) in y.iter_mut().zip(words.chunks_exact(per_row)) {
                        *y = dot(row, x);
                    }
                }
                Precision::F16 => {
                    let mut values = vec![0.0; x.len()];
                    for (y, row) in y.iter_mut().zip(words.chunks_exact(per_row)) {
                        unpack_f16(row, &mut values);
                        *y = dot(&values, x);
                    }
                }
                Precision::Int8 => {
                    for (y, row) in y.iter_mut().zip(words.chunks_exact(per_row)) {
                        *y = dot_int8(bytemuck::cast_slice(row), x);
                    }
                }
            },
        );
        if let Some(scales) = scales {
            y.iter_mut().zip(&scales[first..]).for_each(|(y, s)| *y *= s);
        }
        if let Some(bias) = bias {
            y.iter_mut().zip(&bias[first..]).for_each(|(y, b)| *y += b);
        }
    };
    if weight.outputs * weight.inputs >= SHARED_VECTOR {
        par_rows(y, 1, block);
    } else {
        block(0, y);
    }
}

/// `Σ a_i · b_i` over the values of `b`; the packed row may be longer.
#[inline(always)]
fn dot_int8(a: &[i8], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (a_parts, a_rest) = a[..b.len()].as_chunks::<LANES>();
    let (b_parts, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_parts.iter().zip(b_parts) {
        for lane in 0..LANES {
            lanes[lane] += f32::from(a[lane]) * b[lane];
        }
    }
    for (lane, (a, b)) in a_rest.iter().zip(b_rest).enumerate() {
        lanes[lane] += f32::from(*a) * b;
    }
    lanes.iter().sum()
}

/// The weight in f32, `outputs × inputs`.
pub(crate) fn unpack(weight: WeightRef<'_>) -> Vec<f32> {
    let mut values = vec![0.0; weight.outputs * weight.inputs];
    crate::kernels::pack::unpack_rows(weight, &mut values);
    values
}
