//! How long storing takes on this device: the codes of the last comparison, timed.

use lnsp::experiment::bench::time_storing;
use lnsp::{Error, Result};

use super::core::Core;
use super::{Reply, Task};
use crate::protocol::CodeTimes;

/// Answers [`crate::protocol::TimeCodes`].
pub(super) async fn time_codes(core: &mut Core, task: &Task) -> Result<Reply> {
    let generation = core.devices.generation();
    let (Some(last), Some(baselines)) = (&core.trial.last, &core.trial.baselines) else {
        return Err(Error::invalid("times", "compare students and plain codes first"));
    };
    if last.generation != generation {
        return Err(Error::invalid("times", "the device has changed: compare once more"));
    }
    let vectors = last.reference.vectors();
    let total = last.students.len() + baselines.len();
    let mut times = CodeTimes { vectors: vectors.rows(), codes: Vec::with_capacity(total) };
    // Once for nothing: on the way the browser compiles what is hot.
    if let Some((code, _)) = last.students.first() {
        time_storing(task.stopped(), async || code.pack(vectors).await).await?;
    }
    let mut students = last.students.iter();
    let mut others = baselines.iter();
    while times.codes.len() < total {
        let share = times.codes.len() as f64 / total as f64;
        let tell = |name: &str| task.progress(Some(share), &format!("timing {name}"));
        let (name, timing) = if let Some((code, _)) = students.next() {
            tell(code.name());
            let store = async || code.pack(vectors).await;
            (code.name().to_string(), time_storing(task.stopped(), store).await?)
        } else if let Some(code) = others.next() {
            tell(&code.name());
            let store = async || code.pack(vectors);
            (code.name(), time_storing(task.stopped(), store).await?)
        } else {
            break;
        };
        times.codes.push((name, timing.median_us / vectors.rows() as f64));
        task.check().await?;
    }
    Reply::of(&times)
}
