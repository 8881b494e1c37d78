//! Gradient of a linear layer with respect to its input: `dx = dy · W`.

use crate::device::{Device, Gpu, Tensor};
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
    _gpu: &Gpu,
    _dy: &Tensor,
    _weight: &Tensor,
    _accumulate: bool,
    _dx: &mut Tensor,
) -> Result<()> {
    todo!()
}
