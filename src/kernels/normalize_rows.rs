//! Rows scaled to unit length.

use crate::device::{
    Device, Dispatch, Gpu, Tensor, cut_rows, dot, grid, par_rows2, vectorised, word,
};
use crate::error::Result;
use crate::kernels::expect_shape;

/// `y = x / ‖x‖` for every row, and the norms: x and y `m × n`, norms `m × 1`. A row of zeros
/// stays zero.
///
/// # Errors
/// [`crate::Error::Shape`], and what the device reports.
pub fn normalize_rows(
    device: &Device,
    x: &Tensor,
    y: &mut Tensor,
    norms: &mut Tensor,
) -> Result<()> {
    let (m, n) = x.shape();
    expect_shape("normalize_rows", "y", y, m, n)?;
    expect_shape("normalize_rows", "norms", norms, m, 1)?;
    match device {
        Device::Cpu(_) => {
            on_cpu(x, y, norms);
            Ok(())
        }
        Device::Gpu(gpu) => on_gpu(gpu, x, y, norms),
    }
}

fn on_gpu(gpu: &Gpu, x: &Tensor, y: &mut Tensor, norms: &mut Tensor) -> Result<()> {
    for rows in cut_rows(&[x, y, norms], usize::MAX) {
        let (chunk, at) = rows.of(x);
        let (norms, norms_at) = rows.of(norms);
        gpu.run(&Dispatch {
            shader: "normalize_rows",
            variant: 0,
            params: &[word(rows.count), word(x.cols()), at, norms_at],
            reads: &[chunk],
            writes: &[rows.of(y).0, norms],
            groups: grid(rows.count),
        })?;
    }
    Ok(())
}

fn on_cpu(x: &Tensor, y: &mut Tensor, norms: &mut Tensor) {
    let n = x.cols();
    let x = x.host();
    par_rows2((y.host_mut(), n), (norms.host_mut(), 1), |first, y, norms| {
        let rows = x[first * n..].chunks_exact(n);
        vectorised(
            #[inline(always)]
            || {
                for ((x, y), norm) in rows.zip(y.chunks_exact_mut(n)).zip(norms) {
                    *norm = dot(x, x).sqrt();
                    let inverse = inverse(*norm);
                    y.iter_mut().zip(x).for_each(|(y, x)| *y = x * inverse);
                }
            },
        );
    });
}

/// `1 / norm`, and zero for a zero norm.
#[inline(always)]
pub(crate) fn inverse(norm: f32) -> f32 {
    if norm > 0.0 { 1.0 / norm } else { 0.0 }
}
