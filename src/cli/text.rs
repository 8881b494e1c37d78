//! Texts as the flags name them, and their vectors, piece by piece: what stands wherever vectors
//! are read.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pollster::block_on;
use sha2::{Digest, Sha256};

use super::progress::Progress;
use super::teacher::{TeacherArgs, TeacherFiles, hex};
use super::ui::Ui;
use crate::error::{Error, Result};
use crate::format::text::{SkippedTexts, TextKind, TextOptions, TextReader};
use crate::format::{Metadata, VectorReader};
use crate::matrix::Matrix;
use crate::number::{count, decimal};
use crate::teacher::sentences::SentenceEncoder;

/// A piece of texts should take the teacher about so long: short enough to be lost by Ctrl-C,
/// long enough to sort by length.
const PIECE: Duration = Duration::from_secs(5);
/// Texts of the first piece, by which the next is measured.
const FIRST: usize = 64;
/// Texts of the longest piece.
const MOST: usize = 8192;
/// Texts of every piece where results must not depend on the clock.
const STEADY: usize = 1024;

/// Text in place of vectors.
#[derive(Clone, Debug, clap::Args)]
pub struct TextArgs {
    /// Texts to embed first, .txt (a line each), .jsonl, .csv or .tsv (--column).
    #[arg(long, value_name = "FILE")]
    pub text: Option<PathBuf>,
    /// The teacher that embeds them.
    #[command(flatten)]
    pub teacher: TeacherArgs,
}

/// A file of texts that has been read once from end to end.
#[derive(Clone, Debug)]
pub struct Texts {
    path: PathBuf,
    options: TextOptions,
    /// How many there are.
    pub count: u64,
    /// What was left out.
    pub skipped: SkippedTexts,
    /// The sha256 of the whole file.
    pub sha256: String,
}

impl Texts {
    /// Reads the file at `path` through, so that what is wrong with it shows before the work.
    ///
    /// # Errors
    /// As [`TextReader`].
    pub fn survey(ui: &Ui, path: &Path, options: TextOptions) -> Result<Self> {
        let (file, kind) = open(path)?;
        let bytes = file.metadata().map_err(|e| Error::io(path, e))?.len();
        let mut hash = Sha256::new();
        let stream = Hashing { file, hash: &mut hash };
        let mut reader = TextReader::new(kind, &path.display().to_string(), stream, &options)?;
        let (cancel, mut texts) = (ui.cancel(), 0);
        ui.status(&format!("reading {}", path.display()));
        let bar = ui.progress("read", None);
        while reader.next_text()?.is_some() {
            texts += 1;
            if texts % 4096 == 0 {
                bar.set(texts, &format!("texts of {} MB", crate::number::megabytes(bytes)));
                stop_if(&cancel)?;
            }
        }
        drop(bar);
        let skipped = reader.skipped();
        drop(reader);
        let sha256 = hex(&hash.finalize());
        if skipped.total() > 0 {
            ui.warn(&format!("{}: {skipped}", path.display()));
        }
        let noun = if texts == 1 { "text" } else { "texts" };
        ui.status(&format!("{}: {} {noun}", path.display(), count(texts)));
        Ok(Self { path: path.to_owned(), options, count: texts, skipped, sha256 })
    }

    /// The file, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn open(path: &Path) -> Result<(File, TextKind)> {
    let kind = TextKind::from_name(&path.display().to_string())?;
    Ok((File::open(path).map_err(|e| Error::io(path, e))?, kind))
}

fn stop_if(cancel: &AtomicBool) -> Result<()> {
    if cancel.load(Ordering::SeqCst) { Err(Error::Cancelled) } else { Ok(()) }
}

/// A file whose bytes are hashed as they are read.
struct Hashing<'a> {
    file: File,
    hash: &'a mut Sha256,
}

impl Read for Hashing<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let n = self.file.read(into)?;
        self.hash.update(&into[..n]);
        Ok(n)
    }
}

/// The texts of a file and their vectors, in pieces, with progress.
pub struct Embedding {
    encoder: SentenceEncoder,
    reader: TextReader<File>,
    texts: Vec<String>,
    total: u64,
    /// Texts done, those of an earlier run among them.
    done: u64,
    cut: u64,
    /// Texts of the next piece, and whether the one after may have another size.
    piece: usize,
    adapts: bool,
    bar: Progress,
    cancel: Arc<AtomicBool>,
    began: Instant,
    first: u64,
}

impl Embedding {
    /// Will embed `texts` after the first `done` of them, in pieces of some seconds.
    ///
    /// # Errors
    /// As [`TextReader`], if the file has changed since it was surveyed.
    pub fn new(ui: &Ui, texts: &Texts, encoder: SentenceEncoder, done: u64) -> Result<Self> {
        let (file, kind) = open(&texts.path)?;
        let name = texts.path.display().to_string();
        let mut reader = TextReader::new(kind, &name, file, &texts.options)?;
        let cancel = ui.cancel();
        for i in 0..done {
            if reader.next_text()?.is_none() {
                return Err(Error::format(name, "the file has changed while it was read"));
            }
            if i % 4096 == 0 {
                stop_if(&cancel)?;
            }
        }
        let left = texts.count.saturating_sub(done);
        let bar = ui.progress("embed", Some(left));
        Ok(Self {
            encoder,
            reader,
            texts: Vec::new(),
            total: texts.count,
            done,
            cut: 0,
            piece: FIRST,
            adapts: true,
            bar,
            cancel,
            began: Instant::now(),
            first: done,
        })
    }

    /// The same in pieces of one size, so that two runs give the same bits, and without progress
    /// unless `shown`.
    fn steady(mut self, shown: bool) -> Self {
        (self.piece, self.adapts) = (STEADY, false);
        if !shown {
            self.bar = Progress::none();
        }
        self
    }

    /// Values of a vector.
    pub fn width(&self) -> usize {
        self.encoder.teacher().width()
    }

    /// Texts that were cut at the limit of tokens so far.
    pub fn cut(&self) -> u64 {
        self.cut
    }

    /// Texts done, those of an earlier run among them.
    pub fn done(&self) -> u64 {
        self.done
    }

    /// Texts in a second, without those of an earlier run.
    pub fn rate(&self) -> f64 {
        (self.done - self.first) as f64 / self.began.elapsed().as_secs_f64().max(1e-9)
    }

    /// The vectors of the next texts, at most `most`; none at the end.
    ///
    /// # Errors
    /// As [`TextReader`] and [`SentenceEncoder::embed`]; [`Error::Cancelled`] by Ctrl-C.
    pub fn next(&mut self, most: usize) -> Result<Option<Matrix>> {
        stop_if(&self.cancel)?;
        let piece = self.piece.min(most);
        if self.reader.read(piece, &mut self.texts)? == 0 {
            return Ok(None);
        }
        let began = Instant::now();
        let (done, first, total, since) = (self.done, self.first, self.total, self.began);
        let (bar, cancel) = (&self.bar, &self.cancel);
        let mut progress = |within: usize| {
            let now = done + within as u64;
            let rate = (now - first) as f64 / since.elapsed().as_secs_f64().max(1e-9);
            let words = format!(
                "{} of {} texts, {} sentences/s",
                count(now),
                count(total),
                decimal(rate, 0)
            );
            bar.set(now - first, &words);
            stop_if(cancel)
        };
        let embedded = block_on(self.encoder.embed(&self.texts, &mut progress))?;
        self.done += self.texts.len() as u64;
        self.cut += embedded.cut;
        let rate = self.texts.len() as f64 / began.elapsed().as_secs_f64().max(1e-9);
        if self.adapts {
            // The first piece may pay for what the later ones share: no leaps.
            let wanted = (rate * PIECE.as_secs_f64()) as usize;
            self.piece = wanted.clamp(self.piece / 2, self.piece * 4).clamp(1, MOST);
        }
        Ok(Some(embedded.vectors))
    }
}

/// The vectors of a file of texts, as if a file of vectors were read.
struct TextVectors<'a> {
    ui: &'a Ui,
    embedding: Embedding,
    name: String,
    texts: u64,
    max_tokens: usize,
    metadata: Metadata,
    told: bool,
}

/// The vectors of the texts at `path`, as a reader of vectors. Progress is shown by the reader if
/// `shown`, else by whoever reads.
///
/// # Errors
/// As [`Texts::survey`], [`TeacherArgs::open`].
pub fn text_vectors<'a>(
    ui: &'a Ui,
    path: &Path,
    options: TextOptions,
    teacher: &TeacherArgs,
    shown: bool,
) -> anyhow::Result<Box<dyn VectorReader + 'a>> {
    let texts = Texts::survey(ui, path, options)?;
    let files = teacher.files(ui)?;
    let encoder = teacher.load(ui, &files)?;
    let embedding = Embedding::new(ui, &texts, encoder, 0)?.steady(shown);
    Ok(Box::new(TextVectors {
        ui,
        embedding,
        name: path.display().to_string(),
        texts: texts.count,
        max_tokens: teacher.max_tokens,
        metadata: metadata(&files, &texts),
        told: false,
    }))
}

/// What a file of these vectors says about itself.
pub fn metadata(files: &TeacherFiles, texts: &Texts) -> Metadata {
    let lnsp = format!("vectors of {}", super::vectors::file_name(texts.path()));
    Metadata::from([("lnsp".into(), lnsp), ("teacher".into(), files.name.clone())])
}

/// "3 texts were cut at 256 tokens".
pub fn cut_words(cut: u64, max_tokens: usize) -> String {
    let texts = if cut == 1 { "1 text was".into() } else { format!("{} texts were", count(cut)) };
    format!("{texts} longer than {max_tokens} tokens and cut there")
}

impl VectorReader for TextVectors<'_> {
    fn name(&self) -> &str {
        &self.name
    }

    fn width(&self) -> usize {
        self.embedding.width()
    }

    fn rows(&self) -> Option<u64> {
        Some(self.texts)
    }

    fn read(&mut self, max_rows: usize, into: &mut Matrix) -> Result<usize> {
        match self.embedding.next(max_rows)? {
            Some(vectors) => *into = vectors,
            None => {
                *into = Matrix::zeros(0, self.width());
                if self.embedding.cut() > 0 && !std::mem::replace(&mut self.told, true) {
                    let words = cut_words(self.embedding.cut(), self.max_tokens);
                    self.ui.warn(&format!("{}: {words}", self.name));
                }
            }
        }
        Ok(into.rows())
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}
