//! `lnsp import`: a student of a state dict from elsewhere.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::ui::Ui;
use super::vectors::file_name;
use crate::arch::{Activation, Arch, Precision, TEACHER_WIDTH, Variant};
use crate::error::Error;
use crate::exchange::state_dict::{Options, read};
use crate::format::files::write_whole;
use crate::number::count;
use crate::student::{StudentFile, StudentInfo, TEACHER};

/// Arguments of `lnsp import`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "The file has the note's layer names (input_proj.weight, input_proj.bias, \
    compression, expansion, teacher_align), with or without a prefix. A PyTorch checkpoint becomes \
    one in Python:\n  \
    import torch, safetensors.torch\n  \
    safetensors.torch.save_file(torch.load(\"s.pt\", weights_only=True), \"s.safetensors\")\n\n\
    Examples:\n  \
    lnsp import --in model.safetensors --out student.safetensors\n  \
    lnsp import --in model.safetensors --activation relu --training-set \"my corpus\" \
    --out student.safetensors")]
pub struct Args {
    /// The state dict, .safetensors of f16, bf16, f32 or f64.
    #[arg(long = "in", value_name = "FILE")]
    pub input: PathBuf,
    /// The student.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// What stands before the layers' names, such as model. [default: what is found].
    #[arg(long, value_name = "TEXT")]
    pub prefix: Option<String>,
    /// gelu (the exact erf form) or relu; the file does not tell.
    #[arg(long, default_value_t)]
    pub activation: Activation,
    /// plain or sn727 [default: what the layers say].
    #[arg(long)]
    pub variant: Option<Variant>,
    /// The teacher whose vectors it compresses [default for 384 values: all-MiniLM-L6-v2].
    #[arg(long, value_name = "NAME")]
    pub teacher_name: Option<String>,
    /// The vectors it was trained on, in words.
    #[arg(long, value_name = "TEXT", default_value = "unknown")]
    pub training_set: String,
    /// Weights in f32, f16 or int8.
    #[arg(long, value_name = "TYPE", default_value_t)]
    pub dtype: Precision,
    /// Leave out tensors that a student has no place for, and say which.
    #[arg(long)]
    pub skip_unknown: bool,
}

/// What was done, for machines.
#[derive(Clone, Debug, Serialize)]
struct Summary<'a> {
    out: &'a Path,
    arch: &'a Arch,
    parameters: u64,
    precision: Precision,
    prefix: &'a str,
    transposed: bool,
    left_out: &'a [String],
}

/// Runs `lnsp import`.
///
/// # Errors
/// A file that is missing or no state dict of a student; an output that cannot be written.
pub fn run(args: &Args, ui: &Ui) -> anyhow::Result<()> {
    let name = args.input.display().to_string();
    let bytes = std::fs::read(&args.input).map_err(|e| Error::io(&args.input, e))?;
    let options = Options {
        prefix: args.prefix.clone(),
        activation: args.activation,
        variant: args.variant,
        skip_unknown: args.skip_unknown,
    };
    let imported = read(&name, &bytes, &options)?;
    let arch = imported.parameters.arch().clone();
    let info = StudentInfo {
        precision: args.dtype,
        teacher: args.teacher_name.clone().unwrap_or_else(|| teacher_of(&arch)),
        training_set: args.training_set.clone(),
        training: [("imported".to_string(), file_name(&args.input).into())].into(),
        ..StudentInfo::new(&arch)
    };
    let file = StudentFile { info, parameters: imported.parameters, code: None };
    write_whole(&args.out, &file.to_bytes()?)?;
    if ui.json() {
        return ui.print_json(&Summary {
            out: &args.out,
            arch: &arch,
            parameters: arch.parameter_count(),
            precision: args.dtype,
            prefix: &imported.prefix,
            transposed: imported.transposed,
            left_out: &imported.left_out,
        });
    }
    if !imported.left_out.is_empty() {
        ui.warn(&format!("left out: {}", imported.left_out.join(", ")));
    }
    let turned = if imported.transposed { ", stored as in × out" } else { "" };
    ui.print(&format!(
        "{}: {arch} ({}, {}), {} parameters in {}{turned}",
        args.out.display(),
        arch.variant(),
        arch.activation(),
        count(arch.parameter_count()),
        args.dtype
    ))
}

fn teacher_of(arch: &Arch) -> String {
    if arch.input() == TEACHER_WIDTH { TEACHER.into() } else { "unknown".into() }
}
