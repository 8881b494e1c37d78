//! Which vectors a row runs on: the user's where their width fits, the bundled ones where it is
//! theirs, else random ones.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::child::Source;
use crate::cli::ui::Ui;
use crate::cli::vectors::{HELD_OUT, Loaded, ReadArgs, TRAINING, given_or_bundled, load};
use crate::error::Error;
use crate::experiment::note::{DataSet, RowId, Spectrum};
use crate::linalg::Pca;

/// Vectors held out at most where the user gives no file of them.
const MOST_HELD_OUT: usize = 3000;
/// Vectors to train on at least: a fifth may be set aside, and the rest is to make a batch.
const LEAST: usize = 400;

/// A file to train on, with vectors that are held out.
#[derive(Debug)]
pub struct Set {
    /// The file to train on.
    pub path: PathBuf,
    /// Values in a vector.
    pub width: usize,
    /// What is in it.
    pub data: DataSet,
    pca: OnceCell<Pca>,
}

/// Every file there is.
#[derive(Debug)]
pub(super) struct Sets {
    read: ReadArgs,
    /// The user's first.
    sets: Vec<Set>,
}

impl Sets {
    /// Reads the files. Without the bundled ones those of the user must do.
    ///
    /// # Errors
    /// A file that cannot be read; none at all; too few vectors.
    pub fn read(
        ui: &Ui,
        vectors: Option<&Path>,
        held_out: Option<&Path>,
        read: &ReadArgs,
    ) -> anyhow::Result<Self> {
        let mut sets = Vec::new();
        if let Some(path) = vectors {
            sets.push(of_user(ui, path, held_out, read)?);
        }
        let there = given_or_bundled(None, TRAINING, "--vectors");
        if !sets.iter().any(|set: &Set| set.width == crate::arch::TEACHER_WIDTH) {
            match there {
                Ok(_) => sets.push(bundled(ui)?),
                Err(cause) if sets.is_empty() => return Err(cause.into()),
                Err(_) => {}
            }
        }
        Ok(Self { read: read.clone(), sets })
    }

    /// The vectors that fit a row, if there are any but random ones.
    pub fn of(&self, row: RowId) -> Option<&Set> {
        self.sets.iter().find(|set| set.width == row.arch().input())
    }

    /// What a row is measured on.
    ///
    /// # Errors
    /// As [`Spectrum::fit`].
    pub fn source(&self, row: RowId) -> crate::Result<Source> {
        match self.of(row) {
            Some(set) => Ok(Source::File {
                path: set.path.clone(),
                tensor: self.read.tensor.clone(),
                column: self.read.column.clone(),
                skip_bad: self.read.skip_bad,
            }),
            None => Ok(Source::Synthetic(self.spectrum()?)),
        }
    }

    /// The spectrum that random vectors get, of the last file: the bundled one, if it is there.
    ///
    /// # Errors
    /// As [`Spectrum::fit`].
    pub fn spectrum(&self) -> crate::Result<Spectrum> {
        let set = self.sets.last().ok_or_else(|| Error::invalid("--vectors", "none were read"))?;
        Spectrum::fit(set.pca()?)
    }
}

impl Set {
    /// The components of the vectors to train on, computed when first asked for.
    ///
    /// # Errors
    /// As [`Pca::fit`].
    pub fn pca(&self) -> crate::Result<&Pca> {
        if self.pca.get().is_none() {
            let _ = self.pca.set(Pca::fit(&self.data.training, false)?);
        }
        Ok(self.pca.get().expect("set above"))
    }
}

fn read_file(ui: &Ui, path: &Path, read: &ReadArgs) -> anyhow::Result<Loaded> {
    Ok(load(ui, path, read.open(path)?, None)?)
}

/// The bundled vectors.
///
/// # Errors
/// They are not to be found, or cannot be read.
pub fn bundled(ui: &Ui) -> anyhow::Result<Set> {
    let read = ReadArgs::default();
    let path = given_or_bundled(None, TRAINING, "--vectors")?;
    let training = read_file(ui, &path, &read)?;
    let held_out = given_or_bundled(None, HELD_OUT, "--held-out")?;
    let held_out = read_file(ui, &held_out, &read)?;
    Ok(set(&path, training, held_out))
}

fn of_user(ui: &Ui, path: &Path, held_out: Option<&Path>, read: &ReadArgs) -> anyhow::Result<Set> {
    let mut training = read_file(ui, path, read)?;
    if training.rows.rows() < LEAST {
        let message = format!(
            "{} holds {} vectors, too few to train on; give at least {LEAST}, better some thousands",
            path.display(),
            training.rows.rows()
        );
        return Err(Error::invalid("--vectors", message).into());
    }
    if let Some(file) = held_out {
        let held_out = read_file(ui, file, read)?;
        if held_out.rows.cols() != training.rows.cols() {
            let message = format!(
                "its vectors are {} wide, those of --vectors {}; give vectors of one teacher",
                held_out.rows.cols(),
                training.rows.cols()
            );
            return Err(Error::invalid("--held-out", message).into());
        }
        return Ok(set(path, training, held_out));
    }
    // The last rows: neighbours in a file are often alike, so rows in between would be known.
    let rows = training.rows.rows();
    let kept = rows - (rows / 10).min(MOST_HELD_OUT);
    let mut last = training.clone();
    last.name = format!("{}, its last {} vectors", training.name, rows - kept);
    last.rows = Arc::new(training.rows.slice_rows(kept, rows));
    training.rows = Arc::new(training.rows.slice_rows(0, kept));
    Ok(set(path, training, last))
}

fn set(path: &Path, training: Loaded, held_out: Loaded) -> Set {
    Set {
        path: path.into(),
        width: training.rows.cols(),
        data: DataSet {
            training_name: training.name,
            training: training.rows,
            held_out_name: held_out.name,
            held_out: Arc::unwrap_or_clone(held_out.rows),
        },
        pca: OnceCell::new(),
    }
}
