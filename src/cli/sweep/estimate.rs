//! What runs will take, before they start.

use super::workers::Share;
use crate::device::{Cpu, Device};
use crate::error::Result;
use crate::experiment::bench::{BenchOptions, bench_training};
use crate::experiment::sweep::{RunData, RunSettings};
use crate::sizes::training_bytes;

/// Bytes that the largest training of `runs` takes.
///
/// # Errors
/// As [`training_bytes`].
pub fn largest_memory(runs: &[RunSettings]) -> Result<u64> {
    let one = |run: &RunSettings| {
        let bytes = training_bytes(&run.arch, run.config.batch)?;
        // The parameters once more, on their way out.
        Ok(bytes.total.saturating_add(bytes.parameters))
    };
    runs.iter().map(one).try_fold(0, |most, bytes: Result<u64>| Ok(most.max(bytes?)))
}

/// About how many seconds `todo` takes, from the time of a few steps of the widest student; that of
/// the others goes with their operations.
///
/// # Errors
/// As [`bench_training`].
pub fn estimate(
    todo: &[RunSettings],
    data: &RunData,
    share: Share,
    device: &Device,
) -> anyhow::Result<f64> {
    let batch = |run: &RunSettings| run.config.batch_of(data.training.rows()).max(1);
    let flops = |run: &RunSettings| {
        let steps = data.training.rows() / batch(run) * run.config.epochs as usize;
        (steps * batch(run)) as f64 * run.arch.flops_per_vector() as f64
    };
    let Some(widest) = todo.iter().max_by_key(|run| run.arch.flops_per_vector()) else {
        return Ok(0.0);
    };
    let options = BenchOptions {
        training_batch: batch(widest),
        seconds: 0.2,
        samples: 2,
        ..BenchOptions::default()
    };
    let time = |device: &Device| {
        pollster::block_on(bench_training(device, &widest.arch, &options, &mut |_| Ok(())))
    };
    let report = match device.is_gpu() {
        true => time(device)?,
        // As a run has it: its share of the cores.
        false => rayon::ThreadPoolBuilder::new()
            .num_threads(share.threads)
            .build()?
            .install(|| time(&Device::Cpu(Cpu::new(Some(share.memory)))))?,
    };
    let ms = report.training.first().map_or(f64::NAN, |row| row.median_ms);
    let per_flop = ms / 1e3 / (batch(widest) as f64 * widest.arch.flops_per_vector() as f64);
    let total: f64 = todo.iter().map(flops).sum();
    Ok(total * per_flop / share.jobs as f64)
}
