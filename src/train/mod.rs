//! Training a student: losses, the optimiser, the schedule, checkpoints.

mod backward;
mod checkpoint;
mod config;
mod loss;
mod order;
mod quantised;
mod result;
mod start;
mod step;
mod trainer;

pub use checkpoint::{Checkpoint, fingerprint};
pub use config::TrainConfig;
pub use loss::{Losses, Objective};
pub use order::{Split, epoch_order};
pub use quantised::{code_bytes, latent_code};
pub use start::start;
pub use step::Step;
pub use trainer::{Budget, EpochRecord, Progress, Stop, Trainer};
