//! Puts a claim of the note to the test.

use std::sync::Arc;

use lnsp::experiment::claims::{Setting, measured};
use lnsp::format::{ReadOptions, open_bytes};
use lnsp::{Error, Matrix, Result, note};

use super::trainer::TrainerRooms;
use super::{Reply, Task};
use crate::page::memory;
use crate::protocol::TestClaim;

/// Answers [`TestClaim`].
pub(super) async fn test(
    rooms: &mut TrainerRooms,
    question: TestClaim,
    task: &Task,
) -> Result<Reply> {
    let claim = note::claim(&question.id)
        .ok_or_else(|| Error::invalid("claim", format!("the note has no {:?}", question.id)))?;
    task.progress(None, "opening the device");
    let width = claim.width.unwrap_or(256);
    let device = rooms.devices.get(question.device.parse()?, width).await?;
    let vectors = match task.buffer(0) {
        Some(bytes) => Some(Arc::new(read(&bytes, question.vectors)?)),
        None => None,
    };
    let setting = Setting {
        seconds: question.seconds,
        available: Some(memory::limit()),
        stop: task.stopped(),
        vectors,
    };
    let mut announce = |what: &str| {
        task.progress(None, what);
        task.still_wanted()
    };
    let finding = measured(claim, &device, &setting, &mut announce).await?;
    let none = || Error::invalid("claim", format!("{} is not measured", claim.id));
    Reply::of(&finding.ok_or_else(none)?)
}

/// The first `most` vectors of a file.
fn read(bytes: &[u8], most: usize) -> Result<Matrix> {
    let mut reader = open_bytes("vectors.safetensors", bytes, &ReadOptions::default())?;
    let mut vectors = Matrix::default();
    while vectors.rows() < most {
        let mut next = Matrix::default();
        if reader.read(most - vectors.rows(), &mut next)? == 0 {
            break;
        }
        vectors.append(&next)?;
    }
    Ok(vectors)
}
