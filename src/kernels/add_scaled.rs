//! Adding a scaled tensor in place: residuals and their gradients.

use crate::device::{Device, Dispatch, Gpu, Tensor, cut_rows, grid, par_rows, word};
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

fn on_gpu(gpu: &Gpu, a: &mut Tensor, scale: f32, b: &Tensor) -> Result<()> {
    for rows in cut_rows(&[a, b], usize::MAX) {
        let count = rows.count * a.cols();
        let ((b, b_at), (a, a_at)) = (rows.of(b), rows.of(a));
        gpu.run(&Dispatch {
            shader: "add_scaled",
            variant: 0,
            params: &[word(count), a_at, b_at, scale.to_bits()],
            reads: &[b],
            writes: &[a],
            groups: grid(count.div_ceil(256)),
        })?;
    }
    Ok(())
}
