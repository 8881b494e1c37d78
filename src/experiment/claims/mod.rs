//! The note's claims put to the test: what can be counted is counted, what can be measured is
//! measured on the device at hand, and what can be neither says why.
//!
//! A claim of the note about its MacBook M4 is never called right or wrong from another machine:
//! it gets both figures and the verdict "other device".

mod attention;
mod counted;
mod figures;
mod measured;
mod quality;
mod run;

pub use counted::counted;
pub use measured::measured;
pub use run::{findings, tested_alone};

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

/// The claims by what they are about: a title, and how the names of its claims begin.
pub const GROUPS: [(&str, &[&str]); 5] = [
    ("Speed", &["inference-", "law-latency", "full-attention", "mobile"]),
    ("Size", &["transformer-layer", "gpt", "parameters-", "sn727-size", "l3-cache"]),
    ("Training", &["training-", "sn727-memory", "law-memory", "sn727-stability"]),
    (
        "Which size to take",
        &["next-step", "sweet-spot", "maximum", "goldilocks", "ceiling", "special"],
    ),
    ("Score and strategy", &["sn727-score", "phase-", "tune-"]),
];

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
        // Ratings order whole tables, which `lnsp note` measures.
        id if id.starts_with("inference-ratings") => Method::None,
        id if ["inference-", "training-memory-", "training-time-"]
            .iter()
            .any(|kind| id.starts_with(kind)) =>
        {
            Method::Measure
        }
        "parameters-512" | "parameters-formula" | "parameters-tables" | "parameters-sizes"
        | "transformer-layer" | "gpt" | "sn727-size" | "law-memory" | "law-memory-tables"
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

/// Where something is measured.
#[derive(Clone, Debug, Default)]
pub struct Here {
    /// The device's name.
    pub device: String,
    /// Whether it is the one that the note measured on: the GPU of a MacBook M4.
    pub is_the_notes: bool,
    /// Bytes of the machine's memory, if known.
    pub memory: Option<u64>,
}

impl Here {
    /// A device; how much memory its machine has is not asked.
    pub fn of(device: &Device) -> Self {
        let name = device.name();
        let is_the_notes = device.is_gpu() && name.contains("Apple M4");
        Self { device: name, is_the_notes, memory: None }
    }

    /// The verdict on a figure that the note measured at `claim.place`, `right` being what follows
    /// if it may be compared at all.
    fn judged(&self, claim: &Claim, right: bool) -> Standing {
        let elsewhere = matches!(claim.place, Place::MacBookM4 | Place::MacBookM4Mps);
        match right {
            _ if elsewhere && !self.is_the_notes => Standing::OtherDevice,
            true => Standing::Holds,
            false => Standing::Fails,
        }
    }

    fn finding(
        &self,
        claim: &Claim,
        standing: Standing,
        ours: Option<f64>,
        words: String,
    ) -> Finding {
        Finding { device: self.device.clone(), ..Finding::new(claim, standing, ours, words) }
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
    fn every_claim_is_in_one_group() {
        for claim in CLAIMS {
            let of = |(_, names): &&(_, &[&str])| names.iter().any(|n| claim.id.starts_with(n));
            assert_eq!(GROUPS.iter().filter(of).count(), 1, "{}", claim.id);
        }
    }

    #[test]
    fn another_device_is_never_wrong() {
        let cpu = Here::of(&Device::cpu());
        for claim in CLAIMS {
            let elsewhere = matches!(claim.place, Place::MacBookM4 | Place::MacBookM4Mps);
            let standing = cpu.judged(claim, false);
            assert_eq!(standing == Standing::OtherDevice, elsewhere, "{}", claim.id);
        }
    }
}
