//! A student at work on vectors from a file.

use serde::{Deserialize, Serialize};

/// Latents and outputs of a file of vectors. Two buffers go with it: the student's file and the
/// vectors' file (`.npy` or `.safetensors`). Three come back: latents and outputs in f32, and the
/// codes, byte after byte, of a student that has one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunStudent {
    /// `auto`, `gpu` or `cpu`.
    pub device: String,
    /// What the student's file is called.
    pub student: String,
    /// What the vectors' file is called; its ending says the format.
    pub vectors: String,
}

/// Answers [`RunStudent`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StudentRun {
    /// Number of vectors.
    pub rows: usize,
    /// Width of a latent.
    pub latent: usize,
    /// Width of an output.
    pub output: usize,
    /// The device that worked.
    pub device: String,
}
