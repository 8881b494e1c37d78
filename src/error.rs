//! The one error type of the library.
//!
//! A message says what was wrong, where, and what to do about it.

use std::path::PathBuf;

/// What can go wrong in this library.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An architecture that cannot be parsed or built.
    #[error("architecture {given:?}: {message}")]
    Arch {
        /// The text as the user gave it.
        given: String,
        /// What is wrong with it and what would be right.
        message: String,
    },
    /// A value the caller chose that makes no sense.
    #[error("{name}: {message}")]
    Invalid {
        /// The option or argument.
        name: String,
        /// What is wrong with it and what would be right.
        message: String,
    },
    /// A file or byte stream that is not what it claims to be.
    #[error("{name}: {message}")]
    Format {
        /// The file, or another name of the source.
        name: String,
        /// What is wrong with it and what to do.
        message: String,
    },
    /// One row of a vector file that cannot be used.
    #[error("{name}, row {row}: {message}")]
    Row {
        /// The file, or another name of the source.
        name: String,
        /// Zero-based row.
        row: u64,
        /// What is wrong with it and what to do.
        message: String,
    },
    /// Tensors whose shapes do not fit together: a bug in the caller.
    #[error("{kernel}: {message}")]
    Shape {
        /// The kernel that refused.
        kernel: &'static str,
        /// The shapes and how they should relate.
        message: String,
    },
    /// No device of the wanted kind.
    #[error("no usable device: {0}")]
    NoDevice(String),
    /// The device was lost (driver reset, unplugged, tab in the background).
    #[error("the device {name} was lost: {message}; open it again or continue with --device cpu")]
    DeviceLost {
        /// The adapter's name.
        name: String,
        /// The driver's own words.
        message: String,
    },
    /// The device refused a command: a bug in this library or its driver.
    #[error("the device {name} reported an error: {message}")]
    Device {
        /// The adapter's name.
        name: String,
        /// The driver's own words.
        message: String,
    },
    /// Something that does not fit in memory.
    #[error("{what} needs {needed} bytes, {available}; {advice}")]
    OutOfMemory {
        /// What was to be allocated.
        what: String,
        /// Bytes asked for.
        needed: u64,
        /// What there is, in words ("2147483648 bytes are free").
        available: String,
        /// What to do.
        advice: String,
    },
    /// Training that cannot go on.
    #[error("training stopped at step {step}: {cause}")]
    Training {
        /// Optimiser step, counted from one.
        step: u64,
        /// The cause and what to do.
        cause: String,
    },
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file in question.
        path: PathBuf,
        /// The system's own error.
        source: std::io::Error,
    },
}

/// A result of this library.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An [`Error::Invalid`] for the option `name`.
    pub fn invalid(name: impl Into<String>, message: impl Into<String>) -> Self {
        Error::Invalid { name: name.into(), message: message.into() }
    }

    /// An [`Error::Format`] for the source `name`.
    pub fn format(name: impl Into<String>, message: impl Into<String>) -> Self {
        Error::Format { name: name.into(), message: message.into() }
    }

    /// An [`Error::Io`] for `path`.
    pub fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Error::Io { path: path.into(), source }
    }
}
