//! From files that parts of a query have written to an output under its name.

use std::collections::BTreeMap;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::UInt64Type;
use datafusion::common::{DataFusionError, Result, exec_err, plan_err};
use datafusion::execution::object_store::ObjectStoreRegistry;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use serde::Serialize;
use url::Url;

use crate::stores::url_of;

/// An object beside the files of a finished output in a store, which has no names to be given at the
/// end: it lists what belongs to the output. Without it, the output is not whole.
pub const FINISHED: &str = "_SUCCESS";

/// A file of the result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct File {
    /// Its name in the output.
    pub file: String,
    /// Its rows.
    pub rows: u64,
    /// Its bytes.
    pub bytes: u64,
}

/// The files that parts of a query reported.
///
/// # Errors
/// A report of another form: the program that made it is another one.
pub fn reported(batches: &[RecordBatch]) -> Result<Vec<File>> {
    let mut files = Vec::new();
    for batch in batches {
        let columns = batch.columns();
        let [names, rows, bytes] = columns else {
            return exec_err!("parts of the query reported {} columns, not 3", columns.len());
        };
        let (rows, bytes) = (
            rows.as_primitive::<UInt64Type>().values(),
            bytes.as_primitive::<UInt64Type>().values(),
        );
        for (i, name) in names.as_string::<i32>().iter().enumerate() {
            let file = name.unwrap_or_default().to_owned();
            files.push(File { file, rows: rows[i], bytes: bytes[i] });
        }
    }
    Ok(files)
}

/// Where an output goes, and where its files are until it is whole.
#[derive(Debug)]
pub struct Target {
    store: Arc<dyn ObjectStore>,
    /// Where parts write, a URL that ends in `/`.
    folder: Url,
    /// On this machine, or on a disk that all machines share: what it will be called.
    local: Option<Local>,
}

#[derive(Debug)]
struct Local {
    staging: PathBuf,
    name: PathBuf,
    single: bool,
}

impl Target {
    /// For an output called `name`: a folder, or a single file if it ends in `.parquet`.
    ///
    /// # Errors
    /// A folder that holds something; a single file in a store; what the store says.
    pub async fn new(name: &str, stores: &dyn ObjectStoreRegistry) -> Result<Self> {
        let single = name.ends_with(".parquet");
        let mut url = url_of(name)?;
        if !single && !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        let store = stores.get_store(&url)?;
        let Ok(path) = url.to_file_path() else {
            if single {
                return plan_err!("{name}: a store takes a folder, such as s3://BUCKET/FOLDER/");
            }
            let target = Self { store, folder: url, local: None };
            if let Some(there) = target.list().await?.first() {
                return plan_err!(
                    "{name} holds {there} already, and no output is written over another: name a new \
                     folder, or remove that one"
                );
            }
            return Ok(target);
        };
        refuse_occupied(name, &path, single)?;
        let stem = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let hidden = format!(".{stem}.{}.part", uuid::Uuid::new_v4());
        let staging = path.with_file_name(hidden);
        std::fs::create_dir(&staging).map_err(|e| {
            DataFusionError::Execution(format!("{name}: its folder cannot be written to: {e}"))
        })?;
        let folder = Url::from_directory_path(&staging)
            .map_err(|()| DataFusionError::Execution(format!("{name} is no path")))?;
        Ok(Self { store, folder, local: Some(Local { staging, name: path, single }) })
    }

    /// Where parts write.
    pub fn folder(&self) -> &str {
        self.folder.as_str()
    }

    /// Whether the output is one file.
    pub fn single(&self) -> bool {
        self.local.as_ref().is_some_and(|local| local.single)
    }

    fn prefix(&self) -> Result<Path> {
        Path::from_url_path(self.folder.path()).map_err(|e| DataFusionError::External(e.into()))
    }

    /// What lies in the folder, with its bytes.
    async fn there(&self) -> Result<BTreeMap<String, u64>> {
        let listed = self.store.list(Some(&self.prefix()?)).try_collect::<Vec<_>>().await?;
        let name = |path: &Path| path.filename().unwrap_or_default().to_owned();
        Ok(listed.into_iter().map(|meta| (name(&meta.location), meta.size)).collect())
    }

    /// Names of what lies in the folder: how far a query on other machines has come.
    ///
    /// # Errors
    /// What the store says.
    pub async fn list(&self) -> Result<Vec<String>> {
        Ok(self.there().await?.into_keys().collect())
    }

    /// Gives the files that were reported the output's name and removes all others, which parts left
    /// behind that were done again.
    ///
    /// # Errors
    /// A file that is not there, or has other bytes than were reported: then nothing is published.
    pub async fn publish(&self, mut files: Vec<File>) -> Result<Vec<File>> {
        let mut there = self.there().await?;
        for File { file, bytes, .. } in &files {
            match there.remove(file) {
                Some(found) if found == *bytes => {}
                Some(found) => {
                    return exec_err!(
                        "{}{file} has {found} bytes, {bytes} were written",
                        self.folder
                    );
                }
                None => {
                    return exec_err!(
                        "{}{file} was written by another machine and is not to be seen from here: \
                         name a folder that all machines share, or a store (s3://…)",
                        self.folder
                    );
                }
            }
        }
        for left in there.keys() {
            self.store.delete(&self.prefix()?.join(left.as_str())).await?;
        }
        match &self.local {
            Some(local) => local.publish(&mut files)?,
            None => {
                let list =
                    serde_json::to_vec(&files).map_err(|e| DataFusionError::External(e.into()))?;
                let path = self.prefix()?.join(FINISHED);
                self.store.put(&path, PutPayload::from(list)).await?;
            }
        }
        Ok(files)
    }

    /// Removes what was written, as far as that is possible.
    pub async fn discard(&self) {
        match &self.local {
            Some(local) => drop(std::fs::remove_dir_all(&local.staging)),
            None => {
                for name in self.list().await.unwrap_or_default() {
                    if let Ok(prefix) = self.prefix() {
                        let _ = self.store.delete(&prefix.join(name.as_str())).await;
                    }
                }
            }
        }
    }
}

fn refuse_occupied(name: &str, path: &FilePath, single: bool) -> Result<()> {
    if single {
        return match path.is_dir() {
            true => plan_err!("{name} is a folder; name a file"),
            false => Ok(()),
        };
    }
    match std::fs::read_dir(path).map(Iterator::count) {
        Ok(files) if files > 0 => plan_err!(
            "{name} holds files already, and no output is written over another: name a new folder, or \
             remove that one"
        ),
        Ok(_) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => plan_err!("{name}: {e}"),
    }
}

impl Local {
    /// Numbers the files, and renames the folder, or the one file.
    fn publish(&self, files: &mut Vec<File>) -> Result<()> {
        if self.single {
            let [file] = files.as_slice() else {
                return exec_err!("the query gave no rows: {} is not written", self.name.display());
            };
            std::fs::rename(self.staging.join(&file.file), &self.name)?;
            std::fs::remove_dir(&self.staging)?;
            files[0].file = self.name.display().to_string();
            return Ok(());
        }
        for (i, file) in files.iter_mut().enumerate() {
            let name = format!("part-{i:05}.parquet");
            std::fs::rename(self.staging.join(&file.file), self.staging.join(&name))?;
            file.file = name;
        }
        // A rename takes the place of an empty folder, not of one that has been filled meanwhile.
        Ok(std::fs::rename(&self.staging, &self.name)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores::Stores;

    fn run<T>(f: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(f)
    }

    fn file(name: &str, bytes: u64) -> File {
        File { file: name.into(), rows: 1, bytes }
    }

    #[test]
    fn a_folder_gets_what_was_reported_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("out").display().to_string();
        let target = run(Target::new(&out, &Stores::default())).unwrap();
        let staging = Url::parse(target.folder()).unwrap().to_file_path().unwrap();
        std::fs::write(staging.join("a.parquet"), "1234").unwrap();
        std::fs::write(staging.join("lost.parquet"), "12").unwrap();
        let short = run(target.publish(vec![file("a.parquet", 5)])).unwrap_err().to_string();
        assert!(short.contains("has 4 bytes, 5 were written"), "{short}");
        let absent = run(target.publish(vec![file("b.parquet", 5)])).unwrap_err().to_string();
        assert!(absent.contains("all machines share"), "{absent}");
        assert!(!FilePath::new(&out).exists(), "nothing is published that is not whole");
        let files = run(target.publish(vec![file("a.parquet", 4)])).unwrap();
        assert_eq!(files, [file("part-00000.parquet", 4)]);
        let names: Vec<_> =
            std::fs::read_dir(&out).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["part-00000.parquet"]);
        let occupied = run(Target::new(&out, &Stores::default())).unwrap_err().to_string();
        assert!(occupied.contains("holds files already"), "{occupied}");
    }

    #[test]
    fn what_is_discarded_leaves_nothing() {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("out.parquet").display().to_string();
        let target = run(Target::new(&out, &Stores::default())).unwrap();
        assert!(target.single());
        run(target.discard());
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
    }
}
