//! Many trainings, one for each combination of settings, and what they say together.
//!
//! Every run trains on the same rows and is scored on the same rows set aside from the training set,
//! so that settings compare pair by pair and the held-out vectors are left for the one that is
//! chosen: who chooses the best of many runs by a figure must not report that figure as its quality.

mod outcome;
mod record;
mod run;
mod space;
mod summary;
mod values;

pub use outcome::{BesidePca, NotedScore, Sweep, beside_pca, pca_score};
pub use record::{FORMAT, HeldOut, Record, Records};
pub use run::{DataId, Finished, RunData, run};
pub use space::{RunSettings, Space};
pub use summary::{
    Level, Sensitivity, SettingSummary, best_run, name, sensitivity, settings, shown, varying,
};
pub use values::{Kind, Values};
