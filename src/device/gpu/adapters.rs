//! The adapters of this machine, and one of them as a wgpu device.

use serde::Serialize;

use super::GpuOptions;
use crate::error::{Error, Result};

/// What kind of hardware an adapter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AdapterKind {
    /// A card of its own.
    Discrete,
    /// Part of the processor, sharing its memory.
    Integrated,
    /// A share of a card, in a virtual machine.
    Virtual,
    /// The browser or driver does not say.
    Unknown,
    /// A program on the CPU; slower than the CPU device.
    Software,
}

/// An adapter, in words and numbers for people.
#[derive(Clone, Debug, Serialize)]
pub struct AdapterDescription {
    /// Its name, as the driver gives it.
    pub name: String,
    /// Vulkan, Metal, DX12 or BrowserWebGpu.
    pub backend: String,
    /// What kind of hardware.
    pub kind: AdapterKind,
    /// The driver and its version.
    pub driver: String,
    /// The most bytes that a shader may bind; 128 MiB is what we ask for by default.
    pub max_binding_bytes: u64,
    /// The most bytes of one buffer.
    pub max_buffer_bytes: u64,
    /// Bytes of workgroup memory.
    pub max_workgroup_bytes: u32,
    /// Whether it can time its own work.
    pub timestamps: bool,
    /// Whether shaders may compute in 16-bit floats.
    pub f16: bool,
    /// Whether shaders may talk within a subgroup.
    pub subgroups: bool,
    /// The shapes of cooperative matrix products, such as `8×8×8 F32`.
    pub cooperative_matrices: Vec<String>,
}

impl AdapterDescription {
    fn of(adapter: &wgpu::Adapter) -> Self {
        let (info, limits, features) = (adapter.get_info(), adapter.limits(), adapter.features());
        Self {
            name: name(&info),
            backend: format!("{:?}", info.backend),
            kind: kind(&info),
            driver: format!("{} {}", info.driver, info.driver_info).trim().into(),
            max_binding_bytes: limits.max_storage_buffer_binding_size,
            max_buffer_bytes: limits.max_buffer_size,
            max_workgroup_bytes: limits.max_compute_workgroup_storage_size,
            timestamps: features.contains(wgpu::Features::TIMESTAMP_QUERY),
            f16: features.contains(wgpu::Features::SHADER_F16),
            subgroups: features.contains(wgpu::Features::SUBGROUP),
            cooperative_matrices: adapter
                .cooperative_matrix_properties()
                .iter()
                .map(|p| {
                    format!(
                        "{}×{}×{} {:?}→{:?}",
                        p.m_size, p.n_size, p.k_size, p.ab_type, p.cr_type
                    )
                })
                .collect(),
        }
    }
}

/// The adapters of this machine, the best kind first.
pub async fn list_adapters() -> Vec<AdapterDescription> {
    adapters().await.iter().map(AdapterDescription::of).collect()
}

/// The name of an adapter, or its backend where the browser hides the name.
pub(super) fn name(info: &wgpu::AdapterInfo) -> String {
    if info.name.is_empty() { format!("{:?} adapter", info.backend) } else { info.name.clone() }
}

fn kind(info: &wgpu::AdapterInfo) -> AdapterKind {
    match info.device_type {
        wgpu::DeviceType::DiscreteGpu => AdapterKind::Discrete,
        wgpu::DeviceType::IntegratedGpu => AdapterKind::Integrated,
        wgpu::DeviceType::VirtualGpu => AdapterKind::Virtual,
        wgpu::DeviceType::Other => AdapterKind::Unknown,
        // wgpu reports a browser's fallback adapter as this, too.
        wgpu::DeviceType::Cpu => AdapterKind::Software,
    }
}

async fn adapters() -> Vec<wgpu::Adapter> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::VULKAN
        | wgpu::Backends::METAL
        | wgpu::Backends::DX12
        | wgpu::Backends::BROWSER_WEBGPU;
    // Refuse a buffer before the system starts to swap, where the driver knows its budget.
    descriptor.memory_budget_thresholds.for_resource_creation = Some(95);
    let instance = wgpu::Instance::new(descriptor);
    #[cfg(not(target_arch = "wasm32"))]
    let mut found = instance.enumerate_adapters(wgpu::Backends::all()).await;
    // A browser offers one adapter, and may have a faster one for those who ask.
    #[cfg(target_arch = "wasm32")]
    let mut found: Vec<_> = instance
        .request_adapter(&wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..Default::default()
        })
        .await
        .into_iter()
        .collect();
    found.sort_by_key(|adapter| kind(&adapter.get_info()) as u8);
    found
}

/// The place in `adapters` of the one that `wanted` means: an index, or a part of the name
/// without regard to case. The best if nothing is wanted.
pub(crate) fn pick(adapters: &[AdapterDescription], wanted: Option<&str>) -> Result<usize> {
    let no = |message: String| Err(Error::NoDevice(message));
    let Some(wanted) = wanted else {
        return if adapters.is_empty() {
            no("there is no GPU adapter (no Vulkan, Metal, DX12 or WebGPU driver was found); use \
                --device cpu"
                .into())
        } else {
            Ok(0)
        };
    };
    let lower = wanted.to_ascii_lowercase();
    let index = match wanted.parse::<usize>() {
        Ok(index) => (index < adapters.len()).then_some(index),
        Err(_) => adapters.iter().position(|a| a.name.to_ascii_lowercase().contains(&lower)),
    };
    match index {
        Some(index) => Ok(index),
        None => {
            let names: Vec<&str> = adapters.iter().map(|a| a.name.as_str()).collect();
            no(format!(
                "no adapter is {wanted:?}; there are: {}",
                if names.is_empty() { "none".into() } else { names.join(", ") }
            ))
        }
    }
}

/// The device of the chosen adapter, with WebGPU's default limits unless more is asked for.
pub(super) async fn request(
    options: &GpuOptions,
) -> Result<(AdapterDescription, wgpu::Device, wgpu::Queue)> {
    let adapters = adapters().await;
    let descriptions: Vec<_> = adapters.iter().map(AdapterDescription::of).collect();
    let index = pick(&descriptions, options.adapter.as_deref())?;
    let adapter = &adapters[index];
    let mut limits = wgpu::Limits::defaults();
    if options.large_bindings {
        let offered = adapter.limits();
        limits.max_storage_buffer_binding_size = offered.max_storage_buffer_binding_size;
        limits.max_buffer_size = offered.max_buffer_size;
    }
    let descriptor = wgpu::DeviceDescriptor {
        label: Some("lnsp"),
        required_features: adapter.features() & wgpu::Features::TIMESTAMP_QUERY,
        required_limits: limits,
        ..Default::default()
    };
    let description = descriptions[index].clone();
    let (device, queue) = adapter.request_device(&descriptor).await.map_err(|error| {
        Error::NoDevice(format!("{} cannot be opened: {error}", description.name))
    })?;
    Ok((description, device, queue))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> AdapterDescription {
        AdapterDescription {
            name: name.into(),
            backend: "Vulkan".into(),
            kind: AdapterKind::Discrete,
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
    fn an_adapter_is_picked_by_index_or_name() {
        let all = [named("Big Card 9000"), named("llvmpipe")];
        assert_eq!(pick(&all, None).unwrap(), 0);
        assert_eq!(pick(&all, Some("1")).unwrap(), 1);
        assert_eq!(pick(&all, Some("LLVM")).unwrap(), 1);
        assert_eq!(pick(&all, Some("card")).unwrap(), 0);
        for bad in ["2", "metal"] {
            let message = pick(&all, Some(bad)).unwrap_err().to_string();
            assert!(message.contains("Big Card 9000, llvmpipe"), "{message}");
        }
        assert!(matches!(pick(&[], None), Err(Error::NoDevice(_))));
    }
}
