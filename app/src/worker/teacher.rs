//! The teacher's weights: found, fetched, made small, kept for later visits, and at work.

use lnsp::device::DeviceChoice;
use lnsp::teacher::{Teacher, quantize};
use lnsp::{Error, Precision, Result};

use super::source::{Part, download, find};
use super::trainer::TrainerRooms;
use super::{Reply, Task, fetch};
use crate::protocol::{
    EmbedTokens, Embedded, ForgetTeacher, LoadTeacher, PlanTeacher, TeacherInfo, TeacherPlan,
    TeacherSource,
};

/// Under which the cache keeps the weights in int8.
const KEY: &str = "./teacher/kept-int8.safetensors";
/// How the weights are called in messages.
const NAME: &str = "the teacher's weights";

/// The teacher once it was asked for.
#[derive(Default)]
pub struct TeacherRoom {
    loaded: Option<Loaded>,
}

struct Loaded {
    info: TeacherInfo,
    precision: Precision,
    address: Option<String>,
    /// Kept, so that another device can take over.
    bytes: Vec<u8>,
    on_device: Option<(u32, Teacher)>,
}

/// Answers [`PlanTeacher`].
pub(super) async fn plan(question: PlanTeacher, task: &Task) -> Result<Reply> {
    let cached = fetch::kept_bytes(KEY).await.unwrap_or(0);
    if cached > 0 && question.address.is_none() {
        let plan = TeacherPlan { source: TeacherSource::Cache, download: Some(0), cached };
        return Reply::of(&plan);
    }
    let found = find(Part::Weights, question.address.as_deref(), task).await?;
    Reply::of(&TeacherPlan { source: found.source, download: found.bytes, cached })
}

/// Answers [`LoadTeacher`].
pub(super) async fn load(
    rooms: &mut TrainerRooms,
    question: LoadTeacher,
    task: &Task,
) -> Result<Reply> {
    let LoadTeacher { address, precision } = question;
    if let Some(loaded) = &rooms.teacher.loaded
        && (loaded.precision, &loaded.address) == (precision, &address)
    {
        return Reply::of(&loaded.info);
    }
    rooms.teacher.loaded = None;
    let from_cache = match (&address, precision) {
        (None, Precision::Int8) => fetch::kept(KEY).await,
        _ => None,
    };
    let (info, bytes) = match from_cache.filter(|bytes| sound(bytes)) {
        Some(bytes) => {
            let source = TeacherSource::Cache;
            (TeacherInfo { source, bytes: bytes.len() as u64, kept: true }, bytes)
        }
        None => fresh(address.as_deref(), precision, task).await?,
    };
    let reply = Reply::of(&info);
    rooms.teacher.loaded = Some(Loaded { info, precision, address, bytes, on_device: None });
    reply
}

/// Whether a kept copy is whole: a browser may have been closed while it was written.
fn sound(bytes: &[u8]) -> bool {
    Teacher::from_bytes(&lnsp::device::Device::cpu(), NAME, bytes, None).is_ok()
}

/// Fetches the weights and makes them as small as asked.
async fn fresh(
    address: Option<&str>,
    precision: Precision,
    task: &Task,
) -> Result<(TeacherInfo, Vec<u8>)> {
    let found = find(Part::Weights, address, task).await?;
    let mut bytes = download(&found, "downloading the teacher", task).await?;
    task.progress(None, "making the teacher small");
    task.check().await?;
    if precision != Precision::F32 {
        bytes = quantize(NAME, &bytes, precision)?;
    }
    let kept = precision == Precision::Int8
        && found.source != TeacherSource::Address
        && fetch::keep(KEY, &bytes).await;
    Ok((TeacherInfo { source: found.source, bytes: bytes.len() as u64, kept }, bytes))
}

/// Answers [`ForgetTeacher`].
pub(super) async fn forget(rooms: &mut TrainerRooms, _: ForgetTeacher) -> Result<Reply> {
    rooms.teacher.loaded = None;
    fetch::forget().await;
    Reply::of(&())
}

/// Answers [`EmbedTokens`].
pub(super) async fn embed(
    rooms: &mut TrainerRooms,
    question: EmbedTokens,
    task: &Task,
) -> Result<Reply> {
    let sequences = sequences(&words(task, 0)?, &words(task, 1)?)?;
    let choice: DeviceChoice = question.device.parse()?;
    let device = rooms.devices.get(choice, 384).await?;
    let generation = rooms.devices.generation();
    let Some(loaded) = &mut rooms.teacher.loaded else {
        return Err(Error::invalid("teacher", "is not loaded yet; load it first"));
    };
    let current = loaded.on_device.take().filter(|(made_for, _)| *made_for == generation);
    let teacher = match current {
        Some((_, teacher)) => teacher,
        None => Teacher::from_bytes(&device, NAME, &loaded.bytes, None)?,
    };
    let count = sequences.len();
    let mut told = |done: usize| {
        let share = done as f64 / count.max(1) as f64;
        task.progress(Some(share), &format!("teacher: {done} of {count} texts"));
        task.still_wanted()
    };
    let vectors = teacher.embed(&sequences, &mut told).await;
    loaded.on_device = Some((generation, teacher));
    let vectors = vectors?;
    let (rows, width) = (vectors.rows(), vectors.cols());
    Ok(Reply::of(&Embedded { rows, width, device: device.name() })?.with(vectors.data()))
}

/// Buffer `index` of the question as 32-bit whole numbers.
fn words(task: &Task, index: usize) -> Result<Vec<u32>> {
    let refuse = || Error::invalid("tokens", "the ids and the lengths come as two buffers of u32");
    let bytes = task.buffer(index).ok_or_else(refuse)?;
    let (words, rest) = bytes.as_chunks::<4>();
    if rest.is_empty() {
        Ok(words.iter().map(|word| u32::from_le_bytes(*word)).collect())
    } else {
        Err(refuse())
    }
}

/// Cuts the ids into sequences of these lengths.
fn sequences(ids: &[u32], lengths: &[u32]) -> Result<Vec<Vec<u32>>> {
    let mut rest = ids;
    let mut all = Vec::with_capacity(lengths.len());
    for length in lengths {
        let Some((sequence, after)) = rest.split_at_checked(*length as usize) else {
            return Err(Error::invalid("tokens", "are fewer than their lengths say"));
        };
        all.push(sequence.to_vec());
        rest = after;
    }
    Ok(all)
}
