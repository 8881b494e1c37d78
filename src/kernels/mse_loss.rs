//! The mean-squared-error loss.

use crate::device::{
    Device, Dispatch, Gpu, Tensor, cut_rows, grid, par_rows2, sums, vectorised, word,
};
use crate::error::Result;
use crate::kernels::expect_shape;

/// `losses_i = mean_j (out_ij − target_ij)²`, and the gradient of `scale · Σ losses_i` with
/// respect to `out`, written to `gradient`, or added to it if `accumulate`. out, target and
/// gradient are `m × n`, losses `m × 1`.
///
/// # Errors
/// [`crate::Error::Shape`], and what the device reports.
pub fn mse_loss(
    device: &Device,
    out: &Tensor,
    target: &Tensor,
    scale: f32,
    accumulate: bool,
    gradient: &mut Tensor,
    losses: &mut Tensor,
) -> Result<()> {
    let (m, n) = out.shape();
    expect_shape("mse_loss", "target", target, m, n)?;
    expect_shape("mse_loss", "gradient", gradient, m, n)?;
    expect_shape("mse_loss", "losses", losses, m, 1)?;
    match device {
        Device::Cpu(_) => {
            on_cpu(out, target, scale, accumulate, gradient, losses);
            Ok(())
        }
        Device::Gpu(gpu) => on_gpu(gpu, out, target, scale, accumulate, gradient, losses),
    }
}

fn on_gpu(
    gpu: &Gpu,
    out: &Tensor,
    target: &Tensor,
    scale: f32,
    accumulate: bool,
    gradient: &mut Tensor,
    losses: &mut Tensor,
) -> Result<()> {
    for rows in cut_rows(&[out, target, gradient, losses], usize::MAX) {
        let (chunk, at) = rows.of(out);
        let (losses, losses_at) = rows.of(losses);
        gpu.run(&Dispatch {
            shader: "mse_loss",
            variant: 0,
            params: &[
                word(rows.count),
                word(out.cols()),
                at,
                losses_at,
                scale.to_bits(),
                u32::from(accumulate),
            ],
            reads: &[chunk, rows.of(target).0],
            writes: &[rows.of(gradient).0, losses],
            groups: grid(rows.count),
        })?;
    }
    Ok(())
}

fn on_cpu(
    out: &Tensor,
    target: &Tensor,
    scale: f32,
    accumulate: bool,
    gradient: &mut Tensor,
    losses: &mut Tensor,
) {
    let n = out.cols();
    let (out, target) = (out.host(), target.host());
    par_rows2((gradient.host_mut(), n), (losses.host_mut(), 1), |first, gradient, losses| {
        vectorised(
            #[inline(always)]
            || {
                for (i, (g, loss)) in gradient.chunks_exact_mut(n).zip(losses).enumerate() {
                    let at = (first + i) * n;
                    let (u, t) = (&out[at..at + n], &target[at..at + n]);
                    let [sum] = sums(
                        u,
                        t,
                        #[inline(always)]
                        |u, t| [(u - t) * (u - t)],
                    );
                    for ((g, u), t) in g.iter_mut().zip(u).zip(t) {
                        let d = scale * 2.0 * (u - t) / n as f32;
                        *g = if accumulate { *g + d } else { d };
                    }
                    *loss = sum / n as f32;
                }
            },
        );
    });
}
