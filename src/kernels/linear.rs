//! A linear layer with its activation: `y = act(x · Wᵀ + b)`.

use crate::arch::{Activation, Precision};
use crate::device::{Device, Dispatch, Gpu, TILED_ROWS, Tensor, cut_rows, grid, only, word};
use crate::error::Result;
use crate::kernels::activation::{apply_block, shader_code};
use crate::kernels::linear_vector::linear_vector;
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

/// Fewest rows worth a core of their own: each packs the weights anew.
#[cfg(feature = "rayon")]
const FEWEST: usize = 64;
/// Most rows that a core takes at a time, so that its results are still in its cache for the
/// epilogue.
#[cfg(feature = "rayon")]
const MOST: usize = 512;

/// Rows that a lone core takes at a time, for the same reason.
const TOGETHER: usize = 128;

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
        linear_vector(x.host(), weight, bias, y.host_mut());
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
    #[cfg(feature = "rayon")]
    if m * inputs * outputs >= 1 << 20 {
        use rayon::prelude::*;
        let cores = rayon::current_num_threads();
        let rows = m.div_ceil(cores).min(MOST);
        let size = rows * outputs;
        if rows < FEWEST {
            block(0, y, slope, kind, Threads::All);
        } else if let Some(slope) = slope {
            y.par_chunks_mut(size)
                .zip(slope.par_chunks_mut(size))
                .enumerate()
                .for_each(|(i, (y, slope))| block(i * rows, y, Some(slope), kind, Threads::One));
        } else {
            y.par_chunks_mut(size)
                .enumerate()
                .for_each(|(i, y)| block(i * rows, y, None, kind, Threads::One));
        }
        return;
    }
    let _ = m;
    let size = TOGETHER * outputs;
    match slope {
        Some(slope) => {
            for (i, (y, slope)) in y.chunks_mut(size).zip(slope.chunks_mut(size)).enumerate() {
                block(i * TOGETHER, y, Some(slope), kind, Threads::One);
            }
        }
        None => {
            for (i, y) in y.chunks_mut(size).enumerate() {
                block(i * TOGETHER, y, None, kind, Threads::One);
            }
        }
    }
}

/// The weight in f32, `outputs × inputs`.
pub(crate) fn unpack(weight: WeightRef<'_>) -> Vec<f32> {
    let mut values = vec![0.0; weight.outputs * weight.inputs];
    crate::kernels::pack::unpack_rows(weight, &mut values);
    values
}
