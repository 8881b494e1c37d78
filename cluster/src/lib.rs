//! Students as SQL functions: over files on one machine with DataFusion, over many machines with
//! Ballista, which spreads the same plan.
//!
//! The functions take whole record batches ([`functions`]); a student is read once a process and
//! checked by its sha256 ([`students`]); what a `COPY` writes appears whole or not at all
//! ([`output`]).

#![warn(missing_docs)]

pub mod damage;
pub mod functions;
pub mod output;
pub mod process;
pub mod progress;
pub mod remote;
pub mod session;
pub mod shell;
pub mod stores;
pub mod students;
pub mod tables;
