//! Gradient of a linear layer with respect to its input: `dx = dy · W`.

use crate::device::{Device, Dispatch, Gpu, TILED_ROWS, Tensor, cut_rows, word};
use crate::error::Result;
use crate::kernels::expect_shape;
use crate::linalg::product::{Operand, Threads, multiply};

/// `dx = dy · W`, or `dx += dy · W` if `accumulate`: dy `m × outputs`, W `outputs × inputs`
/// in f32, dx `m × inputs`.
///
/// # Errors
/// [`crate::Error::Shape`], and what the device reports.
pub fn linear_grad_input(
    device: &Device,
    dy: &Tensor,
    weight: &Tensor,
    accumulate: bool,
    dx: &mut Tensor,
) -> Result<()> {
    let (outputs, inputs) = weight.shape();
    expect_shape("linear_grad_input", "dy", dy, dy.rows(), outputs)?;
    expect_shape("linear_grad_input", "dx", dx, dy.rows(), inputs)?;
    match device {
        Device::Cpu(_) => {
            let dy = Operand::new(dy.host(), dy.rows(), outputs);
            let weight = Operand::new(weight.host(), outputs, inputs);
            multiply(dy, weight, dx.host_mut(), accumulate, Threads::All);
            Ok(())
        }
        Device::Gpu(gpu) => on_gpu(gpu, dy, weight, accumulate, dx),
    }
}

fn on_gpu(
    gpu: &Gpu,
    dy: &Tensor,
    weight: &Tensor,
    accumulate: bool,
    dx: &mut Tensor,
) -> Result<()> {
    let (outputs, inputs) = weight.shape();
    for (i, inner) in cut_rows(&[weight], usize::MAX).into_iter().enumerate() {
        let (w, w_at) = inner.of(weight);
        for rows in cut_rows(&[dy, dx], TILED_ROWS) {
            let ((dy, dy_at), (dx, dx_at)) = (rows.of(dy), rows.of(dx));
            gpu.run(&Dispatch {
                shader: "linear_grad_input",
                variant: 0,
                params: &[
                    word(rows.count),
                    word(inner.count),
                    word(inputs),
                    dy_at + word(inner.first),
                    word(outputs),
                    w_at,
                    dx_at,
                    u32::from(accumulate || i > 0),
                ],
                reads: &[dy, w],
                writes: &[dx],
                groups: [word(inputs.div_ceil(64)), word(rows.count.div_ceil(64))],
            })?;
        }
    }
    Ok(())
}
