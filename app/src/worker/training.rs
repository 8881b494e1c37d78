//! Training a student: begun, advanced piece by piece, kept by the browser, taken up again.

use std::sync::Arc;

use lnsp::arch::{Arch, TEACHER_WIDTH};
use lnsp::device::{Device, DeviceChoice};
use lnsp::experiment::pca_line;
use lnsp::format::{ReadOptions, open_bytes};
use lnsp::number::count;
use lnsp::source::{BadRows, VectorSource, read_to_matrix};
use lnsp::student::TEACHER;
use lnsp::train::{Budget, Checkpoint, Trainer};
use lnsp::{Error, Matrix, Result};
use serde::{Deserialize, Serialize};
use web_time::{Duration, Instant};

use super::fetch::fetch;
use super::trainer::TrainerRooms;
use super::{Reply, Task, store};
use crate::protocol::{
    AdvanceTraining, BUNDLED_BYTES, DropTraining, FindTraining, KeepTraining, KeptTraining,
    ResumeTraining, StartTraining, TakeStudent, TrainingSet, TrainingState,
};

/// The bundled vectors.
const BUNDLED: &str = "./data/vectors_train_20k.safetensors";
/// A piece of work between two looks at the messages.
const SLICE: Duration = Duration::from_millis(40);
/// Between two states that are kept.
const KEEP_EVERY: Duration = Duration::from_secs(8);
/// Vectors of a dropped file are kept up to so many bytes.
const MOST_KEPT: usize = 128 << 20;
/// Names in the store.
const CHECKPOINT: &str = "checkpoint";
const ABOUT: &str = "about";
const VECTORS: &str = "vectors";

/// The training of this tab.
#[derive(Default)]
pub struct TrainingRoom {
    job: Option<Job>,
}

struct Job {
    trainer: Trainer,
    data: Arc<Matrix>,
    about: About,
    device: Device,
    /// Of the device.
    generation: u32,
    /// To go on from when the device is lost.
    checkpoint: Checkpoint,
    kept_at: Instant,
    kept_step: Option<u64>,
    note: Option<String>,
}

/// What is kept beside the checkpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct About {
    set: TrainingSet,
    /// The vectors' file.
    name: String,
    rows: usize,
    arch: String,
    step: u64,
    pca: Option<f64>,
}

impl About {
    fn vectors(&self) -> String {
        format!("{}, {} vectors", self.name, count(self.rows as u64))
    }
}

/// The bundled vectors, the first `limit` of them.
async fn bundled(limit: Option<usize>, task: &Task) -> Result<Matrix> {
    let what = "downloading the vectors";
    let bytes = fetch(BUNDLED, what, Some(BUNDLED_BYTES), task).await?;
    let reader = open_bytes(BUNDLED, &bytes, &ReadOptions::default())?;
    let mut source = VectorSource::new(reader, Some(TEACHER_WIDTH), BadRows::Skip)?;
    read_to_matrix(&mut source, limit)
}

/// Answers [`StartTraining`].
pub(super) async fn start(
    rooms: &mut TrainerRooms,
    question: StartTraining,
    task: &Task,
) -> Result<Reply> {
    rooms.training.job = None;
    let arch = Arch::family_b(question.width)?;
    question.config.check()?;
    let (name, data) = match question.set {
        TrainingSet::Bundled => {
            let name = BUNDLED.rsplit('/').next().unwrap_or(BUNDLED).to_string();
            (name, Arc::new(bundled(question.rows, task).await?))
        }
        TrainingSet::Dropped => {
            let values = task.floats(0);
            let rows = Matrix::new(values.len() / TEACHER_WIDTH, TEACHER_WIDTH, values)?;
            let most = question.rows.unwrap_or(usize::MAX).min(rows.rows());
            (question.name, Arc::new(rows.slice_rows(0, most)))
        }
    };
    let device = rooms.devices.get(question.device.parse()?, question.width.min(2048)).await?;
    task.progress(None, "PCA, the line to beat");
    task.check().await?;
    let pca = pca_line(&data, arch.latent(), &question.config)?;
    task.progress(None, "the start of the training");
    task.check().await?;
    let mut trainer = Trainer::new(&device, &arch, &question.config, data.clone()).await?;
    let checkpoint = trainer.checkpoint().await?;
    let about =
        About { set: question.set, name, rows: data.rows(), arch: arch.to_string(), step: 0, pca };
    let mut job = Job {
        trainer,
        data,
        about,
        generation: rooms.devices.generation(),
        device,
        checkpoint,
        kept_at: Instant::now(),
        kept_step: None,
        note: None,
    };
    job.keep_vectors().await;
    job.keep().await?;
    let state = job.state(Vec::new(), 0.0);
    rooms.training.job = Some(job);
    Reply::of(&state)
}

impl Job {
    /// Keeps the vectors that cannot be fetched again.
    async fn keep_vectors(&mut self) {
        let bytes: &[u8] = bytemuck::cast_slice(self.data.data());
        let outcome = match self.about.set {
            TrainingSet::Bundled => return,
            TrainingSet::Dropped if bytes.len() > MOST_KEPT => Err(Error::invalid(
                "storage",
                "the vectors are too many to be kept: a reload ends this training",
            )),
            TrainingSet::Dropped => store::put(VECTORS, bytes).await,
        };
        if let Err(error) = outcome {
            self.note = Some(error.to_string());
        }
    }

    /// Keeps the state. That the browser keeps nothing ends no training: it is said.
    async fn keep(&mut self) -> Result<()> {
        self.checkpoint = self.trainer.checkpoint().await?;
        self.kept_at = Instant::now();
        self.about.step = self.checkpoint.step();
        let about = serde_json::to_vec(&self.about)
            .map_err(|error| Error::invalid("storage", error.to_string()))?;
        let written = match store::put(CHECKPOINT, &self.checkpoint.to_bytes()?).await {
            Ok(()) => store::put(ABOUT, &about).await,
            failed => failed,
        };
        match written {
            Ok(()) => self.kept_step = Some(self.about.step),
            Err(error) => self.note = Some(error.to_string()),
        }
        Ok(())
    }

    fn state(&self, losses: Vec<(u64, f32)>, rate: f64) -> TrainingState {
        let progress = self.trainer.progress();
        TrainingState {
            arch: self.about.arch.clone(),
            vectors: self.about.vectors(),
            device: self.device.name(),
            step: progress.step,
            total_steps: progress.total_steps,
            epoch_steps: self.trainer.steps_per_epoch(),
            losses,
            epochs: self.trainer.history().to_vec(),
            pca: self.about.pca,
            rate,
            finished: progress.stop.is_some(),
            kept_step: self.kept_step,
            note: self.note.clone(),
        }
    }
}

/// The job on the device that works now.
async fn current<'a>(rooms: &'a mut TrainerRooms, choice: &str) -> Result<&'a mut Job> {
    let choice: DeviceChoice = choice.parse()?;
    let Some(job) = &mut rooms.training.job else {
        return Err(Error::invalid("training", "none is under way (the worker was started anew)"));
    };
    if job.generation != rooms.devices.generation() {
        let device = rooms.devices.get(choice, job.trainer.arch().widths()[1].min(2048)).await?;
        job.trainer = Trainer::resume(&device, &job.checkpoint, job.data.clone()).await?;
        job.device = device;
        job.generation = rooms.devices.generation();
    }
    Ok(job)
}

/// Answers [`AdvanceTraining`].
pub(super) async fn advance(
    rooms: &mut TrainerRooms,
    question: AdvanceTraining,
    task: &Task,
) -> Result<Reply> {
    let job = current(rooms, &question.device).await?;
    let (began, first) = (Instant::now(), job.trainer.progress().step);
    let most = Duration::from_secs_f64(question.milliseconds.clamp(1.0, 10_000.0) / 1e3);
    let mut losses = Vec::new();
    while began.elapsed() < most {
        let progress = job.trainer.advance(Budget::time(SLICE)).await?;
        losses.push((progress.step, progress.losses.total));
        if progress.stop.is_some() {
            break;
        }
        task.check().await?;
    }
    let progress = job.trainer.progress();
    let vectors = (progress.step - first) * job.trainer.batch() as u64;
    let rate = vectors as f64 / began.elapsed().as_secs_f64().max(1e-9);
    if progress.stop.is_some() || job.kept_at.elapsed() >= KEEP_EVERY {
        job.keep().await?;
    }
    Reply::of(&job.state(losses, rate))
}

/// Answers [`KeepTraining`].
pub(super) async fn keep(rooms: &mut TrainerRooms, _: KeepTraining) -> Result<Reply> {
    let Some(job) = &mut rooms.training.job else { return Reply::of(&TrainingState::default()) };
    job.keep().await?;
    Reply::of(&job.state(Vec::new(), 0.0))
}

async fn kept() -> Result<Option<(About, Vec<u8>)>> {
    let (Some(about), Some(checkpoint)) = (store::get(ABOUT).await?, store::get(CHECKPOINT).await?)
    else {
        return Ok(None);
    };
    let about = serde_json::from_slice(&about)
        .map_err(|error| Error::format("the kept training", error.to_string()))?;
    Ok(Some((about, checkpoint)))
}

/// Answers [`FindTraining`].
pub(super) async fn find(_: FindTraining) -> Result<Reply> {
    // Where nothing can be kept, nothing is.
    let Ok(Some((about, _))) = kept().await else { return Reply::of(&None::<KeptTraining>) };
    let whole = about.set == TrainingSet::Bundled || store::get(VECTORS).await?.is_some();
    let (vectors, step) = (about.vectors(), about.step);
    Reply::of(&Some(KeptTraining { arch: about.arch, vectors, step, whole }))
}

/// Answers [`ResumeTraining`].
pub(super) async fn resume(
    rooms: &mut TrainerRooms,
    question: ResumeTraining,
    task: &Task,
) -> Result<Reply> {
    rooms.training.job = None;
    let refuse = |what: &str| Error::invalid("training", what.to_string());
    let (about, bytes) = kept().await?.ok_or_else(|| refuse("the browser keeps none"))?;
    let checkpoint = Checkpoint::from_bytes("the kept training", &bytes)?;
    let data = match about.set {
        TrainingSet::Bundled => bundled(Some(about.rows), task).await?,
        TrainingSet::Dropped => {
            let bytes = store::get(VECTORS).await?;
            let bytes = bytes.ok_or_else(|| refuse("its vectors were not kept; start anew"))?;
            let values = bytes
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect();
            Matrix::new(about.rows, TEACHER_WIDTH, values)?
        }
    };
    let data = Arc::new(data);
    let width = checkpoint.arch().widths()[1].min(2048);
    let device = rooms.devices.get(question.device.parse()?, width).await?;
    task.progress(None, "taking the training up again");
    let trainer = Trainer::resume(&device, &checkpoint, data.clone()).await?;
    let job = Job {
        trainer,
        data,
        generation: rooms.devices.generation(),
        device,
        kept_step: Some(checkpoint.step()),
        checkpoint,
        about,
        kept_at: Instant::now(),
        note: None,
    };
    let state = job.state(Vec::new(), 0.0);
    rooms.training.job = Some(job);
    Reply::of(&state)
}

/// Answers [`DropTraining`].
pub(super) async fn drop_training(rooms: &mut TrainerRooms, _: DropTraining) -> Result<Reply> {
    rooms.training.job = None;
    // Where nothing can be kept, nothing is to be dropped.
    let _ = store::clear().await;
    Reply::of(&())
}

/// Answers [`TakeStudent`].
pub(super) async fn take(rooms: &mut TrainerRooms, question: TakeStudent) -> Result<Reply> {
    let Some(job) = &mut rooms.training.job else {
        return Err(Error::invalid("student", "none was trained here yet"));
    };
    let teacher = (job.about.set == TrainingSet::Bundled).then_some(TEACHER);
    let (name, rows) = (job.about.name.clone(), job.data.rows());
    let file = job.trainer.student_file(&name, rows, teacher, question.precision).await?;
    let bytes = file.to_bytes()?;
    Ok(Reply::of(&(bytes.len() as u64))?.with_bytes(&bytes))
}
