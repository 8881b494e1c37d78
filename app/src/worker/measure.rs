//! Times one architecture.

use lnsp::Result;
use lnsp::device::Device;
use lnsp::experiment::bench::{BenchOptions, BenchReport, bench_inference};

use super::core::Core;
use super::{Devices, Reply, Task};
use crate::page::memory;
use crate::protocol::{Cold, Measure, Measured, Skip, Warm};

/// Answers [`Measure`].
pub(super) async fn measure(core: &mut Core, question: Measure, task: &Task) -> Result<Reply> {
    task.progress(Some(0.0), "opening the device");
    let width = question.arch.widths()[1].min(2048);
    let device = core.devices.get(question.device.parse()?, width).await?;
    task.check().await?;
    let options = BenchOptions {
        precisions: vec![question.precision],
        batches: question.batches.clone(),
        seconds: question.seconds,
        samples: samples(&question),
        available: Some(memory::limit()),
        stop: task.stopped(),
        ..BenchOptions::default()
    };
    let steps = 1 + question.batches.len();
    let mut done = 0;
    let mut announce = |what: &str| {
        task.progress(Some(done as f64 / steps as f64), what);
        done += 1;
        task.still_wanted()
    };
    let open = async || Devices::again(&device).await;
    let report = bench_inference(&device, open, &question.arch, &options, &mut announce).await?;
    Reply::of(&measured(&device, report))
}

/// Fewer samples where one takes many seconds on a CPU.
fn samples(question: &Measure) -> usize {
    let most = question.batches.iter().max().copied().unwrap_or(1) as u64;
    if question.arch.flops_per_vector().saturating_mul(most) > 100_000_000_000 { 2 } else { 5 }
}

fn measured(device: &Device, report: BenchReport) -> Measured {
    Measured {
        device: device.name(),
        gpu: device.is_gpu(),
        cold: report.cold.first().map(|cold| Cold {
            weights_ms: cold.weights_ms,
            open_ms: cold.open_ms,
            upload_ms: cold.upload_ms,
            first_ms: cold.first_vector_ms,
        }),
        warm: report
            .rows
            .iter()
            .map(|row| Warm {
                batch: row.batch,
                median_us: row.timing.median_us,
                p10_us: row.timing.p10_us,
                p90_us: row.timing.p90_us,
                samples: row.timing.samples,
                gpu_us: row.gpu_us,
                peak_bytes: row.peak_device_bytes,
            })
            .collect(),
        skipped: report
            .skipped
            .into_iter()
            .map(|skipped| Skip { what: skipped.what, reason: skipped.reason })
            .collect(),
    }
}
