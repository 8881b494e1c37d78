//! Which runs the phases take, and which controls it takes to tell their causes apart.

use serde::Serialize;

use crate::arch::Arch;
use crate::error::{Error, Result};
use crate::experiment::sweep::{Record, RunSettings, settings};
use crate::train::TrainConfig;

/// The experiment before anything is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Design {
    /// The students of Phases 1, 2 and 3.
    pub archs: [Arch; 3],
    /// Alignment weights that Phase 1 tries.
    pub alignments: Vec<f32>,
    /// Seeds that everything is trained with.
    pub seeds: Vec<u64>,
    /// Passes over the vectors.
    pub epochs: u32,
    /// Vectors in a step.
    pub batch: usize,
    /// Whether there is a larger set, for Phases 2 and 3.
    pub larger: bool,
}

/// What Phase 1 found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Tuned {
    /// The alignment weight with the highest mean validation score.
    pub best: f32,
    /// The one with the lowest.
    pub worst: f32,
}

/// Runs that differ in their seed alone, with a place in the experiment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Arm {
    /// In words, such as `S = 512, larger set`.
    pub label: String,
    /// 1, 2 or 3 if it is the outcome of a phase.
    pub phase: Option<u8>,
    /// Whether it trains on the larger set.
    pub larger: bool,
    /// A run a seed.
    #[serde(skip)]
    pub runs: Vec<RunSettings>,
}

impl Design {
    /// Refuses a design without seeds or weights, or whose students cannot be trained.
    ///
    /// # Errors
    /// [`Error::Invalid`] and [`Error::Arch`].
    pub fn check(&self) -> Result<()> {
        if self.seeds.is_empty() || self.alignments.is_empty() {
            return Err(Error::invalid("phases", "need a seed and an alignment weight at least"));
        }
        for run in self.phase_1() {
            run.config.check()?;
        }
        let input = self.archs[0].input();
        if self.archs.iter().any(|arch| arch.input() != input || arch.output() != input) {
            let message = "all three students must take and give vectors of one width";
            return Err(Error::invalid("--arch", message));
        }
        Ok(())
    }

    fn settings(&self, arch: &Arch, alignment: f32, epochs: u32) -> Vec<RunSettings> {
        let config = TrainConfig {
            alignment_weight: alignment,
            epochs,
            batch: self.batch,
            validation_rows: 0,
            ..TrainConfig::suited_to(arch, None)
        };
        let base = RunSettings { arch: arch.clone(), config };
        self.seeds.iter().map(|seed| base.with_seed(*seed)).collect()
    }

    /// Every run of Phase 1.
    pub fn phase_1(&self) -> Vec<RunSettings> {
        let one = |weight: &f32| self.settings(&self.archs[0], *weight, self.epochs);
        self.alignments.iter().flat_map(one).collect()
    }

    /// What Phase 1 found; `None` if not all of its runs are there, or all diverged.
    pub fn tuned(&self, records: &[Record]) -> Option<Tuned> {
        if records.len() < self.phase_1().len() {
            return None;
        }
        let all = settings(records);
        let weight =
            |of: &crate::experiment::sweep::SettingSummary| of.settings.config.alignment_weight;
        let best = all.first().filter(|s| s.diverged < s.seeds.len())?;
        Some(Tuned { best: weight(best), worst: weight(all.last()?) })
    }

    /// Everything that is compared in the end, each once: the outcome of each phase first.
    pub fn arms(&self, tuned: Tuned) -> Vec<Arm> {
        let usual = TrainConfig::default().alignment_weight;
        let (best, epochs) = (tuned.best, self.epochs);
        let name = |i: usize| format!("S = {}", self.archs[i].widths()[1]);
        let arm = |label: String, phase, larger, i: usize, weight, epochs| Arm {
            label: if larger { format!("{label}, larger set") } else { label },
            phase,
            larger,
            runs: self.settings(&self.archs[i], weight, epochs),
        };
        let set = self.larger;
        let mut all = vec![
            arm(name(0), Some(1), false, 0, best, epochs),
            arm(name(1), Some(2), set, 1, best, epochs),
            arm(name(2), Some(3), set, 2, best, epochs),
        ];
        let mut controls = vec![
            arm(name(1), None, false, 1, best, epochs),
            arm(name(2), None, false, 2, best, epochs),
            arm(format!("{}, twice the epochs", name(0)), None, false, 0, best, 2 * epochs),
            arm(format!("{}, alignment {usual}", name(0)), None, false, 0, usual, epochs),
            arm(
                format!("{}, alignment {}", name(0), tuned.worst),
                None,
                false,
                0,
                tuned.worst,
                epochs,
            ),
            arm(format!("{}, alignment {usual}", name(1)), None, false, 1, usual, epochs),
        ];
        if set {
            controls.push(arm(name(0), None, true, 0, best, epochs));
        }
        for control in controls {
            if !all.iter().any(|a| a.larger == control.larger && a.runs == control.runs) {
                all.push(control);
            }
        }
        all
    }

    /// The arm with a student, an alignment weight, a number of epochs and a set.
    pub fn find<'a>(
        &self,
        arms: &'a [Arm],
        (i, alignment, epochs, larger): (usize, f32, u32, bool),
    ) -> Option<&'a Arm> {
        let runs = self.settings(&self.archs[i], alignment, epochs);
        arms.iter().find(|arm| arm.larger == larger && arm.runs == runs)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn design(larger: bool) -> Design {
        Design {
            archs: [256, 512, 768].map(|s| Arch::family_b(s).unwrap()),
            alignments: vec![0.1, 1.0, 10.0],
            seeds: vec![1, 2],
            epochs: 4,
            batch: 256,
            larger,
        }
    }

    #[test]
    fn every_arm_once_and_the_phases_first() {
        let tuned = Tuned { best: 0.1, worst: 10.0 };
        let arms = design(true).arms(tuned);
        let labels: Vec<&str> = arms.iter().map(|arm| arm.label.as_str()).collect();
        assert_eq!(
            labels,
            [
                "S = 256",
                "S = 512, larger set",
                "S = 768, larger set",
                "S = 512",
                "S = 768",
                "S = 256, twice the epochs",
                "S = 256, alignment 1",
                "S = 256, alignment 10",
                "S = 512, alignment 1",
                "S = 256, larger set",
            ]
        );
        assert!(arms.iter().all(|arm| arm.runs.len() == 2));
        let phases: Vec<_> = arms.iter().map(|arm| arm.phase).collect();
        assert_eq!(phases[..4], [Some(1), Some(2), Some(3), None]);
        // Without a larger set, and with the usual weight as the best, there is less to tell apart.
        let arms = design(false).arms(Tuned { best: 1.0, worst: 0.1 });
        assert_eq!(arms.len(), 5);
        let d = design(false);
        assert_eq!(d.find(&arms, (1, 1.0, 4, false)).unwrap().phase, Some(2));
        assert!(d.find(&arms, (1, 1.0, 4, true)).is_none());
        assert_eq!(d.phase_1().len(), 6);
        assert!(Design { seeds: vec![], ..d }.check().is_err());
    }
}
