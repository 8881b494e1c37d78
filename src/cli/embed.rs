//! `lnsp embed`: texts to vectors.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::bail;
use serde::Serialize;

use super::convert::Stored;
use super::parts::{Done, Job, Parts, beside};
use super::teacher::{TeacherArgs, TeacherFiles, sha256_of};
use super::text::{Embedding, Texts, cut_words, metadata};
use super::ui::Ui;
use super::vectors::ReadArgs;
use crate::error::Error;
use crate::format::text::{SkippedTexts, TextOptions};
use crate::format::{Dtype, FileKind, WriteOptions, files};
use crate::linalg::near_rows;
use crate::matrix::Matrix;
use crate::number::{count, decimal};
use crate::source::read_to_matrix;

/// Vectors of this cosine or more are the same text, or as good as: f16 moves it by 0.0001.
const SAME: f32 = 0.999;
/// A part is written when there are so many vectors, if not before.
const PART_ROWS: usize = 16_384;

/// Arguments of `lnsp embed`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lnsp embed --text sentences.txt --out vectors.safetensors\n  \
    lnsp embed --text reviews.csv --column body --skip-bad --out vectors.npy\n  \
    lnsp embed --text corpus/sentences.txt --dtype f16 --out corpus/vectors.safetensors \\\n      \
    --exclude data/vectors_heldout_3k.safetensors\n\n\
    What is done is kept in OUT.parts on the way: after Ctrl-C, a crash or a power cut the same\n\
    command goes on from there.")]
pub struct Args {
    /// Texts: .txt (a line each), .jsonl, .csv or .tsv.
    #[arg(long, value_name = "FILE")]
    pub text: PathBuf,
    /// Key of a .jsonl or column of a .csv [default: text, sentence, or the only one].
    #[arg(long, value_name = "NAME")]
    pub column: Option<String>,
    /// Leave out lines without a text (empty, not UTF-8, no such column), and count them.
    #[arg(long)]
    pub skip_bad: bool,
    /// Vectors, .safetensors, .npy or .parquet.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Values in that file: f32 or f16 (not in .parquet).
    #[arg(
        long,
        visible_alias = "precision",
        value_enum,
        default_value_t,
        value_name = "TYPE",
        hide_possible_values = true
    )]
    pub dtype: Stored,
    /// Leave out what is nearly equal (cosine 0.999 or more) to one of these vectors, such as
    /// the held-out ones, and count it.
    #[arg(long, value_name = "FILE")]
    pub exclude: Option<PathBuf>,
    /// Seconds between two parts: what a crash may cost, and some more.
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    pub part_every: u64,
    /// Drop what an unfinished run has left, and start anew.
    #[arg(long)]
    pub restart: bool,
    /// The teacher.
    #[command(flatten)]
    pub teacher: TeacherArgs,
}

/// What was done, for machines.
#[derive(Debug, Serialize)]
struct Summary<'a> {
    out: &'a Path,
    teacher: &'a str,
    rows: u64,
    width: usize,
    texts: u64,
    cut: u64,
    excluded: u64,
    skipped: SkippedTexts,
    resumed_at: u64,
    device: String,
    seconds: f64,
    sentences_per_second: f64,
}

/// Runs `lnsp embed`.
///
/// # Errors
/// Texts that cannot be read; no teacher; an output that cannot be written; what the device
/// reports; Ctrl-C. What was done is kept.
pub fn run(args: &Args, ui: &Ui) -> anyhow::Result<()> {
    let began = Instant::now();
    let dtype = dtype_of(args)?;
    // Refused now rather than after the work.
    drop(files::AtomicFile::create(&args.out)?);
    let options = TextOptions { column: args.column.clone(), skip_bad: args.skip_bad };
    let texts = Texts::survey(ui, &args.text, options)?;
    let files = args.teacher.files(ui)?;
    let exclude = args.exclude.as_deref().map(read_excluded).transpose()?;
    let encoder = args.teacher.load(ui, &files)?;
    let (width, device) = (encoder.teacher().width(), encoder.teacher().device().name());
    check_width(args, exclude.as_ref(), width)?;
    let job = job(args, &texts, &files, dtype)?;
    let mut parts = Parts::open(&beside(&args.out), &job, dtype, args.restart)?;
    let start = parts.done();
    if parts.any() {
        ui.status(&format!(
            "going on from text {} of {}, with what is in {}",
            count(start.texts),
            count(texts.count),
            parts.folder().display()
        ));
    }
    let mut embedding = Embedding::new(ui, &texts, encoder, start.texts)?;
    let every = Duration::from_secs(args.part_every);
    let done = match embed(&mut embedding, &mut parts, exclude.as_ref(), every) {
        Ok(done) => done,
        Err(error) => return Err(stopped(error, parts, texts.count)),
    };
    let rate = embedding.rate();
    drop(embedding);
    if !parts.any() {
        parts.remove()?;
        bail!("all {} vectors are nearly equal to one of --exclude", count(done.excluded));
    }
    let options = WriteOptions { dtype, metadata: metadata(&files, &texts), ..Default::default() };
    let rows = parts.join(files::create(&args.out, width, &options)?)?;
    parts.remove()?;
    let summary = Summary {
        out: &args.out,
        teacher: &files.name,
        rows,
        width,
        texts: done.texts,
        cut: done.cut,
        excluded: done.excluded,
        skipped: texts.skipped,
        resumed_at: start.texts,
        device,
        seconds: began.elapsed().as_secs_f64(),
        sentences_per_second: rate,
    };
    report(args, ui, &summary)
}

/// How values are stored, if the format can do it.
fn dtype_of(args: &Args) -> anyhow::Result<Dtype> {
    let kind = FileKind::from_name(&args.out.display().to_string())?;
    let dtype = args.dtype.dtype();
    if kind == FileKind::Parquet && dtype != Dtype::F32 {
        return Err(
            Error::invalid("--dtype", "vectors in .parquet are f32; use that, or .npy").into()
        );
    }
    Ok(dtype)
}

/// What decides over the vectors.
fn job(args: &Args, texts: &Texts, files: &TeacherFiles, dtype: Dtype) -> anyhow::Result<Job> {
    let teacher = sha256_of(&files.weights)?;
    let exclude = args.exclude.as_deref().map(sha256_of).transpose()?;
    let precision = args.teacher.teacher_precision.map(|p| p.to_string());
    Ok([
        ("text", texts.sha256.clone()),
        ("column", args.column.clone().unwrap_or_default()),
        ("skip-bad", args.skip_bad.to_string()),
        ("teacher", teacher),
        ("tokenizer", sha256_of(&files.tokenizer)?),
        ("teacher-precision", precision.unwrap_or_default()),
        ("max-tokens", args.teacher.max_tokens.to_string()),
        ("dtype", dtype.name().into()),
        ("exclude", exclude.unwrap_or_default()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into())
}

fn read_excluded(path: &Path) -> crate::Result<Matrix> {
    read_to_matrix(&mut ReadArgs::default().open(path)?, None)
}

fn check_width(args: &Args, exclude: Option<&Matrix>, width: usize) -> crate::Result<()> {
    let (Some(path), Some(vectors)) = (&args.exclude, exclude) else { return Ok(()) };
    if vectors.cols() == width {
        return Ok(());
    }
    let message = format!(
        "its vectors are {} wide, the teacher's {width}; --exclude takes vectors of this teacher",
        vectors.cols()
    );
    Err(Error::format(path.display().to_string(), message))
}

/// The error that ended a job, with what is kept of it; a folder without parts goes.
fn stopped(error: anyhow::Error, parts: Parts, total: u64) -> anyhow::Error {
    if !parts.any() {
        // The error is what matters.
        let _ = parts.remove();
        return error;
    }
    error.context(format!(
        "stopped after {} of {} texts, which are kept in {}; the same command goes on from there",
        count(parts.done().texts),
        count(total),
        parts.folder().display()
    ))
}

/// Embeds the texts that are left, and writes part after part.
fn embed(
    embedding: &mut Embedding,
    parts: &mut Parts,
    exclude: Option<&Matrix>,
    every: Duration,
) -> anyhow::Result<Done> {
    let start = parts.done();
    let (mut rows, mut done, mut last) = (Matrix::default(), start, Instant::now());
    loop {
        let next = match embedding.next(usize::MAX) {
            Ok(next) => next,
            Err(error) => {
                // What the last part does not hold yet.
                if rows.rows() > 0 {
                    parts.write(&rows, done)?;
                }
                return Err(error.into());
            }
        };
        let end = next.is_none();
        if let Some(vectors) = next {
            let (kept, excluded) = sift(vectors, exclude);
            done.excluded += excluded;
            done.rows += kept.rows() as u64;
            done.texts = embedding.done();
            done.cut = start.cut + embedding.cut();
            rows.append(&kept)?;
        }
        if rows.rows() > 0 && (end || last.elapsed() >= every || rows.rows() >= PART_ROWS) {
            parts.write(&rows, done)?;
            (rows, last) = (Matrix::default(), Instant::now());
        }
        if end {
            return Ok(done);
        }
    }
}

/// The vectors that are not nearly equal to one of `exclude`, and how many are.
fn sift(vectors: Matrix, exclude: Option<&Matrix>) -> (Matrix, u64) {
    let Some(exclude) = exclude else { return (vectors, 0) };
    let near = near_rows(&vectors, exclude, SAME);
    let kept: Vec<usize> = (0..vectors.rows()).filter(|i| !near[*i]).collect();
    let excluded = (vectors.rows() - kept.len()) as u64;
    (vectors.gather_rows(&kept), excluded)
}

fn report(args: &Args, ui: &Ui, summary: &Summary<'_>) -> anyhow::Result<()> {
    if ui.json() {
        return ui.print_json(summary);
    }
    if summary.cut > 0 {
        ui.warn(&cut_words(summary.cut, args.teacher.max_tokens));
    }
    if let Some(path) = args.exclude.as_deref().filter(|_| summary.excluded > 0) {
        ui.status(&format!(
            "left out as nearly equal to a vector in {1}: {0}",
            count(summary.excluded),
            path.display()
        ));
    }
    ui.print(&format!(
        "{}: {} vectors of {} values in {} s, {} sentences/s",
        args.out.display(),
        count(summary.rows),
        summary.width,
        decimal(summary.seconds, 1),
        decimal(summary.sentences_per_second, 0)
    ))
}
