//! Which device to take: the user's word, or whichever is faster.

use std::fmt;
use std::str::FromStr;
use web_time::Duration;

use crate::device::gpu::pick;
use crate::device::{AdapterDescription, AdapterKind, Cpu, Device, Gpu, GpuOptions, list_adapters};
use crate::error::{Error, Result};

/// What the user asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DeviceChoice {
    /// The faster of GPU and CPU; never a software adapter.
    #[default]
    Auto,
    /// A GPU, a software adapter if there is no other.
    Gpu,
    /// The CPU.
    Cpu,
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            DeviceChoice::Auto => "auto",
            DeviceChoice::Gpu => "gpu",
            DeviceChoice::Cpu => "cpu",
        })
    }
}

impl FromStr for DeviceChoice {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "auto" => Ok(DeviceChoice::Auto),
            "gpu" => Ok(DeviceChoice::Gpu),
            "cpu" => Ok(DeviceChoice::Cpu),
            _ => Err(Error::invalid("device", format!("{text:?} is not auto, gpu or cpu"))),
        }
    }
}

/// Opens the device of `choice`, and says why in words. `gpu.memory_limit` goes for the GPU,
/// `cpu_limit` for the CPU.
///
/// With `auto` and a real GPU, `probe` times a piece of work like the one in question on both
/// devices, and the faster is taken; `crate::kernels::probe` has one.
///
/// # Errors
/// [`Error::NoDevice`] if a GPU is asked for and cannot be opened. `auto` falls back to the CPU
/// instead and says why.
pub async fn open(
    choice: DeviceChoice,
    gpu: &GpuOptions,
    cpu_limit: Option<u64>,
    probe: impl AsyncFn(&Device) -> Result<Duration>,
) -> Result<(Device, String)> {
    let cpu = || Device::Cpu(Cpu::new(cpu_limit));
    match choice {
        DeviceChoice::Cpu => Ok((cpu(), "the CPU, as asked for".into())),
        DeviceChoice::Gpu => {
            let gpu = Gpu::open(gpu).await?;
            let reason = format!("{}, as asked for", gpu.name());
            Ok((Device::Gpu(gpu), reason))
        }
        DeviceChoice::Auto => {
            let adapters = list_adapters().await;
            if let Some(reason) = refusal(&adapters, gpu.adapter.as_deref()) {
                return Ok((cpu(), reason));
            }
            match faster(gpu, cpu(), probe).await {
                Ok(chosen) => Ok(chosen),
                Err(error) => Ok((cpu(), format!("the CPU, since the GPU failed: {error}"))),
            }
        }
    }
}

/// Why `auto` does not even try a GPU, if so.
fn refusal(adapters: &[AdapterDescription], wanted: Option<&str>) -> Option<String> {
    match pick(adapters, wanted) {
        Err(Error::NoDevice(message)) if wanted.is_some() => {
            Some(format!("the CPU, since {message}"))
        }
        Err(_) => Some("the CPU, since there is no GPU adapter".into()),
        Ok(index) if adapters[index].kind == AdapterKind::Software => Some(format!(
            "the CPU, since {} is a software adapter, slower than our CPU kernels",
            adapters[index].name
        )),
        Ok(_) => None,
    }
}

async fn faster(
    options: &GpuOptions,
    cpu: Device,
    probe: impl AsyncFn(&Device) -> Result<Duration>,
) -> Result<(Device, String)> {
    let gpu = Device::Gpu(Gpu::open(options).await?);
    let (on_gpu, on_cpu) = (probe(&gpu).await?, probe(&cpu).await?);
    let ms = |time: Duration| format!("{:.3} ms", 1e3 * time.as_secs_f64());
    let name = gpu.name();
    let (device, reason) = if on_gpu < on_cpu {
        (gpu, format!("{name}: {} against the CPU's {} on a probe", ms(on_gpu), ms(on_cpu)))
    } else {
        (cpu, format!("the CPU: {} against {name}'s {} on a probe", ms(on_cpu), ms(on_gpu)))
    };
    Ok((device, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapter(name: &str, kind: AdapterKind) -> AdapterDescription {
        AdapterDescription {
            name: name.into(),
            backend: "Vulkan".into(),
            kind,
            driver: String::new(),
            max_binding_bytes: 1 << 27,
            max_buffer_bytes: 1 << 28,
            max_workgroup_bytes: 16384,
            timestamps: false,
            f16: false,
            subgroups: false,
            cooperative_matrices: Vec::new(),
        }
    }

    #[test]
    fn names_round_trip() {
        for choice in [DeviceChoice::Auto, DeviceChoice::Gpu, DeviceChoice::Cpu] {
            assert_eq!(choice.to_string().parse::<DeviceChoice>().unwrap(), choice);
        }
        assert!("tpu".parse::<DeviceChoice>().is_err());
    }

    #[test]
    fn auto_refuses_software_and_nothing() {
        let card = adapter("card", AdapterKind::Discrete);
        let soft = adapter("llvmpipe", AdapterKind::Software);
        assert!(refusal(&[], None).unwrap().contains("no GPU adapter"));
        assert!(refusal(std::slice::from_ref(&soft), None).unwrap().contains("software"));
        let both = [card, soft];
        assert_eq!(refusal(&both, None), None);
        assert!(refusal(&both, Some("llvm")).unwrap().contains("software"));
        assert!(refusal(&both, Some("other")).unwrap().contains("no adapter is \"other\""));
    }

    #[test]
    fn the_cpu_needs_no_probe() {
        let probe = async |_: &Device| panic!("not asked for");
        let options = GpuOptions::default();
        let opened = open(DeviceChoice::Cpu, &options, Some(100), probe);
        let (device, reason) = pollster::block_on(opened).unwrap();
        assert!(!device.is_gpu() && reason.contains("as asked for"));
        assert_eq!(device.ledger().limit(), Some(100));
    }
}
