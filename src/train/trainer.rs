//! The training loop, in bounded pieces.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use web_time::Instant;

use crate::arch::Arch;
use crate::codes::TrellisCode;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::kernels::adamw::AdamW;
use crate::matrix::Matrix;
use crate::metrics::{Neighbours, mean, overlap_at_k};
use crate::student::Parameters;
use crate::train::checkpoint::{Checkpoint, State, fingerprint};
use crate::train::loss::{Losses, Objective};
use crate::train::quantised::{channel, clearly_better, code_bytes};
use crate::train::step::{RECORDS, Step};
use crate::train::{Split, TrainConfig, epoch_order, start};

/// Neighbours that the validation counts.
const VALIDATION_K: usize = 10;

/// How much [`Trainer::advance`] may do.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// At most so many steps.
    pub steps: u64,
    /// Return at the first step that ends after so long.
    pub time: Duration,
}

impl Budget {
    /// So many steps, however long they take.
    pub fn steps(steps: u64) -> Self {
        Self { steps, time: Duration::MAX }
    }

    /// As many steps as fit in a time.
    pub fn time(time: Duration) -> Self {
        Self { steps: u64::MAX, time }
    }
}

/// Why a training is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Every epoch is done.
    Finished,
    /// No better validation overlap@10 for the patience.
    Early,
}

/// How far a training is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Steps done.
    pub step: u64,
    /// Steps in all.
    pub total_steps: u64,
    /// Whole epochs done.
    pub epoch: u32,
    /// Losses of the last step that was read.
    pub losses: Losses,
    /// Set when there is nothing left to do.
    pub stop: Option<Stop>,
}

/// One epoch of the history; number 0 is the start, before any step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Epochs done.
    pub epoch: u32,
    /// Mean losses of its steps (zero for the start).
    pub losses: Losses,
    /// Learning rate of its last step.
    pub learning_rate: f32,
    /// Mean overlap@10 of the validation rows' latents with the teacher; `None` without
    /// validation rows.
    pub validation_overlap: Option<f64>,
}

/// A student in training.
#[derive(Debug)]
pub struct Trainer {
    data: Arc<Matrix>,
    split: Split,
    truth: Option<Neighbours>,
    step: Step,
    batch: Vec<f32>,
    /// The epoch whose order of rows is at hand.
    order: (u32, Vec<usize>),
    state: State,
    /// The best epoch's parameters, if early stopping may want them back.
    best: Vec<Matrix>,
    last: Losses,
}

impl Trainer {
    /// A training from its start. `data` holds the teacher's vectors as rows; zero rows and
    /// values that are not finite must have been left out.
    ///
    /// # Errors
    /// [`Error::Invalid`] for settings or data that do not fit, [`Error::Arch`] if the
    /// architecture cannot start as configured, [`Error::OutOfMemory`].
    pub async fn new(
        device: &Device,
        arch: &Arch,
        config: &TrainConfig,
        data: Arc<Matrix>,
    ) -> Result<Self> {
        Self::check(arch, config, &data)?;
        let start = start(arch, config, &data)?;
        let state = State {
            format: 1,
            arch: arch.clone(),
            config: config.clone(),
            data_fingerprint: fingerprint(&data),
            step: 0,
            history: Vec::new(),
            epoch_sum: Losses::default(),
            epoch_steps: 0,
            best: (0, 0.0),
            start_overlaps: Vec::new(),
            stopped_early: false,
        };
        let channel = channel_of(device, config, &start, &data).await?;
        let mut trainer = Self::prepare(device, &start, channel, state, data)?;
        let overlaps = trainer.validate().await?;
        let overlap = overlaps.as_deref().map(mean);
        trainer.state.best = (0, overlap.unwrap_or(0.0));
        if config.latent_bits > 0 {
            trainer.state.start_overlaps = overlaps.unwrap_or_default();
        }
        trainer.state.history.push(EpochRecord {
            epoch: 0,
            losses: Losses::default(),
            learning_rate: 0.0,
            validation_overlap: overlap,
        });
        Ok(trainer)
    }

    /// Goes on from a checkpoint, with its settings and the same data.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the data are not those of the checkpoint; as [`Self::new`].
    pub async fn resume(
        device: &Device,
        checkpoint: &Checkpoint,
        data: Arc<Matrix>,
    ) -> Result<Self> {
        let state = &checkpoint.state;
        Self::check(&state.arch, &state.config, &data)?;
        if fingerprint(&data) != state.data_fingerprint {
            return Err(Error::invalid(
                "--resume",
                "the checkpoint was made from other vectors; give the same ones, or start anew",
            ));
        }
        let [parameters, first, second, best] = &checkpoint.tensors;
        let parameters = Parameters::new(&state.arch, parameters.clone())?;
        let channel = match state.config.latent_bits {
            0 => None,
            _ => {
                let begun = start(&state.arch, &state.config, &data)?;
                channel_of(device, &state.config, &begun, &data).await?
            }
        };
        let mut trainer = Self::prepare(device, &parameters, channel, state.clone(), data)?;
        trainer.step.write_moments([first, second])?;
        trainer.best = best.clone();
        Ok(trainer)
    }

    /// Refuses settings and data that do not fit together, before any work.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn check(arch: &Arch, config: &TrainConfig, data: &Matrix) -> Result<()> {
        config.check()?;
        if config.latent_bits > 0 {
            code_bytes(arch.latent(), config.latent_bits)?;
        }
        if data.cols() != arch.input() || arch.input() != arch.output() {
            return Err(Error::invalid(
                "vectors",
                format!("are {} wide; {arch} must take and give that width", data.cols()),
            ));
        }
        let split = Split::new(data.rows(), config.validation_rows, config.seed);
        if split.training.len() < 2 {
            return Err(Error::invalid(
                "vectors",
                format!(
                    "{} to train on ({} are set aside for validation); two are the least",
                    split.training.len(),
                    split.validation.len()
                ),
            ));
        }
        Ok(())
    }

    fn prepare(
        device: &Device,
        parameters: &Parameters,
        channel: Option<Matrix>,
        state: State,
        data: Arc<Matrix>,
    ) -> Result<Self> {
        let config = &state.config;
        let split = Split::new(data.rows(), config.validation_rows, config.seed);
        let batch = config.batch_of(split.training.len());
        let truth = (split.validation.len() > VALIDATION_K)
            .then(|| {
                let rows = data.gather_rows(&split.validation);
                Neighbours::within(&rows, &rows, VALIDATION_K)
            })
            .transpose()?;
        Ok(Self {
            step: Step::new(device, parameters, &Objective::new(config), batch, channel.as_ref())?,
            batch: vec![0.0; batch * data.cols()],
            order: (u32::MAX, Vec::new()),
            best: if config.keeps_best() { parameters.values().to_vec() } else { Vec::new() },
            last: Losses::default(),
            state,
            data,
            split,
            truth,
        })
    }

    /// Where it computes.
    pub(crate) fn device(&self) -> &Device {
        self.step.device()
    }

    /// The vectors, those set aside for validation too.
    pub(crate) fn data(&self) -> &Matrix {
        &self.data
    }

    /// The architecture.
    pub fn arch(&self) -> &Arch {
        &self.state.arch
    }

    /// The settings.
    pub fn config(&self) -> &TrainConfig {
        &self.state.config
    }

    /// Vectors in a step: those of the settings, or all if there are fewer.
    pub fn batch(&self) -> usize {
        self.batch.len() / self.data.cols()
    }

    /// Steps of one epoch.
    pub fn steps_per_epoch(&self) -> u64 {
        (self.split.training.len() / self.batch()) as u64
    }

    /// Steps of the whole training.
    pub fn total_steps(&self) -> u64 {
        self.steps_per_epoch() * u64::from(self.state.config.epochs)
    }

    /// The epochs so far, the start first.
    pub fn history(&self) -> &[EpochRecord] {
        &self.state.history
    }

    /// Epoch and validation overlap@10 of the best parameters.
    pub fn best_epoch(&self) -> (u32, f64) {
        self.state.best
    }

    /// The student that came of it: with early stopping (a patience and validation rows) the best
    /// epoch's by validation overlap@10, the start counted as one; of latents in a few bits, too, but
    /// the start's unless an epoch is ahead of it by two standard errors; else the last step's.
    ///
    /// # Errors
    /// What the device reports.
    pub async fn student(&self) -> Result<Parameters> {
        if self.keeps_best() {
            Parameters::new(&self.state.arch, self.best.clone())
        } else {
            self.current().await
        }
    }

    /// The epoch whose parameters [`Self::student`] gives.
    pub fn kept_epoch(&self) -> u32 {
        if self.keeps_best() { self.state.best.0 } else { self.progress().epoch }
    }

    fn stops_early(&self) -> bool {
        self.state.config.patience > 0 && self.truth.is_some()
    }

    /// Whether the best epoch counts rather than the last. With latents in a few bits always: what
    /// is trained against is noise, what is validated the code itself.
    fn keeps_best(&self) -> bool {
        self.truth.is_some() && self.state.config.keeps_best()
    }

    /// The parameters as they are now.
    ///
    /// # Errors
    /// What the device reports.
    pub async fn current(&self) -> Result<Parameters> {
        Parameters::new(&self.state.arch, self.step.read_parameters().await?)
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        let stop = if self.state.stopped_early {
            Some(Stop::Early)
        } else {
            (self.state.step >= self.total_steps()).then_some(Stop::Finished)
        };
        Progress {
            step: self.state.step,
            total_steps: self.total_steps(),
            epoch: (self.state.step / self.steps_per_epoch()) as u32,
            losses: self.last,
            stop,
        }
    }

    /// Does a bounded piece of work and waits for the device to have done it.
    ///
    /// # Errors
    /// [`Error::Training`] when a loss or gradient is no longer finite, and what the device
    /// reports. The training cannot go on from then; its last checkpoint can.
    pub async fn advance(&mut self, budget: Budget) -> Result<Progress> {
        let began = Instant::now();
        for _ in 0..budget.steps {
            if self.progress().stop.is_some() || began.elapsed() >= budget.time {
                break;
            }
            self.one_step()?;
            let epoch_done = self.state.step.is_multiple_of(self.steps_per_epoch());
            if self.step.unread() == RECORDS || epoch_done {
                self.collect_losses().await?;
            }
            if epoch_done {
                self.end_epoch().await?;
            }
        }
        self.collect_losses().await?;
        Ok(self.progress())
    }

    /// The whole state, to go on later.
    ///
    /// # Errors
    /// What the device reports.
    pub async fn checkpoint(&mut self) -> Result<Checkpoint> {
        self.collect_losses().await?;
        let [first, second] = self.step.read_moments().await?;
        let parameters = self.step.read_parameters().await?;
        let tensors = [parameters, first, second, self.best.clone()];
        Ok(Checkpoint { state: self.state.clone(), tensors })
    }

    fn one_step(&mut self) -> Result<()> {
        let per_epoch = self.steps_per_epoch();
        let epoch = (self.state.step / per_epoch) as u32;
        if self.order.0 != epoch {
            self.order = (epoch, epoch_order(&self.split.training, self.state.config.seed, epoch));
        }
        let first = (self.state.step % per_epoch) as usize * self.batch();
        let rows = &self.order.1[first..first + self.batch()];
        gather(&self.data, rows, &mut self.batch);
        // Each step has its own noise, the same after a resume.
        let seed = self.state.config.seed as u32 ^ (self.state.step as u32).rotate_left(16);
        self.step.differentiate(&self.batch, seed)?;
        self.state.step += 1;
        let clip = self.state.config.clip_norm;
        self.step.update(&AdamW {
            learning_rate: self.state.config.learning_rate_at(self.state.step, self.total_steps()),
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: self.state.config.weight_decay,
            step: self.state.step,
            clip_norm: if clip > 0.0 { clip } else { f32::INFINITY },
        })
    }

    async fn collect_losses(&mut self) -> Result<()> {
        let all = self.step.read_losses().await?;
        let first = self.state.step + 1 - all.len() as u64;
        for (i, losses) in all.into_iter().enumerate() {
            if !losses.total.is_finite() || !losses.gradient_norm.is_finite() {
                let what = if losses.total.is_finite() { "gradient" } else { "loss" };
                return Err(Error::Training {
                    step: first + i as u64,
                    cause: format!(
                        "the {what} is no longer finite (loss {}, gradient norm {}); lower \
                         --learning-rate, or go back to the last checkpoint",
                        losses.total, losses.gradient_norm
                    ),
                });
            }
            self.state.epoch_sum.add(&losses);
            self.state.epoch_steps += 1;
            self.last = losses;
        }
        Ok(())
    }

    async fn end_epoch(&mut self) -> Result<()> {
        let epoch = (self.state.step / self.steps_per_epoch()) as u32;
        let mut losses = std::mem::take(&mut self.state.epoch_sum);
        losses.scale(1.0 / std::mem::take(&mut self.state.epoch_steps).max(1) as f32);
        let overlaps = self.validate().await?;
        let overlap = overlaps.as_deref().map(mean);
        if let (Some(overlap), Some(overlaps)) = (overlap, &overlaps)
            && overlap > self.state.best.1
            && clearly_better(overlaps, &self.state.start_overlaps)
        {
            self.state.best = (epoch, overlap);
            if self.keeps_best() {
                self.best = self.step.read_parameters().await?;
            }
        }
        self.state.stopped_early =
            self.stops_early() && epoch >= self.state.best.0 + self.state.config.patience;
        self.state.history.push(EpochRecord {
            epoch,
            losses,
            learning_rate: self.state.config.learning_rate_at(self.state.step, self.total_steps()),
            validation_overlap: overlap,
        });
        Ok(())
    }

    /// overlap@10 of each validation row, in the room of the training batch; of latents that will be
    /// stored in a few bits with the documents so stored.
    async fn validate(&mut self) -> Result<Option<Vec<f32>>> {
        let Some(truth) = &self.truth else { return Ok(None) };
        let latent = self.state.arch.latent();
        let mut latents = Vec::with_capacity(self.split.validation.len() * latent);
        for rows in self.split.validation.chunks(self.batch()) {
            gather(&self.data, rows, &mut self.batch);
            let values = self.step.encode(&self.batch).await?;
            latents.extend_from_slice(&values[..rows.len() * latent]);
        }
        if latents.iter().any(|v| !v.is_finite()) {
            return Ok(Some(vec![0.0; self.split.validation.len()]));
        }
        let latents = Matrix::new(self.split.validation.len(), latent, latents)?;
        let stored = match self.state.config.latent_bits {
            0 => None,
            bits => {
                let code = TrellisCode::gaussian(&latents, code_bytes(latent, bits)?)?;
                Some(code.unpack(&code.pack(&latents)?)?)
            }
        };
        let documents = stored.as_ref().unwrap_or(&latents);
        let found = Neighbours::within(&latents, documents, VALIDATION_K)?;
        overlap_at_k(truth, &found, VALIDATION_K).map(Some)
    }
}

/// The noise of latents that will be stored in a few bits.
async fn channel_of(
    device: &Device,
    config: &TrainConfig,
    start: &Parameters,
    data: &Matrix,
) -> Result<Option<Matrix>> {
    match config.latent_bits {
        0 => Ok(None),
        bits => channel(device, start, bits, data).await.map(Some),
    }
}

/// Copies rows into the front of `into`.
fn gather(data: &Matrix, rows: &[usize], into: &mut [f32]) {
    for (row, into) in rows.iter().zip(into.chunks_exact_mut(data.cols())) {
        into.copy_from_slice(data.row(*row));
    }
}

impl Losses {
    fn terms(&mut self) -> [&mut f32; 7] {
        [
            &mut self.alignment,
            &mut self.geometry,
            &mut self.diversity,
            &mut self.mse,
            &mut self.head,
            &mut self.total,
            &mut self.gradient_norm,
        ]
    }

    fn add(&mut self, other: &Losses) {
        let mut other = *other;
        self.terms().into_iter().zip(other.terms()).for_each(|(a, b)| *a += *b);
    }

    fn scale(&mut self, factor: f32) {
        self.terms().into_iter().for_each(|v| *v *= factor);
    }
}
