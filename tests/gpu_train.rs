//! Whole students on the GPU against the same PyTorch dump as the CPU device.

mod gpu_support;
mod reference_support;

#[test]
fn every_case_on_the_gpu() {
    if let Some(device) = gpu_support::gpu() {
        reference_support::check_every_case(&device, 1e-4);
    }
}
