//! Gradient of a linear layer with respect to its weight: `dW = dyᵀ · x`.

use crate::device::{Device, Gpu, Tensor};
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

fn on_gpu(_gpu: &Gpu, _dy: &Tensor, _x: &Tensor, _dweight: &mut Tensor) -> Result<()> {
    todo!()
}
