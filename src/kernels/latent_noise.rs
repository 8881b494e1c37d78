//! The noise that stands for quantisation while a student learns.

use crate::device::{Device, Dispatch, Gpu, Tensor, cut_rows, grid, only, par_rows, word};
use crate::error::Result;
use crate::kernels::expect_shape;

/// 1 / √(4 · (2³² − 1) / 12): the deviation of a sum of four even numbers of 16 bits.
const UNIT: f32 = 2.6429e-5;
/// Mean of that sum.
const MEAN: f32 = 131_070.0;

/// `y = gain · x + offset + deviation · n`: x and y `m × k`, `channel` `1 × 3 k` with the
/// gains, then the offsets, then the deviations of the columns, n nearly Gaussian with mean 0 and deviation 1, each from `seed`
/// and its place alone.
///
/// With gain `1 − D`, offset `D · mean` and deviation `σ √(D (1 − D))` the values have the mean,
/// the spread and the correlation with x of a quantiser that leaves the share D of the variance:
/// the Gaussian test channel (Cover and Thomas, section 10.3). It stands for quantising where a
/// gradient is wanted: `dx = gain · dy`, which is this kernel with the gains alone.
///
/// # Errors
/// [`crate::Error::Shape`], and what the device reports.
pub fn latent_noise(
    device: &Device,
    x: &Tensor,
    channel: &Tensor,
    seed: u32,
    y: &mut Tensor,
) -> Result<()> {
    let cols = x.cols();
    expect_shape("latent_noise", "channel", channel, 1, 3 * cols)?;
    expect_shape("latent_noise", "y", y, x.rows(), cols)?;
    match device {
        Device::Cpu(_) => {
            let (x, channel) = (x.host(), channel.host());
            par_rows(y.host_mut(), cols, |first, y| {
                let first = first * cols;
                for (i, (y, x)) in y.iter_mut().zip(&x[first..]).enumerate() {
                    let column = i % cols;
                    let clean = channel[column] * x + channel[cols + column];
                    *y = clean + channel[2 * cols + column] * noise((first + i) as u32, seed);
                }
            });
            Ok(())
        }
        Device::Gpu(gpu) => on_gpu(gpu, x, channel, seed, y),
    }
}

fn hash(v: u32) -> u32 {
    let state = v.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
    let word = ((state >> ((state >> 28) + 4)) ^ state).wrapping_mul(277_803_737);
    (word >> 22) ^ word
}

fn noise(place: u32, seed: u32) -> f32 {
    let a = hash(hash(place) ^ seed);
    let b = hash(a ^ 0x9e37_79b9);
    let sum = (a & 0xffff) + (a >> 16) + (b & 0xffff) + (b >> 16);
    (sum as f32 - MEAN) * UNIT
}

fn on_gpu(gpu: &Gpu, x: &Tensor, channel: &Tensor, seed: u32, y: &mut Tensor) -> Result<()> {
    for rows in cut_rows(&[x, y], usize::MAX) {
        let count = rows.count * x.cols();
        let ((x_part, x_at), (y_part, y_at)) = (rows.of(x), rows.of(y));
        gpu.run(&Dispatch {
            shader: "latent_noise",
            variant: 0,
            params: &[word(count), word(x.cols()), x_at, y_at, word(rows.first * x.cols()), seed],
            reads: &[x_part, only(channel)],
            writes: &[y_part],
            groups: grid(count.div_ceil(256)),
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_even_and_of_unit_deviation() {
        let n = 200_000u32;
        let values: Vec<f64> = (0..n).map(|i| f64::from(noise(i, 12345))).collect();
        let mean = values.iter().sum::<f64>() / f64::from(n);
        let square = values.iter().map(|v| v * v).sum::<f64>() / f64::from(n);
        let neighbours = values.windows(2).map(|v| v[0] * v[1]).sum::<f64>() / f64::from(n);
        // Four standard errors.
        assert!(mean.abs() < 4.0 / f64::from(n).sqrt(), "{mean}");
        assert!((square - 1.0).abs() < 6.0 / f64::from(n).sqrt(), "{square}");
        assert!(neighbours.abs() < 4.0 / f64::from(n).sqrt(), "{neighbours}");
        assert_ne!(noise(7, 1), noise(7, 2));
    }
}
