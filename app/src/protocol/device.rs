//! Which device works.

use serde::{Deserialize, Serialize};

/// Opens the device of the visitor's choice. Answered at once if it is open already.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OpenDevice {
    /// `auto`, `gpu` or `cpu`.
    pub choice: String,
}

/// The device that works.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// `cpu`, or the adapter's name.
    pub name: String,
    /// Whether it is WebGPU.
    pub gpu: bool,
    /// Why this one, in one line.
    pub reason: String,
    /// Whether shaders may compute in 16-bit floats (we do not need it).
    pub f16: bool,
    /// The most bytes that a shader may bind, of a GPU.
    pub binding_bytes: u64,
    /// The most bytes that tensors may take, where that is known.
    pub limit: Option<u64>,
}

impl DeviceInfo {
    /// The device and the reason for it, as one line for the visitor.
    pub fn line(&self) -> String {
        format!("Working on {}.", self.reason)
    }
}

/// For tests: gives the device up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DestroyDevice;

/// For tests: a bug in the worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trap;
