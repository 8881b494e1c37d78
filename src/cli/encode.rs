//! `lnsp encode`: vectors, or texts, to latents or codes.

use std::path::PathBuf;

use super::convert::{Direction, Job, Stored, convert};
use super::text::TextArgs;
use super::ui::Ui;
use super::vectors::{Input, ReadArgs};

/// Arguments of `lnsp encode`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lnsp encode --in vectors.npy --out latents.npy\n  \
    lnsp encode --in vectors.parquet --column embedding --skip-bad --out latents.safetensors\n  \
    lnsp encode --text sentences.txt --out latents.npy\n  \
    lnsp encode --in vectors.npy --bits 2 --out codes.npy")]
pub struct Args {
    /// The student, as `lnsp train` writes it.
    #[arg(long, value_name = "FILE", default_value = "student.safetensors")]
    pub student: PathBuf,
    /// Vectors, .npy, .safetensors or .parquet.
    #[arg(
        long = "in",
        value_name = "FILE",
        conflicts_with = "text",
        required_unless_present = "text"
    )]
    pub input: Option<PathBuf>,
    /// How to read them.
    #[command(flatten)]
    pub read: ReadArgs,
    /// Texts in place of vectors.
    #[command(flatten)]
    pub text: TextArgs,
    /// Latents (or codes), in the format of its ending.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Write codes of so many bits a latent in place of latents, .npy or .safetensors; for a student
    /// that was trained with --latent-bits.
    #[arg(long, value_name = "BITS", conflicts_with = "dtype")]
    pub bits: Option<u32>,
    /// Values in that file: f32 or f16 (not in .parquet).
    #[arg(long, value_enum, default_value_t, value_name = "TYPE", hide_possible_values = true)]
    pub dtype: Stored,
}

/// Runs `lnsp encode`.
///
/// # Errors
/// As [`convert`].
pub fn run(args: &Args, ui: &Ui) -> anyhow::Result<()> {
    let input = Input::new(&args.text, args.input.as_deref(), "", "--in")?;
    let job = Job {
        direction: Direction::Encode,
        student: &args.student,
        input: &input,
        read: &args.read,
        out: &args.out,
        stored: args.dtype,
        bits: args.bits,
    };
    convert(&job, ui)
}
