//! Gradient of a linear layer with respect to its weight: `dW = dyᵀ · x`.

use crate::device::{Device, Gpu, Tensor, Transposed, product};
use crate::error::Result;
use crate::kernels::expect_shape;

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
            let dy = Transposed::yes(dy.host(), m, outputs);
            let inputs = Transposed::no(x.host(), m, x.cols());
            product(dweight.host_mut(), dy, inputs, false, true);
            Ok(())
        }
        Device::Gpu(gpu) => on_gpu(gpu, dy, x, dweight),
    }
}

fn on_gpu(_gpu: &Gpu, _dy: &Tensor, _x: &Tensor, _dweight: &mut Tensor) -> Result<()> {
    todo!()
}
