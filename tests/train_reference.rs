//! Whole students against PyTorch: outputs, losses, every gradient, ten steps of AdamW.

mod reference_support;

use lnsp::device::Device;

#[test]
fn every_case_on_the_cpu() {
    reference_support::check_every_case(&Device::cpu(), 2e-5);
}
