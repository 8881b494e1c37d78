//! Sums of columns, scaled: the gradient of a bias, and the collecting of losses.

use crate::device::{Device, Dispatch, Gpu, Tensor, cut_rows, grid, only, vectorised, word};
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

fn on_gpu(gpu: &Gpu, x: &Tensor, scale: f32, accumulate: bool, sums: &mut Tensor) -> Result<()> {
    let n = x.cols();
    for (i, rows) in cut_rows(&[x], usize::MAX).into_iter().enumerate() {
        let (chunk, at) = rows.of(x);
        let more = u32::from(accumulate || i > 0);
        gpu.run(&Dispatch {
            shader: "column_sum",
            variant: 0,
            params: &[word(rows.count), word(n), at, scale.to_bits(), more],
            reads: &[chunk],
            writes: &[only(sums)],
            groups: grid(n.div_ceil(32)),
        })?;
    }
    Ok(())
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
