//! The device that a subcommand computes on.

use pollster::block_on;

use super::ui::Ui;
use super::{DeviceChoice, memory};
use crate::device::{self, Device, GpuOptions};
use crate::error::Result;
use crate::kernels::probe::probe;

/// Opens the device that `--device` asks for and says which; `width` is the hidden width of the
/// work at hand, by which `auto` decides. On the CPU, tensors may take the memory that is
/// available now, and no more.
///
/// # Errors
/// [`crate::Error::NoDevice`] if a GPU is asked for and there is none.
pub fn open_device(ui: &Ui, width: usize) -> Result<Device> {
    let (device, why) = choose(ui.device(), width)?;
    ui.status(&format!("device: {why}"));
    Ok(device)
}

/// As [`open_device`] for any choice, and why in words.
///
/// # Errors
/// As [`open_device`].
pub fn choose(choice: DeviceChoice, width: usize) -> Result<(Device, String)> {
    let choice = match choice {
        DeviceChoice::Auto => device::DeviceChoice::Auto,
        DeviceChoice::Gpu => device::DeviceChoice::Gpu,
        DeviceChoice::Cpu => device::DeviceChoice::Cpu,
    };
    let timed = async |device: &Device| probe(device, width).await;
    let limit = Some(memory::available());
    block_on(device::open(choice, &GpuOptions::default(), limit, timed))
}
