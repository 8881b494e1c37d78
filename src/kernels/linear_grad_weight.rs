//! Gradient of a linear layer with respect to its weight: `dW = dyᵀ · x`.

use crate::device::{Device, Dispatch, Gpu, TILED_ROWS, Tensor, cut_rows, word};
use crate::error::Result;
use crate::kernels::expect_shape;
use crate::linalg::product::{Operand, Threads, multiply};

/// `dW = dyᵀ · x`: dy `m × outputs`, x `m × inputs`, dW `outputs × inputs`.
///
/// # Errors
/// [`crate::Error::Shape`], and what the device reports.
pub fn linear_grad_weight(
    device: &Device,
    dy: &Tensor,
    x: &Tensor,
    dweight: &mut Tensor,
) -> Result<()> {
    let (m, outputs) = dy.shape();
    expect_shape("linear_grad_weight", "x", x, m, x.cols())?;
    expect_shape("linear_grad_weight", "dweight", dweight, outputs, x.cols())?;
    match device {
        Device::Cpu(_) => {
            let dy = Operand::new(dy.host(), m, outputs).transposed();
            let x = Operand::new(x.host(), m, x.cols());
            multiply(dy, x, dweight.host_mut(), false, Threads::All);
            Ok(())
        }
        Device::Gpu(gpu) => on_gpu(gpu, dy, x, dweight),
    }
}

fn on_gpu(gpu: &Gpu, dy: &Tensor, x: &Tensor, dweight: &mut Tensor) -> Result<()> {
    let (outputs, inputs) = dweight.shape();
    for rows in cut_rows(&[dweight], TILED_ROWS) {
        let (dw, dw_at) = rows.of(dweight);
        for (i, inner) in cut_rows(&[dy, x], usize::MAX).into_iter().enumerate() {
            let ((dy, dy_at), (x, x_at)) = (inner.of(dy), inner.of(x));
            gpu.run(&Dispatch {
                shader: "linear_grad_weight",
                variant: 0,
                params: &[
                    word(rows.count),
                    word(inner.count),
                    word(inputs),
                    dy_at + word(rows.first),
                    word(outputs),
                    x_at,
                    dw_at,
                    u32::from(i > 0),
                ],
                reads: &[dy, x],
                writes: &[dw],
                groups: [word(inputs.div_ceil(64)), word(rows.count.div_ceil(64))],
            })?;
        }
    }
    Ok(())
}
