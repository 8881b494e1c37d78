//! Measurements that need the whole of the library: a student beside its baselines.

pub mod bench;
mod contenders;
mod eval;
mod evaluation;
mod student_codes;
pub mod tasks;
mod verdict;
mod yardstick;

pub use contenders::VectorSet;
pub use eval::{EvalOptions, evaluate};
pub use evaluation::{
    Comparison, Comparisons, CosineSample, Evaluation, Kind, Outcome, Row, SetInfo,
};
pub use student_codes::{STUDENT, STUDENT_OUTPUT};
