//! Gradients of LayerNorm with respect to its scale and shift.

use crate::device::{Device, Dispatch, Gpu, Tensor, cut_rows, grid, only, word};
use crate::error::Result;
use crate::kernels::expect_shape;

/// `dweight = Σ_rows dy ⊙ x̂`, `dbias = Σ_rows dy`, with x̂ = (x − mean) · inverse: x and dy
/// `m × n`, `statistics` `m × 2`, both gradients `1 × n`.
///
/// # Errors
/// [`crate::Error::Shape`], and what the device reports.
pub fn layer_norm_grad_parameters(
    device: &Device,
    x: &Tensor,
    statistics: &Tensor,
    dy: &Tensor,
    dweight: &mut Tensor,
    dbias: &mut Tensor,
) -> Result<()> {
    let (m, n) = x.shape();
    expect_shape("layer_norm_grad_parameters", "statistics", statistics, m, 2)?;
    expect_shape("layer_norm_grad_parameters", "dy", dy, m, n)?;
    expect_shape("layer_norm_grad_parameters", "dweight", dweight, 1, n)?;
    expect_shape("layer_norm_grad_parameters", "dbias", dbias, 1, n)?;
    match device {
        Device::Cpu(_) => {
            on_cpu(x, statistics, dy, dweight, dbias);
            Ok(())
        }
        Device::Gpu(gpu) => on_gpu(gpu, x, statistics, dy, dweight, dbias),
    }
}

fn on_gpu(
    gpu: &Gpu,
    x: &Tensor,
    statistics: &Tensor,
    dy: &Tensor,
    dweight: &mut Tensor,
    dbias: &mut Tensor,
) -> Result<()> {
    let n = x.cols();
    for (i, rows) in cut_rows(&[x, statistics, dy], usize::MAX).into_iter().enumerate() {
        let (chunk, at) = rows.of(x);
        let (statistics, statistics_at) = rows.of(statistics);
        gpu.run(&Dispatch {
            shader: "layer_norm_grad_parameters",
            variant: 0,
            params: &[word(rows.count), word(n), at, statistics_at, u32::from(i > 0)],
            reads: &[chunk, statistics, rows.of(dy).0],
            writes: &[only(dweight), only(dbias)],
            groups: grid(n.div_ceil(32)),
        })?;
    }
    Ok(())
}

fn on_cpu(x: &Tensor, statistics: &Tensor, dy: &Tensor, dweight: &mut Tensor, dbias: &mut Tensor) {
    let n = x.cols();
    let (dweight, dbias) = (dweight.host_mut(), dbias.host_mut());
    dweight.fill(0.0);
    dbias.fill(0.0);
    let rows = x.host().chunks_exact(n).zip(dy.host().chunks_exact(n));
    for ((x, dy), s) in rows.zip(statistics.host().chunks_exact(2)) {
        for (((dw, db), x), dy) in dweight.iter_mut().zip(dbias.iter_mut()).zip(x).zip(dy) {
            *dw += dy * (x - s[0]) * s[1];
            *db += dy;
        }
    }
}
