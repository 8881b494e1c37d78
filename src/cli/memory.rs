//! How much memory there is, and whether work fits in it.

use std::num::NonZeroUsize;

use sysinfo::System;

use crate::arch::Arch;
use crate::error::{Error, Result};
use crate::format::VectorReader;
use crate::number::{count, metric};
use crate::sizes::training_bytes;

/// Bytes that this process could still take: what the system calls available, and what its
/// container leaves where it has a limit.
pub fn available() -> u64 {
    let mut system = System::new();
    system.refresh_memory();
    // Some systems do not tell what is available.
    let free = match system.available_memory() {
        0 => system.total_memory(),
        free => free,
    };
    // Pages of files count as used in a container, but make room when asked to.
    let group = system.cgroup_limits().map(|group| group.total_memory.saturating_sub(group.rss));
    group.map_or(free, |group| free.min(group))
}

/// Refuses a training that does not fit in `available` bytes, before anything is allocated: the
/// tensors of [`training_bytes`], the best parameters beside them, and the vectors of `source`,
/// at most `limit` of them.
///
/// # Errors
/// [`Error::OutOfMemory`], which says what it would take, and as [`training_bytes`].
pub fn check_training(
    arch: &Arch,
    batch: usize,
    source: &dyn VectorReader,
    limit: Option<NonZeroUsize>,
    available: u64,
) -> Result<()> {
    let rows = source.rows().unwrap_or(0).min(limit.map_or(u64::MAX, |n| n.get() as u64));
    let dataset = rows.saturating_mul(4 * source.width() as u64);
    let tensors = training_bytes(arch, batch)?;
    let needed = tensors.total.saturating_add(tensors.parameters).saturating_add(dataset);
    if needed <= available {
        return Ok(());
    }
    let what = format!(
        "training {arch} ({} parameters) with --batch {batch} on {}B of vectors",
        count(arch.parameter_count()),
        metric(dataset)
    );
    Err(Error::OutOfMemory {
        what,
        needed,
        available: format!("{}B, and {available} bytes are available", metric(needed)),
        advice: "choose a smaller --width or --batch, or fewer vectors with --limit".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_some_memory() {
        assert!(available() > 1 << 20);
    }

    /// By hand for 5→7→3→7→5 at a batch of 2: 2,792 bytes of tensors (see [`training_bytes`]),
    /// 4·134 of the best parameters, and ten vectors of five values.
    #[test]
    fn counts_tensors_the_best_and_the_vectors() {
        let arch: Arch = "5-7-3-7-5".parse().unwrap();
        let mut bytes = std::io::Cursor::new(Vec::new());
        let kind = crate::format::FileKind::Npy;
        let mut writer =
            crate::format::create(kind, "v", &mut bytes, 5, &Default::default()).unwrap();
        writer.write(&crate::Matrix::zeros(12, 5)).unwrap();
        writer.finish().unwrap();
        let source =
            crate::format::open_bytes("v.npy", bytes.get_ref(), &Default::default()).unwrap();
        let check =
            |available| check_training(&arch, 2, &*source, NonZeroUsize::new(10), available);
        let needed = 2792 + 4 * 134 + 4 * 10 * 5;
        assert!(check(needed).is_ok());
        let message = check(needed - 1).unwrap_err().to_string();
        assert!(message.contains(&format!("needs {needed} bytes, 3.5 kB")), "{message}");
        assert!(message.contains("134 parameters"), "{message}");
    }
}
