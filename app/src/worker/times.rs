//! How long storing takes on this device: the codes of the last comparison, timed.

use lnsp::experiment::StudentCode;
use lnsp::experiment::bench::{Timing, time_storing};
use lnsp::{Error, Result};

use super::core::Core;
use super::{Reply, Task};
use crate::protocol::CodeTimes;

/// Timings of the first code before those that count.
const UNCOUNTED: usize = 3;

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
    let mut times = CodeTimes { vectors: vectors.rows(), codes: Vec::new() };
    let mut keep = |name: String, timing: Timing| {
        times.codes.push((name, timing.median_us / vectors.rows() as f64));
    };
    // Whatever else is asked goes before: a stop is heard before each call.
    let stop = || task.stopped();
    let student = async |code: &StudentCode| {
        let store = async || {
            task.check().await?;
            code.pack(vectors).await
        };
        time_storing(stop(), store).await
    };
    // For nothing: on the way the browser compiles what is hot, and the page draws the codes.
    for (code, _) in last.students.iter().take(1).cycle().take(UNCOUNTED) {
        student(code).await?;
    }
    for (code, _) in &last.students {
        keep(code.name().into(), student(code).await?);
    }
    for code in baselines {
        let store = async || {
            task.check().await?;
            code.pack(vectors)
        };
        keep(code.name(), time_storing(stop(), store).await?);
    }
    Reply::of(&times)
}
