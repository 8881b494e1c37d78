//! The geometry loss on the cosines within a batch, and the diversity loss beside it.

use crate::device::{
    Device, Dispatch, Gpu, Tensor, cut_rows, grid, par_rows2, sums, vectorised, word,
};
use crate::error::Result;
use crate::kernels::expect_shape;

/// Losses of a batch's Gram matrix of latent cosines C against the teacher's T, both `m × m`:
/// geometry `1/m² Σ_ij (C_ij − T_ij)²`, diversity `1/m² Σ_{i≠j} C_ij²`.
///
/// `losses` (`m × 2`) receives each row's share times m, so that its column means are the two
/// losses. `cosines` is replaced by the gradient of
/// `geometry_weight · geometry + diversity_weight · diversity` as it acts on the unit latents ẑ:
/// with G the matrix left behind, dẑ = G · ẑ (C is symmetric, so G = 2 · ∂/∂C).
///
/// # Errors
/// [`crate::Error::Shape`], and what the device reports.
pub fn gram_loss(
    device: &Device,
    cosines: &mut Tensor,
    teacher: &Tensor,
    geometry_weight: f32,
    diversity_weight: f32,
    losses: &mut Tensor,
) -> Result<()> {
    let m = cosines.rows();
    expect_shape("gram_loss", "cosines", cosines, m, m)?;
    expect_shape("gram_loss", "teacher", teacher, m, m)?;
    expect_shape("gram_loss", "losses", losses, m, 2)?;
    match device {
        Device::Cpu(_) => {
            on_cpu(cosines, teacher, geometry_weight, diversity_weight, losses);
            Ok(())
        }
        Device::Gpu(gpu) => {
            on_gpu(gpu, cosines, teacher, geometry_weight, diversity_weight, losses)
        }
    }
}

fn on_gpu(
    gpu: &Gpu,
    cosines: &mut Tensor,
    teacher: &Tensor,
    geometry_weight: f32,
    diversity_weight: f32,
    losses: &mut Tensor,
) -> Result<()> {
    let m = cosines.rows();
    let scale = 4.0 / (m as f32 * m as f32);
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
                (scale * geometry_weight).to_bits(),
                (scale * diversity_weight).to_bits(),
            ],
            reads: &[rows.of(teacher).0],
            writes: &[chunk, losses],
            groups: grid(rows.count),
        })?;
    }
    Ok(())
}

fn on_cpu(
    cosines: &mut Tensor,
    teacher: &Tensor,
    geometry_weight: f32,
    diversity_weight: f32,
    losses: &mut Tensor,
) {
    let m = cosines.rows();
    let teacher = teacher.host();
    let scale = 4.0 / (m as f32 * m as f32);
    let (geometry, diversity) = (scale * geometry_weight, scale * diversity_weight);
    par_rows2((cosines.host_mut(), m), (losses.host_mut(), 2), |first, cosines, losses| {
        let rows = cosines.chunks_exact_mut(m).zip(losses.chunks_exact_mut(2)).enumerate();
        vectorised(
            #[inline(always)]
            || {
                for (i, (c, loss)) in rows {
                    let row = first + i;
                    let own = c[row];
                    let teacher = &teacher[row * m..(row + 1) * m];
                    let [differences, squares] = sums(
                        c,
                        teacher,
                        #[inline(always)]
                        |c, t| [(c - t) * (c - t), c * c],
                    );
                    for (c, t) in c.iter_mut().zip(teacher) {
                        *c = geometry * (*c - t) + diversity * *c;
                    }
                    c[row] -= diversity * own;
                    (loss[0], loss[1]) = (differences / m as f32, (squares - own * own) / m as f32);
                }
            },
        );
    });
}
