//! The machine: its processor, its memory, and what this process took of it.

use serde::{Deserialize, Serialize};
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

use super::memory;

/// What a figure was measured on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// The processor, as it names itself.
    pub cpu: String,
    /// Cores without their second threads, where the system tells.
    pub cores: Option<usize>,
    /// Threads that the kernels run on.
    pub threads: usize,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Bytes that could still be taken when this was asked.
    pub available_bytes: u64,
    /// The system and its version.
    pub system: String,
}

impl Machine {
    /// Looks at the machine.
    pub fn look() -> Self {
        let wanted = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing())
            .with_memory(MemoryRefreshKind::nothing().with_ram());
        let system = System::new_with_specifics(wanted);
        let brand = system.cpus().first().map(|cpu| cpu.brand().trim().to_string());
        Self {
            cpu: brand.filter(|b| !b.is_empty()).unwrap_or_else(System::cpu_arch),
            cores: System::physical_core_count(),
            threads: rayon::current_num_threads(),
            memory_bytes: system.total_memory(),
            available_bytes: memory::available(),
            system: System::long_os_version().unwrap_or_else(|| std::env::consts::OS.into()),
        }
    }
}

impl Machine {
    /// `Intel Xeon, 2 threads, 25.3 GB of memory, Debian 12`.
    pub fn words(&self) -> String {
        format!(
            "{}, {} threads, {}B of memory, {}",
            self.cpu,
            self.threads,
            crate::number::metric(self.memory_bytes),
            self.system
        )
    }
}

/// The most bytes that this process held in memory at one time so far; `None` where the system
/// does not tell.
pub fn peak_process_bytes() -> Option<u64> {
    // What getrusage says on Linux may be the peak of the process that started this one.
    #[cfg(target_os = "linux")]
    {
        status_bytes("VmHWM:")
    }
    #[cfg(all(unix, not(target_os = "linux")))]
    {
        use nix::sys::resource::{UsageWho, getrusage};
        let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
        let peak = u64::try_from(usage.max_rss()).ok()?;
        // Apple counts bytes, the others count KiB.
        Some(if cfg!(target_vendor = "apple") { peak } else { peak * 1024 })
    }
    #[cfg(not(unix))]
    None
}

/// Bytes that this process holds in memory now; `None` where the system does not tell.
pub fn process_bytes() -> Option<u64> {
    #[cfg(target_os = "linux")]
    {
        status_bytes("VmRSS:")
    }
    #[cfg(not(target_os = "linux"))]
    {
        let own = sysinfo::get_current_pid().ok()?;
        let mut system = System::new();
        system.refresh_processes(sysinfo::ProcessesToUpdate::Some(&[own]), false);
        Some(system.process(own)?.memory())
    }
}

/// A size that the kernel gives of this process, in its KiB.
#[cfg(target_os = "linux")]
fn status_bytes(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| 1024 * kib)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_has_a_name_and_memory() {
        let machine = Machine::look();
        assert!(!machine.cpu.is_empty() && machine.threads > 0);
        assert!(machine.available_bytes <= machine.memory_bytes);
    }

    #[test]
    fn the_peak_grows_with_what_is_touched() {
        let Some(before) = peak_process_bytes() else { return };
        let block = vec![1u8; 64 << 20];
        assert!(std::hint::black_box(&block)[12345] == 1);
        let (now, after) = (process_bytes().unwrap(), peak_process_bytes().unwrap());
        assert!(after >= before.max(64 << 20), "{before} {after}");
        assert!(now >= 64 << 20 && now <= after, "{now} {after}");
        drop(block);
    }
}
