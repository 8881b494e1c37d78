//! Gradient of scaling rows to unit length.

use crate::device::{
    Device, Dispatch, Gpu, Tensor, cut_rows, dot, grid, par_rows, vectorised, word,
};
use crate::error::Result;
use crate::kernels::expect_shape;
use crate::kernels::normalize_rows::inverse;

/// `dx = (dy − y · (y·dy)) / norm` for every row: y, dy and dx `m × n`, norms `m × 1`, y and
/// norms as [`normalize_rows`](crate::kernels::normalize_rows::normalize_rows) left them. The
/// gradient of a zero row is zero.
///
/// # Errors
/// [`crate::Error::Shape`], and what the device reports.
pub fn normalize_rows_grad(
    device: &Device,
    y: &Tensor,
    norms: &Tensor,
    dy: &Tensor,
    dx: &mut Tensor,
) -> Result<()> {
    let (m, n) = y.shape();
    expect_shape("normalize_rows_grad", "norms", norms, m, 1)?;
    expect_shape("normalize_rows_grad", "dy", dy, m, n)?;
    expect_shape("normalize_rows_grad", "dx", dx, m, n)?;
    match device {
        Device::Cpu(_) => {
            on_cpu(y, norms, dy, dx);
            Ok(())
        }
        Device::Gpu(gpu) => on_gpu(gpu, y, norms, dy, dx),
    }
}

fn on_gpu(gpu: &Gpu, y: &Tensor, norms: &Tensor, dy: &Tensor, dx: &mut Tensor) -> Result<()> {
    for rows in cut_rows(&[y, norms, dy, dx], usize::MAX) {
        let (chunk, at) = rows.of(y);
        let (norms, norms_at) = rows.of(norms);
        gpu.run(&Dispatch {
            shader: "normalize_rows_grad",
            variant: 0,
            params: &[word(rows.count), word(y.cols()), at, norms_at],
            reads: &[chunk, norms, rows.of(dy).0],
            writes: &[rows.of(dx).0],
            groups: grid(rows.count),
        })?;
    }
    Ok(())
}

fn on_cpu(y: &Tensor, norms: &Tensor, dy: &Tensor, dx: &mut Tensor) {
    let n = y.cols();
    let (y, norms, dy) = (y.host(), norms.host(), dy.host());
    par_rows(dx.host_mut(), n, |first, dx| {
        vectorised(
            #[inline(always)]
            || {
                for (i, dx) in dx.chunks_exact_mut(n).enumerate() {
                    let at = (first + i) * n;
                    let (y, dy) = (&y[at..at + n], &dy[at..at + n]);
                    let along = dot(y, dy);
                    let inverse = inverse(norms[first + i]);
                    for ((dx, y), dy) in dx.iter_mut().zip(y).zip(dy) {
                        *dx = (dy - y * along) * inverse;
                    }
                }
            },
        );
    });
}
