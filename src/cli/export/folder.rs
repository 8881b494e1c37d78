//! A folder of output that appears whole or not at all.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::io;
use crate::error::{Error, Result};
use crate::student::StudentInfo;

/// The description of the student, and the mark by which a later export knows what it may replace.
const MARK: &str = "lnsp.json";

/// A folder that is written beside its destination and takes its name at [`NewFolder::commit`];
/// dropped before, it leaves nothing behind.
pub(super) struct NewFolder {
    temporary: TempDir,
    destination: PathBuf,
    bytes: u64,
}

impl NewFolder {
    /// A new folder that shall become `path`.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is something at `path` that `lnsp export` did not write;
    /// [`Error::Io`] if the folder around it is missing or cannot be written to.
    pub(super) fn create(path: &Path) -> Result<Self> {
        check_destination(path)?;
        let around = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let temporary =
            tempfile::Builder::new().prefix(".lnsp-").suffix(".part").tempdir_in(around);
        let temporary = temporary.map_err(io(path))?;
        // A temporary folder is for its owner alone; what is inside is as any new folder.
        let new = Self { temporary, destination: path.into(), bytes: 0 };
        fs::create_dir(new.inner()).map_err(io(path))?;
        Ok(new)
    }

    /// Writes the file `name`, folders in it parted by `/`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn write(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let mut file = self.file(name)?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(io(&self.destination))?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Writes the file `name` by way of `fill`.
    ///
    /// # Errors
    /// What `fill` reports; [`Error::Io`].
    pub(super) fn write_with(
        &mut self,
        name: &str,
        fill: impl FnOnce(&mut File) -> Result<()>,
    ) -> Result<()> {
        let mut file = self.file(name)?;
        fill(&mut file)?;
        file.sync_all().map_err(io(&self.destination))?;
        self.bytes += file.metadata().map_err(io(&self.destination))?.len();
        Ok(())
    }

    /// Adds the description and gives the folder its name; how many bytes it holds.
    ///
    /// # Errors
    /// [`Error::Io`]; an older folder of that name is untouched then.
    pub(super) fn commit(mut self, info: &StudentInfo) -> Result<u64> {
        let json =
            serde_json::to_vec_pretty(info).map_err(|e| Error::format(MARK, e.to_string()))?;
        self.write(MARK, &json)?;
        let at = &self.destination;
        let old = self.temporary.path().join("old");
        let there = at.exists();
        if there {
            fs::rename(at, &old).map_err(io(at))?;
        }
        if let Err(cause) = fs::rename(self.inner(), at) {
            if there {
                // What was there before, as it was.
                let _ = fs::rename(&old, at);
            }
            return Err(Error::io(at, cause));
        }
        Ok(self.bytes)
    }

    fn inner(&self) -> PathBuf {
        self.temporary.path().join("new")
    }

    fn file(&self, name: &str) -> Result<File> {
        let path = self.inner().join(name);
        let folder = path.parent().expect("inside the folder");
        fs::create_dir_all(folder).and_then(|()| File::create(&path)).map_err(io(&self.destination))
    }
}

/// Whether there is nothing at `path`, an empty folder, or one that an earlier export wrote.
fn check_destination(path: &Path) -> Result<()> {
    let refuse = |what: &str| {
        let message = format!("{} {what}; name another", path.display());
        Err(Error::invalid("--out", message))
    };
    match fs::metadata(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(Error::io(path, e)),
        Ok(meta) if !meta.is_dir() => refuse("is a file, and a folder is to be written"),
        Ok(_) => {
            let empty = fs::read_dir(path).map_err(io(path))?.next().is_none();
            match empty || path.join(MARK).is_file() {
                true => Ok(()),
                false => refuse("holds files that lnsp export did not write"),
            }
        }
    }
}
