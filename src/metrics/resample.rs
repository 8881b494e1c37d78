//! The percentile bootstrap of several samples at once: each resample draws the same rows for
//! all of them, so that any two can be compared row by row.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::bootstrap::{Interval, percentiles};
use super::spearman::{average_ranks, pearson, spearman};
use crate::error::{Error, Result};

/// A statistic of a sample, and of its resamples.
#[derive(Clone, Debug, PartialEq)]
pub struct Resampled {
    value: f64,
    /// NaN where a resample does not define the statistic.
    draws: Vec<f64>,
}

impl Resampled {
    /// The statistic of the sample itself.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// The statistic with its 95 % interval.
    pub fn interval(&self) -> Interval {
        around(self.value, self.draws.iter().copied())
    }

    /// This one less `other`, resample by resample: above zero throughout, this one is greater.
    /// Both must come from one call, or from calls with the same rows, resamples and seed.
    pub fn less(&self, other: &Self) -> Interval {
        let differences = self.draws.iter().zip(&other.draws).map(|(a, b)| a - b);
        around(self.value - other.value, differences)
    }
}

/// Means of `samples`, each of one value a row.
///
/// # Errors
/// [`Error::Invalid`] without rows or resamples, or if the samples differ in length.
pub fn resample_means(samples: &[&[f32]], resamples: usize, seed: u64) -> Result<Vec<Resampled>> {
    let Some(first) = samples.first() else { return Ok(Vec::new()) };
    let rows = first.len();
    check(rows, samples, resamples)?;
    let mean = |sample: &[f32]| sample.iter().map(|v| f64::from(*v)).sum::<f64>() / rows as f64;
    let of = |sample: &&[f32]| Resampled { value: mean(sample), draws: Vec::new() };
    let mut all: Vec<Resampled> = samples.iter().map(of).collect();
    draw(rows, resamples, seed, |drawn| {
        for (resampled, sample) in all.iter_mut().zip(samples) {
            let sum: f64 = drawn.iter().map(|i| f64::from(sample[*i as usize])).sum();
            resampled.draws.push(sum / rows as f64);
        }
    });
    Ok(all)
}

/// Spearman's correlation of `truth` with each of `samples`, ties with average ranks; `None`
/// where a sample (or the truth) is constant. A resample ranks anew what it has drawn; one that
/// is constant is left out of the interval.
///
/// # Errors
/// As [`resample_means`].
pub fn resample_spearman(
    truth: &[f32],
    samples: &[&[f32]],
    resamples: usize,
    seed: u64,
) -> Result<Vec<Option<Resampled>>> {
    check(truth.len(), samples, resamples)?;
    let values =
        samples.iter().map(|sample| spearman(truth, sample)).collect::<Result<Vec<_>>>()?;
    let sorted = Sorted::new(truth);
    let ordered: Vec<Sorted> = samples.iter().map(|sample| Sorted::new(sample)).collect();
    let mut draws: Vec<Vec<f64>> = vec![Vec::with_capacity(resamples); samples.len()];
    let mut times = vec![0u32; truth.len()];
    draw(truth.len(), resamples, seed, |drawn| {
        times.fill(0);
        drawn.iter().for_each(|i| times[*i as usize] += 1);
        let truth = sorted.ranks(&times);
        let at = |ranks: &[f64]| -> Vec<f64> { drawn.iter().map(|i| ranks[*i as usize]).collect() };
        let truth = at(&truth);
        for (order, draws) in ordered.iter().zip(&mut draws) {
            draws.push(pearson(&truth, &at(&order.ranks(&times))).unwrap_or(f64::NAN));
        }
    });
    let resampled =
        |(value, draws): (Option<f64>, _)| value.map(|value| Resampled { value, draws });
    Ok(values.into_iter().zip(draws).map(resampled).collect())
}

/// Rows in ascending order of a value, and where the next value begins.
struct Sorted {
    order: Vec<u32>,
    ends: Vec<u32>,
}

impl Sorted {
    fn new(values: &[f32]) -> Self {
        let ranks = average_ranks(values);
        let mut order: Vec<u32> = (0..values.len() as u32).collect();
        order.sort_by(|a, b| ranks[*a as usize].total_cmp(&ranks[*b as usize]));
        let same = |a: &u32, b: &u32| ranks[*a as usize] == ranks[*b as usize];
        let mut end = 0;
        let ends = order.chunk_by(same).map(|run| {
            end += run.len() as u32;
            end
        });
        Self { ends: ends.collect(), order }
    }

    /// Average rank of each row in a resample that holds row `i` `times[i]` times; rows that it
    /// does not hold get a number without meaning.
    fn ranks(&self, times: &[u32]) -> Vec<f64> {
        let mut ranks = vec![0.0; times.len()];
        let (mut begin, mut below) = (0, 0u64);
        for end in &self.ends {
            let run = &self.order[begin..*end as usize];
            begin = *end as usize;
            let held: u64 = run.iter().map(|i| u64::from(times[*i as usize])).sum();
            let rank = below as f64 + (held + 1) as f64 / 2.0;
            run.iter().for_each(|i| ranks[*i as usize] = rank);
            below += held;
        }
        ranks
    }
}

/// Gives `each` the rows of one resample after the other, as many as there are rows.
fn draw(rows: usize, resamples: usize, seed: u64, mut each: impl FnMut(&[u32])) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut drawn = vec![0u32; rows];
    for _ in 0..resamples {
        drawn.iter_mut().for_each(|i| *i = rng.random_range(0..rows as u32));
        each(&drawn);
    }
}

fn check(rows: usize, samples: &[&[f32]], resamples: usize) -> Result<()> {
    if rows == 0 || resamples == 0 || u32::try_from(rows).is_err() {
        return Err(Error::invalid(
            "bootstrap",
            format!("{resamples} resamples of {rows} values give no interval"),
        ));
    }
    match samples.iter().find(|sample| sample.len() != rows) {
        None => Ok(()),
        Some(odd) => Err(Error::invalid(
            "bootstrap",
            format!("{} values cannot be paired with {rows}", odd.len()),
        )),
    }
}

/// `value` with the percentiles of the draws that are numbers; the value alone if none is.
fn around(value: f64, draws: impl Iterator<Item = f64>) -> Interval {
    let mut sorted: Vec<f64> = draws.filter(|v| v.is_finite()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let (low, high) = percentiles(&sorted).unwrap_or((value, value));
    Interval { mean: value, low, high }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(n: usize, step: f32) -> Vec<f32> {
        (0..n).map(|i| (i as f32 * step).sin()).collect()
    }

    #[test]
    fn differences_are_those_of_the_pairs() {
        let (a, b) = (wave(300, 0.7), wave(300, 1.9));
        let both = resample_means(&[&a, &b], 400, 3).unwrap();
        let pairs: Vec<f32> = a.iter().zip(&b).map(|(x, y)| x - y).collect();
        let alone = &resample_means(&[&pairs], 400, 3).unwrap()[0];
        let (paired, direct) = (both[0].less(&both[1]), alone.interval());
        for (x, y) in
            [(paired.mean, direct.mean), (paired.low, direct.low), (paired.high, direct.high)]
        {
            assert!((x - y).abs() < 1e-7, "{paired:?} {direct:?}");
        }
        assert_eq!(both[0].less(&both[0]), Interval { mean: 0.0, low: 0.0, high: 0.0 });
    }

    /// Each resample written out and correlated from scratch.
    #[test]
    fn spearman_of_resamples_written_out() {
        let truth: Vec<f32> = (0..57).map(|i| ((i * 31) % 13) as f32).collect();
        let sample: Vec<f32> = (0..57).map(|i| ((i * 17) % 11) as f32 + 0.3 * truth[i]).collect();
        let found = resample_spearman(&truth, &[&sample], 60, 11).unwrap();
        let found = found[0].as_ref().unwrap();
        assert_eq!(found.value(), spearman(&truth, &sample).unwrap().unwrap());
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        for got in &found.draws {
            let rows: Vec<usize> = (0..57).map(|_| rng.random_range(0..57u32) as usize).collect();
            let of = |v: &[f32]| -> Vec<f32> { rows.iter().map(|i| v[*i]).collect() };
            let want = spearman(&of(&truth), &of(&sample)).unwrap().unwrap();
            assert!((got - want).abs() < 1e-12, "{got} {want}");
        }
        let interval = found.interval();
        assert!(interval.low < interval.mean && interval.mean < interval.high);
    }

    #[test]
    fn constant_samples_and_tiny_ones() {
        let truth = [1.0, 2.0, 3.0];
        let found = resample_spearman(&truth, &[&[5.0; 3], &[2.0, 4.0, 9.0]], 50, 0).unwrap();
        assert!(found[0].is_none());
        // Every resample that is not one row three times has a correlation of 1.
        let interval = found[1].as_ref().unwrap().interval();
        for v in [interval.mean, interval.low, interval.high] {
            assert!((v - 1.0).abs() < 1e-12);
        }
        assert!(resample_means(&[&[1.0], &[]], 5, 0).is_err());
        assert!(resample_means(&[&[1.0]], 0, 0).is_err());
        assert!(resample_spearman(&[], &[], 5, 0).is_err());
        assert!(resample_means(&[], 5, 0).unwrap().is_empty());
    }
}
