//! Measurements that need the whole of the library: a student beside its baselines.

pub mod bench;
pub mod claims;
mod eval;
mod evaluation;
mod student_codes;
mod verdict;
mod yardstick;

pub use eval::{EvalOptions, VectorSet, evaluate};
pub use evaluation::{
    Comparison, Comparisons, CosineSample, Evaluation, Kind, Outcome, Row, SetInfo,
};
pub use student_codes::STUDENT;
