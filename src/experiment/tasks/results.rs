//! What tasks found, as plain data.

use serde::{Deserialize, Serialize};

use super::TaskKind;
use crate::experiment::{Kind, SetInfo};
use crate::metrics::Interval;
use crate::student::StudentInfo;

/// A student beside its baselines on tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskReport {
    /// Version of this library.
    pub version: String,
    /// The device the student ran on.
    pub device: String,
    /// What the student's file says about itself.
    pub student: StudentInfo,
    /// The vectors that baselines and int8 ranges were fitted on.
    pub training: SetInfo,
    /// Resamples behind each interval.
    pub resamples: usize,
    /// Seed of the bootstrap, the rotation and the projection.
    pub seed: u64,
    /// One task after the other.
    pub tasks: Vec<TaskEvaluation>,
}

/// Every code on one task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskEvaluation {
    /// Its file or folder.
    pub name: String,
    /// What kind of task it is.
    pub kind: TaskKind,
    /// How it is measured, a sentence or two.
    pub method: String,
    /// Pairs, queries or questions.
    pub items: usize,
    /// Distinct texts.
    pub texts: usize,
    /// Texts that were longer than the teacher takes, and were cut.
    pub cut: u64,
    /// Name of the code whose differences are `to_teacher`.
    pub teacher: String,
    /// Name of the code whose differences are `to_pca`.
    pub pca: String,
    /// Sections of analogies; empty for other tasks.
    pub sections: Vec<TaskSection>,
    /// Every code, by bytes a vector, the better one first among equals.
    pub rows: Vec<TaskRow>,
    /// What it comes to, a sentence each.
    pub verdict: Vec<String>,
    /// What the reader should know about this measurement, a sentence each.
    pub notes: Vec<String>,
}

/// A section of analogies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSection {
    /// Its heading.
    pub name: String,
    /// Its questions.
    pub questions: usize,
}

/// How one code does on a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskRow {
    /// The code.
    pub name: String,
    /// Whose it is.
    pub kind: Kind,
    /// Exact bytes of one stored vector.
    pub bytes_per_vector: usize,
    /// Whether the query keeps more precision than the stored documents.
    pub asymmetric: bool,
    /// Each measure of the task, the main one first.
    pub measures: Vec<Measured>,
    /// Accuracy in each section of analogies; empty for other tasks.
    pub by_section: Vec<f64>,
}

impl TaskRow {
    /// The main measure, if it is defined.
    pub fn main(&self) -> Option<Interval> {
        self.measures.first().and_then(|measured| measured.value)
    }
}

/// One measure of one code. All are between 0 and 1 (a correlation may be negative), more is
/// better; intervals are 95 %, bootstrapped over pairs, queries or questions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Its name, such as `nDCG@10`.
    pub measure: String,
    /// The value; none if it is not defined (all cosines the same).
    pub value: Option<Interval>,
    /// Less that of the teacher, item by item.
    pub to_teacher: Option<Interval>,
    /// Less that of PCA of the same latent width.
    pub to_pca: Option<Interval>,
}
