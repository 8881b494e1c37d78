//! Gradient of LayerNorm with respect to its input.

use crate::device::{Device, Dispatch, Gpu, Tensor, cut_rows, grid, only, par_rows, word};
use crate::error::Result;
use crate::kernels::expect_shape;

/// With x̂ = (x − mean) · inverse and g = dy ⊙ weight:
/// `dx = inverse · (g − mean(g) − x̂ · mean(g ⊙ x̂))`. x, dy and dx `m × n`, `statistics` as
/// [`layer_norm`](crate::kernels::layer_norm::layer_norm) left it.
///
/// # Errors
/// [`crate::Error::Shape`], and what the device reports.
pub fn layer_norm_grad(
    device: &Device,
    x: &Tensor,
    statistics: &Tensor,
    weight: &Tensor,
    dy: &Tensor,
    dx: &mut Tensor,
) -> Result<()> {
    let (m, n) = x.shape();
    expect_shape("layer_norm_grad", "statistics", statistics, m, 2)?;
    expect_shape("layer_norm_grad", "weight", weight, 1, n)?;
    expect_shape("layer_norm_grad", "dy", dy, m, n)?;
    expect_shape("layer_norm_grad", "dx", dx, m, n)?;
    match device {
        Device::Cpu(_) => {
            on_cpu(x, statistics, weight, dy, dx);
            Ok(())
        }
        Device::Gpu(gpu) => on_gpu(gpu, x, statistics, weight, dy, dx),
    }
}

fn on_gpu(
    gpu: &Gpu,
    x: &Tensor,
    statistics: &Tensor,
    weight: &Tensor,
    dy: &Tensor,
    dx: &mut Tensor,
) -> Result<()> {
    for rows in cut_rows(&[x, statistics, dy, dx], usize::MAX) {
        let (chunk, at) = rows.of(x);
        let (statistics, statistics_at) = rows.of(statistics);
        gpu.run(&Dispatch {
            shader: "layer_norm_grad",
            variant: 0,
            params: &[word(rows.count), word(x.cols()), at, statistics_at],
            reads: &[chunk, statistics, only(weight), rows.of(dy).0],
            writes: &[rows.of(dx).0],
            groups: grid(rows.count),
        })?;
    }
    Ok(())
}

fn on_cpu(x: &Tensor, statistics: &Tensor, weight: &Tensor, dy: &Tensor, dx: &mut Tensor) {
    let n = x.cols();
    let (x, statistics, weight, dy) = (x.host(), statistics.host(), weight.host(), dy.host());
    par_rows(dx.host_mut(), n, |first, dx| {
        for (i, dx) in dx.chunks_exact_mut(n).enumerate() {
            let at = (first + i) * n;
            let (x, dy) = (&x[at..at + n], &dy[at..at + n]);
            let (mean, inverse) = (statistics[2 * (first + i)], statistics[2 * (first + i) + 1]);
            let (mut sum, mut dot) = (0.0, 0.0);
            for ((x, dy), w) in x.iter().zip(dy).zip(weight) {
                sum += dy * w;
                dot += dy * w * (x - mean) * inverse;
            }
            let (sum, dot) = (sum / n as f32, dot / n as f32);
            for (((dx, x), dy), w) in dx.iter_mut().zip(x).zip(dy).zip(weight) {
                *dx = inverse * (dy * w - sum - (x - mean) * inverse * dot);
            }
        }
    });
}
