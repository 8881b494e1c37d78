//! How long a code takes to store vectors.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use web_time::Duration;

use super::{BenchOptions, Timing, measure};
use crate::error::Result;

/// The longest warm-up: what is stored here was stored before, to be compared.
const WARM_UP: Duration = Duration::from_millis(40);
/// Samples behind the median.
const SAMPLES: usize = 5;

/// Times `store`, which makes the stored form of a set of vectors and waits for it: the median of
/// five samples, warm, of the whole set at once. Ends with [`crate::Error::Cancelled`] when told to
/// stop.
///
/// # Errors
/// As `store`, and when told to stop.
pub async fn time_storing(
    stop: Arc<AtomicBool>,
    mut store: impl AsyncFnMut() -> Result<Vec<u8>>,
) -> Result<Timing> {
    let options = BenchOptions {
        warm_up: WARM_UP,
        seconds: 0.0,
        samples: SAMPLES,
        stop,
        ..BenchOptions::default()
    };
    let run = async |calls: usize| {
        for _ in 0..calls {
            std::hint::black_box(store().await?);
        }
        Ok(())
    };
    measure(&options, run).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn five_samples_of_what_is_stored_and_errors_end_it() {
        let mut calls = 0usize;
        let stored = async || {
            calls += 1;
            Ok(vec![0; 8])
        };
        let timing = pollster::block_on(time_storing(Arc::default(), stored)).unwrap();
        assert_eq!(timing.samples, 5);
        assert!(calls > 5 * timing.calls_per_sample, "{calls}: {timing:?}");
        let broken = async || Err(Error::invalid("code", "broken"));
        assert!(pollster::block_on(time_storing(Arc::default(), broken)).is_err());
        let stop = Arc::new(AtomicBool::new(true));
        let fine = async || Ok(Vec::new());
        let stopped = pollster::block_on(time_storing(stop, fine));
        assert!(matches!(stopped, Err(Error::Cancelled)));
    }
}
