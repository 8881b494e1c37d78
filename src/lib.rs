//! Train, measure and try LNSP student models: small networks that squeeze a teacher's sentence
//! embedding through a narrow latent and align the result with the teacher again.
//!
//! The library runs every operation on a [`device::Device`]: the GPU through wgpu and WGSL, or
//! the CPU. Each kernel has both sides; see [`kernels`].

#![warn(missing_docs)]

pub mod arch;
#[cfg(feature = "cli")]
pub mod cli;
pub mod codes;
pub mod device;
pub mod error;
#[cfg(feature = "cli")]
pub mod exchange;
pub mod experiment;
pub mod format;
pub mod kernels;
pub mod linalg;
pub mod matrix;
pub mod metrics;
pub mod note;
pub mod number;
#[cfg(feature = "cli")]
pub mod report;
pub mod sizes;
pub mod source;
pub mod student;
pub mod teacher;
pub mod train;

pub use arch::{Activation, Arch, Precision, Variant};
pub use error::{Error, Result};
pub use matrix::Matrix;

/// The README's example, so that the tests run it.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
