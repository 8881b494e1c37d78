//! The sum of squares of a tensor: the norm that gradient clipping needs.

use crate::device::{Device, Gpu, Tensor, dot, vectorised};
use crate::error::Result;
use crate::kernels::expect_shape;

/// `total = Σ x²`, or `total += …` if `accumulate`: x of any shape, total `1 × 1`. The order of
/// the sum depends on the shape alone, so that the result is repeatable.
///
/// # Errors
/// [`crate::Error::Shape`], and what the device reports.
pub fn squared_norm(
    device: &Device,
    x: &Tensor,
    accumulate: bool,
    total: &mut Tensor,
) -> Result<()> {
    expect_shape("squared_norm", "total", total, 1, 1)?;
    match device {
        Device::Cpu(_) => {
            // Blocks of a fixed size: independent of the number of cores, and kinder to f32
            // than one long sum.
            let sum: f32 = x
                .host()
                .chunks(4096)
                .map(|block| {
                    vectorised(
                        #[inline(always)]
                        || dot(block, block),
                    )
                })
                .sum();
            let total = &mut total.host_mut()[0];
            *total = sum + if accumulate { *total } else { 0.0 };
            Ok(())
        }
        Device::Gpu(gpu) => on_gpu(gpu, x, accumulate, total),
    }
}

fn on_gpu(_gpu: &Gpu, _x: &Tensor, _accumulate: bool, _total: &mut Tensor) -> Result<()> {
    todo!()
}
