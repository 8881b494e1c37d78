//! How sure a mean over rows is: the percentile bootstrap.

use serde::{Deserialize, Serialize};

use super::resample::resample_means;
use crate::error::{Error, Result};

/// Share of the resampled means outside the interval, on each side: 95 % lie within.
const TAIL: f64 = 0.025;

/// A mean, or another statistic, and its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The mean (or other statistic) of the values themselves.
    pub mean: f64,
    /// The 2.5 % quantile of those of the resamples.
    pub low: f64,
    /// The 97.5 % quantile of those of the resamples.
    pub high: f64,
}

/// Mean of `values` with its percentile bootstrap interval: `resamples` times as many values
/// are drawn with replacement from `seed`, and the quantiles of their means are taken.
///
/// # Errors
/// [`Error::Invalid`] without values or resamples.
pub fn bootstrap_mean(values: &[f32], resamples: usize, seed: u64) -> Result<Interval> {
    Ok(resample_means(&[values], resamples, seed)?[0].interval())
}

/// The mean, summed in f64; zero without values.
pub(crate) fn mean(values: &[f32]) -> f64 {
    values.iter().map(|v| f64::from(*v)).sum::<f64>() / values.len().max(1) as f64
}

/// The mean of `a − b`, row by row, with its interval: above zero throughout, `a` is better.
/// The two must be of the same rows in the same order.
///
/// # Errors
/// [`Error::Invalid`] if the lengths differ, or without values or resamples.
pub fn paired_difference(a: &[f32], b: &[f32], resamples: usize, seed: u64) -> Result<Interval> {
    if a.len() != b.len() {
        return Err(Error::invalid(
            "paired difference",
            format!("{} values cannot be paired with {}", a.len(), b.len()),
        ));
    }
    let differences: Vec<f32> = a.iter().zip(b).map(|(x, y)| x - y).collect();
    bootstrap_mean(&differences, resamples, seed)
}

/// The ends of the 95 % interval of sorted values; `None` without any.
pub(super) fn percentiles(sorted: &[f64]) -> Option<(f64, f64)> {
    (!sorted.is_empty()).then(|| (quantile(sorted, TAIL), quantile(sorted, 1.0 - TAIL)))
}

/// Linear between the two nearest of the sorted values.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interval_agrees_with_the_standard_error() {
        let values: Vec<f32> = (0..2000).map(|i| ((i * 7919) % 2000) as f32 / 2000.0).collect();
        let interval = bootstrap_mean(&values, 2000, 5).unwrap();
        assert!((interval.mean - 0.49975).abs() < 1e-6);
        let standard_error = (1.0f64 / 12.0 / 2000.0).sqrt();
        assert!((interval.low - (interval.mean - 1.96 * standard_error)).abs() < 1.5e-3);
        assert!((interval.high - (interval.mean + 1.96 * standard_error)).abs() < 1.5e-3);
        assert_eq!(interval, bootstrap_mean(&values, 2000, 5).unwrap());
        assert_ne!(interval, bootstrap_mean(&values, 2000, 6).unwrap());
    }

    #[test]
    fn pairing_removes_what_the_rows_share() {
        let a: Vec<f32> = (0..500).map(|i| (i % 100) as f32).collect();
        let b: Vec<f32> = a.iter().map(|v| v - 0.25).collect();
        let difference = paired_difference(&a, &b, 200, 0).unwrap();
        assert!((difference.low - 0.25).abs() < 1e-6 && (difference.high - 0.25).abs() < 1e-6);
        assert!(paired_difference(&a, &b[1..], 10, 0).is_err());
        assert!(bootstrap_mean(&[], 10, 0).is_err());
        assert!(bootstrap_mean(&[1.0], 0, 0).is_err());
        let one = bootstrap_mean(&[2.0], 1, 0).unwrap();
        assert_eq!(one, Interval { mean: 2.0, low: 2.0, high: 2.0 });
    }
}
