//! The values of a trellis code for a unit Gaussian, computed when first asked for.

use std::sync::OnceLock;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

use super::path::{Paths, Stage};
use crate::codes::gaussian::{density, gaussian_levels, mass};
use crate::kernels::code_scores::{STATES, TABLES};

/// Bits of a code that a value depends on.
pub(super) const WINDOW: usize = 8;
/// The most bits of a coordinate.
pub(super) const MAX_BITS: u8 = TABLES as u8;
/// Bits of a coordinate from which on its value depends on its own bits alone: a window of eight
/// bits has too few values to be better than Lloyd and Max's there.
const ALONE: u8 = 6;

/// Strides, one for each number of bits up to five: neighbouring windows get quantiles that far
/// apart (modulo the number of windows), so that the branches from a state, and those that lead to
/// one, are spread over the Gaussian. Of thirteen odd numbers each the best after training.
const STRIDES: [usize; ALONE as usize - 1] = [107, 67, 97, 121, 121];

/// Size of the sample that values are trained on, and rounds of training.
const SAMPLE: [usize; 2] = [64, 600];
const ROUNDS: usize = 10;

/// For each number of bits from 1 to [`MAX_BITS`] the values of all windows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tables {
    /// [`MAX_BITS`] × [`STATES`]; the newest bit of a window is its lowest.
    pub(super) values: Vec<f32>,
    /// Mean squared error on a unit Gaussian for 0 to [`MAX_BITS`] bits.
    pub(super) distortions: [f64; MAX_BITS as usize + 1],
}

/// Those of a unit Gaussian.
pub(super) fn unit_tables() -> &'static Tables {
    static TABLES: OnceLock<Tables> = OnceLock::new();
    TABLES.get_or_init(|| {
        let mut all = Tables { values: Vec::new(), distortions: [1.0; MAX_BITS as usize + 1] };
        for bits in 1..=MAX_BITS {
            let (values, distortion) = if bits < ALONE {
                trained(bits)
            } else {
                let levels = gaussian_levels(bits);
                let own = |window: usize| levels.levels()[window & ((1 << bits) - 1)];
                ((0..STATES).map(own).collect(), levels.distortion())
            };
            all.values.extend(values);
            all.distortions[usize::from(bits)] = distortion;
        }
        all
    })
}

/// Lloyd's iteration over a trellis: each value moves to the mean of what the best paths have it
/// stand for. The values, and their mean squared error on another sample.
fn trained(bits: u8) -> (Vec<f32>, f64) {
    let stride = STRIDES[usize::from(bits) - 1];
    let mut values: Vec<f32> = (0..STATES).map(|s| quantile(s * stride % STATES)).collect();
    let sample = gaussian(1);
    for _ in 0..ROUNDS {
        let (mut sums, mut counts) = (vec![0.0f64; STATES], vec![0u32; STATES]);
        each_window(bits, &values, &sample, |window, x| {
            sums[window] += f64::from(x);
            counts[window] += 1;
        });
        for ((value, sum), count) in values.iter_mut().zip(&sums).zip(&counts) {
            if *count > 0 {
                *value = (sum / f64::from(*count)) as f32;
            }
        }
    }
    let mut error = 0.0;
    let other = gaussian(2);
    each_window(bits, &values, &other, |window, x| {
        error += f64::from(x - values[window]).powi(2);
    });
    (values, error / (SAMPLE[0] * SAMPLE[1]) as f64)
}

/// Tells `f` the window that the best path has for each value of each row.
fn each_window(bits: u8, values: &[f32], rows: &[f32], mut f: impl FnMut(usize, f32)) {
    let stages = vec![Stage { bits, scale: 1.0, mean: 0.0, values }; SAMPLE[1]];
    let mut paths = Paths::default();
    let mut windows = vec![0u8; SAMPLE[1]];
    for row in rows.chunks_exact(SAMPLE[1]) {
        paths.best(&stages, row, &mut windows);
        windows.iter().zip(row).for_each(|(window, x)| f(usize::from(*window), *x));
    }
}

/// The middle of the `i`-th of as many equally likely parts of a unit Gaussian as there are
/// windows, by Newton's method on the distribution function.
fn quantile(i: usize) -> f32 {
    if i < STATES / 2 {
        return -quantile(STATES - 1 - i);
    }
    let above = (i as f64 + 0.5) / STATES as f64 - 0.5;
    let mut x = 0.0;
    for _ in 0..60 {
        x += ((above - mass(0.0, x)) / density(x)).clamp(-0.5, 0.5);
    }
    x as f32
}

fn gaussian(seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..SAMPLE[0] * SAMPLE[1]).map(|_| StandardNormal.sample(&mut rng)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn better_than_lloyd_and_max_up_to_five_bits() {
        let tables = unit_tables();
        for bits in 1..=MAX_BITS {
            let [ours, scalar] =
                [tables.distortions[usize::from(bits)], gaussian_levels(bits).distortion()];
            // Shannon's bound for a Gaussian.
            assert!(ours > 0.25f64.powi(i32::from(bits)), "{bits}: {ours}");
            let most = if bits < ALONE { 0.8 } else { 1.0 };
            assert!(ours <= most * scalar, "{bits}: {ours} {scalar}");
        }
        // A further bit always removes less than the one before.
        let removed: Vec<f64> = tables.distortions.windows(2).map(|d| d[0] - d[1]).collect();
        assert!(removed.windows(2).all(|r| r[0] > r[1]), "{removed:?}");
    }

    #[test]
    fn quantiles_by_known_values() {
        // Φ⁻¹(0.5 + 0.5/256) and the outermost ones, from a table of the normal distribution.
        assert!((quantile(128) - 0.004_895_8).abs() < 1e-5);
        assert!((quantile(0) + 2.885_635).abs() < 1e-4, "{}", quantile(0));
        assert_eq!(quantile(3), -quantile(252));
    }
}
