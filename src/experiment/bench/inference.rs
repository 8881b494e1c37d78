//! Cold start, and time to answer.

use web_time::Instant;

use super::timing::{Timing, measure, quantile};
use super::{
    Announce, BenchOptions, BenchReport, ColdStart, InferenceRow, NoteTime, inference_bytes,
    skip_or_fail, too_large,
};
use crate::arch::{Arch, Precision};
use crate::device::Device;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::student::{Batch, Parameters, Student};

/// Seed of the parameters and the vectors; their values do not matter to the time.
const SEED: u64 = 727;
/// Passes of which the GPU's own clock gives the median.
const GPU_PASSES: usize = 9;

/// Measures one architecture at every precision and batch of the options on `device`. `open` opens
/// the same device anew, so that a cold start is one.
///
/// # Errors
/// What the device reports, except that something does not fit: that becomes a
/// [`super::Skipped`]; and what `announce` returns.
pub async fn bench_inference(
    device: &Device,
    open: impl AsyncFn() -> Result<Device>,
    arch: &Arch,
    options: &BenchOptions,
    announce: &mut Announce<'_>,
) -> Result<BenchReport> {
    options.check()?;
    let mut report = BenchReport::default();
    let mut parameters: Option<(Parameters, f64)> = None;
    let name = device.name();
    let available = options.available;
    for &precision in &options.precisions {
        let what = format!("{precision}, cold start");
        let needed = inference_bytes(arch, precision, 1);
        if let Some(skipped) = too_large(arch, what.clone(), needed, available, &name) {
            report.skipped.push(skipped);
            continue;
        }
        let (parameters, weights_ms) = parameters.get_or_insert_with(|| {
            let start = Instant::now();
            let parameters = Parameters::random(arch, SEED);
            (parameters, milliseconds(start))
        });
        announce(&format!("{arch} {precision}: cold start"))?;
        match cold_start(&open, parameters, *weights_ms, precision).await {
            Ok(cold) => report.cold.push(cold),
            Err(error) => {
                report.skipped.push(skip_or_fail(error, arch, what, &name)?);
                continue;
            }
        }
        for &batch in &options.batches {
            announce(&format!("{arch} {precision}: {}", vectors(batch)))?;
            let what = format!("{precision}, {}", vectors(batch));
            let needed = inference_bytes(arch, precision, batch);
            if let Some(skipped) = too_large(arch, what.clone(), needed, available, &name) {
                report.skipped.push(skipped);
                continue;
            }
            match warm(device, parameters, precision, batch, options).await {
                Ok(row) => report.rows.push(row),
                Err(error) => report.skipped.push(skip_or_fail(error, arch, what, &name)?),
            }
        }
    }
    Ok(report)
}

fn vectors(batch: usize) -> String {
    if batch == 1 { "one vector".into() } else { format!("{batch} vectors") }
}

fn milliseconds(since: Instant) -> f64 {
    1e3 * since.elapsed().as_secs_f64()
}

async fn cold_start(
    open: &impl AsyncFn() -> Result<Device>,
    parameters: &Parameters,
    weights_ms: f64,
    precision: Precision,
) -> Result<ColdStart> {
    let arch = parameters.arch();
    let vector = input(1, arch.input());
    let start = Instant::now();
    let device = open().await?;
    let open_ms = milliseconds(start);
    let start = Instant::now();
    let student = Student::new(&device, parameters, precision)?;
    device.wait().await?;
    let upload_ms = milliseconds(start);
    let start = Instant::now();
    student.reconstruct(&vector).await?;
    let first_vector_ms = milliseconds(start);
    Ok(ColdStart {
        device: device.name(),
        architecture: arch.to_string(),
        width: arch.widths()[1],
        precision,
        weights_ms,
        open_ms,
        upload_ms,
        first_vector_ms,
        total_ms: weights_ms + open_ms + upload_ms + first_vector_ms,
    })
}

/// Vectors of unit length or thereabouts.
fn input(rows: usize, width: usize) -> Matrix {
    let scale = (2.0 / width as f32).sqrt();
    Matrix::from_fn(rows, width, |r, c| scale * ((r * 31 + c * 7) as f32 * 0.37).sin())
}

async fn warm(
    device: &Device,
    parameters: &Parameters,
    precision: Precision,
    batch: usize,
    options: &BenchOptions,
) -> Result<InferenceRow> {
    let arch = parameters.arch();
    device.ledger().reset_peak();
    let student = Student::new(device, parameters, precision)?;
    let mut room = student.batch(batch)?;
    let vectors = input(batch, arch.input());
    device.write(room.input_mut(), vectors.data())?;
    let timing = measure(options, async |calls| {
        for _ in 0..calls {
            student.forward_on_device(&mut room, |_| ())?;
            device.wait().await?;
        }
        Ok(())
    })
    .await?;
    let with_transfer = match options.transfer {
        true => Some(transfer(&student, &mut room, &vectors, options).await?),
        false => None,
    };
    let gpu_us = gpu_clock(&student, &mut room).await?;
    let per_second = 1e6 / timing.median_us;
    let gflops = arch.flops_per_vector() as f64 * batch as f64 * per_second / 1e9;
    let name = device.name();
    let ours_ms = timing.median_us / 1e3;
    Ok(InferenceRow {
        architecture: arch.to_string(),
        width: arch.widths()[1],
        variant: arch.variant(),
        activation: arch.activation(),
        precision,
        batch,
        timing,
        with_transfer,
        gpu_us,
        vectors_per_second: batch as f64 * per_second,
        gflops,
        peak_share: options.peak_flops.map(|peak| 1e9 * gflops / peak),
        weight_bytes: student.bytes(),
        peak_device_bytes: device.ledger().usage().peak_bytes,
        note: (batch == 1).then(|| NoteTime::of(arch, &name, device.is_gpu(), ours_ms)).flatten(),
        device: name,
    })
}

async fn transfer(
    student: &Student,
    room: &mut Batch,
    vectors: &Matrix,
    options: &BenchOptions,
) -> Result<Timing> {
    let device = student.device();
    measure(options, async |calls| {
        for _ in 0..calls {
            device.write(room.input_mut(), vectors.data())?;
            student.forward_on_device(room, |_| ())?;
            device.read(room.output()).await?;
        }
        Ok(())
    })
    .await
}

/// Median microseconds of a pass by the GPU's own clock.
async fn gpu_clock(student: &Student, room: &mut Batch) -> Result<Option<f64>> {
    let Device::Gpu(gpu) = student.device() else { return Ok(None) };
    let mut passes = Vec::with_capacity(GPU_PASSES);
    for _ in 0..GPU_PASSES {
        match gpu.time_pass(|| student.forward_on_device(room, |_| ())).await? {
            Some(nanoseconds) => passes.push(nanoseconds as f64 / 1e3),
            None => return Ok(None),
        }
    }
    passes.sort_by(f64::total_cmp);
    Ok(Some(quantile(&passes, 0.5)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Cpu;
    use crate::error::Error;

    fn options() -> BenchOptions {
        BenchOptions {
            precisions: vec![Precision::F32, Precision::Int8],
            batches: vec![1, 3],
            transfer: true,
            seconds: 0.0,
            ..Default::default()
        }
    }

    fn bench(limit: Option<u64>, options: &BenchOptions) -> Result<BenchReport> {
        let arch: Arch = "20-14-6-14-20".parse().unwrap();
        let open = async || Ok(Device::Cpu(Cpu::new(limit)));
        let device = Device::Cpu(Cpu::new(limit));
        pollster::block_on(bench_inference(&device, open, &arch, options, &mut |_| Ok(())))
    }

    #[test]
    fn every_precision_and_batch_is_a_row() {
        let report = bench(None, &options()).unwrap();
        let found: Vec<_> = report.rows.iter().map(|r| (r.precision, r.batch)).collect();
        let (f, i) = (Precision::F32, Precision::Int8);
        assert_eq!(found, [(f, 1), (f, 3), (i, 1), (i, 3)]);
        assert_eq!((report.cold.len(), report.skipped.len()), (2, 0));
        for row in &report.rows {
            assert!(row.timing.median_us > 0.0 && row.with_transfer.is_some());
            assert!(row.gpu_us.is_none() && row.note.is_none());
            assert!(row.weight_bytes < row.peak_device_bytes);
        }
        // Weights, and 3 · (20 + 14 + 6 + 14 + 20) values.
        assert_eq!(report.rows[1].peak_device_bytes, report.rows[1].weight_bytes + 4 * 3 * 74);
        let json = serde_json::to_value(&report).unwrap();
        assert!(json["rows"][0]["median_us"].is_f64() && json["rows"][0]["precision"] == "f32");
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_said() {
        let refused = bench(Some(1000), &options()).unwrap();
        assert!(refused.rows.is_empty() && refused.skipped.len() == 2);
        let known = BenchOptions { available: Some(5000), ..options() };
        let report = bench(None, &known).unwrap();
        assert!(report.skipped.iter().all(|s| s.available == Some(5000) && s.needed > Some(5000)));
        assert!(!report.skipped.is_empty());
    }

    #[test]
    fn announce_can_stop_it() {
        let arch: Arch = "8-4-8".parse().unwrap();
        let open = async || Ok(Device::cpu());
        let mut stop = |_: &str| Err(Error::Cancelled);
        let device = Device::cpu();
        let options = options();
        let stopped = bench_inference(&device, open, &arch, &options, &mut stop);
        let stopped = pollster::block_on(stopped);
        assert!(matches!(stopped, Err(Error::Cancelled)));
    }
}
