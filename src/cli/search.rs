//! `lnsp search`: nearest neighbours over codes.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Instant;

use pollster::block_on;
use serde::Serialize;

use super::codes::CodeFile;
use super::device::open_device;
use super::text::TextArgs;
use super::ui::Ui;
use super::vectors::{End, Input, ReadArgs, load, read_student};
use crate::arch::Precision;
use crate::codes::CodeSearch;
use crate::error::Error;
use crate::metrics::Search;
use crate::number::{count, decimal};
use crate::student::Student;

/// Codes in memory at a time.
const ROWS: usize = 8192;

/// Arguments of `lnsp search`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lnsp train --latent 384 --latent-bits 2 --out s96.safetensors\n  \
    lnsp encode --student s96.safetensors --in vectors.npy --bits 2 --out codes.npy\n  \
    lnsp search --student s96.safetensors --codes codes.npy --queries questions.npy -k 5\n  \
    lnsp search --student s96.safetensors --codes codes.npy --text questions.txt --json\n\n\
    Queries stay in f32, documents are scored as they are stored, by cosine of their latents.")]
pub struct Args {
    /// The student that made the codes.
    #[arg(long, value_name = "FILE", default_value = "student.safetensors")]
    pub student: PathBuf,
    /// The documents, as `lnsp encode --bits` writes them.
    #[arg(long, value_name = "FILE")]
    pub codes: PathBuf,
    /// Vectors to search with, .npy, .safetensors or .parquet.
    #[arg(long, value_name = "FILE", conflicts_with = "text", required_unless_present = "text")]
    pub queries: Option<PathBuf>,
    /// Search with the first N of them only.
    #[arg(long, value_name = "N")]
    pub limit: Option<NonZeroUsize>,
    /// Neighbours of each query.
    #[arg(long = "neighbours", short = 'k', value_name = "K", default_value = "10")]
    pub k: NonZeroUsize,
    /// How to read the queries.
    #[command(flatten)]
    pub read: ReadArgs,
    /// Texts in place of query vectors.
    #[command(flatten)]
    pub text: TextArgs,
}

/// What was found, for machines.
#[derive(Debug, Serialize)]
struct Found<'a> {
    codes: &'a Path,
    documents: u64,
    bytes_per_document: usize,
    device: String,
    seconds: f64,
    /// For each query the rows of its nearest documents, the nearest first.
    neighbours: Vec<&'a [u32]>,
}

/// Runs `lnsp search`.
///
/// # Errors
/// Files that are missing, damaged or do not belong together; what the device reports; Ctrl-C.
pub fn run(args: &Args, ui: &Ui) -> anyhow::Result<()> {
    let file = read_student(&args.student)?;
    let mut codes = CodeFile::open(&args.codes)?;
    let code = codes.belongs_to(&file, &args.student)?;
    let input = Input::new(&args.text, args.queries.as_deref(), "", "--queries")?;
    let source = args.read.open_for(ui, &input, &file.info.arch, End::Vectors, true)?;
    let queries = load(ui, input.path(), source, args.limit)?;
    let device = open_device(ui, file.info.arch.widths()[1])?;
    let student = Student::new(&device, &file.parameters, Precision::F32)?;
    let latents = block_on(student.encode(&queries.rows))?;
    let search = CodeSearch::new(&device, &code)?;
    let prepared = search.queries(&latents)?;
    let mut nearest = Search::new(&latents, args.k.get());
    let (cancel, bar) = (ui.cancel(), ui.progress("search", codes.rows()));
    let (began, mut documents) = (Instant::now(), 0u64);
    loop {
        let block = codes.read(ROWS)?;
        if block.is_empty() {
            break;
        }
        let scores = block_on(search.scores(&prepared, block))?;
        nearest.add_scores(&scores)?;
        documents += scores.rows() as u64;
        bar.set(documents, "");
        if cancel.load(Ordering::SeqCst) {
            return Err(Error::Cancelled.into());
        }
    }
    drop(bar);
    let (seconds, nearest) = (began.elapsed().as_secs_f64(), nearest.finish());
    let rows = 0..latents.rows();
    if ui.json() {
        return ui.print_json(&Found {
            codes: &args.codes,
            documents,
            bytes_per_document: code.bytes(),
            device: device.name(),
            seconds,
            neighbours: rows.map(|row| nearest.row(row)).collect(),
        });
    }
    for row in rows {
        let list: Vec<String> = nearest.row(row).iter().map(u32::to_string).collect();
        ui.print(&format!("{row}: {}", list.join(" ")))?;
    }
    ui.status(&format!(
        "{} queries, {} documents of {} bytes in {} s",
        count(latents.rows() as u64),
        count(documents),
        code.bytes(),
        decimal(seconds, 2)
    ));
    Ok(())
}
