//! One row on a device: a training step, one vector, a batch of vectors.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};

use super::{Plan, RowId};
use crate::arch::Precision;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::experiment::bench::{
    Announce, BenchOptions, bench_inference, inference_bytes, time_training, training_needs,
};
use crate::matrix::Matrix;

/// A time with its spread, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timed {
    /// Vectors that are worked on together.
    pub batch: usize,
    /// Half of the samples are faster.
    pub median_ms: f64,
    /// A tenth of the samples are faster.
    pub p10_ms: f64,
    /// A tenth of the samples are slower.
    pub p90_ms: f64,
    /// Number of samples.
    pub samples: usize,
}

impl Timed {
    /// Milliseconds of one vector of the batch.
    pub fn per_vector_ms(&self) -> f64 {
        self.median_ms / self.batch as f64
    }
}

/// What was measured of a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The row.
    pub row: RowId,
    /// How.
    pub plan: Plan,
    /// The vectors it was measured on, in words.
    pub vectors: String,
    /// Whether they are random.
    pub synthetic: bool,
    /// A training step: forward, losses, backward, clipping and AdamW.
    pub step: Timed,
    /// The most bytes that tensors held in training, by the device's own account.
    pub ledger_bytes: u64,
    /// What [`crate::sizes::training_bytes`] predicts at this batch.
    pub predicted_bytes: u64,
    /// By how much the memory of the process grew in training, at most; `None` on a GPU, and where
    /// the system does not tell.
    pub process_bytes: Option<u64>,
    /// From an opened device to the first answer: weights brought there, one vector answered.
    pub cold_ms: f64,
    /// One vector through the network, warm.
    pub one: Timed,
    /// A batch of vectors through the network, warm.
    pub many: Timed,
}

impl Measured {
    /// Share by which the ledger is above what was predicted.
    pub fn ledger_deviation(&self) -> f64 {
        self.ledger_bytes as f64 / self.predicted_bytes as f64 - 1.0
    }

    /// Share by which the growth of the process is above what was predicted.
    pub fn process_deviation(&self) -> Option<f64> {
        self.process_bytes.map(|grown| grown as f64 / self.predicted_bytes as f64 - 1.0)
    }

    /// Steps of an epoch over `rows` vectors.
    pub fn steps(&self, rows: usize) -> usize {
        rows / self.step.batch
    }

    /// Seconds of an epoch over `rows` vectors, from the time of a step.
    pub fn epoch_seconds(&self, rows: usize) -> f64 {
        self.steps(rows) as f64 * self.step.median_ms / 1e3
    }

    /// Whether so many steps were timed that they make an epoch over `rows` vectors, and the time
    /// of an epoch is no extrapolation.
    pub fn whole_epoch(&self, rows: usize) -> bool {
        self.step.samples >= self.steps(rows)
    }
}

/// Bytes that measuring a row takes at most: its training with the vectors, or its answers.
///
/// # Errors
/// As [`training_needs`].
pub fn measuring_bytes(row: RowId, plan: &Plan) -> Result<u64> {
    let arch = row.arch();
    let answers = inference_bytes(&arch, Precision::F32, plan.batch);
    Ok(training_needs(&arch, plan.training_batch)?.max(answers))
}

/// Bytes that this process holds now, and at most so far, where the system tells.
pub type ProcessMemory<'a> = dyn Fn() -> Option<(u64, u64)> + 'a;

/// Measures a row on `data`, vectors of its width, described by `vectors` and `synthetic`. The
/// process should be fresh: what it held before at most counts if training needs less. `announce`
/// is told what comes next and may end it.
///
/// # Errors
/// What the device reports, also that something does not fit, and what `announce` returns.
pub async fn measure_row(
    device: &Device,
    (row, plan): (RowId, &Plan),
    data: Arc<Matrix>,
    (vectors, synthetic): (&str, bool),
    memory: &ProcessMemory<'_>,
    announce: &mut Announce<'_>,
) -> Result<Measured> {
    let arch = row.arch();
    let options = BenchOptions {
        precisions: vec![Precision::F32],
        batches: vec![1, plan.batch],
        training_batch: plan.training_batch,
        seconds: plan.seconds,
        samples: plan.training_samples,
        stop: Arc::new(AtomicBool::new(false)),
        ..BenchOptions::default()
    };
    announce("a training step")?;
    let before = memory();
    let step = time_training(device, &arch, data, &options).await?;
    let grown = memory().zip(before).map(|((_, peak), (held, _))| peak.saturating_sub(held));
    let options = BenchOptions { samples: 5, ..options };
    // Of a cold start the open device is no part: it is the same for all rows.
    let open = async || Ok(device.clone());
    let report = bench_inference(device, open, &arch, &options, announce).await?;
    if let Some(skipped) = report.skipped.first() {
        return Err(Error::invalid(format!("{row}, {}", skipped.what), skipped.reason.clone()));
    }
    let timed = |batch: usize| {
        let found = report.rows.iter().find(|row| row.batch == batch);
        let t = found.expect("every batch was measured or skipped").timing;
        Timed {
            batch,
            median_ms: t.median_us / 1e3,
            p10_ms: t.p10_us / 1e3,
            p90_ms: t.p90_us / 1e3,
            samples: t.samples,
        }
    };
    let cold = report.cold.first().map_or(f64::NAN, |cold| cold.upload_ms + cold.first_vector_ms);
    Ok(Measured {
        row,
        plan: *plan,
        vectors: vectors.into(),
        synthetic,
        step: Timed {
            batch: step.batch,
            median_ms: step.median_ms,
            p10_ms: step.p10_ms,
            p90_ms: step.p90_ms,
            samples: step.samples * step.steps_per_sample,
        },
        ledger_bytes: step.peak_device_bytes,
        predicted_bytes: step.predicted_bytes,
        process_bytes: if device.is_gpu() { None } else { grown },
        cold_ms: cold,
        one: timed(1),
        many: timed(plan.batch),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::note::Mode;

    #[test]
    fn the_smallest_row_is_measured_and_its_ledger_is_as_predicted() {
        let row: RowId = "B-256".parse().unwrap();
        let plan = Plan {
            training_batch: 16,
            training_samples: 2,
            batch: 3,
            seconds: 0.0,
            ..Mode::Quick.plan(&row.arch(), 1)
        };
        let data = Matrix::from_fn(64, 384, |r, c| ((r * 37 + c * 11) as f32 * 0.61).sin());
        let memory = || Some((100, 150));
        let found = pollster::block_on(measure_row(
            &Device::cpu(),
            (row, &plan),
            Arc::new(data),
            ("waves", true),
            &memory,
            &mut |_| Ok(()),
        ))
        .unwrap();
        assert!(found.ledger_deviation().abs() < 0.05, "{found:?}");
        assert_eq!((found.process_bytes, found.one.batch, found.many.batch), (Some(50), 1, 3));
        assert!(found.step.samples >= 2 && found.step.median_ms > 0.0);
        assert!(found.cold_ms > 0.0 && found.epoch_seconds(160) > 0.0);
        assert!(!found.whole_epoch(20_000) && found.whole_epoch(32));
        let text = serde_json::to_string(&found).unwrap();
        assert_eq!(serde_json::from_str::<Measured>(&text).unwrap(), found);
    }

    #[test]
    fn what_a_row_needs_is_what_its_training_needs() {
        let row: RowId = "A-8192".parse().unwrap();
        let needed = measuring_bytes(row, &Mode::Quick.plan(&row.arch(), 1)).unwrap();
        assert!((3_200_000_000..4_000_000_000).contains(&needed), "{needed}");
    }
}
