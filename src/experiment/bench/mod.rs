//! How fast a student answers and learns on a device, and what memory that takes.

mod inference;
mod report;
mod storing;
mod timing;
mod training;

pub use inference::bench_inference;
pub use report::{BenchReport, ColdStart, InferenceRow, NoteTime, Skipped, TrainingRow};
pub use storing::time_storing;
pub(crate) use timing::measure;
pub use timing::{Timing, quantile};
pub use training::{bench_training, time_training};

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use web_time::Duration;

use crate::arch::{Arch, Precision, Variant};
use crate::error::{Error, Result};
use crate::sizes::training_bytes;

/// What to measure, for each architecture and device.
#[derive(Clone, Debug)]
pub struct BenchOptions {
    /// Precisions of the weights in inference; training is always in f32.
    pub precisions: Vec<Precision>,
    /// Vectors that are answered together.
    pub batches: Vec<usize>,
    /// Time, beside each figure with everything on the device, one with the vectors written to
    /// the device and the answers read back.
    pub transfer: bool,
    /// Vectors of a training step.
    pub training_batch: usize,
    /// The longest warm-up before a figure, unless a single call takes longer.
    pub warm_up: Duration,
    /// Seconds of samples behind each figure.
    pub seconds: f64,
    /// Samples that are taken in any case, one at least.
    pub samples: usize,
    /// Bytes that may be used, if known: what needs more is left out and said to be.
    pub available: Option<u64>,
    /// The most that the device can do in f32, in FLOP/s, to give the share that is reached.
    pub peak_flops: Option<f64>,
    /// Set by another thread or a callback to end a measurement between two calls.
    pub stop: Arc<AtomicBool>,
}

impl Default for BenchOptions {
    fn default() -> Self {
        Self {
            precisions: Precision::ALL.to_vec(),
            batches: vec![1, 32, 1024],
            transfer: false,
            training_batch: 256,
            warm_up: Duration::from_millis(200),
            seconds: 1.0,
            samples: 5,
            available: None,
            peak_flops: None,
            stop: Arc::default(),
        }
    }
}

impl BenchOptions {
    /// Refuses what cannot be measured, naming the flag.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn check(&self) -> Result<()> {
        if self.batches.contains(&0) {
            return Err(Error::invalid("--batch", "must be at least 1"));
        }
        if self.training_batch < 2 {
            return Err(Error::invalid("--training-batch", "must be at least 2"));
        }
        if !(self.seconds.is_finite() && (0.0..=3600.0).contains(&self.seconds)) {
            let message = format!("{} is not between 0 and 3600", self.seconds);
            return Err(Error::invalid("--seconds", message));
        }
        if self.peak_flops.is_some_and(|peak| !(peak.is_finite() && peak > 0.0)) {
            return Err(Error::invalid("--peak-tflops", "must be above 0"));
        }
        Ok(())
    }
}

/// Called before each measurement with what comes next; an error stops the benchmark.
pub type Announce<'a> = dyn FnMut(&str) -> Result<()> + 'a;

/// Bytes that answering `batch` vectors takes: the weights at `precision`, the f32 parameters they
/// are made from, the largest of them once more while it is packed, and every layer's values.
pub fn inference_bytes(arch: &Arch, precision: Precision, batch: usize) -> u64 {
    let largest = arch.parameters().iter().map(|p| 4 * p.len()).max().unwrap_or(0);
    let staged = if precision == Precision::F32 { 0 } else { largest };
    let widths: u64 = arch.widths().iter().map(|w| *w as u64).sum();
    // The normalised copies, and q, k, v and the heads' output on the latent.
    let more = match arch.variant() {
        Variant::Plain => 0,
        Variant::Sn727 => widths + 6 * arch.latent() as u64,
    };
    let values = (4 * batch as u64).saturating_mul(widths + more);
    arch.bytes(Precision::F32)
        .saturating_add(arch.bytes(precision))
        .saturating_add(staged)
        .saturating_add(values)
}

/// Rows of the data set that a training is timed on: some epochs' worth of steps without making
/// the data larger than the student needs.
pub fn training_rows(arch: &Arch, batch: usize) -> usize {
    const BYTES: usize = 32 << 20;
    let step = (4 * batch).saturating_mul(arch.input()).max(1);
    batch.saturating_mul((BYTES / step).clamp(4, 64))
}

/// Bytes that timing a training at `batch` takes: its tensors and its data set. (The parameters it
/// begins with are gone from host memory before gradients and moments are written to.)
///
/// # Errors
/// As [`training_bytes`].
pub fn training_needs(arch: &Arch, batch: usize) -> Result<u64> {
    let tensors = training_bytes(arch, batch)?;
    let data = (4 * training_rows(arch, batch) as u64).saturating_mul(arch.input() as u64);
    Ok(tensors.total.saturating_add(data))
}

/// What to say about a measurement that does not fit: `None` if it does.
fn too_large(
    arch: &Arch,
    what: String,
    needed: u64,
    available: Option<u64>,
    device: &str,
) -> Option<Skipped> {
    let available = available?;
    (needed > available).then(|| Skipped {
        device: device.into(),
        architecture: arch.to_string(),
        width: arch.widths()[1],
        reason: format!("needs {needed} bytes, {available} are available"),
        needed: Some(needed),
        available: Some(available),
        what,
    })
}

/// Turns out-of-memory into a row that says so; other errors stay.
fn skip_or_fail(error: Error, arch: &Arch, what: String, device: &str) -> Result<Skipped> {
    let Error::OutOfMemory { needed, .. } = &error else { return Err(error) };
    Ok(Skipped {
        device: device.into(),
        architecture: arch.to_string(),
        width: arch.widths()[1],
        what,
        needed: Some(*needed),
        available: None,
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_refused() {
        assert!(BenchOptions::default().check().is_ok());
        let broken = [
            BenchOptions { batches: vec![1, 0], ..Default::default() },
            BenchOptions { training_batch: 1, ..Default::default() },
            BenchOptions { seconds: f64::NAN, ..Default::default() },
            BenchOptions { seconds: -1.0, ..Default::default() },
            BenchOptions { peak_flops: Some(0.0), ..Default::default() },
        ];
        for options in broken {
            assert!(options.check().is_err(), "{options:?}");
        }
    }

    /// By hand: 5·7+7 + 7·3+3 + 3·7+7 + 7·5+5 = 134 parameters of which 112 in matrices with 22
    /// rows; the largest matrix has 35; widths sum to 27.
    #[test]
    fn bytes_by_hand() {
        let arch: Arch = "5-7-3-7-5".parse().unwrap();
        assert_eq!(inference_bytes(&arch, Precision::F32, 2), 536 + 536 + 8 * 27);
        let int8 = 112 + 4 * 22 + 4 * 22;
        assert_eq!(inference_bytes(&arch, Precision::Int8, 2), 536 + int8 + 140 + 8 * 27);
    }

    #[test]
    fn what_does_not_fit_says_by_how_much() {
        let arch: Arch = "5-7-3-7-5".parse().unwrap();
        assert!(too_large(&arch, "x".into(), 10, Some(10), "cpu").is_none());
        assert!(too_large(&arch, "x".into(), 10, None, "cpu").is_none());
        let skipped = too_large(&arch, "x".into(), 11, Some(10), "cpu").unwrap();
        assert_eq!((skipped.needed, skipped.available, skipped.width), (Some(11), Some(10), 7));
    }
}
