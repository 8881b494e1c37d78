//! Time of a training step.

use std::sync::Arc;

use super::timing::measure;
use super::{
    Announce, BenchOptions, BenchReport, TrainingRow, skip_or_fail, too_large, training_needs,
    training_rows,
};
use crate::arch::Arch;
use crate::device::Device;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::note;
use crate::sizes::training_bytes;
use crate::student::Init;
use crate::train::{Budget, TrainConfig, Trainer};

/// Steps of one sample on a GPU, whose losses a training reads together.
const GPU_STEPS: u64 = 16;

/// Measures a training step of one architecture with the default losses, from a random start.
/// Nothing is measured, and nothing said, for an architecture that does not give the width it
/// takes.
///
/// # Errors
/// As [`super::bench_inference`].
pub async fn bench_training(
    device: &Device,
    arch: &Arch,
    options: &BenchOptions,
    announce: &mut Announce<'_>,
) -> Result<BenchReport> {
    options.check()?;
    let mut report = BenchReport::default();
    if arch.input() != arch.output() {
        return Ok(report);
    }
    let batch = options.training_batch;
    let what = format!("training step of {batch} vectors");
    announce(&format!("{arch}: {what}"))?;
    let name = device.name();
    let needed = training_needs(arch, batch)?;
    if let Some(skipped) = too_large(arch, what.clone(), needed, options.available, &name) {
        report.skipped.push(skipped);
        return Ok(report);
    }
    let data = Arc::new(data(training_rows(arch, batch), arch.input()));
    match time_training(device, arch, data, options).await {
        Ok(row) => report.training.push(row),
        Err(error) => report.skipped.push(skip_or_fail(error, arch, what, &name)?),
    }
    Ok(report)
}

/// Times a training step of one architecture on the vectors `data`, of which it takes four batches
/// at least; see [`training_rows`].
///
/// # Errors
/// What the device reports, also that something does not fit; [`crate::Error::Cancelled`] when the
/// options say stop.
pub async fn time_training(
    device: &Device,
    arch: &Arch,
    data: Arc<Matrix>,
    options: &BenchOptions,
) -> Result<TrainingRow> {
    let batch = options.training_batch;
    let predicted = training_bytes(arch, batch)?;
    device.ledger().reset_peak();
    let config = TrainConfig {
        batch,
        epochs: u32::MAX,
        init: Init::Random,
        validation_rows: 0,
        ..TrainConfig::default()
    };
    let mut trainer = Trainer::new(device, arch, &config, data).await?;
    let per_epoch = trainer.steps_per_epoch();
    let steps = if device.is_gpu() { GPU_STEPS.min(per_epoch - 2) } else { 1 };
    let timing = measure(options, async |calls| {
        for _ in 0..calls {
            trainer.advance(Budget::steps(steps)).await?;
        }
        Ok(())
    })
    .await?;
    let ms = |us: f64| us / steps as f64 / 1e3;
    let median_ms = ms(timing.median_us);
    Ok(TrainingRow {
        device: device.name(),
        architecture: arch.to_string(),
        width: arch.widths()[1],
        variant: arch.variant(),
        activation: arch.activation(),
        batch,
        median_ms,
        p10_ms: ms(timing.p10_us),
        p90_ms: ms(timing.p90_us),
        samples: timing.samples,
        steps_per_sample: timing.calls_per_sample * steps as usize,
        vectors_per_second: 1e3 * batch as f64 / median_ms,
        peak_device_bytes: device.ledger().usage().peak_bytes,
        predicted_bytes: predicted.total,
        note_ram_mb: note::row_of(arch).map(|row| row.ram_mb.value),
    })
}

/// Distinct rows of unit length or thereabouts.
fn data(rows: usize, width: usize) -> Matrix {
    let scale = (2.0 / width as f32).sqrt();
    Matrix::from_fn(rows, width, |r, c| scale * ((r * 37 + c * c * 11 + 1) as f32 * 0.61).sin())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_timed_and_its_memory_counted() {
        let arch: Arch = "20-14-6-14-20".parse().unwrap();
        let options = BenchOptions { training_batch: 8, seconds: 0.0, ..Default::default() };
        let device = Device::cpu();
        let bench = |arch: &Arch, options: &BenchOptions| {
            pollster::block_on(bench_training(&device, arch, options, &mut |_| Ok(()))).unwrap()
        };
        let report = bench(&arch, &options);
        let row = &report.training[0];
        assert!(row.median_ms > 0.0 && row.batch == 8 && row.note_ram_mb.is_none());
        assert!(row.peak_device_bytes > row.predicted_bytes / 2, "{row:?}");
        let little = BenchOptions { available: Some(1), ..options.clone() };
        let skipped = bench(&arch, &little);
        assert!(skipped.training.is_empty() && skipped.skipped[0].available == Some(1));
        assert!(bench(&"8-4-9".parse().unwrap(), &options).training.is_empty());
    }
}
