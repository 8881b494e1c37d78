//! Results of long work in a file, one JSON line a piece, so that what was stopped or killed goes on
//! with the piece it was in.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::parts::{Job, differences, lock};
use crate::error::Error;
use crate::format::files;

/// The first line: what decides over all that follow.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    lnsp: String,
    settings: Job,
}

/// A file of results, open for more, locked against a second run.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Held until the end of the process.
    _lock: File,
}

impl Journal {
    /// The file `name` in `folder`, both made if need be, with the entries that earlier runs of the
    /// same `kind` of work with the same `settings` have left; they are dropped if `restart`. A last
    /// line that was being written when its process was killed is cut off.
    ///
    /// # Errors
    /// Results of other settings, a line that cannot be read, a second run on the same folder, and
    /// a folder that cannot be written to.
    pub fn open<T: DeserializeOwned>(
        folder: &Path,
        name: &str,
        (kind, settings): (&str, &Job),
        restart: bool,
    ) -> anyhow::Result<(Self, Vec<T>)> {
        fs::create_dir_all(folder).map_err(|e| Error::io(folder, e)).context("--out")?;
        let lock = lock(folder).context("--out")?;
        let path = folder.join(name);
        let there = if restart { None } else { read(&path)? };
        let mut entries = Vec::new();
        match there {
            Some(text) => {
                let whole = text.rfind('\n').map_or(0, |end| end + 1);
                let mut lines = text[..whole].lines();
                let head = lines.next().and_then(|line| serde_json::from_str::<Head>(line).ok());
                let head = head.filter(|head| head.lnsp == kind).with_context(|| {
                    format!(
                        "{} does not begin as results of lnsp {kind} do; choose another --out, or \
                         drop it with --restart",
                        path.display()
                    )
                })?;
                same(&path, &head.settings, settings)?;
                for (i, line) in lines.enumerate() {
                    entries.push(serde_json::from_str(line).with_context(|| {
                        format!(
                            "line {} of {} is damaged; remove that line to do its part again, or \
                             start anew with --restart",
                            i + 2,
                            path.display()
                        )
                    })?);
                }
                if whole < text.len() {
                    files::write_whole(&path, &text.as_bytes()[..whole])?;
                }
            }
            None => {
                let head = Head { lnsp: kind.into(), settings: settings.clone() };
                files::write_whole(
                    &path,
                    format!("{}\n", serde_json::to_string(&head)?).as_bytes(),
                )?;
            }
        }
        let file = OpenOptions::new().append(true).open(&path).map_err(|e| Error::io(&path, e))?;
        Ok((Self { path, file, _lock: lock }, entries))
    }

    /// Reads the entries of such a file without taking part in its work, and the settings they
    /// were made with.
    ///
    /// # Errors
    /// A file that is none, or a line that cannot be read.
    pub fn read<T: DeserializeOwned>(path: &Path, kind: &str) -> anyhow::Result<(Job, Vec<T>)> {
        let text = fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
        let refuse = || format!("{} holds no results of lnsp {kind}", path.display());
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let mut lines = text[..whole].lines();
        let head: Head = serde_json::from_str(lines.next().unwrap_or("")).with_context(refuse)?;
        if head.lnsp != kind {
            bail!(refuse());
        }
        let entries = lines.map(serde_json::from_str).collect::<Result<_, _>>();
        Ok((head.settings, entries.with_context(refuse)?))
    }

    /// Adds an entry; when this returns it is on the disk.
    ///
    /// # Errors
    /// A disk that is full, or gone.
    pub fn append<T: Serialize>(&mut self, entry: &T) -> anyhow::Result<()> {
        let line = format!("{}\n", serde_json::to_string(entry)?);
        let mut write = || {
            self.file.write_all(line.as_bytes())?;
            self.file.sync_data()
        };
        Ok(write().map_err(|e| Error::io(&self.path, e))?)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The text of a file; `None` if it is not there, or empty.
fn read(path: &Path) -> anyhow::Result<Option<String>> {
    match fs::read(path) {
        Ok(bytes) if bytes.is_empty() => Ok(None),
        // A line that was cut off may end within a character.
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io(path, e).into()),
    }
}

fn same(path: &Path, there: &Job, settings: &Job) -> anyhow::Result<()> {
    let differ = differences(there, settings);
    if differ.is_empty() {
        return Ok(());
    }
    let each: Vec<String> = differ
        .iter()
        .map(|key| {
            let of = |job: &Job| job.get(*key).cloned().unwrap_or_else(|| "none".into());
            format!("{key} {} there, {} now", of(there), of(settings))
        })
        .collect();
    bail!(
        "{} holds results of other settings ({}); give the same again, choose another --out, or \
         drop them with --restart",
        path.display(),
        each.join("; ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(mode: &str) -> Job {
        Job::from([("mode".into(), mode.into())])
    }

    fn open(folder: &Path, mode: &str, restart: bool) -> anyhow::Result<(Journal, Vec<u32>)> {
        Journal::open(folder, "r.jsonl", ("test", &settings(mode)), restart)
    }

    #[test]
    fn goes_on_after_the_last_whole_line() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("new");
        {
            let (mut journal, entries) = open(&folder, "a", false).unwrap();
            assert!(entries.is_empty());
            journal.append(&7u32).unwrap();
            journal.append(&9u32).unwrap();
            let second = format!("{:#}", open(&folder, "a", false).unwrap_err());
            assert!(second.contains("another lnsp"), "{second}");
        }
        let path = folder.join("r.jsonl");
        let mut text = fs::read_to_string(&path).unwrap();
        text.push_str("12");
        fs::write(&path, &text).unwrap();
        {
            let (mut journal, entries) = open(&folder, "a", false).unwrap();
            assert_eq!(entries, [7, 9]);
            journal.append(&11u32).unwrap();
        }
        let (read, entries) = Journal::read::<u32>(&path, "test").unwrap();
        assert_eq!((entries, read), (vec![7, 9, 11], settings("a")));
        assert!(Journal::read::<u32>(&path, "other").is_err());
    }

    #[test]
    fn other_settings_and_damaged_lines_are_refused() {
        let place = tempfile::tempdir().unwrap();
        open(place.path(), "a", false).unwrap().0.append(&1u32).unwrap();
        let error = open(place.path(), "b", false).unwrap_err().to_string();
        assert!(error.contains("mode a there, b now") && error.contains("--restart"), "{error}");
        assert!(open(place.path(), "b", true).unwrap().1.is_empty());
        let path = place.path().join("r.jsonl");
        let head = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{head}1\nx\n3\n")).unwrap();
        let error = format!("{:#}", open(place.path(), "b", false).unwrap_err());
        assert!(error.contains("line 3 of") && error.contains("--restart"), "{error}");
        fs::write(&path, "something else\n").unwrap();
        let error = open(place.path(), "b", false).unwrap_err().to_string();
        assert!(error.contains("does not begin"), "{error}");
    }
}
