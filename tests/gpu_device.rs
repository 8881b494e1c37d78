//! The GPU device itself: memory, order, faults and timing.

mod gpu_support;

use gpu_support::{gpu, open, random, read, split_gpu, values, zeros};
use lnsp::Error;
use lnsp::device::{Device, DeviceChoice, GpuOptions, list_adapters};
use lnsp::kernels::add_scaled::add_scaled;
use lnsp::kernels::multiply::multiply;
use lnsp::kernels::probe::probe;
use pollster::block_on;

#[test]
fn the_device_has_the_default_limits() {
    let Some(gpu) = open(None) else { return };
    let limits = gpu.limits();
    assert_eq!(limits.max_storage_buffer_binding_size, 128 << 20);
    assert_eq!(limits.max_storage_buffers_per_shader_stage, 8);
    assert_eq!(limits.max_compute_workgroup_storage_size, 16 << 10);
    assert_eq!(limits.max_compute_invocations_per_workgroup, 256);
}

#[test]
fn values_come_back_whole_and_split() {
    for device in [gpu(), split_gpu()].into_iter().flatten() {
        for (rows, cols) in [(1, 1), (0, 5), (5, 0), (1, 1024), (130, 33), (1000, 3)] {
            let wanted = values(rows * cols, 1);
            let tensor = device.upload(rows, cols, &wanted).unwrap();
            assert_eq!(read(&device, &tensor), wanted, "{rows} × {cols}");
            assert_eq!(read(&device, &zeros(&device, rows, cols)), vec![0.0; rows * cols]);
        }
    }
}

#[test]
fn a_write_comes_after_the_kernels_before_and_before_those_after() {
    let Some(device) = gpu() else { return };
    let mut a = device.upload(1, 2, &[1.0, 2.0]).unwrap();
    let mut b = device.upload(1, 2, &[10.0, 20.0]).unwrap();
    add_scaled(&device, &mut a, 1.0, &b).unwrap();
    device.write(&mut b, &[100.0, 200.0]).unwrap();
    add_scaled(&device, &mut a, 1.0, &b).unwrap();
    assert_eq!(read(&device, &a), [111.0, 222.0]);
}

#[test]
fn more_dispatches_than_parameters_fit() {
    let Some(device) = gpu() else { return };
    let mut a = device.upload(1, 1, &[0.0]).unwrap();
    let one = device.upload(1, 1, &[1.0]).unwrap();
    for i in 0..2500 {
        add_scaled(&device, &mut a, if i % 2 == 0 { 2.0 } else { 1.0 }, &one).unwrap();
    }
    assert_eq!(read(&device, &a), [3750.0]);
}

#[test]
fn tensors_are_counted_and_limited() {
    if open(None).is_none() {
        return;
    }
    let options = GpuOptions {
        memory_limit: Some(1000),
        adapter: std::env::var("LNSP_ADAPTER").ok(),
        ..GpuOptions::default()
    };
    let device = Device::Gpu(block_on(lnsp::device::Gpu::open(&options)).unwrap());
    let a = zeros(&device, 10, 20);
    assert_eq!(device.ledger().usage().bytes, 800);
    assert!(matches!(device.zeros(10, 6), Err(Error::OutOfMemory { .. })));
    drop(a);
    assert_eq!(device.ledger().usage().bytes, 0);
    assert!(device.zeros(10, 6).is_ok());
}

#[test]
fn an_absurd_allocation_is_refused_and_the_device_goes_on() {
    let Some(device) = gpu() else { return };
    let before = device.ledger().usage();
    for (rows, cols) in [(1 << 20, 1 << 20), (1, 1 << 26), (usize::MAX, 2), (1 << 40, 1 << 20)] {
        let error = device.zeros(rows, cols).unwrap_err();
        assert!(matches!(error, Error::OutOfMemory { .. }), "{error}");
    }
    assert!(device.ledger().usage().bytes <= before.peak_bytes.max(1 << 20));
    let a = random(&device, 3, 3, 1);
    assert_eq!(read(&device, &a), values(9, 1));
}

#[test]
fn a_lost_device_is_an_error_everywhere() {
    let Some(inner) = open(None) else { return };
    let device = Device::Gpu(inner.clone());
    let mut a = random(&device, 4, 4, 1);
    let b = random(&device, 4, 4, 2);
    multiply(&device, &mut a, &b).unwrap();
    inner.destroy();
    let lost = |result: lnsp::Result<()>| {
        let error = result.unwrap_err();
        assert!(matches!(error, Error::DeviceLost { .. }), "{error}");
        assert!(error.to_string().contains("--device cpu"), "{error}");
    };
    lost(device.submit());
    lost(block_on(device.wait()));
    lost(block_on(device.read(&a)).map(drop));
    lost(device.write(&mut a, &[0.0; 16]));
    lost(device.zeros(2, 2).map(drop));
    lost(multiply(&device, &mut a, &b));
    lost(block_on(inner.time_pass(|| Ok(()))).map(drop));
}

#[test]
fn memory_of_freed_tensors_is_not_kept_by_their_bindings() {
    let Some(device) = gpu() else { return };
    for seed in 0..20 {
        let mut a = random(&device, 64, 64, seed);
        let b = random(&device, 64, 64, seed + 1);
        multiply(&device, &mut a, &b).unwrap();
        let wanted: Vec<f32> =
            values(4096, seed).iter().zip(values(4096, seed + 1)).map(|(a, b)| a * b).collect();
        assert_eq!(read(&device, &a), wanted);
    }
}

#[test]
fn a_pass_can_be_timed() {
    let Some(inner) = open(None) else { return };
    let device = Device::Gpu(inner.clone());
    let mut a = random(&device, 300, 300, 1);
    let b = random(&device, 300, 300, 2);
    let time = block_on(inner.time_pass(|| {
        for _ in 0..3 {
            multiply(&device, &mut a, &b)?;
        }
        // A submission in between starts a second pass, which is counted, too.
        device.submit()?;
        multiply(&device, &mut a, &b)
    }))
    .unwrap();
    if inner.description().timestamps {
        assert!(time.unwrap() > 0);
    } else {
        assert_eq!(time, None);
    }
    assert_eq!(read(&device, &a).len(), 90_000);
}

#[test]
fn a_wrong_name_lists_what_there_is() {
    let options = GpuOptions { adapter: Some("no such card".into()), ..GpuOptions::default() };
    let error = block_on(lnsp::device::Gpu::open(&options)).unwrap_err();
    assert!(matches!(error, Error::NoDevice(_)), "{error}");
    assert!(error.to_string().contains("no such card"));
}

#[test]
fn auto_opens_something_and_says_why() {
    let choice = DeviceChoice::Auto;
    let options = GpuOptions::default();
    let probe = async |device: &Device| probe(device, 16).await;
    let (device, reason) = block_on(lnsp::device::open(choice, &options, None, probe)).unwrap();
    assert!(!reason.is_empty());
    let software =
        |a: &lnsp::device::AdapterDescription| a.kind == lnsp::device::AdapterKind::Software;
    if block_on(list_adapters()).iter().all(software) {
        assert!(!device.is_gpu(), "{reason}");
    }
}
