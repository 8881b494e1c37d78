//! The note's claims put to the test: what can be counted is counted, what can be measured is
//! measured on the device at hand, and what can be neither says why.
//!
//! A claim of the note about its MacBook M4 is never called right or wrong from another machine:
//! it gets both figures and the verdict "other device".

mod attention;
mod counted;
mod measured;

pub use counted::counted;
pub use measured::measured;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};

use crate::device::Device;
use crate::matrix::Matrix;
use crate::note::{Claim, Place};

/// What comes of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It is so.
    Holds,
    /// It is not so.
    Fails,
    /// The note spoke of another device; both figures stand beside each other.
    OtherDevice,
    /// The note, or this machine, leaves nothing to compare.
    CannotCompare,
}

impl Standing {
    /// In words: `holds`, `does not hold`, `other device`, `cannot be compared`.
    pub fn words(self) -> &'static str {
        match self {
            Standing::Holds => "holds",
            Standing::Fails => "does not hold",
            Standing::OtherDevice => "other device",
            Standing::CannotCompare => "cannot be compared",
        }
    }
}

/// How a claim is put to the test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Arithmetic alone; see [`counted`].
    Count,
    /// The device is timed or its memory is watched; see [`measured`].
    Measure,
    /// Students are trained on vectors with different seeds; see [`measured`].
    Train,
    /// The size of the processor's cache is asked for and compared; see [`counted`].
    Cache,
    /// Neither counting nor measuring settles it; [`counted`] says why.
    None,
}

/// How `claim` is put to the test.
pub fn method(claim: &Claim) -> Method {
    match claim.id {
        "l3-cache" => Method::Cache,
        "sn727-stability" => Method::Train,
        "full-attention" | "law-latency" | "mobile" | "sn727-memory" => Method::Measure,
        id if ["inference-", "training-memory-", "training-time-"]
            .iter()
            .any(|kind| id.starts_with(kind)) =>
        {
            Method::Measure
        }
        "parameters-512" | "transformer-layer" | "gpt" | "sn727-size" | "law-memory"
        | "next-step-512" => Method::Count,
        _ => Method::None,
    }
}

/// What a test of a claim found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The claim's name.
    pub id: String,
    /// What comes of it.
    pub standing: Standing,
    /// The note's figure, in `unit`.
    pub note: Option<f64>,
    /// Ours.
    pub ours: Option<f64>,
    /// Unit of both, as the claim has it.
    pub unit: String,
    /// What was counted or measured, and what follows, in a sentence or two.
    pub words: String,
    /// Where it was measured; empty for what is counted.
    pub device: String,
}

impl Finding {
    fn new(claim: &Claim, standing: Standing, ours: Option<f64>, words: String) -> Self {
        Self {
            id: claim.id.into(),
            standing,
            note: claim.figure,
            ours,
            unit: claim.unit.into(),
            words,
            device: String::new(),
        }
    }
}

/// What a measurement may use.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Seconds of samples behind each figure.
    pub seconds: f64,
    /// Bytes that may be used, if known.
    pub available: Option<u64>,
    /// Set to end a measurement between two calls.
    pub stop: Arc<AtomicBool>,
    /// Vectors to train on, for [`Method::Train`].
    pub vectors: Option<Arc<Matrix>>,
}

impl Default for Setting {
    fn default() -> Self {
        Self { seconds: 0.5, available: None, stop: Arc::default(), vectors: None }
    }
}

/// Whether `device` is the one that the note measured on: the GPU of a MacBook M4.
fn is_the_notes(device: &Device) -> bool {
    device.is_gpu() && device.name().contains("Apple M4")
}

/// The verdict on a figure that the note measured at `claim.place`, `right` being what follows if
/// it may be compared at all.
fn judged(claim: &Claim, device: &Device, right: bool) -> Standing {
    let elsewhere = matches!(claim.place, Place::MacBookM4 | Place::MacBookM4Mps);
    match right {
        _ if elsewhere && !is_the_notes(device) => Standing::OtherDevice,
        true => Standing::Holds,
        false => Standing::Fails,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::CLAIMS;

    #[test]
    fn every_claim_has_its_test_or_a_reason() {
        for claim in CLAIMS {
            match method(claim) {
                Method::Count | Method::None | Method::Cache => {
                    let finding = counted(claim, None).expect(claim.id);
                    assert_eq!(finding.id, claim.id);
                    assert!(finding.words.len() > 20, "{finding:?}");
                }
                Method::Measure | Method::Train => assert!(counted(claim, None).is_none()),
            }
            if method(claim) == Method::None {
                let standing = counted(claim, None).unwrap().standing;
                assert_eq!(standing, Standing::CannotCompare, "{}", claim.id);
            }
        }
    }

    #[test]
    fn another_device_is_never_wrong() {
        let cpu = Device::cpu();
        for claim in CLAIMS {
            let elsewhere = matches!(claim.place, Place::MacBookM4 | Place::MacBookM4Mps);
            let standing = judged(claim, &cpu, false);
            assert_eq!(standing == Standing::OtherDevice, elsewhere, "{}", claim.id);
        }
    }
}
