//! What a `COPY` writes: Parquet files that appear whole or not at all, here or on a cluster.
//!
//! Each part of a query writes a file of its own name ([`write`]) and reports it; a part that an engine
//! does again, since a machine was lost, writes another file. What was reported is the result; what
//! was not is removed before the output gets its name ([`publish`]). So every row is there once.

mod codec;
mod copy;
mod publish;
mod upload;
mod write;

pub use codec::Codec;
pub use copy::{Copied, copy};
pub use publish::{FINISHED, File, Target};
pub use write::{WriteExec, WriteSettings};
