//! A small timed piece of training, to compare devices at a width.

use web_time::{Duration, Instant};

use crate::arch::Activation;
use crate::device::Device;
use crate::error::Result;
use crate::kernels::linear::{Epilogue, linear};
use crate::kernels::linear_grad_input::linear_grad_input;
use crate::kernels::linear_grad_weight::linear_grad_weight;

/// Vectors in the batch.
const ROWS: usize = 256;
/// Timed runs; the best counts.
const RUNS: usize = 5;

/// The time that `device` takes for one `width × width` layer forward and backward on a batch of
/// 256: the best of five, after one that is not counted.
///
/// # Errors
/// What the device reports.
pub async fn probe(device: &Device, width: usize) -> Result<Duration> {
    let values = |n: usize| -> Vec<f32> { (0..n).map(|i| (i % 97) as f32 * 0.01 - 0.5).collect() };
    let x = device.upload(ROWS, width, &values(ROWS * width))?;
    let weight = device.upload(width, width, &values(width * width))?;
    let bias = device.zeros(1, width)?;
    let mut y = device.zeros(ROWS, width)?;
    let mut slope = device.zeros(ROWS, width)?;
    let mut dx = device.zeros(ROWS, width)?;
    let mut dweight = device.zeros(width, width)?;
    let mut best = Duration::MAX;
    for run in 0..=RUNS {
        device.wait().await?;
        let start = Instant::now();
        let epilogue = Epilogue::ActivationAndSlope(Activation::Gelu, &mut slope);
        linear(device, &x, &weight, Some(&bias), epilogue, &mut y)?;
        linear_grad_weight(device, &y, &x, &mut dweight)?;
        linear_grad_input(device, &y, &weight, false, &mut dx)?;
        device.wait().await?;
        if run > 0 {
            best = best.min(start.elapsed());
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wider_layer_takes_longer() {
        let device = Device::cpu();
        let time = |width| pollster::block_on(probe(&device, width)).unwrap();
        assert!(time(16) < time(512));
    }
}
