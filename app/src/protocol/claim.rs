//! A claim of the note put to the test.

use serde::{Deserialize, Serialize};

/// Tests one claim on the device. For those that train, the bytes of a safetensors file of
/// vectors come as the first buffer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TestClaim {
    /// The claim's name in `lnsp::note`.
    pub id: String,
    /// `auto`, `gpu` or `cpu`.
    pub device: String,
    /// Seconds of samples behind each figure.
    pub seconds: f64,
    /// Vectors to train on at most, of those in the file.
    pub vectors: usize,
}
