//! The geometry loss on the cosines within a batch, and the diversity loss beside it.

use crate::device::{
    Device, Dispatch, Gpu, Tensor, cut_rows, dot, grid, par_rows2, sums, vectorised, word,
};
use crate::error::Result;
use crate::kernels::activation::exp_negative;
use crate::kernels::expect_shape;

/// The weights of the two losses, and how the geometry loss looks at the pairs of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GramLoss {
    /// Weight of the geometry loss.
    pub geometry: f32,
    /// Weight of the diversity loss.
    pub diversity: f32,
    /// 1 / τ: how much more the pairs count that are near in the teacher. 0: all alike, and by the
    /// square of their difference itself.
    pub sharpness: f32,
}

/// Losses of a batch's Gram matrix of latent cosines C against the teacher's T, both `m × m`.
///
/// Geometry: the mean over the rows i of `2 τ² KL(p_i ‖ q_i)`, with `p_i` the softmax of `T_ij / τ`
/// over `j ≠ i` and `q_i` that of `C_ij / τ`: the Kullback–Leibler divergence of the neighbours that
/// the latents have from those of the teacher. What is added to all cosines of a row leaves both its
/// order and the divergence as they are; for small differences `d = C − T` it is their variance under
/// `p_i`, which the factor is for. Without a temperature (sharpness 0) the mean over `j ≠ i` of `d²`,
/// which has more to teach to latents that are far from right. Diversity: `1/m² Σ_{i≠j} C_ij²`.
///
/// `losses` (`m × 2`) receives each row's share times m, so that its column means are the two
/// losses. `cosines` is replaced by the gradient G of the weighted sum with respect to C, with
/// which the gradient of the unit latents is `dẑ = (G + Gᵀ) · ẑ`.
///
/// # Errors
/// [`crate::Error::Shape`], and what the device reports.
pub fn gram_loss(
    device: &Device,
    cosines: &mut Tensor,
    teacher: &Tensor,
    settings: GramLoss,
    losses: &mut Tensor,
) -> Result<()> {
    let m = cosines.rows();
    expect_shape("gram_loss", "cosines", cosines, m, m)?;
    expect_shape("gram_loss", "teacher", teacher, m, m)?;
    expect_shape("gram_loss", "losses", losses, m, 2)?;
    // The factors of the gradient of a mean of squares.
    let settings = GramLoss {
        geometry: 2.0 / m as f32 * settings.geometry,
        diversity: 2.0 / (m as f32 * m as f32) * settings.diversity,
        ..settings
    };
    match device {
        Device::Cpu(_) => {
            on_cpu(cosines, teacher, settings, losses);
            Ok(())
        }
        Device::Gpu(gpu) => on_gpu(gpu, cosines, teacher, settings, losses),
    }
}

fn on_gpu(
    gpu: &Gpu,
    cosines: &mut Tensor,
    teacher: &Tensor,
    settings: GramLoss,
    losses: &mut Tensor,
) -> Result<()> {
    let m = cosines.rows();
    for rows in cut_rows(&[cosines, teacher, losses], usize::MAX) {
        let (chunk, at) = rows.of(cosines);
        let (losses, losses_at) = rows.of(losses);
        gpu.run(&Dispatch {
            shader: "gram_loss",
            variant: 0,
            params: &[
                word(rows.count),
                word(m),
                at,
                losses_at,
                word(rows.first),
                settings.geometry.to_bits(),
                settings.diversity.to_bits(),
                settings.sharpness.to_bits(),
            ],
            reads: &[rows.of(teacher).0],
            writes: &[chunk, losses],
            groups: grid(rows.count),
        })?;
    }
    Ok(())
}

fn on_cpu(cosines: &mut Tensor, teacher: &Tensor, settings: GramLoss, losses: &mut Tensor) {
    let m = cosines.rows();
    let teacher = teacher.host();
    par_rows2((cosines.host_mut(), m), (losses.host_mut(), 2), |first, cosines, losses| {
        let (mut wanted, mut found) = (vec![0.0; m], vec![0.0; m]);
        let rows = cosines.chunks_exact_mut(m).zip(losses.chunks_exact_mut(2)).enumerate();
        vectorised(
            #[inline(always)]
            || {
                for (i, (c, loss)) in rows {
                    let own = first + i;
                    let teacher = &teacher[own * m..(own + 1) * m];
                    c[own] = 0.0;
                    loss[0] = match settings.sharpness > 0.0 {
                        true => divergence(c, teacher, own, settings, [&mut wanted, &mut found]),
                        false => squares(c, teacher, own, settings, &mut found),
                    };
                    loss[1] = dot(c, c) / m as f32;
                    for (c, gradient) in c.iter_mut().zip(&found) {
                        *c = gradient + settings.diversity * *c;
                    }
                }
            },
        );
    });
}

/// 2 τ² KL(p ‖ q) of one row, its gradient in place of `found`.
#[inline(always)]
fn divergence(
    c: &[f32],
    teacher: &[f32],
    own: usize,
    settings: GramLoss,
    [wanted, found]: [&mut [f32]; 2],
) -> f32 {
    let tau = 1.0 / settings.sharpness;
    let level = softmax(teacher, own, settings.sharpness, wanted);
    found.iter_mut().zip(c.iter().zip(teacher)).for_each(|(d, (c, t))| *d = t - c);
    // Σ p (ln p − ln q), where ln p is T / τ less its level, and ln q is C / τ less that of C.
    let mean = settings.sharpness * dot(wanted, found);
    let divergence = mean + softmax(c, own, settings.sharpness, found) - level;
    let scale = settings.geometry * tau;
    found.iter_mut().zip(&*wanted).for_each(|(q, p)| *q = scale * (*q - p));
    2.0 * tau * tau * divergence.max(0.0)
}

/// The mean of d² over the others of one row, its gradient in place of `found`.
#[inline(always)]
fn squares(c: &[f32], teacher: &[f32], own: usize, settings: GramLoss, found: &mut [f32]) -> f32 {
    let share = 1.0 / (c.len().max(2) - 1) as f32;
    found.iter_mut().zip(c.iter().zip(teacher)).for_each(|(d, (c, t))| *d = c - t);
    found[own] = 0.0;
    let mean = share * dot(found, found);
    found.iter_mut().for_each(|d| *d *= settings.geometry * share);
    mean
}

/// The softmax of `values / τ` over all but the row's own place, where it is zero, and the logarithm
/// of what it was divided by.
#[inline(always)]
fn softmax(values: &[f32], own: usize, sharpness: f32, shares: &mut [f32]) -> f32 {
    let (before, after) = (&values[..own], &values[own + 1..]);
    let most = before.iter().chain(after).fold(f32::NEG_INFINITY, |most, v| most.max(*v));
    for (share, v) in shares.iter_mut().zip(values) {
        *share = exp_negative((sharpness * (v - most)).min(0.0));
    }
    shares[own] = 0.0;
    let [total] = sums(
        shares,
        shares,
        #[inline(always)]
        |share, _| [share],
    );
    // A batch of one has no others.
    if total == 0.0 {
        return 0.0;
    }
    shares.iter_mut().for_each(|share| *share /= total);
    total.ln() + sharpness * most
}
