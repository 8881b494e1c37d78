//! LayerNorm over rows, with scale and shift.

use crate::device::{
    Device, Dispatch, Gpu, Tensor, cut_rows, grid, only, par_rows2, sums, vectorised, word,
};
use crate::error::Result;
use crate::kernels::expect_shape;

/// Added to the variance, as PyTorch does.
pub const EPSILON: f32 = 1e-5;

/// `y = (x − mean) / √(variance + ε) ⊙ weight + bias`: x and y `m × n`, weight and bias `1 × n`.
/// `statistics` (`m × 2`) receives each row's mean and 1/√(variance + ε) for the backward pass.
///
/// # Errors
/// [`crate::Error::Shape`], and what the device reports.
pub fn layer_norm(
    device: &Device,
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    y: &mut Tensor,
    statistics: &mut Tensor,
) -> Result<()> {
    let (m, n) = x.shape();
    expect_shape("layer_norm", "weight", weight, 1, n)?;
    expect_shape("layer_norm", "bias", bias, 1, n)?;
    expect_shape("layer_norm", "y", y, m, n)?;
    expect_shape("layer_norm", "statistics", statistics, m, 2)?;
    match device {
        Device::Cpu(_) => {
            on_cpu(x, weight, bias, y, statistics);
            Ok(())
        }
        Device::Gpu(gpu) => on_gpu(gpu, x, weight, bias, y, statistics),
    }
}

fn on_gpu(
    gpu: &Gpu,
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    y: &mut Tensor,
    statistics: &mut Tensor,
) -> Result<()> {
    for rows in cut_rows(&[x, y, statistics], usize::MAX) {
        let (chunk, at) = rows.of(x);
        let (statistics, statistics_at) = rows.of(statistics);
        gpu.run(&Dispatch {
            shader: "layer_norm",
            variant: 0,
            params: &[word(rows.count), word(x.cols()), at, statistics_at, EPSILON.to_bits()],
            reads: &[chunk, only(weight), only(bias)],
            writes: &[rows.of(y).0, statistics],
            groups: grid(rows.count),
        })?;
    }
    Ok(())
}

fn on_cpu(x: &Tensor, weight: &Tensor, bias: &Tensor, y: &mut Tensor, statistics: &mut Tensor) {
    let n = x.cols();
    let (x, weight, bias) = (x.host(), weight.host(), bias.host());
    par_rows2((y.host_mut(), n), (statistics.host_mut(), 2), |first, y, statistics| {
        let rows = x[first * n..].chunks_exact(n);
        vectorised(
            #[inline(always)]
            || {
                for ((x, y), s) in
                    rows.zip(y.chunks_exact_mut(n)).zip(statistics.chunks_exact_mut(2))
                {
                    let mean = sums(
                        x,
                        x,
                        #[inline(always)]
                        |v, _| [v],
                    )[0] / n as f32;
                    let variance = sums(
                        x,
                        x,
                        #[inline(always)]
                        |v, _| [(v - mean) * (v - mean)],
                    )[0] / n as f32;
                    let inverse = 1.0 / (variance + EPSILON).sqrt();
                    for (((y, x), w), b) in y.iter_mut().zip(x).zip(weight).zip(bias) {
                        *y = (x - mean) * inverse * w + b;
                    }
                    (s[0], s[1]) = (mean, inverse);
                }
            },
        );
    });
}
