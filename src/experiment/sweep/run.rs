//! One run: train, then score.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use web_time::{Duration, Instant};

use super::record::{FORMAT, HeldOut, Record};
use super::space::RunSettings;
use crate::arch::Precision;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::experiment::score::{Score, ScoreSet};
use crate::matrix::Matrix;
use crate::student::{Student, StudentFile};
use crate::train::{Budget, Progress, Split, Trainer, fingerprint};

/// Between two calls of whoever watches.
const SLICE: Duration = Duration::from_millis(100);

/// Which vectors runs train on and are scored on; runs compare if it is the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataId {
    /// Rows, width and every bit of the vectors, those set aside with them.
    pub vectors: String,
    /// How many are set aside to score on.
    pub validation_rows: usize,
    /// Seed that they are drawn by.
    pub validation_seed: u64,
    /// The same of the held-out vectors, where every run is scored on them, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out: Option<String>,
}

/// The vectors of a sweep, with everything that all runs share computed once.
#[derive(Clone, Debug)]
pub struct RunData {
    /// Which they are.
    pub id: DataId,
    /// The rows that every run trains on.
    pub training: Arc<Matrix>,
    /// What the set is called in a student's file.
    pub name: String,
    /// The teacher, if it is known.
    pub teacher: Option<String>,
    validation: ScoreSet,
    /// As many rows of those that are trained on.
    seen: ScoreSet,
    held_out: Option<ScoreSet>,
}

impl RunData {
    /// Sets `validation_rows` of `vectors` aside, drawn by `validation_seed`. With `held_out`,
    /// every run is scored on these, too.
    ///
    /// # Errors
    /// [`Error::Invalid`] if fewer than 11 or more than a fifth would be set aside.
    pub fn new(
        vectors: &Matrix,
        (validation_rows, validation_seed): (usize, u64),
        held_out: Option<Arc<Matrix>>,
    ) -> Result<Self> {
        let split = Split::new(vectors.rows(), validation_rows, validation_seed);
        if split.validation.len() < validation_rows || validation_rows < 11 {
            return Err(Error::invalid(
                "--validation-rows",
                format!(
                    "{validation_rows} of {} vectors cannot be set aside to score on: at least 11, \
                     at most a fifth",
                    vectors.rows()
                ),
            ));
        }
        let set = |rows: &[usize]| ScoreSet::new(Arc::new(vectors.gather_rows(rows)));
        let every = split.training.len() / validation_rows;
        let seen: Vec<usize> =
            split.training.iter().copied().step_by(every).take(validation_rows).collect();
        Ok(Self {
            id: DataId {
                vectors: fingerprint(vectors),
                validation_rows,
                validation_seed,
                held_out: held_out.as_deref().map(fingerprint),
            },
            validation: set(&split.validation)?,
            seen: set(&seen)?,
            training: Arc::new(vectors.gather_rows(&split.training)),
            name: "vectors".into(),
            teacher: None,
            held_out: held_out.map(ScoreSet::new).transpose()?,
        })
    }

    /// The rows set aside.
    pub fn validation(&self) -> &ScoreSet {
        &self.validation
    }

    /// The held-out rows, if every run is scored on them.
    pub fn held_out(&self) -> Option<&ScoreSet> {
        self.held_out.as_ref()
    }
}

/// A run that is done.
#[derive(Clone, Debug)]
pub struct Finished {
    /// What there is to remember.
    pub record: Record,
    /// The student, unless its training diverged.
    pub student: Option<StudentFile>,
}

/// Trains and scores one student. `watch` is told how far the training is and may end it with an
/// error. A training that diverges is a result, too.
///
/// # Errors
/// What `watch` and the device report; [`Error::Invalid`] for settings and data that do not fit.
pub async fn run(
    device: &Device,
    settings: &RunSettings,
    data: &RunData,
    watch: &mut dyn FnMut(&Progress) -> Result<()>,
) -> Result<Finished> {
    let began = Instant::now();
    let (arch, config) = (&settings.arch, &settings.config);
    let mut trainer = Trainer::new(device, arch, config, data.training.clone()).await?;
    let mut record = Record {
        format: FORMAT,
        id: Record::id_of(settings, &data.id),
        data: data.id.clone(),
        arch: arch.clone(),
        config: config.clone(),
        validation: None,
        training: None,
        held_out: None,
        failure: None,
        final_loss: None,
        steps: 0,
        seconds: 0.0,
        device: device.name(),
        version: env!("CARGO_PKG_VERSION").into(),
    };
    loop {
        watch(&trainer.progress())?;
        match trainer.advance(Budget::time(SLICE)).await {
            Ok(progress) if progress.stop.is_some() => break,
            Ok(_) => {}
            Err(Error::Training { step, cause }) => {
                record.failure = Some(format!("step {step}: {cause}"));
                record.steps = step;
                record.seconds = began.elapsed().as_secs_f64();
                return Ok(Finished { record, student: None });
            }
            Err(other) => return Err(other),
        }
    }
    let mut file = trainer
        .student_file(&data.name, data.training.rows(), data.teacher.as_deref(), Precision::F32)
        .await?;
    let student = Student::new(device, &file.parameters, Precision::F32)?;
    let score = async |set: &ScoreSet| Ok::<Score, Error>(set.score_student(&student).await?.score);
    let validation = score(&data.validation).await?;
    record.validation = Some(validation);
    record.training = Some(score(&data.seen).await?);
    if let Some(set) = &data.held_out {
        record.held_out = Some(HeldOut::new(&set.score_student(&student).await?));
    }
    record.final_loss = trainer.history().last().map(|r| f64::from(r.losses.total));
    record.steps = trainer.progress().step;
    record.seconds = began.elapsed().as_secs_f64();
    file.info.training.insert("sweep_run".into(), record.id.clone().into());
    file.info.metrics.insert("validation_score".into(), validation.score);
    Ok(Finished { record, student: Some(file) })
}
