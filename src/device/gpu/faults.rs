//! What the driver has reported, kept until the next call can return it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};

/// The first report of each kind. wgpu calls back from wherever it is; nothing here calls wgpu.
#[derive(Debug, Default)]
struct Reports {
    lost: Option<String>,
    refused: Option<String>,
    out_of_memory: bool,
}

/// Errors of one device, shared with the callbacks of wgpu.
#[derive(Clone, Debug)]
pub(super) struct Faults {
    name: Arc<str>,
    reports: Arc<Mutex<Reports>>,
}

impl Faults {
    /// Listens to `device`, called `name` in messages.
    pub(super) fn listen(device: &wgpu::Device, name: &str) -> Self {
        let faults = Self { name: name.into(), reports: Arc::default() };
        let to = faults.clone();
        device.on_uncaptured_error(Arc::new(move |error| to.report(error)));
        let to = faults.clone();
        device.set_device_lost_callback(move |reason, message| {
            to.lose(if message.is_empty() { format!("{reason:?}") } else { message });
        });
        faults
    }

    fn report(&self, error: wgpu::Error) {
        let mut reports = self.lock();
        match error {
            wgpu::Error::OutOfMemory { .. } => reports.out_of_memory = true,
            other => {
                reports.refused.get_or_insert(other.to_string());
            }
        }
    }

    /// Takes the device for lost.
    pub(super) fn lose(&self, message: String) {
        self.lock().lost.get_or_insert(message);
    }

    /// The error that the device is in, if any. A lost device and a refused command stay (what
    /// was computed since is worthless); running out of memory is told once.
    pub(super) fn check(&self) -> Result<()> {
        let mut reports = self.lock();
        let name = || self.name.to_string();
        if let Some(message) = &reports.lost {
            return Err(Error::DeviceLost { name: name(), message: message.clone() });
        }
        if std::mem::take(&mut reports.out_of_memory) {
            return Err(self.out_of_memory("a buffer".into(), 0, "the driver had no more".into()));
        }
        match &reports.refused {
            Some(message) => Err(Error::Device { name: name(), message: message.clone() }),
            None => Ok(()),
        }
    }

    /// Whether the driver has run out of memory since the last check.
    pub(super) fn take_out_of_memory(&self) -> bool {
        std::mem::take(&mut self.lock().out_of_memory)
    }

    /// An [`Error::OutOfMemory`] of this device.
    pub(super) fn out_of_memory(&self, what: String, needed: u64, available: String) -> Error {
        Error::OutOfMemory {
            what: format!("{what} on {}", self.name),
            needed,
            available,
            advice: "choose a smaller width or batch, or --device cpu".into(),
        }
    }

    /// The reports are whole even if a thread panicked while it held them.
    fn lock(&self) -> MutexGuard<'_, Reports> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
