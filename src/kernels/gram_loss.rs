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
/// Geometry: the mean over the rows i of `Σ_j p_ij (d_ij − d̄_i)²` with `d = C − T`,
/// `d̄_i = Σ_j p_ij d_ij` and `p_i` the softmax of `T_ij / τ` over `j ≠ i`: a variance, since what
/// is added to all cosines of a row leaves the order of its neighbours as it is. Without a
/// temperature (sharpness 0) `p_i` is even and `d̄_i` is nought: the mean squared difference, which
/// has more to teach to latents that are far from right. Diversity: `1/m² Σ_{i≠j} C_ij²`.
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
        let (mut shares, mut differences) = (vec![0.0; m], vec![0.0; m]);
        let rows = cosines.chunks_exact_mut(m).zip(losses.chunks_exact_mut(2)).enumerate();
        vectorised(
            #[inline(always)]
            || {
                for (i, (c, loss)) in rows {
                    let own = first + i;
                    let teacher = &teacher[own * m..(own + 1) * m];
                    row_shares(teacher, own, settings.sharpness, &mut shares);
                    c[own] = 0.0;
                    let pairs = c.iter().zip(teacher);
                    differences.iter_mut().zip(pairs).for_each(|(d, (c, t))| *d = c - t);
                    row(c, &differences, &shares, settings, loss);
                }
            },
        );
    });
}

/// Softmax of `teacher / τ` over all but the row's own place, where it is zero.
#[inline(always)]
fn row_shares(teacher: &[f32], own: usize, sharpness: f32, shares: &mut [f32]) {
    let (before, after) = (&teacher[..own], &teacher[own + 1..]);
    let nearest = before.iter().chain(after).fold(f32::NEG_INFINITY, |n, t| n.max(*t));
    for (share, t) in shares.iter_mut().zip(teacher) {
        *share = exp_negative((sharpness * (t - nearest)).min(0.0));
    }
    shares[own] = 0.0;
    let [total] = sums(
        shares,
        shares,
        #[inline(always)]
        |share, _| [share],
    );
    // A batch of one has no others.
    let scale = if total > 0.0 { 1.0 / total } else { 0.0 };
    shares.iter_mut().for_each(|share| *share *= scale);
}

/// Losses of one row, and the gradient in place of its cosines; its own cosine is zero.
#[inline(always)]
fn row(c: &mut [f32], differences: &[f32], shares: &[f32], settings: GramLoss, loss: &mut [f32]) {
    let mean = if settings.sharpness > 0.0 { dot(differences, shares) } else { 0.0 };
    let [variance] = sums(
        differences,
        shares,
        #[inline(always)]
        |d, share| [share * (d - mean) * (d - mean)],
    );
    (loss[0], loss[1]) = (variance, dot(c, c) / c.len() as f32);
    for ((c, d), share) in c.iter_mut().zip(differences).zip(shares) {
        *c = settings.geometry * share * (d - mean) + settings.diversity * *c;
    }
}
