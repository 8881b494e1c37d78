//! A sweep as a whole: every run, what they say together, and the best one beside PCA.

use serde::Serialize;

use super::record::Record;
use super::run::{DataId, RunData};
use super::summary::{Sensitivity, SettingSummary, best_run, sensitivity, settings};
use crate::arch::Precision;
use crate::device::Device;
use crate::error::Result;
use crate::experiment::score::{Score, ScoreSet, Scored};
use crate::linalg::Pca;
use crate::matrix::Matrix;
use crate::metrics::{Interval, paired_difference};
use crate::note;
use crate::student::{Student, StudentFile};

/// Bootstrap resamples behind each interval.
const RESAMPLES: usize = 2000;

/// What `lnsp sweep` found.
#[derive(Clone, Debug, Serialize)]
pub struct Sweep {
    /// Version of this library.
    pub version: String,
    /// Name of the set that runs train on.
    pub vectors: String,
    /// Which vectors, and which of them are set aside.
    pub data: DataId,
    /// Vectors that every run trains on.
    pub training_rows: usize,
    /// Every run, in the order of the search.
    pub runs: Vec<Record>,
    /// Runs by setting, the best mean score first.
    pub settings: Vec<SettingSummary>,
    /// How the score goes with each setting.
    pub sensitivity: Vec<Sensitivity>,
    /// Identity of the run with the highest validation score.
    pub best: Option<String>,
    /// Its student beside PCA, on the validation rows and on held-out ones if there are any.
    pub beside_pca: Vec<BesidePca>,
    /// The note's own figures.
    pub note: NotedScore,
}

/// The note's score and stability, which nothing can be compared with.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct NotedScore {
    /// 0.414.
    pub score: Option<f64>,
    /// 0.029, a coefficient of variation.
    pub stability: Option<f64>,
    /// Why they stand apart.
    pub verdict: &'static str,
}

impl Default for NotedScore {
    fn default() -> Self {
        let figure = |id| note::claim(id).and_then(|claim| claim.figure);
        Self {
            score: figure("sn727-score"),
            stability: figure("sn727-stability"),
            verdict: "not comparable: undefined",
        }
    }
}

/// A student and PCA of the same latent width, fitted on the rows that it was trained on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BesidePca {
    /// Which vectors both were scored on.
    pub vectors: String,
    /// How many.
    pub rows: usize,
    /// Values of a latent.
    pub latent: usize,
    /// The student's score.
    pub student: Score,
    /// PCA's.
    pub pca: Score,
    /// overlap@10 of the student less PCA's, with its 95 % interval over the vectors.
    pub overlap_difference: Interval,
}

impl Sweep {
    /// Sums up `runs`, which are in the order of the search. Nothing stands beside PCA yet.
    pub fn new(data: &RunData, runs: Vec<Record>) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            vectors: data.name.clone(),
            data: data.id.clone(),
            training_rows: data.training.rows(),
            settings: settings(&runs),
            sensitivity: sensitivity(&runs),
            best: best_run(&runs).map(|run| run.id.clone()),
            beside_pca: Vec::new(),
            note: NotedScore::default(),
            runs,
        }
    }

    /// The best run.
    pub fn best_run(&self) -> Option<&Record> {
        self.runs.iter().find(|run| Some(&run.id) == self.best.as_ref())
    }
}

/// Puts `student` beside PCA of `training` on each of `sets`, which have names.
///
/// # Errors
/// [`crate::Error::Invalid`] for vectors of another width; what the device reports.
pub async fn beside_pca(
    device: &Device,
    student: &StudentFile,
    training: &Matrix,
    sets: &[(&str, &ScoreSet)],
) -> Result<Vec<BesidePca>> {
    let latent = student.info.arch.latent();
    let pca = Pca::fit(training, false)?.truncated(latent)?;
    let student = Student::new(device, &student.parameters, Precision::F32)?;
    let mut all = Vec::new();
    for (name, set) in sets {
        let line = pca_score(&pca, set)?;
        let own = set.score_student(&student).await?;
        all.push(BesidePca {
            vectors: (*name).into(),
            rows: set.vectors().rows(),
            latent,
            student: own.score,
            pca: line.score,
            overlap_difference: paired_difference(&own.overlaps, &line.overlaps, RESAMPLES, 0)?,
        });
    }
    Ok(all)
}

/// The score of `pca`, whose projections are latents.
///
/// # Errors
/// [`crate::Error::Invalid`] for vectors of another width.
pub fn pca_score(pca: &Pca, set: &ScoreSet) -> Result<Scored> {
    let latents = pca.project(set.vectors())?;
    set.score(&latents, &pca.reconstruct(&latents)?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{RunSettings, run};
    use super::*;
    use crate::error::Error;
    use crate::train::TrainConfig;

    fn vectors(rows: usize, seed: usize) -> Matrix {
        Matrix::from_fn(rows, 12, |r, c| {
            ((r + seed) as f32 * 1.7 + (c * c) as f32 * 0.9).sin() / (1 + c) as f32
        })
    }

    fn settings(config: TrainConfig) -> RunSettings {
        RunSettings { arch: "12-9-6-9-12".parse().unwrap(), config }
    }

    fn config() -> TrainConfig {
        let base = TrainConfig { epochs: 2, batch: 16, validation_rows: 0, ..Default::default() };
        TrainConfig { learning_rate: 1e-4, ..base }
    }

    #[test]
    fn a_run_repeats_and_is_scored_apart_from_what_it_saw() {
        let held = Arc::new(vectors(40, 1000));
        let data = RunData::new(&vectors(200, 0), (30, 7), Some(held)).unwrap();
        assert_eq!((data.training.rows(), data.validation().vectors().rows()), (170, 30));
        let seen: Vec<&[f32]> = data.training.iter_rows().collect();
        assert!(data.validation().vectors().iter_rows().all(|row| !seen.contains(&row)));
        let device = Device::cpu();
        let go = |config: TrainConfig| {
            pollster::block_on(run(&device, &settings(config), &data, &mut |_| Ok(()))).unwrap()
        };
        let (one, again) = (go(config()), go(config()));
        let timeless = |r: &Record| Record { seconds: 0.0, ..r.clone() };
        assert_eq!(timeless(&one.record), timeless(&again.record));
        assert_eq!(one.student, again.student);
        assert_eq!(one.record.steps, 2 * (170 / 16));
        assert_eq!(one.record.held_out.as_ref().unwrap().overlaps().len(), 40);
        let file = one.student.unwrap();
        assert_eq!(file.info.training["sweep_run"], one.record.id.as_str());
        assert_ne!(go(TrainConfig { seed: 1, ..config() }).record.id, one.record.id);
        // A spectral start is PCA: beside PCA it can hardly differ after two epochs.
        let sets = [("validation", data.validation()), ("held out", data.held_out().unwrap())];
        let found = beside_pca(&device, &file, &data.training, &sets);
        let found = pollster::block_on(found).unwrap();
        assert_eq!((found.len(), found[1].rows, found[0].latent), (2, 40, 6));
        assert_eq!(Some(found[0].student), one.record.validation);
        assert!((found[0].student.score - found[0].pca.score).abs() < 0.02, "{found:?}");
        let sweep = Sweep::new(&data, vec![one.record, again.record]);
        assert_eq!(sweep.best_run().unwrap().id, sweep.runs[0].id);
        assert_eq!((sweep.note.score, sweep.note.stability), (Some(0.414), Some(0.029)));
    }

    #[test]
    fn a_training_that_diverges_is_a_result_and_a_stop_is_none() {
        let data = RunData::new(&vectors(200, 0), (30, 7), None).unwrap();
        let wild = TrainConfig { learning_rate: 1e30, clip_norm: 0.0, ..config() };
        let device = Device::cpu();
        let wild = settings(wild);
        let done = pollster::block_on(run(&device, &wild, &data, &mut |_| Ok(()))).unwrap();
        assert!(done.student.is_none() && done.record.validation.is_none());
        assert!(done.record.failure.as_ref().unwrap().contains("no longer finite"));
        assert_eq!(done.record.score(), 0.0);
        let calm = settings(config());
        let mut stop = |_: &crate::train::Progress| Err(Error::Cancelled);
        let stopped = pollster::block_on(run(&device, &calm, &data, &mut stop));
        assert!(matches!(stopped, Err(Error::Cancelled)));
        assert!(RunData::new(&vectors(200, 0), (41, 7), None).is_err());
        assert!(RunData::new(&vectors(200, 0), (10, 7), None).is_err());
    }
}
