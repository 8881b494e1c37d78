//! Timing of one architecture on the visitor's device.

use lnsp::{Arch, Precision};
use serde::{Deserialize, Serialize};

/// Times one architecture: cold, then warm at each batch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measure {
    /// `auto`, `gpu` or `cpu`.
    pub device: String,
    /// What is timed.
    pub arch: Arch,
    /// Precision of the weights.
    pub precision: Precision,
    /// Vectors answered together, one measurement each.
    pub batches: Vec<usize>,
    /// Seconds of samples behind each figure.
    pub seconds: f64,
}

/// What came out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The device.
    pub device: String,
    /// Whether it is WebGPU.
    pub gpu: bool,
    /// From nothing to the first answer.
    pub cold: Option<Cold>,
    /// One entry a batch that fits.
    pub warm: Vec<Warm>,
    /// What was left out.
    pub skipped: Vec<Skip>,
}

/// From nothing to the first answer, in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cold {
    /// Making the parameters (random numbers).
    pub weights_ms: f64,
    /// Opening the device.
    pub open_ms: f64,
    /// Bringing the parameters to the device.
    pub upload_ms: f64,
    /// The first vector, with the compilation of the shaders.
    pub first_ms: f64,
}

impl Cold {
    /// Everything but the making of random parameters, which a trained student does not need.
    pub fn total_ms(&self) -> f64 {
        self.open_ms + self.upload_ms + self.first_ms
    }
}

/// Time to answer a batch that is on the device already.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Warm {
    /// Vectors in the batch.
    pub batch: usize,
    /// Median microseconds of the whole batch.
    pub median_us: f64,
    /// A tenth of the samples are faster.
    pub p10_us: f64,
    /// A tenth of the samples are slower.
    pub p90_us: f64,
    /// Number of samples.
    pub samples: usize,
    /// The GPU's own clock over the kernels alone, where it has one.
    pub gpu_us: Option<f64>,
    /// The most bytes that tensors held.
    pub peak_bytes: u64,
}

impl Warm {
    /// Milliseconds a vector.
    pub fn ms_per_vector(&self) -> f64 {
        self.median_us / 1e3 / self.batch as f64
    }
}

/// What was left out, and why.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Skip {
    /// Such as `f32, 1024 vectors`.
    pub what: String,
    /// Why.
    pub reason: String,
}
