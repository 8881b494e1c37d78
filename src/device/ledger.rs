//! An account of the memory that tensors hold on one device.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::error::{Error, Result};

/// Bytes held now and at most so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MemoryUse {
    /// Bytes held by living tensors.
    pub bytes: u64,
    /// The most that was held at one time since the last [`Ledger::reset_peak`].
    pub peak_bytes: u64,
    /// Living tensors.
    pub tensors: u64,
}

/// Counts the bytes of living tensors and refuses what would go beyond a limit.
#[derive(Clone, Debug)]
pub struct Ledger {
    held: Arc<Mutex<MemoryUse>>,
    limit: Option<u64>,
}

/// A share of a [`Ledger`], given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    held: Arc<Mutex<MemoryUse>>,
    bytes: u64,
}

impl Ledger {
    /// A ledger that refuses to hold more than `limit` bytes, if there is a limit.
    pub fn new(limit: Option<u64>) -> Self {
        Self { held: Arc::default(), limit }
    }

    /// What is held now.
    pub fn usage(&self) -> MemoryUse {
        *lock(&self.held)
    }

    /// The most bytes it lets be held.
    pub fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// Starts the peak anew from what is held now.
    pub fn reset_peak(&self) {
        let mut held = lock(&self.held);
        held.peak_bytes = held.bytes;
    }

    /// Takes `bytes` for a tensor described by `what`.
    pub(crate) fn take(&self, bytes: u64, what: impl FnOnce() -> String) -> Result<Share> {
        let mut held = lock(&self.held);
        let after = held.bytes.saturating_add(bytes);
        if let Some(limit) = self.limit
            && after > limit
        {
            return Err(Error::OutOfMemory {
                what: what(),
                needed: bytes,
                available: format!(
                    "{} of {limit} bytes are free",
                    limit.saturating_sub(held.bytes)
                ),
                advice: "choose a smaller width or batch".into(),
            });
        }
        held.bytes = after;
        held.peak_bytes = held.peak_bytes.max(after);
        held.tensors += 1;
        drop(held);
        Ok(Share { held: self.held.clone(), bytes })
    }
}

/// The counts are plain numbers, whole even if another thread panicked while it held them.
fn lock(held: &Mutex<MemoryUse>) -> MutexGuard<'_, MemoryUse> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = lock(&self.held);
        held.bytes -= self.bytes;
        held.tensors -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_refuses() {
        let ledger = Ledger::new(Some(100));
        let a = ledger.take(60, || "a".into()).unwrap();
        assert!(ledger.take(41, || "b".into()).is_err());
        let b = ledger.take(40, || "b".into()).unwrap();
        drop(a);
        let usage = ledger.usage();
        assert_eq!((usage.bytes, usage.peak_bytes, usage.tensors), (40, 100, 1));
        ledger.reset_peak();
        assert_eq!(ledger.usage().peak_bytes, 40);
        drop(b);
        assert_eq!(ledger.usage().bytes, 0);
    }
}
