//! Elementwise product in place: a gradient times the slope of an activation.

use crate::device::{Device, Dispatch, Gpu, Tensor, cut_rows, grid, par_rows, word};
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

fn on_gpu(gpu: &Gpu, a: &mut Tensor, b: &Tensor) -> Result<()> {
    for rows in cut_rows(&[a, b], usize::MAX) {
        let count = rows.count * a.cols();
        let ((b, b_at), (a, a_at)) = (rows.of(b), rows.of(a));
        gpu.run(&Dispatch {
            shader: "multiply",
            variant: 0,
            params: &[word(count), a_at, b_at],
            reads: &[b],
            writes: &[a],
            groups: grid(count.div_ceil(256)),
        })?;
    }
    Ok(())
}
