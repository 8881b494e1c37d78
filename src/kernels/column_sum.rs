//! Sums of columns, scaled: the gradient of a bias, and the collecting of losses.

use crate::device::{Device, Gpu, Tensor, vectorised};
use crate::error::Result;
use crate::kernels::expect_shape;

/// `sums = scale · Σ_rows x`, or `sums += …` if `accumulate`: x `m × n`, sums `1 × n`.
///
/// # Errors
/// [`crate::Error::Shape`], and what the device reports.
pub fn column_sum(
    device: &Device,
    x: &Tensor,
    scale: f32,
    accumulate: bool,
    sums: &mut Tensor,
) -> Result<()> {
    expect_shape("column_sum", "sums", sums, 1, x.cols())?;
    match device {
        Device::Cpu(_) => {
            on_cpu(x, scale, accumulate, sums);
            Ok(())
        }
        Device::Gpu(gpu) => on_gpu(gpu, x, scale, accumulate, sums),
    }
}

fn on_gpu(
    _gpu: &Gpu,
    _x: &Tensor,
    _scale: f32,
    _accumulate: bool,
    _sums: &mut Tensor,
) -> Result<()> {
    todo!()
}

fn on_cpu(x: &Tensor, scale: f32, accumulate: bool, sums: &mut Tensor) {
    let n = x.cols();
    let mut total = vec![0.0f32; n];
    vectorised(
        #[inline(always)]
        || {
            for row in x.host().chunks_exact(n.max(1)) {
                total.iter_mut().zip(row).for_each(|(t, v)| *t += v);
            }
        },
    );
    for (sum, t) in sums.host_mut().iter_mut().zip(total) {
        *sum = scale * t + if accumulate { *sum } else { 0.0 };
    }
}
