//! Elementwise product in place: a gradient times the slope of an activation.

use crate::device::{Device, Gpu, Tensor, par_rows};
use crate::error::Result;
use crate::kernels::expect_shape;

/// `a = a ⊙ b`, same shapes.
///
/// # Errors
/// [`crate::Error::Shape`], and what the device reports.
pub fn multiply(device: &Device, a: &mut Tensor, b: &Tensor) -> Result<()> {
    expect_shape("multiply", "b", b, a.rows(), a.cols())?;
    match device {
        Device::Cpu(_) => {
            let b = b.host();
            par_rows(a.host_mut(), 1, |first, a| {
                a.iter_mut().zip(&b[first..]).for_each(|(a, b)| *a *= b);
            });
            Ok(())
        }
        Device::Gpu(gpu) => on_gpu(gpu, a, b),
    }
}

fn on_gpu(_gpu: &Gpu, _a: &mut Tensor, _b: &Tensor) -> Result<()> {
    todo!()
}
