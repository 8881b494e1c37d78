//! The arms of the experiment beside each other, vector by vector and seed by seed.

use std::collections::BTreeMap;

use serde::Serialize;

use super::design::{Arm, Design, Tuned};
use super::verdict::{findings, recommendation};
use crate::error::{Error, Result};
use crate::experiment::Outcome;
use crate::experiment::claims::Finding;
use crate::experiment::score::{Score, Spread};
use crate::experiment::sweep::{
    DataId, NotedScore, Record, RunData, RunSettings, SettingSummary, pca_score, settings,
};
use crate::linalg::Pca;
use crate::metrics::{Interval, crossed_difference};

/// Bootstrap resamples behind each interval.
const RESAMPLES: usize = 1000;

/// A set of vectors, and the runs that were done on it.
#[derive(Clone, Copy)]
pub struct PhaseSet<'a> {
    /// The vectors.
    pub data: &'a RunData,
    /// The runs by identity.
    pub records: &'a BTreeMap<String, Record>,
}

impl PhaseSet<'_> {
    /// Those of `runs` that are done, in their order.
    pub fn of(&self, runs: &[RunSettings]) -> Vec<Record> {
        let done = |run: &RunSettings| self.records.get(&Record::id_of(run, &self.data.id));
        runs.iter().filter_map(done).cloned().collect()
    }
}

/// What `lnsp phases` found.
#[derive(Clone, Debug, Serialize)]
pub struct Phases {
    /// Version of this library.
    pub version: String,
    /// Where it ran.
    pub device: String,
    /// Name, identity and number of training vectors of the set that everything starts on.
    pub first: SetSummary,
    /// The same of the larger set.
    pub larger: Option<SetSummary>,
    /// Held-out vectors that everything is compared on.
    pub held_out_rows: usize,
    /// Seeds.
    pub seeds: Vec<u64>,
    /// Passes over the vectors.
    pub epochs: u32,
    /// Phase 1: every alignment weight, the best first.
    pub alignment: Vec<SettingSummary>,
    /// What it found.
    pub tuned: Tuned,
    /// Everything that is compared.
    pub arms: Vec<ArmSummary>,
    /// The comparisons.
    pub contrasts: Vec<Contrast>,
    /// What follows, a sentence each.
    pub recommendation: Vec<String>,
    /// The note's claims on this.
    pub findings: Vec<Finding>,
    /// The note's own score and stability.
    pub note: NotedScore,
}

/// A set of vectors to train on.
#[derive(Clone, Debug, Serialize)]
pub struct SetSummary {
    /// Its file.
    pub name: String,
    /// Which vectors.
    pub data: DataId,
    /// Vectors that every run trains on.
    pub training_rows: usize,
    /// PCA of the students' latent width, fitted on these, on the held-out vectors.
    pub pca: Score,
}

/// An arm with what its runs come to.
#[derive(Clone, Debug, Serialize)]
pub struct ArmSummary {
    /// What it is.
    #[serde(flatten)]
    pub arm: Arm,
    /// Parameters of the student.
    pub parameters: u64,
    /// Its alignment weight.
    pub alignment_weight: f32,
    /// Passes over its vectors.
    pub epochs: u32,
    /// The score on the held-out vectors, over seeds.
    pub score: Spread,
    /// overlap@10 there.
    pub overlap_at_10: Spread,
    /// The validation score, by which alignment weights are chosen.
    pub validation_score: Spread,
    /// The score on vectors that were trained on less that on as many set aside.
    pub gap: f64,
    /// overlap@10 less that of PCA fitted on the same vectors.
    pub less_pca: Interval,
    /// Seconds of a training, over seeds.
    pub seconds: Spread,
    #[serde(skip)]
    overlaps: Vec<Vec<f32>>,
}

/// Two arms that differ in one thing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contrast {
    /// Its name, such as `width-512`.
    pub id: String,
    /// What is asked.
    pub question: String,
    /// The arm that should be better.
    pub arm: String,
    /// The arm that it is compared with.
    pub than: String,
    /// overlap@10 of the first less the second, over held-out vectors and seeds.
    pub difference: Interval,
    /// What the interval says.
    pub outcome: Outcome,
}

impl Phases {
    /// Compares everything. Every run of every arm must be there.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a run is missing, or without held-out vectors.
    pub fn new(
        design: &Design,
        tuned: Tuned,
        first: PhaseSet<'_>,
        larger: Option<PhaseSet<'_>>,
    ) -> Result<Self> {
        let phase_1 = first.of(&design.phase_1());
        let (of_first, pca) = set_summary(first.data, &design.archs[0])?;
        let of_larger = larger.map(|set| set_summary(set.data, &design.archs[0])).transpose()?;
        let mut arms = Vec::new();
        for arm in design.arms(tuned) {
            let (records, line) = match (&larger, &of_larger) {
                (Some(set), Some((_, line))) if arm.larger => (set.of(&arm.runs), line),
                _ => (first.of(&arm.runs), &pca),
            };
            arms.push(arm_summary(arm, &records, line)?);
        }
        let contrasts = contrasts(design, tuned, &arms)?;
        let held_out_rows = first.data.held_out().map_or(0, |set| set.vectors().rows());
        Ok(Self {
            version: env!("CARGO_PKG_VERSION").into(),
            device: phase_1.first().map_or_else(String::new, |run| run.device.clone()),
            held_out_rows,
            seeds: design.seeds.clone(),
            epochs: design.epochs,
            alignment: settings(&phase_1),
            tuned,
            recommendation: recommendation(design, tuned, &arms, &contrasts),
            findings: findings(design, &contrasts, phase_1.first().map_or("", |run| &run.device)),
            arms,
            contrasts,
            first: of_first,
            larger: of_larger.map(|(summary, _)| summary),
            note: NotedScore::default(),
        })
    }
}

/// A set, and the overlap@10 of PCA at every held-out vector.
fn set_summary(data: &RunData, arch: &crate::arch::Arch) -> Result<(SetSummary, Vec<f32>)> {
    let held_out = data.held_out().ok_or_else(|| {
        Error::invalid("--held-out", "the phases are compared on held-out vectors")
    })?;
    let pca = Pca::fit(&data.training, false)?.truncated(arch.latent())?;
    let line = pca_score(&pca, held_out)?;
    let summary = SetSummary {
        name: data.name.clone(),
        data: data.id.clone(),
        training_rows: data.training.rows(),
        pca: line.score,
    };
    Ok((summary, line.overlaps))
}

fn arm_summary(arm: Arm, records: &[Record], pca: &[f32]) -> Result<ArmSummary> {
    let missing = || {
        Error::invalid(
            arm.label.clone(),
            format!("{} of {} runs are done; run all phases", records.len(), arm.runs.len()),
        )
    };
    if records.len() < arm.runs.len() {
        return Err(missing());
    }
    let spread = |of: &dyn Fn(&Record) -> f64| {
        Spread::of(&records.iter().map(of).collect::<Vec<_>>()).ok_or_else(missing)
    };
    // A training that diverged keeps nothing.
    let overlaps: Vec<Vec<f32>> = records
        .iter()
        .map(|run| run.held_out.as_ref().map_or_else(|| vec![0.0; pca.len()], |h| h.overlaps()))
        .collect();
    let held = |run: &Record| run.held_out.as_ref().map(|h| h.score);
    let line: Vec<Vec<f32>> = vec![pca.to_vec(); overlaps.len()];
    let first = &arm.runs[0];
    Ok(ArmSummary {
        parameters: first.arch.parameter_count(),
        alignment_weight: first.config.alignment_weight,
        epochs: first.config.epochs,
        score: spread(&|run| held(run).map_or(0.0, |s| s.score))?,
        overlap_at_10: spread(&|run| held(run).and_then(|s| s.overlap_at_10).unwrap_or(0.0))?,
        validation_score: spread(&Record::score)?,
        gap: spread(&|run| run.training.map_or(0.0, |s| s.score) - run.score())?.mean,
        less_pca: crossed_difference(&overlaps, &line, RESAMPLES, 0)?,
        seconds: spread(&|run| run.seconds)?,
        overlaps,
        arm,
    })
}

/// Student, alignment weight, epochs, whether on the larger set.
type Place = (usize, f32, u32, bool);

fn contrasts(design: &Design, tuned: Tuned, arms: &[ArmSummary]) -> Result<Vec<Contrast>> {
    let usual = crate::train::TrainConfig::default().alignment_weight;
    let (best, e) = (tuned.best, design.epochs);
    let s = |i: usize| format!("S = {}", design.archs[i].widths()[1]);
    let width = |i: usize| design.archs[i].widths()[1];
    let mut wanted: Vec<(String, String, Place, Place)> = vec![
        (
            "alignment".into(),
            format!("alignment weight {best} in place of the usual {usual}, {}", s(0)),
            (0, best, e, false),
            (0, usual, e, false),
        ),
        (
            "alignment-range".into(),
            format!("the best alignment weight, {best}, in place of the worst, {}", tuned.worst),
            (0, best, e, false),
            (0, tuned.worst, e, false),
        ),
        (
            "epochs".into(),
            format!("{} epochs in place of {e}, {}", 2 * e, s(0)),
            (0, best, 2 * e, false),
            (0, best, e, false),
        ),
    ];
    let sets: &[(bool, &str, &str)] = if design.larger {
        &[(false, "", ""), (true, "-larger", ", larger set")]
    } else {
        &[(false, "", "")]
    };
    for (set, suffix, words) in sets {
        for (a, b) in [(1, 0), (2, 0), (2, 1)] {
            wanted.push((
                format!("width-{}-{}{suffix}", width(a), width(b)),
                format!("{} in place of {}{words}", s(a), s(b)),
                (a, best, e, *set),
                (b, best, e, *set),
            ));
        }
    }
    if design.larger {
        for i in 0..3 {
            wanted.push((
                format!("data-{}", width(i)),
                format!("the larger set, {}", s(i)),
                (i, best, e, true),
                (i, best, e, false),
            ));
        }
    }
    wanted.push((
        "tune-or-scale".into(),
        format!(
            "{} tuned (alignment weight {best}, {} epochs) in place of {} untuned ({usual}, {e})",
            s(0),
            2 * e,
            s(1)
        ),
        (0, best, 2 * e, false),
        (1, usual, e, false),
    ));
    let plain: Vec<Arm> = arms.iter().map(|arm| arm.arm.clone()).collect();
    let find = |place: Place| {
        let arm = design.find(&plain, place)?;
        arms.iter().find(|other| other.arm == *arm)
    };
    let mut all = Vec::new();
    for (id, question, one, other) in wanted {
        let (Some(a), Some(b)) = (find(one), find(other)) else { continue };
        if a.arm == b.arm {
            continue;
        }
        let difference = crossed_difference(&a.overlaps, &b.overlaps, RESAMPLES, 0)?;
        all.push(Contrast {
            id,
            question,
            arm: a.arm.label.clone(),
            than: b.arm.label.clone(),
            outcome: Outcome::of(&difference),
            difference,
        });
    }
    Ok(all)
}
