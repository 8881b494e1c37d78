//! The loop that every figure comes from.

use std::sync::atomic::Ordering;

use serde::Serialize;
use web_time::{Duration, Instant};

use super::BenchOptions;
use crate::error::{Error, Result};

/// Calls of one sample take about this long, so that reading the clock does not count.
const SAMPLE: Duration = Duration::from_millis(2);
/// Calls of one sample at most: something may be faster than a clock can tell.
const MOST_CALLS: usize = 1 << 20;
/// Consecutive samples within this share of one another are a stable time.
const STABLE: f64 = 0.02;

/// Time of one call, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Timing {
    /// Half of the samples are faster.
    pub median_us: f64,
    /// A tenth of the samples are faster.
    pub p10_us: f64,
    /// A tenth of the samples are slower.
    pub p90_us: f64,
    /// Number of samples.
    pub samples: usize,
    /// Calls that were timed together in a sample.
    pub calls_per_sample: usize,
}

impl Timing {
    /// From the times of samples of `calls` calls each.
    ///
    /// # Panics
    /// Without any sample.
    pub fn of(mut samples: Vec<Duration>, calls: usize) -> Self {
        samples.sort();
        let us: Vec<f64> = samples.iter().map(|t| 1e6 * t.as_secs_f64() / calls as f64).collect();
        Self {
            median_us: quantile(&us, 0.5),
            p10_us: quantile(&us, 0.1),
            p90_us: quantile(&us, 0.9),
            samples: us.len(),
            calls_per_sample: calls,
        }
    }
}

/// The quantile `share` of ascending values, between two of them by their distance.
///
/// # Panics
/// Without any value.
pub fn quantile(ascending: &[f64], share: f64) -> f64 {
    let at = share * (ascending.len() - 1) as f64;
    let (low, high) = (at.floor() as usize, at.ceil() as usize);
    ascending[low] + (at - low as f64) * (ascending[high] - ascending[low])
}

/// Times `run(calls)`, which makes so many calls and waits for the last: first until the time is
/// stable or `options.warm_up` is over, then for `seconds` and as many samples as
/// `options` wants at least. Ends with [`Error::Cancelled`] when told to stop.
pub(crate) async fn measure(
    options: &BenchOptions,
    mut run: impl AsyncFnMut(usize) -> Result<()>,
) -> Result<Timing> {
    let mut timed = async |calls: usize| -> Result<Duration> {
        if options.stop.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        let start = Instant::now();
        run(calls).await?;
        Ok(start.elapsed())
    };
    let began = Instant::now();
    let (mut calls, mut before, mut alike) = (1, f64::INFINITY, 0);
    loop {
        let took = timed(calls).await?;
        let each = took.as_secs_f64() / calls as f64;
        alike = if (each - before).abs() <= STABLE * each { alike + 1 } else { 0 };
        before = each;
        if took < SAMPLE && calls < MOST_CALLS {
            calls = more_calls(calls, took);
        } else if alike >= 3 || began.elapsed() >= options.warm_up {
            break;
        }
    }
    let mut samples = Vec::new();
    let began = Instant::now();
    while samples.len() < options.samples.max(1) || began.elapsed().as_secs_f64() < options.seconds
    {
        samples.push(timed(calls).await?);
    }
    Ok(Timing::of(samples, calls))
}

/// Calls that should take [`SAMPLE`], at most ten times as many as before: the first of them are
/// slow, and a clock may stand still.
fn more_calls(calls: usize, took: Duration) -> usize {
    let ratio = SAMPLE.as_secs_f64() / took.as_secs_f64().max(1e-9);
    ((calls as f64 * ratio.clamp(1.1, 10.0)).ceil() as usize).min(MOST_CALLS)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use super::*;

    fn options(seconds: f64) -> BenchOptions {
        BenchOptions { seconds, ..BenchOptions::default() }
    }

    #[test]
    fn quantiles_by_hand() {
        let values = [1.0, 2.0, 4.0, 8.0, 16.0];
        assert_eq!(quantile(&values, 0.5), 4.0);
        assert_eq!(quantile(&values, 0.0), 1.0);
        assert!((quantile(&values, 0.1) - 1.4).abs() < 1e-12);
        assert!((quantile(&values, 0.9) - 12.8).abs() < 1e-12);
        assert_eq!(quantile(&[3.0], 0.9), 3.0);
    }

    #[test]
    fn times_are_of_one_call_and_in_order() {
        let samples = [30, 10, 20].map(Duration::from_micros).to_vec();
        let timing = Timing::of(samples, 10);
        assert!((timing.median_us - 2.0).abs() < 1e-9 && timing.samples == 3);
        assert!(timing.p10_us < timing.median_us && timing.median_us < timing.p90_us);
    }

    #[test]
    fn short_calls_are_timed_together_and_five_samples_are_taken() {
        let mut calls = 0u64;
        let timing = pollster::block_on(measure(&options(0.0), async |n| {
            calls += n as u64;
            Ok(())
        }))
        .unwrap();
        assert_eq!(timing.samples, 5);
        assert!(timing.calls_per_sample > 1000, "{timing:?}");
        assert!(calls > (5 * timing.calls_per_sample) as u64);
    }

    #[test]
    fn errors_end_it() {
        let fail = async |_: usize| Err(crate::Error::Cancelled);
        assert!(pollster::block_on(measure(&options(1.0), fail)).is_err());
        let fine = async |_: usize| Ok(());
        let stop = BenchOptions { stop: Arc::new(AtomicBool::new(true)), ..options(1.0) };
        let stopped = pollster::block_on(measure(&stop, fine));
        assert!(matches!(stopped, Err(Error::Cancelled)));
    }
}
