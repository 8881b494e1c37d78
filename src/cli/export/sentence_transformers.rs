//! The folder of a SentenceTransformer: the teacher's files, found as for texts, and the student's.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::sync::atomic::Ordering;

use super::super::teacher::{TeacherArgs, TeacherFiles};
use super::super::ui::Ui;
use super::folder::NewFolder;
use super::{Args, io};
use crate::arch::Precision;
use crate::error::{Error, Result};
use crate::exchange::Part;
use crate::exchange::sentence_transformers::{TeacherParts, WEIGHTS_NAME, copy_weights, files};
use crate::student::StudentFile;
use crate::teacher::describe;

/// Where texts are cut, as the teacher's own configuration has it.
const MAX_TOKENS: usize = 256;

/// Writes the folder at `args.out`; how many bytes it holds.
///
/// # Errors
/// No teacher, or one that transformers cannot read or whose width is another; what
/// [`files`] refuses; an output that cannot be written.
pub(super) fn write(args: &Args, ui: &Ui, file: &StudentFile, part: Part) -> anyhow::Result<u64> {
    let cancel = ui.cancel();
    let mut folder = NewFolder::create(&args.out)?;
    let given = TeacherArgs {
        teacher: args.teacher.clone(),
        teacher_precision: None,
        max_tokens: MAX_TOKENS,
    };
    let found = given.files(ui)?;
    let teacher = parts(&found, args.max_tokens)?;
    for (name, bytes) in files(file, part, &teacher)? {
        folder.write(&name, &bytes)?;
    }
    ui.status(&format!("copying {}", found.weights.display()));
    folder.write_with(WEIGHTS_NAME, |to| {
        let name = found.weights.display().to_string();
        let from = BufReader::new(File::open(&found.weights).map_err(io(&found.weights))?);
        let mut to = BufWriter::new(to);
        copy_weights(&name, from, &mut to)?;
        to.flush().map_err(io(&args.out))
    })?;
    if cancel.load(Ordering::SeqCst) {
        return Err(Error::Cancelled.into());
    }
    Ok(folder.commit(&file.info)?)
}

/// What the folder says about the teacher.
fn parts(found: &TeacherFiles, max_tokens: Option<usize>) -> Result<TeacherParts> {
    let name = found.weights.display().to_string();
    let stream = BufReader::new(File::open(&found.weights).map_err(io(&found.weights))?);
    let (shape, types, precision) = describe(&name, stream)?;
    if precision == Precision::Int8 {
        let message = "holds int8 weights, which only lnsp reads; name the full weights";
        return Err(Error::format(name, message));
    }
    let most = shape.positions;
    let max_tokens = max_tokens.unwrap_or(MAX_TOKENS.min(most));
    if !(3..=most).contains(&max_tokens) {
        let message = format!("{max_tokens} is no length for this teacher: 3 to {most} are");
        return Err(Error::invalid("--max-tokens", message));
    }
    let tokenizer = std::fs::read_to_string(&found.tokenizer).map_err(io(&found.tokenizer))?;
    Ok(TeacherParts { shape, types, max_tokens, tokenizer })
}
