//! The results file of a sweep: one line of JSON a run, appended as runs end.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use crate::cli::parts::lock_file;
use crate::cli::ui::Ui;
use crate::error::{Error, Result};
use crate::experiment::sweep::{DataId, Record, Records};

/// The open file, locked against a second sweep.
#[derive(Debug)]
pub struct Results {
    path: PathBuf,
    file: File,
    records: Records,
    length: u64,
}

impl Results {
    /// Opens the file at `path`, new or with the runs of an earlier sweep on the same `data`. A last
    /// line that a kill has torn is dropped, with a word.
    ///
    /// # Errors
    /// A file that cannot be written to, that another process is writing to, or that holds anything
    /// but runs on these data.
    pub fn open(path: &Path, data: &DataId, ui: &Ui) -> anyhow::Result<Self> {
        let io = |e| Error::io(path, e);
        if path.exists() && !path.is_file() {
            let message = format!("{} is no regular file; name a file", path.display());
            return Err(Error::invalid("--out", message).into());
        }
        let mut file =
            OpenOptions::new().read(true).append(true).create(true).open(path).map_err(io)?;
        lock_file(&file, path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        let records = Records::read(&path.display().to_string(), &bytes, data)?;
        let mut results = Self { path: path.into(), length: bytes.len() as u64, file, records };
        if results.records.whole_bytes < bytes.len() {
            ui.warn(&format!(
                "{}: its last line was cut short when it was written; that run is done again",
                path.display()
            ));
            results.cut(results.records.whole_bytes as u64)?;
        }
        if results.records.open_end {
            results.append(b"\n")?;
        }
        Ok(results)
    }

    /// The run of this identity, if it is done.
    pub fn get(&self, id: &str) -> Option<&Record> {
        self.records.runs.get(id)
    }

    /// The runs in the file, by identity.
    pub fn runs(&self) -> &BTreeMap<String, Record> {
        &self.records.runs
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a run that is done, unless it is there. It is on the disk, whole, when this returns.
    ///
    /// # Errors
    /// [`Error::Io`], such as for a full disk; the file then holds what it held before.
    pub fn add(&mut self, record: Record) -> Result<()> {
        if self.get(&record.id).is_none() {
            self.append(record.to_line().as_bytes())?;
            self.records.runs.insert(record.id.clone(), record);
        }
        Ok(())
    }

    /// One call of the system, so that a kill leaves the line whole, torn at its end, or not there.
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.file.write_all(bytes).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => {
                self.length += bytes.len() as u64;
                Ok(())
            }
            Err(cause) => {
                // If this fails, too, the next sweep drops the torn line.
                let _ = self.cut(self.length);
                Err(Error::io(&self.path, cause))
            }
        }
    }

    fn cut(&mut self, length: u64) -> Result<()> {
        self.file.set_len(length).map_err(|e| Error::io(&self.path, e))?;
        self.length = length;
        Ok(())
    }
}

/// The runs in a file that another sweep on the same `data` has written, such as another shard.
///
/// # Errors
/// As [`Results::open`], but nothing is locked and nothing changed.
pub fn read(path: &Path, data: &DataId) -> Result<Records> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    Records::read(&path.display().to_string(), &bytes, data)
}
