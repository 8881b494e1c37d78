//! Lloyd–Max quantisers of the unit Gaussian: the 2ᵇ levels with the least mean squared error
//! (Lloyd 1957; Max 1960), computed when first asked for.

use std::f64::consts::PI;
use std::sync::OnceLock;

/// The most bits a quantiser can have.
pub const MAX_BITS: u8 = 8;

/// Where the Gaussian's tail is cut when integrating; beyond lies less than 1e-33.
const TAIL: f64 = 12.0;

/// Rounds of Newton's method at most (it takes six), and the move of a level at which it stops.
const ROUNDS: usize = 100;
const STILL: f64 = 1e-9;

/// A quantiser of a Gaussian with mean 0 and deviation 1.
#[derive(Clone, Debug, PartialEq)]
pub struct GaussianLevels {
    levels: Vec<f32>,
    thresholds: Vec<f32>,
    distortion: f64,
}

/// The quantiser of `bits` bits (0 has the one level 0), computed once.
///
/// # Panics
/// If `bits` is above [`MAX_BITS`].
pub fn gaussian_levels(bits: u8) -> &'static GaussianLevels {
    static LEVELS: [OnceLock<GaussianLevels>; MAX_BITS as usize + 1] =
        [const { OnceLock::new() }; MAX_BITS as usize + 1];
    LEVELS[usize::from(bits)].get_or_init(|| GaussianLevels::compute(bits))
}

impl GaussianLevels {
    /// The 2ᵇ levels, ascending.
    pub fn levels(&self) -> &[f32] {
        &self.levels
    }

    /// Mean squared error on a unit Gaussian: 1 with no bits, 1 − 2/π with one.
    pub fn distortion(&self) -> f64 {
        self.distortion
    }

    /// Index of the level nearest to `value`; of the lowest, if `value` is not a number.
    pub fn quantise(&self, value: f32) -> u8 {
        self.thresholds.partition_point(|threshold| *threshold < value) as u8
    }

    /// The level at `index`.
    ///
    /// # Panics
    /// If there is no such level.
    pub fn level(&self, index: u8) -> f32 {
        self.levels[usize::from(index)]
    }

    /// Lloyd's iteration on the positive half: each level moves to the mean of the values
    /// nearest to it.
    fn compute(bits: u8) -> Self {
        if bits == 0 {
            return Self { levels: vec![0.0], thresholds: Vec::new(), distortion: 1.0 };
        }
        let half = 1usize << (bits - 1);
        // A Gaussian three times as wide has the optimal density of many levels (Panter and
        // Dite 1951); evenly spaced points of a logistic curve are close enough to start from.
        let start = |i: usize| {
            let share = 0.5 + (i as f64 + 0.5) / (2 * half) as f64;
            (share / (1.0 - share)).ln() * 3.0f64.sqrt() / 1.702
        };
        let mut levels: Vec<f64> = (0..half).map(start).collect();
        for _ in 0..ROUNDS {
            if newton(&mut levels) < STILL {
                break;
            }
        }
        // With levels at the means of their cells, E(x − q)² = 1 − E q².
        let edges = edges(&levels);
        let energy: f64 =
            levels.iter().zip(edges.windows(2)).map(|(l, e)| 2.0 * l * l * mass(e[0], e[1])).sum();
        let all: Vec<f64> = levels.iter().rev().map(|l| -l).chain(levels.iter().copied()).collect();
        Self {
            thresholds: all.windows(2).map(|w| ((w[0] + w[1]) / 2.0) as f32).collect(),
            levels: all.iter().map(|l| *l as f32).collect(),
            distortion: 1.0 - energy,
        }
    }
}

/// One round towards levels that are the means of their cells; the largest move. By Newton's
/// method: a cell's mean depends on its own level and its two neighbours', so a round is one
/// tridiagonal system, where Lloyd's iteration takes thousands of rounds for many levels.
fn newton(levels: &mut [f64]) -> f64 {
    let (count, edges) = (levels.len(), edges(levels));
    let mut means = Vec::with_capacity(count);
    // Of the system: above the diagonal over the diagonal, and the right side over it.
    let (mut above, mut moves) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for (i, level) in levels.iter().enumerate() {
        let (a, b) = (edges[i], edges[i + 1]);
        let mass = mass(a, b);
        let mean = (density(a) - density(b)) / mass;
        // The mean's slope by the level on the left and on the right; the outer bounds stay.
        let left = if i > 0 { density(a) * (mean - a) / mass / 2.0 } else { 0.0 };
        let right = if i + 1 < count { density(b) * (b - mean) / mass / 2.0 } else { 0.0 };
        let (before, moved): (f64, f64) =
            (above.last().copied().unwrap_or(0.0), moves.last().copied().unwrap_or(0.0));
        let diagonal = left + right - 1.0 - left * before;
        above.push(right / diagonal);
        moves.push((level - mean - left * moved) / diagonal);
        means.push(mean);
    }
    for i in (1..count).rev() {
        moves[i - 1] -= above[i - 1] * moves[i];
    }
    let moved: Vec<f64> = levels.iter().zip(&moves).map(|(level, by)| level + by).collect();
    let in_order = moved[0] > 0.0 && moved.windows(2).all(|pair| pair[0] < pair[1]);
    // Lloyd's step where Newton's goes astray.
    let next = if in_order { moved } else { means };
    let far = levels.iter().zip(&next).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    levels.copy_from_slice(&next);
    far
}

/// Cell bounds of the positive levels: 0, the points midway, the tail.
fn edges(levels: &[f64]) -> Vec<f64> {
    let middle = levels.windows(2).map(|w| (w[0] + w[1]) / 2.0);
    std::iter::once(0.0).chain(middle).chain(std::iter::once(TAIL)).collect()
}

/// The unit Gaussian's density.
pub(super) fn density(x: f64) -> f64 {
    (-x * x / 2.0).exp() / (2.0 * PI).sqrt()
}

/// `∫ density` over `a..b` by Gauss–Legendre with five points on panels of at most 1/2.
pub(super) fn mass(a: f64, b: f64) -> f64 {
    let root = (10.0f64 / 7.0).sqrt();
    let (inner, outer) = ((5.0 - 2.0 * root).sqrt() / 3.0, (5.0 + 2.0 * root).sqrt() / 3.0);
    let more = 13.0 * 70.0f64.sqrt();
    let (heavy, light) = ((322.0 + more) / 900.0, (322.0 - more) / 900.0);
    let panels = ((b - a) / 0.5).ceil().max(1.0) as usize;
    let reach = (b - a) / (2 * panels) as f64;
    let panel = |i: usize| {
        let centre = a + reach * (2 * i + 1) as f64;
        let pair = |x: f64| density(centre - reach * x) + density(centre + reach * x);
        reach * (density(centre) * 128.0 / 225.0 + heavy * pair(inner) + light * pair(outer))
    };
    (0..panels).map(panel).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_the_literature() {
        // One bit has a closed form; the levels of two and four bits are those of Max 1960,
        // table I (N = 4, 16). His last distortion, 0.009497, is off in the sixth decimal: the
        // iteration with the system's erfc gives 0.0095010.
        let one = gaussian_levels(1);
        assert!((f64::from(one.level(1)) - (2.0 / PI).sqrt()).abs() < 1e-7);
        assert!((one.distortion() - (1.0 - 2.0 / PI)).abs() < 1e-12);
        let two = gaussian_levels(2);
        for (level, expected) in two.levels().iter().zip([-1.510, -0.4528, 0.4528, 1.510]) {
            assert!((level - expected).abs() < 5e-4);
        }
        assert!((two.distortion() - 0.1175).abs() < 5e-5);
        let four = gaussian_levels(4);
        assert!((four.level(8) - 0.1284).abs() < 1e-4 && (four.level(15) - 2.733).abs() < 1e-3);
        assert!((four.distortion() - 0.0095010).abs() < 1e-7);
    }

    #[test]
    fn every_level_is_the_mean_of_its_cell() {
        for bits in 0..=MAX_BITS {
            let quantiser = gaussian_levels(bits);
            let count = 1usize << bits;
            assert_eq!(quantiser.levels().len(), count);
            // Riemann sums over a fine grid, with the cells as `quantise` sees them.
            let (mut sums, mut weights, mut error) = (vec![0.0; count], vec![0.0; count], 0.0);
            let step = 1.0 / 8192.0;
            for i in -65_536..65_536i32 {
                let x = (f64::from(i) + 0.5) * step;
                let cell = usize::from(quantiser.quantise(x as f32));
                let weight = (-x * x / 2.0).exp() / (2.0 * PI).sqrt() * step;
                sums[cell] += x * weight;
                weights[cell] += weight;
                error += (x - f64::from(quantiser.levels()[cell])).powi(2) * weight;
            }
            for (i, level) in quantiser.levels().iter().enumerate() {
                let mean: f64 = sums[i] / weights[i];
                assert!((mean - f64::from(*level)).abs() < 1e-3, "{bits} bits: {level} {mean}");
            }
            assert!((error - quantiser.distortion()).abs() < 1e-6, "{bits} bits: {error}");
        }
    }

    #[test]
    fn nearest_level_and_falling_gains() {
        let three = gaussian_levels(3);
        for i in -400..=400 {
            let x = i as f32 * 0.01;
            let distance = |l: &f32| (x - l).abs();
            let chosen = distance(&three.level(three.quantise(x)));
            assert!(three.levels().iter().all(|l| chosen <= distance(l) + 1e-6));
        }
        assert_eq!(three.quantise(f32::NAN), 0);
        assert_eq!(three.quantise(f32::INFINITY), 7);
        let distortion: Vec<f64> =
            (0..=MAX_BITS).map(|b| gaussian_levels(b).distortion()).collect();
        let gains: Vec<f64> = distortion.windows(2).map(|w| w[0] - w[1]).collect();
        assert!(gains.windows(2).all(|w| w[0] > w[1] && w[1] > 0.0));
    }
}
