//! What the GPU tests share: one device a program, and the comparison with the CPU twin.
//!
//! A test that needs an adapter fails where there is none, unless LNSP_ALLOW_NO_ADAPTER is set.
//! LNSP_ADAPTER picks one by index or name.
#![allow(dead_code, reason = "each test program uses its part")]

use std::sync::OnceLock;

use lnsp::device::{Device, Gpu, GpuOptions, Tensor};

/// Opens the adapter for tests; `None` if there is none and that is allowed.
pub fn open(max_binding_bytes: Option<u64>) -> Option<Gpu> {
    let options = GpuOptions {
        adapter: std::env::var("LNSP_ADAPTER").ok(),
        max_binding_bytes,
        ..GpuOptions::default()
    };
    match pollster::block_on(Gpu::open(&options)) {
        Ok(gpu) => Some(gpu),
        Err(error) if std::env::var_os("LNSP_ALLOW_NO_ADAPTER").is_some() => {
            eprintln!("skipped: {error}");
            None
        }
        Err(error) => panic!(
            "this test needs a GPU adapter, a software one will do (mesa-vulkan-drivers): {error}. \
             Set LNSP_ALLOW_NO_ADAPTER=1 to skip it."
        ),
    }
}

/// The device at its own limits.
pub fn gpu() -> Option<Device> {
    static GPU: OnceLock<Option<Gpu>> = OnceLock::new();
    GPU.get_or_init(|| open(None)).clone().map(Device::Gpu)
}

/// The device with buffers of at most 4,096 bytes, so that small tensors are split.
pub fn split_gpu() -> Option<Device> {
    static GPU: OnceLock<Option<Gpu>> = OnceLock::new();
    GPU.get_or_init(|| open(Some(4096))).clone().map(Device::Gpu)
}

/// `n` repeatable values in (-1, 1).
pub fn values(n: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    (0..n)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

/// A tensor of such values.
pub fn random(device: &Device, rows: usize, cols: usize, seed: u32) -> Tensor {
    device.upload(rows, cols, &values(rows * cols, seed)).unwrap()
}

pub fn zeros(device: &Device, rows: usize, cols: usize) -> Tensor {
    device.zeros(rows, cols).unwrap()
}

pub fn read(device: &Device, tensor: &Tensor) -> Vec<f32> {
    pollster::block_on(device.read(tensor)).unwrap()
}

/// Compares what `run` leaves behind on the CPU and on a GPU.
pub fn agree_on(gpu: &Device, name: &str, run: impl Fn(&Device) -> Vec<Tensor>) {
    let cpu = Device::cpu();
    let wanted = run(&cpu);
    let got = run(gpu);
    assert_eq!(wanted.len(), got.len());
    for (i, (wanted, got)) in wanted.iter().zip(&got).enumerate() {
        let (wanted, got) = (read(&cpu, wanted), read(gpu, got));
        assert_eq!(wanted.len(), got.len());
        let largest = wanted.iter().fold(0.0f32, |a, v| a.max(v.abs()));
        for (at, (w, g)) in wanted.iter().zip(&got).enumerate() {
            assert!(
                (w - g).abs() <= 1e-4 * largest,
                "{name}, tensor {i}, value {at}: {g} instead of {w} (largest {largest}) on {}",
                gpu.name()
            );
        }
    }
}

/// As [`agree_on`], on the GPU whole and split.
pub fn agree(name: &str, run: impl Fn(&Device) -> Vec<Tensor>) {
    for (gpu, how) in [(gpu(), "whole"), (split_gpu(), "split")] {
        if let Some(gpu) = gpu {
            agree_on(&gpu, &format!("{name} {how}"), &run);
        }
    }
}
