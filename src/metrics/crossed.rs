//! How sure a difference is that varies with two things at once: the runs and the rows.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::bootstrap::{Interval, percentiles};
use crate::error::{Error, Result};

/// The mean of `a − b` over runs and rows, with its 95 % interval: `a[i][j]` is the value of run `i`
/// (such as one seed) at row `j` (such as one vector), and run `i` of `b` is its counterpart. Each
/// resample draws runs and, independently, rows, with replacement (the pigeonhole bootstrap; Owen,
/// "The pigeonhole bootstrap", 2007), so the interval speaks of other seeds and other vectors. With
/// a single run it speaks of vectors alone.
///
/// # Errors
/// [`Error::Invalid`] without runs, rows or resamples, or if the shapes differ.
pub fn crossed_difference(
    a: &[Vec<f32>],
    b: &[Vec<f32>],
    resamples: usize,
    seed: u64,
) -> Result<Interval> {
    let rows = a.first().map_or(0, Vec::len);
    let fits = |run: &Vec<f32>| run.len() == rows;
    if a.len() != b.len() || rows == 0 || resamples == 0 || !a.iter().chain(b).all(fits) {
        return Err(Error::invalid(
            "difference of runs",
            format!("{} runs of {rows} rows cannot be paired with {} runs", a.len(), b.len()),
        ));
    }
    let (runs, count) = (a.len(), (a.len() * rows) as f64);
    let difference = |i: usize, j: usize| f64::from(a[i][j]) - f64::from(b[i][j]);
    let mean =
        (0..runs).map(|i| (0..rows).map(|j| difference(i, j)).sum::<f64>()).sum::<f64>() / count;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draws = Vec::with_capacity(resamples);
    // How often a row is drawn is the same for all runs of a resample.
    let mut times = vec![0u32; rows];
    for _ in 0..resamples {
        times.fill(0);
        (0..rows).for_each(|_| times[rng.random_range(0..rows)] += 1);
        let mut sum = 0.0;
        for _ in 0..runs {
            let i = rng.random_range(0..runs);
            sum += (0..rows).map(|j| f64::from(times[j]) * difference(i, j)).sum::<f64>();
        }
        draws.push(sum / count);
    }
    draws.sort_unstable_by(f64::total_cmp);
    let (low, high) = percentiles(&draws).unwrap_or((mean, mean));
    Ok(Interval { mean, low, high })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::paired_difference;

    fn wave(n: usize, step: f32, shift: f32) -> Vec<f32> {
        (0..n).map(|i| (i as f32 * step).sin() + shift).collect()
    }

    #[test]
    fn one_run_is_the_paired_bootstrap() {
        let (a, b) = (wave(400, 0.7, 0.1), wave(400, 1.9, 0.0));
        let one = std::slice::from_ref;
        let crossed = crossed_difference(one(&a), one(&b), 2000, 1).unwrap();
        let paired = paired_difference(&a, &b, 2000, 2).unwrap();
        assert!((crossed.mean - paired.mean).abs() < 1e-6);
        let width = |i: &Interval| i.high - i.low;
        assert!((width(&crossed) / width(&paired) - 1.0).abs() < 0.1, "{crossed:?} {paired:?}");
    }

    /// Rows alike, runs apart: the rows say nothing of how sure it is.
    #[test]
    fn runs_that_differ_widen_the_interval() {
        let run = |v: f32| vec![v; 200];
        let b = vec![run(0.0), run(0.0), run(0.0)];
        let same = crossed_difference(&[run(0.5), run(0.5), run(0.5)], &b, 500, 1).unwrap();
        assert_eq!(same, Interval { mean: 0.5, low: 0.5, high: 0.5 });
        let apart = crossed_difference(&[run(0.4), run(0.5), run(0.6)], &b, 500, 1).unwrap();
        assert!((apart.mean - 0.5).abs() < 1e-6);
        assert!(apart.low < 0.43 && apart.high > 0.57, "{apart:?}");
    }

    #[test]
    fn refuses_what_cannot_be_paired() {
        let run = vec![1.0f32; 3];
        for (a, b, n) in [
            (vec![], vec![], 10),
            (vec![run.clone()], vec![], 10),
            (vec![run.clone()], vec![vec![1.0; 2]], 10),
            (vec![vec![]], vec![vec![]], 10),
            (vec![run.clone()], vec![run.clone()], 0),
        ] {
            assert!(crossed_difference(&a, &b, n, 0).is_err());
        }
    }
}
