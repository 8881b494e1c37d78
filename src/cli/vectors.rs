//! Vectors and students as the flags name them.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;

use super::teacher::TeacherArgs;
use super::text::{TextArgs, text_vectors};
use super::ui::Ui;
use crate::arch::Arch;
use crate::error::Error;
use crate::format::text::TextOptions;
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
    /// Column of a .parquet file [default: the one called vectors, or the only one], or of texts
    /// [default: text, sentence, or the only one].
    #[arg(long, value_name = "NAME")]
    pub column: Option<String>,
    /// Leave out rows that cannot be used (NaN, infinite, zero; lines without text), and count
    /// them.
    #[arg(long)]
    pub skip_bad: bool,
}

impl ReadArgs {
    /// Opens the vectors at `path`.
    ///
    /// # Errors
    /// As [`files::open`].
    pub fn open(&self, path: &Path) -> crate::Result<VectorSource<'static>> {
        let options = ReadOptions { tensor: self.tensor.clone(), column: self.column.clone() };
        let bad = if self.skip_bad { BadRows::Skip } else { BadRows::Refuse };
        VectorSource::new(files::open(path, &options)?, None, bad)
    }

    /// The same for a file of vectors that is read beside `text`, whose column it is then.
    pub fn beside(&self, text: &TextArgs) -> Self {
        let column = self.column.clone().filter(|_| text.text.is_none());
        Self { column, ..self.clone() }
    }

    /// Opens the vectors of `input`; those of texts are made while they are read, with progress
    /// if `shown`.
    ///
    /// # Errors
    /// As [`Self::open`] and [`text_vectors`].
    pub fn open_input<'a>(
        &self,
        ui: &'a Ui,
        input: &Input,
        shown: bool,
    ) -> anyhow::Result<VectorSource<'a>> {
        match input {
            Input::Vectors(path) => Ok(self.open(path)?),
            Input::Text(path, teacher) => {
                if self.tensor.is_some() {
                    let message = "a name of a tensor is for .safetensors files, not for text";
                    return Err(Error::invalid("--tensor", message).into());
                }
                let options = TextOptions { column: self.column.clone(), skip_bad: self.skip_bad };
                let reader = text_vectors(ui, path, options, teacher, shown)?;
                Ok(VectorSource::new(reader, None, BadRows::Refuse)?)
            }
        }
    }

    /// Opens what a student of `arch` takes at `end`.
    ///
    /// # Errors
    /// As [`Self::open_input`]; [`Error::Format`] if the rows have another width.
    pub fn open_for<'a>(
        &self,
        ui: &'a Ui,
        input: &Input,
        arch: &Arch,
        end: End,
        shown: bool,
    ) -> anyhow::Result<VectorSource<'a>> {
        let source = self.open_input(ui, input, shown)?;
        let (what, wanted) = match end {
            End::Vectors => ("vectors", arch.input()),
            End::Latents => ("latents", arch.latent()),
        };
        if source.width() == wanted {
            return Ok(source);
        }
        let message = format!(
            "its rows are {} wide, the student {arch} takes {what} of {wanted}; give {what} of \
             that width, or a student made for these",
            source.width()
        );
        Err(Error::format(input.path().display().to_string(), message).into())
    }
}

/// Vectors, or texts and who embeds them.
#[derive(Clone, Debug)]
pub enum Input {
    /// A file of vectors.
    Vectors(PathBuf),
    /// A file of texts.
    Text(PathBuf, TeacherArgs),
}

impl Input {
    /// The file of texts, if one was given, else the file of vectors given with `flag`, else the
    /// bundled one called `name`.
    ///
    /// # Errors
    /// As [`given_or_bundled`].
    pub fn new(
        text: &TextArgs,
        vectors: Option<&Path>,
        name: &str,
        flag: &str,
    ) -> crate::Result<Self> {
        match &text.text {
            Some(path) => Ok(Input::Text(path.clone(), text.teacher.clone())),
            None => given_or_bundled(vectors, name, flag).map(Input::Vectors),
        }
    }

    /// The file, whatever is in it.
    pub fn path(&self) -> &Path {
        match self {
            Input::Vectors(path) | Input::Text(path, _) => path,
        }
    }
}

/// The two things that a student takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The teacher's vectors, to encode.
    Vectors,
    /// Latents, to decode.
    Latents,
}

/// Vectors in memory, and what there is to say about them.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The vectors as rows.
    pub rows: Arc<Matrix>,
    /// The file, as it was named.
    pub path: String,
    /// Its name without the folder.
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
    let file = path.display().to_string();
    ui.status(&format!("reading {file}"));
    let rows = read_to_matrix(&mut source, limit.map(NonZeroUsize::get))?;
    if source.skipped().total() > 0 {
        ui.warn(&format!("{file}: {}", source.skipped()));
    }
    ui.status(&format!("{file}: {} vectors", count(rows.rows() as u64)));
    let name = file_name(path);
    let bundled = [TRAINING, HELD_OUT].contains(&name.as_str());
    let teacher = source.metadata().get("teacher").cloned();
    let teacher = teacher.or_else(|| bundled.then(|| TEACHER.to_string()));
    Ok(Loaded { rows: Arc::new(rows), path: file, name, teacher, skipped: source.skipped() })
}

/// The last part of a path.
pub fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// The file given with `flag`, else the bundled file `name`: in the folder `data` here, or in
/// that of the project which the program was built in.
///
/// # Errors
/// [`Error::Invalid`] if none is given and none of these has it.
pub fn given_or_bundled(given: Option<&Path>, name: &str, flag: &str) -> crate::Result<PathBuf> {
    if let Some(path) = given {
        return Ok(path.to_path_buf());
    }
    let program = std::env::current_exe().unwrap_or_default();
    let projects = program.ancestors().skip(1).map(|folder| folder.join("data"));
    let places = std::iter::once(PathBuf::from("data")).chain(projects);
    places.map(|folder| folder.join(name)).find(|path| path.is_file()).ok_or_else(|| {
        Error::invalid(
            flag,
            format!(
                "not given, and the bundled data/{name} is neither here nor beside the program; \
                 name a file of the teacher's vectors, or run this in the project's folder"
            ),
        )
    })
}

/// Reads the student in the file at `path`.
///
/// # Errors
/// As [`StudentFile::from_bytes`], or if the file cannot be read.
pub fn read_student(path: &Path) -> anyhow::Result<StudentFile> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e)).with_context(|| {
        format!("--student {}: give a file that `lnsp train` has written", path.display())
    })?;
    Ok(StudentFile::from_bytes(&path.display().to_string(), &bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_bundled_vectors_there_is_advice() {
        let error = given_or_bundled(None, "none.npy", "--training").unwrap_err().to_string();
        assert!(error.starts_with("--training: not given") && error.contains("name a file"));
        let given = given_or_bundled(Some(Path::new("a")), "x", "y").unwrap();
        assert_eq!(given, Path::new("a"));
    }
}
