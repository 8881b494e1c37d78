//! Training a student in the tab.

use lnsp::Precision;
use lnsp::train::{EpochRecord, TrainConfig};
use serde::{Deserialize, Serialize};

/// The vectors that a training learns from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrainingSet {
    /// Those beside the page, [`BUNDLED_BYTES`] to download.
    #[default]
    Bundled,
    /// The dropped file.
    Dropped,
}

/// Bytes of the bundled training vectors.
pub const BUNDLED_BYTES: u64 = 15_360_344;

/// Begins a training in place of the one before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StartTraining {
    /// `auto`, `gpu` or `cpu`.
    pub device: String,
    /// The hidden width S.
    pub width: usize,
    /// The vectors.
    pub set: TrainingSet,
    /// The dropped file's name, whose vectors in f32 go beside the question; empty for the bundled.
    pub name: String,
    /// The first so many of them; all if absent.
    pub rows: Option<usize>,
    /// Every setting.
    pub config: TrainConfig,
}

/// Trains for some milliseconds. Asked again and again, so that between two of them the worker
/// answers other questions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AdvanceTraining {
    /// `auto`, `gpu` or `cpu`: for when the device has to be opened anew.
    pub device: String,
    /// About so long.
    pub milliseconds: f64,
}

/// Keeps the state of the training in the browser, for after a reload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeepTraining;

/// Looks for a training that the browser keeps.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FindTraining;

/// Goes on with the training that the browser keeps.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ResumeTraining {
    /// `auto`, `gpu` or `cpu`.
    pub device: String,
}

/// Drops the training and what the browser keeps of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DropTraining;

/// The student as it is now, as a file beside the answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TakeStudent {
    /// How its matrices are stored.
    pub precision: Precision,
}

/// A training that the browser keeps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KeptTraining {
    /// The architecture, such as `384→256→192→256→384`.
    pub arch: String,
    /// The vectors, in words.
    pub vectors: String,
    /// Steps done.
    pub step: u64,
    /// Whether the vectors are at hand as well.
    pub whole: bool,
}

/// How far a training is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainingState {
    /// The architecture.
    pub arch: String,
    /// The vectors, in words.
    pub vectors: String,
    /// The device that trains.
    pub device: String,
    /// Steps done.
    pub step: u64,
    /// Steps in all.
    pub total_steps: u64,
    /// Steps of an epoch.
    pub epoch_steps: u64,
    /// Loss at steps since the last answer.
    pub losses: Vec<(u64, f32)>,
    /// Every epoch, the start first.
    pub epochs: Vec<EpochRecord>,
    /// overlap@10 of PCA on the vectors set aside.
    pub pca: Option<f64>,
    /// Vectors a second, of the last answer's steps.
    pub rate: f64,
    /// Whether there is nothing left to do.
    pub finished: bool,
    /// The last step that the browser keeps.
    pub kept_step: Option<u64>,
    /// What the visitor should know, such as that nothing can be kept.
    pub note: Option<String>,
}
