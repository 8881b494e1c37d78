//! Adding a scaled tensor in place: residuals and their gradients.

use crate::device::{Device, Gpu, Tensor, par_rows};
use crate::error::Result;
use crate::kernels::expect_shape;

/// `a = a + scale · b`, same shapes.
///
/// # Errors
/// [`crate::Error::Shape`], and what the device reports.
pub fn add_scaled(device: &Device, a: &mut Tensor, scale: f32, b: &Tensor) -> Result<()> {
    expect_shape("add_scaled", "b", b, a.rows(), a.cols())?;
    match device {
        Device::Cpu(_) => {
            let b = b.host();
            par_rows(a.host_mut(), 1, |first, a| {
                a.iter_mut().zip(&b[first..]).for_each(|(a, b)| *a += scale * b);
            });
            Ok(())
        }
        Device::Gpu(gpu) => on_gpu(gpu, a, scale, b),
    }
}

fn on_gpu(_gpu: &Gpu, _a: &mut Tensor, _scale: f32, _b: &Tensor) -> Result<()> {
    todo!()
}
