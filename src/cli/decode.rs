//! `lnsp decode`: latents, or codes, to vectors.

use std::path::PathBuf;

use super::convert::{Direction, Job, Stored, convert};
use super::ui::Ui;
use super::vectors::{Input, ReadArgs};

/// Arguments of `lnsp decode`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lnsp decode --in latents.npy --out vectors.npy\n  \
    lnsp decode --in latents.safetensors --dtype f16 --out vectors.safetensors")]
pub struct Args {
    /// The student, as `lnsp train` writes it.
    #[arg(long, value_name = "FILE", default_value = "student.safetensors")]
    pub student: PathBuf,
    /// Latents, .npy, .safetensors or .parquet; or codes, as `lnsp encode --bits` writes them.
    #[arg(long = "in", value_name = "FILE")]
    pub input: PathBuf,
    /// How to read them.
    #[command(flatten)]
    pub read: ReadArgs,
    /// Vectors, in the format of its ending.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Values in that file: f32 or f16 (not in .parquet).
    #[arg(long, value_enum, default_value_t, value_name = "TYPE", hide_possible_values = true)]
    pub dtype: Stored,
}

/// Runs `lnsp decode`.
///
/// # Errors
/// As [`convert`].
pub fn run(args: &Args, ui: &Ui) -> anyhow::Result<()> {
    let job = Job {
        direction: Direction::Decode,
        student: &args.student,
        input: &Input::Vectors(args.input.clone()),
        read: &args.read,
        out: &args.out,
        stored: args.dtype,
        bits: None,
    };
    convert(&job, ui)
}
