//! The teacher as the flags name it: from a path, the cache, or the Hugging Face hub.

mod cache;
mod hub;

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::device::open_device;
use super::ui::Ui;
use super::vectors::file_name;
use crate::arch::{Precision, TEACHER_WIDTH};
use crate::error::Error;
use crate::student::TEACHER;
use crate::teacher::Teacher;
use crate::teacher::sentences::SentenceEncoder;
use crate::teacher::tokenizer::Tokenizer;

pub use cache::{cache_folder, sha256_of};

/// The encoder's weights in a folder of the teacher.
const WEIGHTS: &str = "model.safetensors";
/// The tokenizer, in the same folder.
const TOKENIZER: &str = "tokenizer.json";

/// Which teacher, for those who bring text.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Teacher, for texts")]
pub struct TeacherArgs {
    /// A folder with model.safetensors and tokenizer.json, or a file of weights with the
    /// tokenizer beside it [default: all-MiniLM-L6-v2, from the cache or the Hugging Face hub].
    #[arg(long, value_name = "PATH")]
    pub teacher: Option<PathBuf>,
    /// Precision of its weights: f32, f16 or int8 [default: that of the file].
    #[arg(long, value_name = "PRECISION")]
    pub teacher_precision: Option<Precision>,
    /// Cut texts at N tokens, two of which are marks; cut texts are counted.
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub max_tokens: usize,
}

/// Where a teacher's two files are, and what it is called.
#[derive(Clone, Debug)]
pub struct TeacherFiles {
    /// Weights, safetensors.
    pub weights: PathBuf,
    /// `tokenizer.json`.
    pub tokenizer: PathBuf,
    /// The model's name, for metadata.
    pub name: String,
}

impl TeacherArgs {
    /// Finds the files: at the path that was given, in the cache, or by fetching them.
    ///
    /// # Errors
    /// A path without the files; no cache and no hub.
    pub fn files(&self, ui: &Ui) -> anyhow::Result<TeacherFiles> {
        match &self.teacher {
            Some(path) => at_path(path),
            None => {
                let folder = cache::ready(ui)?;
                Ok(in_folder(&folder, TEACHER.into()))
            }
        }
    }

    /// Reads the teacher from `files` onto the device that `--device` asks for.
    ///
    /// # Errors
    /// Files that are damaged or of another model; a limit of tokens that the model does not
    /// take; no device.
    pub fn load(&self, ui: &Ui, files: &TeacherFiles) -> anyhow::Result<SentenceEncoder> {
        let json =
            std::fs::read(&files.tokenizer).map_err(|e| Error::io(&files.tokenizer, e))?;
        let name = files.tokenizer.display().to_string();
        let tokenizer = Tokenizer::from_bytes(&name, &json, self.max_tokens)?;
        let stream = File::open(&files.weights).map_err(|e| Error::io(&files.weights, e))?;
        let device = open_device(ui, TEACHER_WIDTH)?;
        let name = files.weights.display().to_string();
        let stream = BufReader::new(stream);
        let teacher = Teacher::from_reader(&device, &name, stream, self.teacher_precision)?;
        if self.max_tokens > teacher.max_tokens() {
            let most = teacher.max_tokens();
            bail!(Error::invalid(
                "--max-tokens",
                format!("{} are too many for this teacher: at most {most}", self.max_tokens)
            ));
        }
        ui.status(&format!("teacher: {} in {}", files.name, teacher.precision()));
        Ok(SentenceEncoder::new(teacher, tokenizer))
    }

    /// Finds and reads it.
    ///
    /// # Errors
    /// As [`Self::files`] and [`Self::load`].
    pub fn open(&self, ui: &Ui) -> anyhow::Result<SentenceEncoder> {
        self.load(ui, &self.files(ui)?)
    }
}

fn in_folder(folder: &Path, name: String) -> TeacherFiles {
    TeacherFiles { weights: folder.join(WEIGHTS), tokenizer: folder.join(TOKENIZER), name }
}

/// The files at a path that somebody named: a folder, or a file of weights.
fn at_path(path: &Path) -> anyhow::Result<TeacherFiles> {
    let given = format!("--teacher {}", path.display());
    let meta = std::fs::metadata(path).map_err(|e| Error::io(path, e)).with_context(|| {
        format!("{given}: give a folder with {WEIGHTS} and {TOKENIZER}, or a file of weights")
    })?;
    let folder = match path.parent() {
        _ if meta.is_dir() => path,
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut files = in_folder(folder, String::new());
    if !meta.is_dir() {
        files.weights = path.to_owned();
    }
    if !files.weights.is_file() {
        bail!("{given}: there is no {WEIGHTS} in it; name the file of weights itself");
    }
    if !files.tokenizer.is_file() {
        // Weights of `lnsp quantize` may lie anywhere; their tokenizer is that of the cache.
        let cached = cache_folder().map(|folder| folder.join(cache::MODEL).join(TOKENIZER));
        files.tokenizer = cached.filter(|path| path.is_file()).with_context(|| {
            format!("{given}: there is no {TOKENIZER} beside it; copy the model's there")
        })?;
    }
    files.name = match folder.file_name() {
        Some(folder) if meta.is_dir() => folder.to_string_lossy().into_owned(),
        _ => file_name(&files.weights),
    };
    if cache::is_the_teacher(&files.weights) {
        files.name = TEACHER.into();
    }
    Ok(files)
}
