//! Which device works here, and what takes its place when it is lost.

use js_sys::Reflect;
use lnsp::Result;
use lnsp::device::{self, Cpu, Device, DeviceChoice, Gpu, GpuOptions};
use lnsp::kernels::probe::probe;
use wasm_bindgen::JsValue;

use super::{Reply, Task, post};
use crate::protocol::{DeviceInfo, OpenDevice};

/// The device that works, opened when first needed.
#[derive(Default)]
pub struct Devices {
    open: Option<Open>,
    generation: u32,
}

struct Open {
    choice: DeviceChoice,
    device: Device,
    reason: String,
}

impl Devices {
    /// The device of `choice`, the one that is open if it was opened for that. With `auto` and a
    /// real GPU the two are timed on a layer `width` wide.
    ///
    /// # Errors
    /// What the device reports.
    pub async fn get(&mut self, choice: DeviceChoice, width: usize) -> Result<Device> {
        if let Some(open) = self.open.as_ref().filter(|open| open.choice == choice) {
            return Ok(open.device.clone());
        }
        self.change(choice, width).await
    }

    async fn change(&mut self, choice: DeviceChoice, width: usize) -> Result<Device> {
        let cpu_limit = Some(crate::page::memory::limit());
        let timed = async |device: &Device| probe(device, width).await;
        let options = GpuOptions::default();
        let opened = device::open(choice, &options, cpu_limit, timed).await;
        let (device, reason) = match opened {
            Ok((device, reason)) => (device, reason),
            // Asked for or not, a page without a GPU works on the CPU.
            Err(error) => (Device::Cpu(Cpu::new(cpu_limit)), format!("the CPU, since {error}")),
        };
        let reason = match obstacle() {
            Some(why) if !device.is_gpu() && choice != DeviceChoice::Cpu => {
                format!("the CPU: {why}")
            }
            _ => reason,
        };
        self.open = Some(Open { choice, device: device.clone(), reason });
        self.generation += 1;
        let gpu = if let Device::Gpu(gpu) = &device { Some(gpu.clone()) } else { None };
        WORKING.set(gpu);
        post::device(&self.info());
        Ok(device)
    }

    /// Opens the same kind of device once more, for a cold start.
    ///
    /// # Errors
    /// What the device reports.
    pub async fn again(device: &Device) -> Result<Device> {
        Ok(match device {
            Device::Cpu(cpu) => Device::Cpu(Cpu::new(cpu.ledger().limit())),
            Device::Gpu(_) => Device::Gpu(Gpu::open(&GpuOptions::default()).await?),
        })
    }

    /// Opens a new device in place of one that was lost, the CPU if there is no other, and says
    /// which.
    pub(super) async fn replace(&mut self) -> String {
        let choice = self.open.take().map_or(DeviceChoice::Auto, |open| open.choice);
        let name = |device: &Device| match device {
            Device::Cpu(_) => "the CPU".to_string(),
            Device::Gpu(gpu) => format!("a new device on {}", gpu.name()),
        };
        match self.change(choice, 256).await {
            Ok(device) => name(&device),
            Err(_) => "the CPU".into(),
        }
    }

    /// Changes whenever another device works.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    fn info(&self) -> DeviceInfo {
        let Some(open) = &self.open else { return DeviceInfo::default() };
        let mut info = DeviceInfo {
            name: open.device.name(),
            gpu: open.device.is_gpu(),
            reason: open.reason.clone(),
            limit: open.device.ledger().limit(),
            ..DeviceInfo::default()
        };
        if let Device::Gpu(gpu) = &open.device {
            info.f16 = gpu.description().f16;
            info.binding_bytes = gpu.limits().max_storage_buffer_binding_size;
        }
        info
    }
}

/// What keeps WebGPU away altogether, if anything does.
fn obstacle() -> Option<&'static str> {
    let global = js_sys::global();
    let get = |object: &JsValue, name: &str| Reflect::get(object, &name.into()).ok();
    let secure = get(&global, "isSecureContext").is_none_or(|secure| secure.is_truthy());
    let gpu = get(&global, "navigator").and_then(|navigator| get(&navigator, "gpu"));
    match (secure, gpu.is_some_and(|gpu| gpu.is_truthy())) {
        (_, true) => None,
        (false, false) => {
            Some("WebGPU needs HTTPS or localhost, and this page came over plain HTTP")
        }
        (true, false) => Some("this browser has no WebGPU"),
    }
}

/// Answers [`OpenDevice`].
pub(super) async fn open(
    devices: &mut Devices,
    question: OpenDevice,
    task: &Task,
) -> Result<Reply> {
    task.progress(None, "opening the device");
    devices.get(question.choice.parse()?, 512).await?;
    Reply::of(&devices.info())
}

/// Answers [`crate::protocol::DestroyDevice`]: at once and whatever is worked on.
pub(super) fn destroy() -> Result<Reply> {
    WORKING.with_borrow(|gpu| gpu.as_ref().map(Gpu::destroy));
    Reply::of(&())
}

thread_local! {
    /// The GPU that works, for [`destroy`].
    static WORKING: std::cell::RefCell<Option<Gpu>> = const { std::cell::RefCell::new(None) };
}
