//! The training loop, in bounded pieces.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use web_time::Instant;

use crate::arch::{Arch, Precision};
use crate::device::{Device, Tensor};
use crate::error::{Error, Result};
use crate::kernels::Weight;
use crate::kernels::adamw::{AdamW, adamw};
use crate::kernels::squared_norm::squared_norm;
use crate::matrix::Matrix;
use crate::metrics::{Neighbours, overlap_at_k};
use crate::student::{Activations, Graph, Parameters, forward, upload};
use crate::train::backward::Gradients;
use crate::train::checkpoint::{Checkpoint, State, fingerprint};
use crate::train::loss::{LossRoom, Losses, Objective, StepRecord};
use crate::train::{Split, TrainConfig, epoch_order, start};

/// Steps whose losses stay on the device before they are read together.
const RECORDS: usize = 16;
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
    device: Device,
    arch: Arch,
    graph: Graph,
    config: TrainConfig,
    objective: Objective,
    data: Arc<Matrix>,
    split: Split,
    truth: Option<Neighbours>,
    parameters: Vec<Weight>,
    moments: [Vec<Tensor>; 2],
    decays: Vec<bool>,
    gradients: Gradients,
    activations: Activations,
    room: LossRoom,
    records: Vec<StepRecord>,
    unread: usize,
    batch: Vec<f32>,
    order: (u32, Vec<usize>),
    state: State,
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
        let mut trainer = Self::prepare(device, arch, config, data)?;
        let start = start(&trainer.arch, &trainer.config, &trainer.data)?;
        trainer.best = start.values().to_vec();
        trainer.parameters = upload(device, &start, Precision::F32)?;
        let overlap = trainer.validate().await?;
        trainer.state.best = (0, overlap.unwrap_or(0.0));
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
        let mut trainer = Self::prepare(device, &state.arch, &state.config, data)?;
        if trainer.state.data_fingerprint != state.data_fingerprint {
            return Err(Error::invalid(
                "--resume",
                "the checkpoint was made from other vectors; give the same ones, or start anew",
            ));
        }
        let [parameters, first, second, best] = &checkpoint.tensors;
        let all = Parameters::new(&state.arch, parameters.clone())?;
        trainer.parameters = upload(device, &all, Precision::F32)?;
        for (tensors, values) in trainer.moments.iter_mut().zip([first, second]) {
            for (tensor, value) in tensors.iter_mut().zip(values) {
                device.write(tensor, value.data())?;
            }
        }
        trainer.best = best.clone();
        trainer.state = state.clone();
        Ok(trainer)
    }

    /// Everything but the parameters.
    fn prepare(
        device: &Device,
        arch: &Arch,
        config: &TrainConfig,
        data: Arc<Matrix>,
    ) -> Result<Self> {
        config.check()?;
        if data.cols() != arch.input() || arch.input() != arch.output() {
            return Err(Error::invalid(
                "vectors",
                format!("are {} wide; {arch} must take and give that width", data.cols()),
            ));
        }
        let split = Split::new(data.rows(), config.validation_rows, config.seed);
        if split.training.len() < config.batch {
            return Err(Error::invalid(
                "--batch",
                format!(
                    "{} is more than the {} rows to train on ({} of {} are set aside for \
                     validation)",
                    config.batch,
                    split.training.len(),
                    split.validation.len(),
                    data.rows()
                ),
            ));
        }
        let graph = Graph::new(arch);
        let objective = Objective::new(config);
        let shapes = arch.parameters();
        let blank = || shapes.iter().map(|p| device.zeros(p.rows, p.cols)).collect::<Result<_>>();
        let moments = [blank()?, blank()?];
        let parameters = upload(device, &Parameters::zeros(arch), Precision::F32)?;
        let truth = (split.validation.len() > VALIDATION_K)
            .then(|| {
                let rows = data.gather_rows(&split.validation);
                Neighbours::within(&rows, &rows, VALIDATION_K)
            })
            .transpose()?;
        Ok(Self {
            gradients: Gradients::new(device, &graph, &parameters, config.batch)?,
            activations: Activations::new(device, &graph, config.batch, true)?,
            room: LossRoom::new(device, &objective, config.batch, arch.input(), arch.latent())?,
            records: (0..RECORDS).map(|_| StepRecord::new(device)).collect::<Result<_>>()?,
            unread: 0,
            batch: vec![0.0; config.batch * arch.input()],
            order: (u32::MAX, Vec::new()),
            decays: shapes.iter().map(|p| p.matrix).collect(),
            state: State {
                format: 1,
                arch: arch.clone(),
                config: config.clone(),
                data_fingerprint: fingerprint(&data),
                step: 0,
                history: Vec::new(),
                epoch_sum: Losses::default(),
                epoch_steps: 0,
                best: (0, 0.0),
                stopped_early: false,
            },
            device: device.clone(),
            arch: arch.clone(),
            config: config.clone(),
            graph,
            objective,
            data,
            split,
            truth,
            parameters,
            moments,
            best: Vec::new(),
            last: Losses::default(),
        })
    }

    /// The architecture.
    pub fn arch(&self) -> &Arch {
        &self.arch
    }

    /// The settings.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// Steps of one epoch.
    pub fn steps_per_epoch(&self) -> u64 {
        (self.split.training.len() / self.config.batch) as u64
    }

    /// Steps of the whole training.
    pub fn total_steps(&self) -> u64 {
        self.steps_per_epoch() * u64::from(self.config.epochs)
    }

    /// The epochs so far, the start first.
    pub fn history(&self) -> &[EpochRecord] {
        &self.state.history
    }

    /// Epoch and validation overlap@10 of the best parameters.
    pub fn best_epoch(&self) -> (u32, f64) {
        self.state.best
    }

    /// The parameters of the best epoch by validation overlap@10, the start counted as one; the
    /// last epoch's without validation rows.
    ///
    /// # Errors
    /// None in practice: the shapes are the trainer's own.
    pub fn best(&self) -> Result<Parameters> {
        Parameters::new(&self.arch, self.best.clone())
    }

    /// The parameters as they are now.
    ///
    /// # Errors
    /// What the device reports.
    pub async fn current(&self) -> Result<Parameters> {
        Parameters::new(&self.arch, self.read_parameters().await?)
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
            epoch: (self.state.step / self.steps_per_epoch().max(1)) as u32,
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
            self.step()?;
            let epoch_done = self.state.step.is_multiple_of(self.steps_per_epoch());
            if self.unread == RECORDS || epoch_done {
                self.read_records().await?;
            }
            if epoch_done {
                self.end_epoch().await?;
            }
        }
        self.read_records().await?;
        Ok(self.progress())
    }

    /// The whole state, to go on later.
    ///
    /// # Errors
    /// What the device reports.
    pub async fn checkpoint(&mut self) -> Result<Checkpoint> {
        self.read_records().await?;
        let mut tensors = [self.read_parameters().await?, vec![], vec![], self.best.clone()];
        for (moments, into) in self.moments.iter().zip(&mut tensors[1..3]) {
            for tensor in moments {
                into.push(self.device.read_matrix(tensor).await?);
            }
        }
        Ok(Checkpoint { state: self.state.clone(), tensors })
    }

    fn step(&mut self) -> Result<()> {
        let per_epoch = self.steps_per_epoch();
        let epoch = (self.state.step / per_epoch) as u32;
        if self.order.0 != epoch {
            self.order = (epoch, epoch_order(&self.split.training, self.config.seed, epoch));
        }
        let first = (self.state.step % per_epoch) as usize * self.config.batch;
        let width = self.data.cols();
        let rows = &self.order.1[first..first + self.config.batch];
        for (row, into) in rows.iter().zip(self.batch.chunks_exact_mut(width)) {
            into.copy_from_slice(self.data.row(*row));
        }
        self.device.write(self.activations.input_mut(), &self.batch)?;
        let record = &mut self.records[self.unread];
        self.gradients.run(
            &self.device,
            &self.graph,
            &self.objective,
            &self.parameters,
            &mut self.activations,
            &mut self.room,
            record,
        )?;
        self.state.step += 1;
        self.unread += 1;
        self.update()?;
        self.device.submit()
    }

    /// One step of the optimiser over all parameters.
    fn update(&mut self) -> Result<()> {
        let total_steps = self.total_steps();
        let total = &mut self.records[self.unread - 1].squared_norm;
        for (i, gradient) in self.gradients.parameters.iter().enumerate() {
            squared_norm(&self.device, gradient, i > 0, total)?;
        }
        let clip = self.config.clip_norm;
        let mut settings = AdamW {
            learning_rate: self.config.learning_rate_at(self.state.step, total_steps),
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            step: self.state.step,
            clip_norm: if clip > 0.0 { clip } else { f32::INFINITY },
        };
        let [first, second] = &mut self.moments;
        let moments = first.iter_mut().zip(second);
        for (i, (weight, (m, v))) in self.parameters.iter_mut().zip(moments).enumerate() {
            settings.weight_decay = if self.decays[i] { self.config.weight_decay } else { 0.0 };
            let gradient = &self.gradients.parameters[i];
            adamw(&self.device, &settings, gradient, total, weight.parts_mut().0, m, v)?;
        }
        Ok(())
    }

    async fn read_records(&mut self) -> Result<()> {
        for i in 0..self.unread {
            let losses = self.records[i].read(&self.device, &self.objective).await?;
            if !losses.total.is_finite() || !losses.gradient_norm.is_finite() {
                let what = if losses.total.is_finite() { "gradient" } else { "loss" };
                return Err(Error::Training {
                    step: self.state.step - (self.unread - 1 - i) as u64,
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
        self.unread = 0;
        Ok(())
    }

    async fn end_epoch(&mut self) -> Result<()> {
        let epoch = (self.state.step / self.steps_per_epoch()) as u32;
        let mut losses = std::mem::take(&mut self.state.epoch_sum);
        losses.scale(1.0 / std::mem::take(&mut self.state.epoch_steps).max(1) as f32);
        let overlap = self.validate().await?;
        let better = overlap.is_none_or(|o| o > self.state.best.1);
        if better {
            self.best = self.read_parameters().await?;
            self.state.best = (epoch, overlap.unwrap_or(0.0));
        }
        let patience = self.config.patience;
        self.state.stopped_early = patience > 0 && epoch >= self.state.best.0 + patience;
        self.state.history.push(EpochRecord {
            epoch,
            losses,
            learning_rate: self.config.learning_rate_at(self.state.step, self.total_steps()),
            validation_overlap: overlap,
        });
        Ok(())
    }

    /// Mean overlap@10 of the validation rows, in the room of the training batch.
    async fn validate(&mut self) -> Result<Option<f64>> {
        let Some(truth) = &self.truth else { return Ok(None) };
        let (width, latent) = (self.data.cols(), self.arch.latent());
        let mut latents = Vec::with_capacity(self.split.validation.len() * latent);
        for rows in self.split.validation.chunks(self.config.batch) {
            for (row, into) in rows.iter().zip(self.batch.chunks_exact_mut(width)) {
                into.copy_from_slice(self.data.row(*row));
            }
            self.device.write(self.activations.input_mut(), &self.batch)?;
            let encoder = 0..self.graph.latent;
            let (graph, parameters) = (&self.graph, &self.parameters);
            forward(&self.device, graph, parameters, &mut self.activations, encoder)?;
            let values = self.device.read(&self.activations.values[self.graph.latent]).await?;
            latents.extend_from_slice(&values[..rows.len() * latent]);
        }
        let latents = Matrix::new(self.split.validation.len(), latent, latents)?;
        if latents.data().iter().any(|v| !v.is_finite()) {
            return Ok(Some(0.0));
        }
        let found = Neighbours::within(&latents, &latents, VALIDATION_K)?;
        let overlaps = overlap_at_k(truth, &found, VALIDATION_K)?;
        let sum: f64 = overlaps.iter().map(|o| f64::from(*o)).sum();
        Ok(Some(sum / overlaps.len() as f64))
    }

    async fn read_parameters(&self) -> Result<Vec<Matrix>> {
        let mut values = Vec::with_capacity(self.parameters.len());
        for weight in &self.parameters {
            values.push(self.device.read_matrix(weight.view().words).await?);
        }
        Ok(values)
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
