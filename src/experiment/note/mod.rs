//! The whole of the note on the machine at hand: every row of its tables measured, students of
//! family B trained and compared, and what its claims come to.

mod measure;
mod quality;
mod results;
mod spectrum;

pub use measure::{Measured, Timed, measure_row, measuring_bytes};
pub use quality::{
    Baselines, CodeQuality, DataSet, Overlaps, Quality, Ruler, measure_baselines, student_quality,
    train_and_measure,
};
pub use results::{Entry, NoteRun, RowResult, SkippedRow};
pub use spectrum::{Spectrum, synthetic};

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::arch::Arch;
use crate::error::{Error, Result};
use crate::note::{FAMILY_A, FAMILY_B, Family, Row};
use crate::sizes::DEFAULT_BATCH;

/// A row of the note's tables by name: `A-8192`, `B-256`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RowId {
    /// Which table.
    pub family: Family,
    /// N in family A, S in family B.
    pub width: usize,
}

impl RowId {
    /// Every row of both tables, smallest first, family B before A: its rows are few and small.
    pub fn all() -> impl Iterator<Item = Self> {
        FAMILY_B.iter().chain(&FAMILY_A).map(Self::of)
    }

    /// The name of a row.
    pub fn of(row: &Row) -> Self {
        Self { family: row.family, width: row.width }
    }

    /// What the note says of it.
    pub fn row(&self) -> &'static Row {
        let table: &[Row] = match self.family {
            Family::A => &FAMILY_A,
            Family::B => &FAMILY_B,
        };
        table.iter().find(|row| row.width == self.width).expect("only rows of the note are named")
    }

    /// Its architecture, plain with gelu.
    pub fn arch(&self) -> Arch {
        self.row().arch().expect("the note's rows are architectures")
    }
}

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}-{}", self.family, self.width))
    }
}

impl FromStr for RowId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wanted = text.trim().to_ascii_uppercase();
        Self::all().find(|row| row.to_string() == wanted).ok_or_else(|| {
            let of = |family| {
                let rows = Self::all().filter(|row| row.family == family);
                rows.map(|row| row.to_string()).collect::<Vec<_>>().join(", ")
            };
            let message = format!(
                "{text:?} is no row of the note; its rows are {} and {}",
                of(Family::B),
                of(Family::A)
            );
            Error::invalid("row", message)
        })
    }
}

impl Serialize for RowId {
    fn serialize<S: serde::Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RowId {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// How thorough a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// A minute or two: five samples of what is slow, smaller batches in the largest rows, students
    /// trained for a few epochs.
    Quick,
    /// A second of samples a figure, a whole epoch of steps in every row, students trained as
    /// `lnsp train` does.
    Full,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Mode::Quick => "quick",
            Mode::Full => "full",
        })
    }
}

/// Vectors in the smaller of the note's data sets; epochs are of so many.
pub const EPOCH_ROWS: usize = 20_000;
/// Vectors in the larger one.
pub const LARGE_ROWS: usize = 220_000;

/// Parameters up to which a quick run trains with the usual batch.
const USUAL_BATCH: u64 = 60_000_000;
/// Multiply-adds of a batch up to which a quick run answers it.
const QUICK_BATCH: u64 = 10_000_000_000;

/// What is done with a row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Vectors in a training step.
    pub training_batch: usize,
    /// Training steps that are timed at least.
    pub training_samples: usize,
    /// Vectors that are answered together.
    pub batch: usize,
    /// Seconds of samples behind each figure.
    pub seconds: f64,
    /// Seed of parameters and synthetic vectors.
    pub seed: u64,
}

impl Mode {
    /// What is done with a row of `arch`.
    pub fn plan(self, arch: &Arch, seed: u64) -> Plan {
        let parameters = arch.parameter_count();
        match self {
            Mode::Full => Plan {
                training_batch: DEFAULT_BATCH,
                training_samples: EPOCH_ROWS / DEFAULT_BATCH,
                batch: 1024,
                seconds: 1.0,
                seed,
            },
            Mode::Quick => Plan {
                training_batch: if parameters <= USUAL_BATCH { DEFAULT_BATCH } else { 64 },
                training_samples: 5,
                batch: [1024, 256]
                    .into_iter()
                    .find(|batch| parameters * batch <= QUICK_BATCH)
                    .unwrap_or(64) as usize,
                seconds: 0.15,
                seed,
            },
        }
    }

    /// Epochs that a student of family B is trained for: `usual` in a full run.
    pub fn epochs(self, usual: u32) -> u32 {
        match self {
            Mode::Full => usual,
            Mode::Quick => usual.min(5),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_names() {
        assert_eq!(RowId::all().count(), 17);
        for row in RowId::all() {
            assert_eq!(row.to_string().parse::<RowId>().unwrap(), row);
            assert_eq!(row.arch().widths()[1], row.width);
            let json = serde_json::to_string(&row).unwrap();
            assert_eq!(serde_json::from_str::<RowId>(&json).unwrap(), row);
        }
        assert_eq!("b-256".parse::<RowId>().unwrap().arch().parameter_count(), 296_000);
        for unknown in ["", "B-257", "C-256", "256"] {
            let message = unknown.parse::<RowId>().unwrap_err().to_string();
            assert!(message.contains("B-256") && message.contains("A-8192"), "{message}");
        }
    }

    #[test]
    fn a_quick_run_has_smaller_batches_for_the_largest_rows() {
        let plan = |row: &str, mode: Mode| mode.plan(&row.parse::<RowId>().unwrap().arch(), 1);
        let small = plan("B-256", Mode::Quick);
        assert_eq!((small.training_batch, small.batch, small.training_samples), (256, 1024, 5));
        let large = plan("A-8192", Mode::Quick);
        assert_eq!((large.training_batch, large.batch), (64, 64));
        let full = plan("A-8192", Mode::Full);
        assert_eq!((full.training_batch, full.batch, full.training_samples), (256, 1024, 78));
        assert_eq!((Mode::Quick.epochs(20), Mode::Full.epochs(20)), (5, 20));
    }
}
