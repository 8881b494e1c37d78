//! What follows from figures that were measured, wherever they come from: a single measurement, or
//! a run of the whole note.

use super::{Finding, Here, Standing};
use crate::arch::Variant;
use crate::note::Claim;
use crate::number::{decimal, megabytes, percent};
use crate::train::TrainConfig;

/// Milliseconds that a picture lasts at sixty a second: faster is called real-time.
const REAL_TIME: f64 = 1e3 / 60.0;

/// A time in milliseconds: half, a tenth and nine tenths of the samples are faster.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spread {
    pub median: f64,
    pub p10: f64,
    pub p90: f64,
}

/// Memory of a training.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    /// Vectors in a step.
    pub batch: usize,
    pub predicted: u64,
    /// What the device's own account held at most.
    pub held: u64,
}

/// Three digits or so.
pub(super) fn shown(ms: f64) -> String {
    decimal(
        ms,
        if ms >= 10.0 {
            1
        } else if ms >= 0.1 {
            3
        } else {
            4
        },
    )
}

pub(super) fn one_vector(claim: &Claim, here: &Here, width: usize, ms: Spread) -> Finding {
    let noted = claim.figure.unwrap_or(f64::NAN);
    let words = format!(
        "One vector at S = {width} takes {} ms here, {} to {} in eight of ten samples; the note \
         has ~{noted} ms on the GPU of a MacBook M4.",
        shown(ms.median),
        shown(ms.p10),
        shown(ms.p90)
    );
    here.finding(claim, here.judged(claim, ms.median <= noted), Some(ms.median), words)
}

pub(super) fn training_memory(
    claim: &Claim,
    here: &Here,
    (width, variant): (usize, Variant),
    memory: Memory,
) -> Finding {
    let ours = memory.predicted as f64 / 1e6;
    let noted = claim.figure.unwrap_or(f64::NAN);
    let reading = match variant {
        Variant::Plain => "",
        Variant::Sn727 => " (the sn727 reading, an inference)",
    };
    let share = match here.memory {
        Some(all) if all > 0 => {
            format!(" It is {} of this machine's memory.", percent(memory.held as f64 / all as f64))
        }
        _ => String::new(),
    };
    let words = format!(
        "The tensors of a training step at S = {width}{reading} with {} vectors take {} MB; at most \
         {} MB were held. The note has ~{noted} MB and does not say what it counts.{share}",
        memory.batch,
        megabytes(memory.predicted),
        megabytes(memory.held)
    );
    here.finding(claim, here.judged(claim, ours <= noted), Some(ours), words)
}

/// `step_ms` is the time of a step of `batch` vectors; `measured` minutes, if such a training was
/// run.
pub(super) fn training_time(
    claim: &Claim,
    here: &Here,
    (batch, step_ms): (usize, f64),
    measured: Option<(u32, f64)>,
) -> Finding {
    let vectors: f64 = if claim.id.ends_with("220k") { 220e3 } else { 20e3 };
    let epochs = TrainConfig::default().epochs;
    let steps = (vectors / batch as f64).floor() * f64::from(epochs);
    let ours = steps * step_ms / 6e4;
    let run = match measured {
        Some((epochs, seconds)) => {
            format!(" A training of {epochs} epochs over 20,000 was run: {} s.", shown(seconds))
        }
        None => String::new(),
    };
    let words = format!(
        "A step of {batch} vectors at S = 256 takes {} ms here. {} vectors in {epochs} epochs (ours; \
         the note does not give its number) are {} steps: {} minutes, from the time of a \
         step.{run} The note has {} minutes.",
        shown(step_ms),
        decimal(vectors, 0),
        decimal(steps, 0),
        decimal(ours, 2),
        claim.figure.unwrap_or(f64::NAN)
    );
    // The note names neither its epochs nor its machine for this figure.
    here.finding(claim, Standing::OtherDevice, Some(ours), words)
}

pub(super) fn mobile(claim: &Claim, here: &Here, ms: f64) -> Finding {
    let words = format!(
        "One vector at S = 256 takes {} ms on this device; a picture at sixty a second lasts {} \
         ms. Open the project's page on a phone to test the claim there. The teacher, which makes \
         the vectors of a text, takes far longer than the student.",
        shown(ms),
        decimal(REAL_TIME, 1)
    );
    let finding = here.finding(claim, Standing::OtherDevice, Some(ms), words);
    Finding { unit: "ms".into(), ..finding }
}

/// The exponent b of time ∝ S^b, from pairs of S and milliseconds.
pub(super) fn latency(claim: &Claim, here: &Here, points: &[(f64, f64)]) -> Finding {
    let exponent = slope(points);
    let times: Vec<String> =
        points.iter().map(|(width, ms)| format!("{} ms at {width}", shown(*ms))).collect();
    let words = format!(
        "{}: here time grows with S to the power of {}; the note's list doubles with S, a power \
         of 1.",
        times.join(", "),
        decimal(exponent, 2)
    );
    let right = (exponent - 1.0).abs() <= 0.05;
    let finding = here.finding(claim, here.judged(claim, right), Some(exponent), words);
    Finding { note: Some(1.0), unit: "power of S".into(), ..finding }
}

/// The slope of log y over log x, by least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let n = logs.len() as f64;
    let (mx, my) = logs.iter().fold((0.0, 0.0), |(a, b), (x, y)| (a + x / n, b + y / n));
    let (mut xy, mut xx) = (0.0, 0.0);
    for (x, y) in logs {
        xy += (x - mx) * (y - my);
        xx += (x - mx) * (x - mx);
    }
    xy / xx
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_of_a_law_is_its_exponent() {
        let law: Vec<(f64, f64)> = [1.0, 3.0, 9.0].map(|x: f64| (x, 5.0 * x.powf(1.5))).to_vec();
        assert!((slope(&law) - 1.5).abs() < 1e-12);
    }
}
