//! A student over a file of vectors.

use lnsp::format::{ReadOptions, open_bytes, read_to_matrix};
use lnsp::source::{BadRows, VectorSource};
use lnsp::student::{Student, StudentFile};
use lnsp::{Error, Precision, Result};

use super::core::Core;
use super::{Reply, Task};
use crate::protocol::{RunStudent, StudentRun};

/// Answers [`RunStudent`].
pub(super) async fn run(core: &mut Core, question: RunStudent, task: &Task) -> Result<Reply> {
    let buffer = |index: usize, name: &str| {
        task.buffer(index).ok_or_else(|| Error::invalid(name, "its bytes did not come along"))
    };
    let file = buffer(0, &question.student)?;
    let file = StudentFile::from_bytes(&question.student, &file)?;
    let arch = &file.info.arch;
    let bytes = buffer(1, &question.vectors)?;
    let reader = open_bytes(&question.vectors, &bytes, &ReadOptions::default())?;
    let mut source = VectorSource::new(reader, Some(arch.input()), BadRows::Refuse)?;
    let vectors = read_to_matrix(&mut source, None)?;
    task.check().await?;
    let device = core.devices.get(question.device.parse()?, arch.widths()[1]).await?;
    // As the command does: the file's f16 or int8 weights are these f32 values.
    let student = Student::new(&device, &file.parameters, Precision::F32)?;
    let latents = student.encode(&vectors).await?;
    task.check().await?;
    let outputs = student.decode(&latents).await?;
    let codes = match &file.code {
        Some(code) => code.pack(&latents)?,
        None => Vec::new(),
    };
    let answer = StudentRun {
        rows: vectors.rows(),
        latent: latents.cols(),
        output: outputs.cols(),
        device: device.name(),
    };
    Ok(Reply::of(&answer)?.with(latents.data()).with(outputs.data()).with_bytes(&codes))
}
