//! Vectors on their way: parts beside the output, each whole or not there, so that a job that
//! was stopped goes on after the last of them.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::format::{Dtype, ReadOptions, VectorReader, VectorWriter, WriteOptions, files};
use crate::matrix::Matrix;

/// What decides over the vectors: a job goes on only with parts of the same.
pub type Job = BTreeMap<String, String>;

/// How far a job is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Texts that have been embedded.
    pub texts: u64,
    /// Vectors kept of them.
    pub rows: u64,
    /// Texts that were cut.
    pub cut: u64,
    /// Vectors left out because of --exclude.
    pub excluded: u64,
}

/// Rows of a part that are read at a time.
const ROWS: usize = 4096;
const JOB: &str = "job.json";
const LOCK: &str = "lock";
/// Metadata of a part: how far the job is with it.
const DONE: &str = "done";

/// The folder of parts of one job, locked against a second run.
#[derive(Debug)]
pub struct Parts {
    folder: PathBuf,
    count: u32,
    done: Done,
    dtype: Dtype,
    /// Held until the end of the process.
    _lock: File,
}

/// `vectors.safetensors` → `vectors.safetensors.parts`.
pub fn beside(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".parts");
    name.into()
}

impl Parts {
    /// The folder at `folder`, with the parts that an earlier run of the same `job` has left; they
    /// are removed if `restart`.
    ///
    /// # Errors
    /// Parts of another job, parts that are damaged, a second run on the same folder, and a
    /// folder that cannot be written to.
    pub fn open(folder: &Path, job: &Job, dtype: Dtype, restart: bool) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
        let lock = lock(folder)?;
        let mut parts =
            Self { folder: folder.into(), count: 0, done: Done::default(), dtype, _lock: lock };
        // What a killed run was writing.
        parts.remove_files(|name| name.starts_with(".lnsp-"))?;
        if restart {
            parts.remove_files(|name| name.ends_with(".safetensors") || name == JOB)?;
        }
        let path = folder.join(JOB);
        match fs::read(&path) {
            Ok(json) => {
                let there: Job = serde_json::from_slice(&json).unwrap_or_default();
                parts.same_job(&there, job)?;
                parts.find()?;
            }
            Err(_) => {
                let json = serde_json::to_vec_pretty(job)?;
                files::write_whole(&path, &json)?;
            }
        }
        Ok(parts)
    }

    /// How far the job is.
    pub fn done(&self) -> Done {
        self.done
    }

    /// Whether there is a part to go on from.
    pub fn any(&self) -> bool {
        self.count > 0
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes `rows`, at least one, as the next part; with it the job is as far as `done`.
    ///
    /// # Errors
    /// A disk that is full; what is there already stays.
    pub fn write(&mut self, rows: &Matrix, done: Done) -> anyhow::Result<()> {
        let mut options = WriteOptions { dtype: self.dtype, ..WriteOptions::default() };
        options.metadata.insert(DONE.into(), serde_json::to_string(&done)?);
        let mut writer = files::create(&self.path(self.count), rows.cols(), &options)?;
        writer.write(rows)?;
        writer.finish()?;
        self.count += 1;
        self.done = done;
        Ok(())
    }

    /// Writes the rows of all parts, in order, to `writer` and finishes it; the number of rows.
    ///
    /// # Errors
    /// A part that is damaged; an output that cannot be written.
    pub fn join(&self, mut writer: Box<dyn VectorWriter>) -> anyhow::Result<u64> {
        let mut rows = Matrix::default();
        for i in 0..self.count {
            let mut reader = self.read(i)?;
            while reader.read(ROWS, &mut rows)? > 0 {
                writer.write(&rows)?;
            }
        }
        Ok(writer.finish()?)
    }

    /// Removes the parts and their folder.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove(self) -> crate::Result<()> {
        self.remove_files(|_| true)?;
        fs::remove_dir(&self.folder).map_err(|e| Error::io(&self.folder, e))
    }

    fn path(&self, index: u32) -> PathBuf {
        self.folder.join(format!("{index:06}.safetensors"))
    }

    fn read(&self, index: u32) -> anyhow::Result<Box<dyn VectorReader>> {
        files::open(&self.path(index), &ReadOptions::default()).with_context(|| {
            format!("a part in {} is damaged; start anew with --restart", self.folder.display())
        })
    }

    /// Counts the parts there are, up to the first that is missing.
    fn find(&mut self) -> anyhow::Result<()> {
        while self.path(self.count).exists() {
            let reader = self.read(self.count)?;
            let done: Option<Done> =
                reader.metadata().get(DONE).and_then(|json| serde_json::from_str(json).ok());
            let rows = reader.rows().unwrap_or_default();
            let fits = |done: &Done| done.rows == self.done.rows + rows;
            self.done = done.filter(fits).with_context(|| {
                format!(
                    "{} is no part of this job; start anew with --restart",
                    self.path(self.count).display()
                )
            })?;
            self.count += 1;
        }
        Ok(())
    }

    fn same_job(&self, there: &Job, job: &Job) -> anyhow::Result<()> {
        let differ = differences(there, job);
        if differ.is_empty() {
            return Ok(());
        }
        bail!(
            "{} holds the parts of another job (another {}); give it the same again, choose \
             another --out, or drop the parts with --restart",
            self.folder.display(),
            differ.join(", ")
        )
    }

    fn remove_files(&self, which: impl Fn(&str) -> bool) -> crate::Result<()> {
        let io = |e| Error::io(&self.folder, e);
        for entry in fs::read_dir(&self.folder).map_err(io)? {
            let entry = entry.map_err(io)?;
            if which(&entry.file_name().to_string_lossy()) {
                fs::remove_file(entry.path()).map_err(|e| Error::io(entry.path(), e))?;
            }
        }
        Ok(())
    }
}

/// What `job` has otherwise than the job `there`.
pub(super) fn differences<'a>(there: &Job, job: &'a Job) -> Vec<&'a str> {
    let other = job.iter().filter(|(key, value)| there.get(*key) != Some(value));
    other.map(|(key, _)| key.as_str()).collect()
}

/// Locks the folder for this process; the lock goes with it, however it ends.
pub(super) fn lock(folder: &Path) -> anyhow::Result<File> {
    let path = folder.join(LOCK);
    let file = File::create(&path).map_err(|e| Error::io(&path, e))?;
    lock_file(&file, folder)?;
    Ok(file)
}

/// Locks a file for as long as it is open, against any other process; `what` is for the message.
///
/// # Errors
/// If another process has it.
pub(super) fn lock_file(file: &File, what: &Path) -> anyhow::Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            bail!("another lnsp is writing to {}; let it end", what.display())
        }
        // Not every file system has locks.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(text: &str) -> Job {
        Job::from([("text".into(), text.into()), ("teacher".into(), "t".into())])
    }

    #[test]
    fn goes_on_after_the_last_whole_part() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("v.npy.parts");
        let rows = Matrix::from_fn(3, 2, |r, c| (10 * r + c) as f32);
        let first = Done { texts: 5, rows: 3, cut: 1, excluded: 2 };
        {
            let mut parts = Parts::open(&folder, &job("a"), Dtype::F16, false).unwrap();
            assert!(!parts.any());
            parts.write(&rows, first).unwrap();
            let second = Parts::open(&folder, &job("a"), Dtype::F16, false).unwrap_err();
            assert!(second.to_string().contains("another lnsp"), "{second}");
        }
        fs::write(folder.join(".lnsp-abc.part"), "half a part").unwrap();
        let mut parts = Parts::open(&folder, &job("a"), Dtype::F16, false).unwrap();
        assert_eq!((parts.done(), parts.any()), (first, true));
        assert!(!folder.join(".lnsp-abc.part").exists());
        let second = Done { texts: 6, rows: 4, ..first };
        parts.write(&rows.slice_rows(1, 2), second).unwrap();
        let out = place.path().join("v.npy");
        let writer = files::create(&out, 2, &WriteOptions::default()).unwrap();
        assert_eq!(parts.join(writer).unwrap(), 4);
        parts.remove().unwrap();
        assert!(!folder.exists());
        let joined =
            crate::format::read_all("v.npy", &fs::read(&out).unwrap(), &Default::default());
        assert_eq!(joined.unwrap().data(), [0.0, 1.0, 10.0, 11.0, 20.0, 21.0, 10.0, 11.0]);
    }

    #[test]
    fn parts_of_another_job_are_refused_or_dropped() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("parts");
        let done = Done { texts: 1, rows: 1, ..Done::default() };
        let open = |text, restart| Parts::open(&folder, &job(text), Dtype::F32, restart);
        open("a", false).unwrap().write(&Matrix::zeros(1, 2), done).unwrap();
        let error = open("b", false).unwrap_err().to_string();
        assert!(error.contains("another text") && error.contains("--restart"), "{error}");
        assert!(!open("b", true).unwrap().any());
        assert!(!open("b", false).unwrap().any());
        // A part that says something else than it holds.
        open("b", false).unwrap().write(&Matrix::zeros(2, 2), done).unwrap();
        let error = open("b", false).unwrap_err().to_string();
        assert!(error.contains("000000.safetensors") && error.contains("--restart"), "{error}");
    }
}
