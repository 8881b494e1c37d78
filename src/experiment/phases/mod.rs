//! The note's strategy, carried out: tune the alignment weight on a small student, then widen it, and
//! see what each step brings.

mod compare;
mod design;
mod verdict;

pub use compare::{ArmSummary, Contrast, PhaseSet, Phases, SetSummary};
pub use design::{Arm, Design, Tuned};
pub use verdict::interval;
