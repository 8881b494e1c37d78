//! Results of other shards, gathered: which runs came twice, and which are still missing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::plan::Plan;
use super::results::{Results, read};
use crate::cli::ui::Ui;
use crate::error::{Error, Result};
use crate::experiment::sweep::{DataId, Record};
use crate::number::count;

/// Missing runs that are named one by one.
const NAMED: usize = 10;

/// The runs of several results files.
#[derive(Debug, Default)]
pub struct Gathered {
    files: usize,
    runs: BTreeMap<String, Record>,
    duplicates: usize,
    /// Runs that two files hold with different scores.
    differing: Vec<Record>,
}

/// What gathering has found, for people and for machines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Merged {
    /// Results files read.
    files: usize,
    /// Different runs in them.
    runs: usize,
    /// Runs that were in more than one file.
    duplicates: usize,
    /// Those among them whose scores differ, as on another kind of machine; the first is kept.
    differing: Vec<String>,
    /// Runs of another search on the same vectors.
    others: usize,
    /// Runs of this search that are in no file.
    missing: Vec<String>,
}

/// Reads the files at `paths`; of a folder, every `.jsonl` in it.
///
/// # Errors
/// As [`read`], and a folder without results.
pub fn gather(paths: &[PathBuf], data: &DataId) -> Result<Gathered> {
    let mut gathered = Gathered::default();
    for path in paths {
        for file in files(path)? {
            gathered.files += 1;
            for (id, record) in read(&file, data)?.runs {
                match gathered.runs.get(&id) {
                    None => drop(gathered.runs.insert(id, record)),
                    Some(first) => {
                        gathered.duplicates += 1;
                        if first.validation != record.validation {
                            gathered.differing.push(record);
                        }
                    }
                }
            }
        }
    }
    Ok(gathered)
}

fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.into()]);
    }
    let io = |e| Error::io(path, e);
    let entries = std::fs::read_dir(path).map_err(io)?.collect::<std::io::Result<Vec<_>>>();
    let mut found: Vec<PathBuf> = entries.map_err(io)?.iter().map(|entry| entry.path()).collect();
    found.retain(|file| file.extension().is_some_and(|e| e == "jsonl"));
    found.sort();
    if found.is_empty() {
        let message = format!("{} holds no .jsonl of a sweep", path.display());
        return Err(Error::invalid("--merge", message));
    }
    Ok(found)
}

impl Gathered {
    /// Adds the runs to `results`.
    ///
    /// # Errors
    /// As [`Results::add`].
    pub fn add_to(&self, results: &mut Results) -> Result<()> {
        self.runs.values().try_for_each(|record| results.add(record.clone()))
    }

    /// What came twice, and which runs of `plan` neither these files nor `have` hold.
    pub fn against(&self, plan: &Plan, data: &DataId, have: &BTreeMap<String, Record>) -> Merged {
        let ids: Vec<String> = plan.runs.iter().map(|run| Record::id_of(run, data)).collect();
        let missing = ids
            .iter()
            .zip(&plan.runs)
            .filter(|(id, _)| !self.runs.contains_key(*id) && !have.contains_key(*id))
            .map(|(_, run)| plan.name(run));
        Merged {
            files: self.files,
            runs: self.runs.len(),
            duplicates: self.duplicates,
            differing: self.differing.iter().map(|run| plan.name(&run.settings())).collect(),
            others: self.runs.keys().filter(|id| !ids.contains(id)).count(),
            missing: missing.collect(),
        }
    }
}

impl Merged {
    /// Says it on standard error.
    pub fn say(&self, ui: &Ui) {
        let n = |n: usize| count(n as u64);
        let mut words = format!("merged {} runs of {} files", n(self.runs), n(self.files));
        if self.duplicates > 0 {
            words.push_str(&format!("; {} came twice", n(self.duplicates)));
        }
        if self.others > 0 {
            words.push_str(&format!("; {} belong to another search", n(self.others)));
        }
        ui.status(&words);
        for run in &self.differing {
            ui.warn(&format!("two results of one run differ, the first is kept: {run}"));
        }
        if self.missing.is_empty() {
            return;
        }
        ui.warn(&format!("{} runs are in no file:", n(self.missing.len())));
        self.missing.iter().take(NAMED).for_each(|run| ui.warn(&format!("missing: {run}")));
        if self.missing.len() > NAMED {
            ui.warn(&format!("and {} more", n(self.missing.len() - NAMED)));
        }
    }
}
