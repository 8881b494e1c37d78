//! LayerNorm of a sum: a layer's output added to what went in, forward only.

use crate::device::{
    Device, Dispatch, Gpu, Tensor, cut_rows, grid, only, par_rows, sums, vectorised, word,
};
use crate::error::Result;
use crate::kernels::expect_shape;

/// The scale and shift of a LayerNorm, and what it adds to the variance.
#[derive(Clone, Copy, Debug)]
pub struct Norm<'a> {
    /// Scale, `1 × n`.
    pub weight: &'a Tensor,
    /// Shift, `1 × n`.
    pub bias: &'a Tensor,
    /// ε.
    pub epsilon: f32,
}

/// `y = (s − mean) / √(variance + ε) ⊙ weight + bias` with `s = x + residual`; all `m × n`.
///
/// # Errors
/// [`crate::Error::Shape`], and what the device reports.
pub fn residual_norm(
    device: &Device,
    x: &Tensor,
    residual: &Tensor,
    norm: Norm<'_>,
    y: &mut Tensor,
) -> Result<()> {
    let (m, n) = x.shape();
    expect_shape("residual_norm", "residual", residual, m, n)?;
    expect_shape("residual_norm", "weight", norm.weight, 1, n)?;
    expect_shape("residual_norm", "bias", norm.bias, 1, n)?;
    expect_shape("residual_norm", "y", y, m, n)?;
    match device {
        Device::Cpu(_) => {
            on_cpu(x, residual, norm, y);
            Ok(())
        }
        Device::Gpu(gpu) => on_gpu(gpu, x, residual, norm, y),
    }
}

fn on_gpu(gpu: &Gpu, x: &Tensor, residual: &Tensor, norm: Norm<'_>, y: &mut Tensor) -> Result<()> {
    for rows in cut_rows(&[x, residual, y], usize::MAX) {
        let (chunk, at) = rows.of(x);
        gpu.run(&Dispatch {
            shader: "residual_norm",
            variant: 0,
            params: &[word(rows.count), word(x.cols()), at, norm.epsilon.to_bits()],
            reads: &[chunk, rows.of(residual).0, only(norm.weight), only(norm.bias)],
            writes: &[rows.of(y).0],
            groups: grid(rows.count),
        })?;
    }
    Ok(())
}

fn on_cpu(x: &Tensor, residual: &Tensor, norm: Norm<'_>, y: &mut Tensor) {
    let n = x.cols();
    let (x, residual) = (x.host(), residual.host());
    let (weight, bias, epsilon) = (norm.weight.host(), norm.bias.host(), norm.epsilon);
    par_rows(y.host_mut(), n, |first, y| {
        let x = x[first * n..].chunks_exact(n);
        let residual = residual[first * n..].chunks_exact(n);
        vectorised(
            #[inline(always)]
            || {
                for ((y, x), residual) in y.chunks_exact_mut(n).zip(x).zip(residual) {
                    y.iter_mut().zip(x).zip(residual).for_each(|((y, x), r)| *y = x + r);
                    normalise(y, weight, bias, epsilon);
                }
            },
        );
    });
}

/// One row in place; the variance is taken around the mean.
#[inline(always)]
fn normalise(y: &mut [f32], weight: &[f32], bias: &[f32], epsilon: f32) {
    let n = y.len() as f32;
    let mean = sums(
        y,
        y,
        #[inline(always)]
        |v, _| [v],
    )[0] / n;
    let variance = sums(
        y,
        y,
        #[inline(always)]
        |v, _| [(v - mean) * (v - mean)],
    )[0] / n;
    let inverse = 1.0 / (variance + epsilon).sqrt();
    for ((y, w), b) in y.iter_mut().zip(weight).zip(bias) {
        *y = (*y - mean) * inverse * w + b;
    }
}
