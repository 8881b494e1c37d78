//! `lnsp export`: a student in the form of another program.

mod folder;
mod sentence_transformers;

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Serialize;

use self::folder::NewFolder;
use super::quantize::narrowed;
use super::ui::{Ui, Usage};
use super::vectors::read_student;
use crate::arch::{Arch, Precision};
use crate::error::Error;
use crate::exchange::onnx::{OPSET, to_onnx};
use crate::exchange::{Part, web};
use crate::format::files::write_whole;
use crate::number::megabytes;
use crate::student::StudentFile;

/// The form that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// An ONNX model.
    Onnx,
    /// The folder of a SentenceTransformer.
    SentenceTransformers,
    /// A folder with the file that the page loads and a module that runs it.
    Web,
    /// A plain state dict, for PyTorch.
    Safetensors,
}

/// Arguments of `lnsp export`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = format!(
    "Forms:\n  \
    onnx                   for ONNX Runtime and others, opset {OPSET}: vectors → latent,\n  \
    \x20                      reconstruction, any number of rows at a call\n  \
    sentence-transformers  a folder that SentenceTransformer(path) loads: the teacher, then Dense\n  \
    \x20                      modules that give the latent (--part both: the reconstruction)\n  \
    web                    a folder with the file that the page loads and student.mjs to run it\n  \
    safetensors            a state dict under the note's layer names, for load_state_dict\n\n\
    Examples:\n  \
    lnsp export --student student.safetensors --format onnx --out student.onnx\n  \
    lnsp export --format onnx --part encoder --dtype int8 --out encoder.onnx\n  \
    lnsp export --format sentence-transformers --out minilm-192\n  \
    lnsp export --format web --dtype f16 --out web"
))]
pub struct Args {
    /// The student, as `lnsp train` writes it.
    #[arg(long, value_name = "FILE", default_value = "student.safetensors")]
    pub student: PathBuf,
    /// onnx, sentence-transformers, web or safetensors.
    #[arg(long, value_enum, value_name = "FORM", hide_possible_values = true)]
    pub format: Form,
    /// A file for onnx and safetensors, else a folder, which appears whole.
    #[arg(long, value_name = "PATH")]
    pub out: PathBuf,
    /// encoder, decoder or both [default: encoder for sentence-transformers, else both].
    #[arg(long)]
    pub part: Option<Part>,
    /// Weights in f32, f16 or int8 [default: as in the student's file; sentence-transformers and
    /// safetensors have no int8].
    #[arg(long, value_name = "TYPE")]
    pub dtype: Option<Precision>,
    /// The teacher for sentence-transformers: a folder with model.safetensors and tokenizer.json
    /// [default: all-MiniLM-L6-v2, from the cache or the Hugging Face hub].
    #[arg(long, value_name = "PATH")]
    pub teacher: Option<PathBuf>,
    /// Where a SentenceTransformer cuts texts, in tokens [default: 256].
    #[arg(long, value_name = "N")]
    pub max_tokens: Option<usize>,
}

/// What was done, for machines.
#[derive(Clone, Debug, Serialize)]
struct Summary<'a> {
    out: &'a Path,
    format: Form,
    arch: &'a Arch,
    part: String,
    precision: Precision,
    #[serde(skip_serializing_if = "Option::is_none")]
    opset: Option<i64>,
    bytes: u64,
}

/// Runs `lnsp export`.
///
/// # Errors
/// A student that is missing or damaged, or that the form cannot hold; flags that do not go with
/// the form; no teacher; an output that cannot be written.
pub fn run(args: &Args, ui: &Ui) -> anyhow::Result<()> {
    check_flags(args)?;
    let name = args.student.display().to_string();
    let file = read_student(&args.student)?;
    let stored = file.info.precision;
    let precision = args.dtype.unwrap_or(match args.format {
        Form::Onnx | Form::Web => stored,
        Form::Safetensors if stored == Precision::F16 => stored,
        Form::Safetensors | Form::SentenceTransformers => Precision::F32,
    });
    let arch = file.info.arch.clone();
    let part = args.part.unwrap_or(match args.format {
        Form::SentenceTransformers => Part::Encoder,
        _ => Part::Both,
    });
    let bytes = match args.format {
        Form::Onnx => whole(&args.out, &to_onnx(&file, part, precision)?)?,
        Form::Safetensors => whole(&args.out, &state_dict(file, precision)?)?,
        Form::Web => web_folder(&args.out, narrowed(&name, file, precision)?)?,
        Form::SentenceTransformers => sentence_transformers::write(args, ui, &file, part)?,
    };
    if ui.json() {
        return ui.print_json(&Summary {
            out: &args.out,
            format: args.format,
            arch: &arch,
            part: part.to_string(),
            precision,
            opset: (args.format == Form::Onnx).then_some(OPSET),
            bytes,
        });
    }
    let what = match args.format {
        Form::Onnx => format!("ONNX, opset {OPSET}, {}", ends(part)),
        Form::Safetensors => "a state dict".into(),
        Form::Web => format!("{} and {}", web::STUDENT_NAME, web::MODULE_NAME),
        Form::SentenceTransformers => "a SentenceTransformer".into(),
    };
    ui.print(&format!(
        "{}: {arch} as {what}, weights in {precision}, {} MB",
        args.out.display(),
        megabytes(bytes)
    ))
}

fn ends(part: Part) -> &'static str {
    match part {
        Part::Encoder => "vectors → latent",
        Part::Decoder => "latent → reconstruction",
        Part::Both => "vectors → latent, reconstruction",
    }
}

/// Refuses flags that would be ignored.
fn check_flags(args: &Args) -> anyhow::Result<()> {
    let refuse = |flag: &str, why: &str| Err(Usage(format!("{flag}: {why}")).into());
    let texts = args.format == Form::SentenceTransformers;
    if args.teacher.is_some() && !texts {
        return refuse("--teacher", "only --format sentence-transformers has a teacher in it");
    }
    if args.max_tokens.is_some() && !texts {
        return refuse("--max-tokens", "only --format sentence-transformers takes texts");
    }
    if args.part.is_some() && matches!(args.format, Form::Web | Form::Safetensors) {
        return refuse("--part", "this form holds the whole student; leave it out");
    }
    match (args.format, args.dtype) {
        (Form::SentenceTransformers, Some(Precision::F16 | Precision::Int8)) => {
            refuse("--dtype", "Dense modules are kept in f32; leave it out")
        }
        (Form::Safetensors, Some(Precision::Int8)) => refuse(
            "--dtype int8",
            "a plain state dict has no scales; use f16, or lnsp quantize for a student of lnsp",
        ),
        _ => Ok(()),
    }
}

fn whole(path: &Path, bytes: &[u8]) -> crate::Result<u64> {
    write_whole(path, bytes)?;
    Ok(bytes.len() as u64)
}

/// All layers as plain tensors, which `lnsp` reads, too.
fn state_dict(mut file: StudentFile, precision: Precision) -> crate::Result<Vec<u8>> {
    file.info.precision = precision;
    file.to_bytes()
}

fn web_folder(path: &Path, file: StudentFile) -> crate::Result<u64> {
    let mut folder = NewFolder::create(path)?;
    folder.write(web::STUDENT_NAME, &file.to_bytes()?)?;
    folder.write(web::MODULE_NAME, web::MODULE.as_bytes())?;
    folder.commit(&file.info)
}

/// An [`Error::Io`] for a path inside a folder.
fn io(path: &Path) -> impl Fn(std::io::Error) -> Error + '_ {
    move |e| Error::io(path, e)
}
