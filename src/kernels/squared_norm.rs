//! The sum of squares of a tensor: the norm that gradient clipping needs.

use crate::device::{Device, Dispatch, Gpu, Tensor, cut_rows, dot, only, vectorised, word};
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

fn on_gpu(gpu: &Gpu, x: &Tensor, accumulate: bool, total: &mut Tensor) -> Result<()> {
    for (i, rows) in cut_rows(&[x], usize::MAX).into_iter().enumerate() {
        let count = rows.count * x.cols();
        // Four values a thread at least: the number of parts depends on the shape alone.
        let parts = count.div_ceil(1024).clamp(1, Gpu::PARTS);
        let (chunk, at) = rows.of(x);
        // Together, since all clones of the device share the room for the parts.
        gpu.run_together(&[
            Dispatch {
                shader: "squared_norm",
                variant: 0,
                params: &[word(count), at],
                reads: &[chunk],
                writes: &[gpu.parts()],
                groups: [word(parts), 1],
            },
            Dispatch {
                shader: "column_sum",
                variant: 0,
                params: &[word(parts), 1, 0, 1.0f32.to_bits(), u32::from(accumulate || i > 0)],
                reads: &[gpu.parts()],
                writes: &[only(total)],
                groups: [1, 1],
            },
        ])?;
    }
    Ok(())
}
