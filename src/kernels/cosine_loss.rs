//! The alignment loss: one minus the cosine of output and target.

use crate::device::{
    Device, Dispatch, Gpu, Tensor, cut_rows, grid, par_rows2, sums, vectorised, word,
};
use crate::error::Result;
use crate::kernels::expect_shape;
use crate::kernels::normalize_rows::inverse;

/// `losses_i = 1 − cos(out_i, target_i)`, and the gradient of `scale · Σ losses_i` with respect
/// to `out`, written to `gradient`, or added to it if `accumulate`. out, target and gradient are
/// `m × n`, losses `m × 1`. With û and t̂ the unit rows: d(1 − cos)/du = (û · cos − t̂) / ‖u‖.
/// A zero row has cosine zero and no gradient.
///
/// # Errors
/// [`crate::Error::Shape`], and what the device reports.
pub fn cosine_loss(
    device: &Device,
    out: &Tensor,
    target: &Tensor,
    scale: f32,
    accumulate: bool,
    gradient: &mut Tensor,
    losses: &mut Tensor,
) -> Result<()> {
    let (m, n) = out.shape();
    expect_shape("cosine_loss", "target", target, m, n)?;
    expect_shape("cosine_loss", "gradient", gradient, m, n)?;
    expect_shape("cosine_loss", "losses", losses, m, 1)?;
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
            shader: "cosine_loss",
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
                    let [uu, tt, ut] = sums(
                        u,
                        t,
                        #[inline(always)]
                        |u, t| [u * u, t * t, u * t],
                    );
                    let (iu, it) = (inverse(f32::sqrt(uu)), inverse(f32::sqrt(tt)));
                    let cosine = ut * iu * it;
                    *loss = 1.0 - cosine;
                    for ((g, u), t) in g.iter_mut().zip(u).zip(t) {
                        let d = scale * iu * (u * iu * cosine - t * it);
                        *g = if accumulate { *g + d } else { d };
                    }
                }
            },
        );
    });
}
