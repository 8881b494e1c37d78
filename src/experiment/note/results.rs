//! What a run has found so far, as one entry a stage, and all of it together.

use serde::{Deserialize, Serialize};

use super::{Baselines, Measured, Quality, RowId};
use crate::error::Result;
use crate::experiment::claims::Finding;
use crate::sizes::{DEFAULT_BATCH, SizeRow};

/// One stage of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "kebab-case")]
pub enum Entry {
    /// A row was measured.
    Row(Measured),
    /// A row was not.
    Skipped(SkippedRow),
    /// A student was trained.
    Quality(Quality),
    /// The baselines were measured.
    Baselines(Baselines),
    /// A claim was put to the test by itself.
    Claim(Finding),
}

/// A row that was not measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SkippedRow {
    /// The row.
    pub row: RowId,
    /// Bytes that it needs, if that is why.
    pub needed: Option<u64>,
    /// Bytes that there were.
    pub available: Option<u64>,
    /// Why, in words.
    pub reason: String,
}

/// A row of the note with all that is known of it.
#[derive(Clone, Debug, Serialize)]
pub struct RowResult {
    /// The row.
    pub id: RowId,
    /// Exact counts and the note's figures.
    pub size: SizeRow,
    /// What was measured.
    pub measured: Option<Measured>,
    /// Why nothing was.
    pub skipped: Option<SkippedRow>,
    /// What its student keeps.
    pub quality: Option<Quality>,
}

/// Everything found so far.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NoteRun {
    /// Every row of the note that was asked for, family B first.
    pub rows: Vec<RowResult>,
    /// The other codes.
    pub baselines: Option<Baselines>,
    /// Claims that were put to the test by themselves.
    pub claims: Vec<Finding>,
}

impl NoteRun {
    /// The rows `wanted` with what `entries` say; a later entry replaces an earlier one.
    ///
    /// # Errors
    /// As [`SizeRow::new`].
    pub fn new(wanted: &[RowId], entries: &[Entry]) -> Result<Self> {
        let row = |id: &RowId| {
            Ok(RowResult {
                id: *id,
                size: SizeRow::new(id.arch(), DEFAULT_BATCH)?,
                measured: None,
                skipped: None,
                quality: None,
            })
        };
        let mut run =
            Self { rows: wanted.iter().map(row).collect::<Result<_>>()?, ..Self::default() };
        for entry in entries {
            run.take(entry.clone());
        }
        Ok(run)
    }

    /// Puts an entry where it belongs; one of a row that was not asked for is left out.
    pub fn take(&mut self, entry: Entry) {
        match entry {
            Entry::Row(found) => {
                if let Some(row) = self.row_mut(found.row) {
                    row.skipped = None;
                    row.measured = Some(found);
                }
            }
            Entry::Skipped(found) => {
                if let Some(row) = self.row_mut(found.row) {
                    row.measured = None;
                    row.skipped = Some(found);
                }
            }
            Entry::Quality(found) => {
                if let Some(row) = self.row_mut(found.row) {
                    row.quality = Some(found);
                }
            }
            Entry::Baselines(found) => self.baselines = Some(found),
            Entry::Claim(found) => {
                self.claims.retain(|claim| claim.id != found.id);
                self.claims.push(found);
            }
        }
    }

    fn row_mut(&mut self, id: RowId) -> Option<&mut RowResult> {
        self.rows.iter_mut().find(|row| row.id == id)
    }

    /// The row `id`, if it was asked for.
    pub fn row(&self, id: RowId) -> Option<&RowResult> {
        self.rows.iter().find(|row| row.id == id)
    }

    /// What was measured of family B's row S = `width`.
    pub fn measured_b(&self, width: usize) -> Option<&Measured> {
        let id = RowId { family: crate::note::Family::B, width };
        self.row(id)?.measured.as_ref()
    }

    /// The trained students, narrowest first.
    pub fn students(&self) -> Vec<&Quality> {
        let family_b = |row: &&RowResult| row.id.family == crate::note::Family::B;
        let mut all: Vec<&Quality> =
            self.rows.iter().filter(family_b).filter_map(|row| row.quality.as_ref()).collect();
        all.sort_by_key(|quality| quality.row.width);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_entries_replace_earlier_ones_and_others_are_left_out() {
        let skipped = |row: &str, needed| {
            Entry::Skipped(SkippedRow {
                row: row.parse().unwrap(),
                needed: Some(needed),
                available: Some(1),
                reason: "no room".into(),
            })
        };
        let wanted = ["B-256".parse().unwrap(), "A-8192".parse().unwrap()];
        let entries = [skipped("A-8192", 5), skipped("A-8192", 7), skipped("B-320", 9)];
        let run = NoteRun::new(&wanted, &entries).unwrap();
        let found: Vec<_> = run.rows.iter().map(|r| r.skipped.as_ref()?.needed).collect();
        assert_eq!(found, [None, Some(7)]);
        assert_eq!(run.rows[0].size.parameters, 296_000);
        let line = serde_json::to_string(&entries[0]).unwrap();
        assert!(line.starts_with(r#"{"stage":"skipped","row":"A-8192""#), "{line}");
        assert_eq!(serde_json::from_str::<Entry>(&line).unwrap(), entries[0]);
    }
}
