//! What a benchmark finds, as it goes into JSON.

use serde::Serialize;

use super::Timing;
use crate::arch::{Activation, Arch, Precision, Variant};
use crate::note;

/// Everything found, on any number of devices and sizes.
#[derive(Clone, Debug, Default, Serialize)]
pub struct BenchReport {
    /// From nothing to the first answer.
    pub cold: Vec<ColdStart>,
    /// Time to answer, warm.
    pub rows: Vec<InferenceRow>,
    /// Time of a training step, warm.
    pub training: Vec<TrainingRow>,
    /// What was not measured, and why.
    pub skipped: Vec<Skipped>,
}

impl BenchReport {
    /// Adds what another has.
    pub fn extend(&mut self, other: Self) {
        self.cold.extend(other.cold);
        self.rows.extend(other.rows);
        self.training.extend(other.training);
        self.skipped.extend(other.skipped);
    }
}

/// From nothing to the first answer, each part in milliseconds. Drivers may keep compiled shaders
/// on disk from earlier runs.
#[derive(Clone, Debug, Serialize)]
pub struct ColdStart {
    /// The device.
    pub device: String,
    /// The widths, `384→256→192→256→384`.
    pub architecture: String,
    /// The first hidden width, S or N.
    pub width: usize,
    /// Precision of the weights.
    pub precision: Precision,
    /// Making the parameters in host memory (random numbers).
    pub weights_ms: f64,
    /// Opening the device.
    pub open_ms: f64,
    /// Bringing the parameters to the device and packing them.
    pub upload_ms: f64,
    /// Writing one vector, answering it and reading the answer; pipelines are compiled here and,
    /// for packed weights, in `upload_ms`.
    pub first_vector_ms: f64,
    /// The sum.
    pub total_ms: f64,
}

/// Time to answer a batch.
#[derive(Clone, Debug, Serialize)]
pub struct InferenceRow {
    /// The device.
    pub device: String,
    /// The widths.
    pub architecture: String,
    /// The first hidden width, S or N.
    pub width: usize,
    /// plain or sn727.
    pub variant: Variant,
    /// gelu or relu.
    pub activation: Activation,
    /// Precision of the weights.
    pub precision: Precision,
    /// Vectors answered together.
    pub batch: usize,
    /// Of the whole batch, which is on the device already and whose answer stays there.
    #[serde(flatten)]
    pub timing: Timing,
    /// The same with the vectors written and the answers read, if asked for.
    pub with_transfer: Option<Timing>,
    /// Median of the GPU's own clock over the kernels alone, where the adapter has one.
    pub gpu_us: Option<f64>,
    /// Vectors a second at the median.
    pub vectors_per_second: f64,
    /// 10⁹ floating-point operations a second at the median.
    pub gflops: f64,
    /// `gflops` as a share of the device's peak, if that was given.
    pub peak_share: Option<f64>,
    /// Bytes of the weights on the device.
    pub weight_bytes: u64,
    /// The most bytes that tensors held, by the device's own account.
    pub peak_device_bytes: u64,
    /// The note's figure for one vector at this width, if it has one and this is one vector.
    pub note: Option<NoteTime>,
}

/// Time of a training step: forward, losses, backward, clipping and AdamW.
#[derive(Clone, Debug, Serialize)]
pub struct TrainingRow {
    /// The device.
    pub device: String,
    /// The widths.
    pub architecture: String,
    /// The first hidden width, S or N.
    pub width: usize,
    /// plain or sn727.
    pub variant: Variant,
    /// gelu or relu.
    pub activation: Activation,
    /// Vectors in a step.
    pub batch: usize,
    /// Median milliseconds of a step.
    pub median_ms: f64,
    /// A tenth of the samples are faster.
    pub p10_ms: f64,
    /// A tenth of the samples are slower.
    pub p90_ms: f64,
    /// Number of samples.
    pub samples: usize,
    /// Steps that were timed together in a sample.
    pub steps_per_sample: usize,
    /// Vectors a second at the median.
    pub vectors_per_second: f64,
    /// The most bytes that tensors held, by the device's own account.
    pub peak_device_bytes: u64,
    /// What [`crate::sizes::training_bytes`] predicts.
    pub predicted_bytes: u64,
    /// The note's figure for the memory in training at this width, in MB, if it has one.
    pub note_ram_mb: Option<f64>,
}

/// What was not measured.
#[derive(Clone, Debug, Serialize)]
pub struct Skipped {
    /// The device.
    pub device: String,
    /// The widths.
    pub architecture: String,
    /// The first hidden width, S or N.
    pub width: usize,
    /// Such as `f32, 1024 vectors`.
    pub what: String,
    /// Bytes it would take, if that is the reason.
    pub needed: Option<u64>,
    /// Bytes there are, if known.
    pub available: Option<u64>,
    /// Why.
    pub reason: String,
}

/// The note's time for one vector beside ours.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct NoteTime {
    /// The note's, in milliseconds.
    pub note_ms: f64,
    /// Ours, in milliseconds.
    pub ours_ms: f64,
    /// Where the note measured.
    pub place: note::Place,
    /// The note's rating of the size, in its tables.
    pub speed: Option<&'static str>,
    /// Whether the two may be compared: `other device` unless this is the note's machine.
    pub verdict: &'static str,
}

impl NoteTime {
    /// The note's figure for one vector through `arch` beside `ours_ms` on `device`, if the note
    /// has one. It has them for the plain widths of family B.
    pub fn of(arch: &Arch, device: &str, is_gpu: bool, ours_ms: f64) -> Option<Self> {
        let width = arch.widths()[1];
        if Arch::family_b(width).ok()?.widths() != arch.widths() {
            return None;
        }
        let claim = note::claim(&format!("inference-{width}"))?;
        // The note's machine is a MacBook M4 and its GPU.
        let same = is_gpu && device.contains("Apple M4");
        Some(Self {
            note_ms: claim.figure?,
            ours_ms,
            place: claim.place,
            speed: note::row_of(arch).map(|row| row.speed),
            verdict: match (same, claim.figure? >= ours_ms) {
                (false, _) => "other device",
                (true, true) => "holds",
                (true, false) => "slower here",
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_note_is_compared_where_it_has_a_figure() {
        let b = |s| Arch::family_b(s).unwrap();
        let time = NoteTime::of(&b(512), "cpu", false, 0.07).unwrap();
        assert_eq!((time.note_ms, time.verdict, time.speed), (0.2, "other device", Some("Fast")));
        assert_eq!(
            NoteTime::of(&b(512), "Apple M4 Pro", true, 0.3).unwrap().verdict,
            "slower here"
        );
        assert_eq!(NoteTime::of(&b(512), "Apple M4", true, 0.1).unwrap().verdict, "holds");
        assert!(NoteTime::of(&b(320), "cpu", false, 0.1).is_none());
        assert!(NoteTime::of(&Arch::family_a(1024).unwrap(), "cpu", false, 0.1).is_none());
    }
}
