//! Measurements that need the whole of the library: a student beside its baselines.

pub mod bench;
mod contenders;
mod eval;
mod evaluation;
mod few;
mod student_codes;
pub mod tasks;
mod verdict;
mod yardstick;

pub use contenders::VectorSet;
pub use eval::{EvalOptions, evaluate};
pub use evaluation::{
    Comparison, Comparisons, CosineSample, Evaluation, Kind, Outcome, Row, SetInfo,
};
pub use few::{After, FewTexts, compare_few};
pub use student_codes::{STUDENT, STUDENT_OUTPUT};
