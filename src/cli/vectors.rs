//! Vectors and students as the flags name them.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;

use super::ui::Ui;
use crate::format::{ReadOptions, VectorReader, files};
use crate::matrix::Matrix;
use crate::number::count;
use crate::source::{BadRows, Skipped, VectorSource, read_to_matrix};
use crate::student::{StudentFile, TEACHER};

/// The bundled vectors to train on.
pub const TRAINING: &str = "vectors_train_20k.safetensors";
/// The bundled vectors to measure on; training never reads them.
pub const HELD_OUT: &str = "vectors_heldout_3k.safetensors";

/// How to read a file of vectors.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ReadArgs {
    /// Tensor of a .safetensors file [default: the one called vectors, or the only one].
    #[arg(long, value_name = "NAME")]
    pub tensor: Option<String>,
    /// Column of a .parquet file [default: the one called vectors, or the only one].
    #[arg(long, value_name = "NAME")]
    pub column: Option<String>,
    /// Leave out rows that cannot be used (NaN, infinite, zero), and count them.
    #[arg(long)]
    pub skip_bad: bool,
}

impl ReadArgs {
    /// Opens the vectors at `path`, of `width` values each if a width is given.
    ///
    /// # Errors
    /// As [`files::open`] and [`VectorSource::new`].
    pub fn open(&self, path: &Path, width: Option<usize>) -> crate::Result<VectorSource<'static>> {
        let options = ReadOptions { tensor: self.tensor.clone(), column: self.column.clone() };
        let bad = if self.skip_bad { BadRows::Skip } else { BadRows::Refuse };
        VectorSource::new(files::open(path, &options)?, width, bad)
    }
}

/// Vectors in memory, and what there is to say about them.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The vectors as rows.
    pub rows: Arc<Matrix>,
    /// Name of the file, without its folder.
    pub name: String,
    /// The teacher that made them, by the file's own words or because the file is bundled.
    pub teacher: Option<String>,
    /// Rows left out.
    pub skipped: Skipped,
}

/// Reads the vectors of `source`, at most `limit` of them, from the file at `path`.
///
/// # Errors
/// As [`read_to_matrix`].
pub fn load(
    ui: &Ui,
    path: &Path,
    mut source: VectorSource<'_>,
    limit: Option<NonZeroUsize>,
) -> crate::Result<Loaded> {
    ui.status(&format!("reading {}", path.display()));
    let rows = read_to_matrix(&mut source, limit.map(NonZeroUsize::get))?;
    if source.skipped().total() > 0 {
        ui.warn(&format!("{}: {}", path.display(), source.skipped()));
    }
    ui.status(&format!("{} vectors of {} values", count(rows.rows() as u64), rows.cols()));
    let name = file_name(path);
    let bundled = [TRAINING, HELD_OUT].contains(&name.as_str());
    let teacher = source.metadata().get("teacher").cloned();
    let teacher = teacher.or_else(|| bundled.then(|| TEACHER.to_string()));
    Ok(Loaded { rows: Arc::new(rows), name, teacher, skipped: source.skipped() })
}

/// The last part of a path.
pub fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// The path of the bundled file `name`: in the folder `data` here, or in that of the project
/// which the program was built in.
///
/// # Errors
/// None of these has it.
pub fn bundled(name: &str) -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().unwrap_or_default();
    let projects = program.ancestors().skip(1).map(|folder| folder.join("data"));
    std::iter::once(PathBuf::from("data"))
        .chain(projects)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .with_context(|| {
            format!(
                "the bundled data/{name} is neither here nor beside the program; run lnsp in the \
                 folder of its project, or name a file with --vectors"
            )
        })
}

/// Reads the student in the file at `path`.
///
/// # Errors
/// As [`StudentFile::from_bytes`], or if the file cannot be read.
pub fn read_student(path: &Path) -> anyhow::Result<StudentFile> {
    let bytes = std::fs::read(path)
        .map_err(|e| crate::Error::io(path, e))
        .context("no student (`lnsp train` makes one, --student names it)")?;
    Ok(StudentFile::from_bytes(&path.display().to_string(), &bytes)?)
}
