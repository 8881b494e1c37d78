//! Measurements that need the whole of the library: a student beside its baselines.

pub mod bench;
pub mod claims;
mod contenders;
mod eval;
mod evaluation;
mod few;
pub mod note;
mod pca_line;
pub mod phases;
pub mod recommend;
pub mod score;
mod side_by_side;
mod student_codes;
pub mod sweep;
pub mod tasks;
mod verdict;
mod yardstick;

pub use contenders::VectorSet;
pub use eval::{EvalOptions, evaluate};
pub use evaluation::{
    Comparison, Comparisons, CosineSample, Evaluation, Kind, Outcome, Row, SetInfo,
};
pub use few::{After, FewTexts, compare_few};
pub use pca_line::pca_line;
pub use score::{Score, ScoreSet, Scored, Spread};
pub use side_by_side::{Kept, Neighbour, Reference, SideBySide, monthly_price};
pub use student_codes::{STUDENT, STUDENT_OUTPUT, StudentCode};
