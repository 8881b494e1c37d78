//! What a student is trained for: alignment with the teacher, and the geometry of its latents.

use serde::{Deserialize, Serialize};

use crate::device::{Device, Tensor};
use crate::error::Result;
use crate::kernels::column_sum::column_sum;
use crate::kernels::cosine_loss::cosine_loss;
use crate::kernels::gram_loss::{GramLoss, gram_loss};
use crate::kernels::linear::{Epilogue, linear};
use crate::kernels::linear_grad_input::linear_grad_input;
use crate::kernels::linear_grad_weight::linear_grad_weight;
use crate::kernels::mse_loss::mse_loss;
use crate::kernels::normalize_rows::normalize_rows;
use crate::kernels::normalize_rows_grad::normalize_rows_grad;
use crate::train::TrainConfig;

/// Share of the alignment weight that the extra head of `sn727` gets.
pub(crate) const HEAD_SHARE: f32 = 0.5;

/// The weights of the loss
/// `a · mean_i(1 − cos(o_i, t_i)) + g · 2τ² mean_i KL(p_i ‖ q_i) + q · R + d · D`
/// with `R = mean_ij((o_ij − t_ij)²)` and `D = 1/m² Σ_{i≠j} cos(z_i, z_j)²`
/// for outputs o, latents z and teacher vectors t of a batch of m, `p_i` the softmax over `j ≠ i` of
/// `cos(t_i, t_j) / τ` and `q_i` that of `cos(z_i, z_j) / τ`; without a τ the mean squared
/// difference of the two cosines stands for the divergence ([`gram_loss`]). `sn727` adds half the
/// alignment term for its extra head.
///
/// Where latents are stored in a few bits, o comes of what is stored, ẑ, and the cosines are those
/// of queries with documents, cos(z_i, ẑ_j).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objective {
    /// a
    pub alignment: f32,
    /// g
    pub geometry: f32,
    /// q
    pub mse: f32,
    /// d
    pub diversity: f32,
    /// τ; 0: none, the mean squared difference over all pairs.
    pub temperature: f32,
}

/// The terms of the loss, unweighted, and the norm of its gradient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Losses {
    /// Mean of 1 − cosine(output, teacher).
    pub alignment: f32,
    /// Divergence of the neighbours of the latents from the teacher's, times 2 τ².
    pub geometry: f32,
    /// Mean squared cosine of different latents.
    pub diversity: f32,
    /// Mean squared error of the output.
    pub mse: f32,
    /// Mean of 1 − cosine(extra head, teacher), for `sn727`.
    pub head: f32,
    /// The weighted sum.
    pub total: f32,
    /// Norm of the gradient of all parameters, before clipping.
    pub gradient_norm: f32,
}

impl Objective {
    /// The weights of a configuration.
    pub fn new(config: &TrainConfig) -> Self {
        Self {
            alignment: config.alignment_weight,
            geometry: config.geometry_weight,
            mse: config.mse_weight,
            diversity: config.diversity_weight,
            temperature: config.geometry_temperature,
        }
    }

    fn gram(&self) -> GramLoss {
        let sharpness = if self.temperature > 0.0 { 1.0 / self.temperature } else { 0.0 };
        GramLoss { geometry: self.geometry, diversity: self.diversity, sharpness }
    }

    /// Whether the latents' cosines are needed.
    pub(crate) fn compares_latents(&self) -> bool {
        self.geometry != 0.0 || self.diversity != 0.0
    }

    fn total(&self, losses: &Losses) -> f32 {
        self.alignment * (losses.alignment + HEAD_SHARE * losses.head)
            + self.geometry * losses.geometry
            + self.mse * losses.mse
            + self.diversity * losses.diversity
    }
}

/// The losses of one step, still on the device.
#[derive(Debug)]
pub(crate) struct StepRecord {
    alignment: Tensor,
    gram: Tensor,
    mse: Tensor,
    head: Tensor,
    /// Squared norm of all gradients.
    pub(crate) squared_norm: Tensor,
}

impl StepRecord {
    pub(crate) fn new(device: &Device) -> Result<Self> {
        Ok(Self {
            alignment: device.zeros(1, 1)?,
            gram: device.zeros(1, 2)?,
            mse: device.zeros(1, 1)?,
            head: device.zeros(1, 1)?,
            squared_norm: device.zeros(1, 1)?,
        })
    }

    pub(crate) async fn read(&self, device: &Device, objective: &Objective) -> Result<Losses> {
        let gram = device.read(&self.gram).await?;
        let mut losses = Losses {
            alignment: device.read(&self.alignment).await?[0],
            geometry: gram[0],
            diversity: gram[1],
            mse: if objective.mse == 0.0 { 0.0 } else { device.read(&self.mse).await?[0] },
            head: device.read(&self.head).await?[0],
            total: 0.0,
            gradient_norm: device.read(&self.squared_norm).await?[0].sqrt(),
        };
        losses.total = objective.total(&losses);
        Ok(losses)
    }
}

/// Room for the losses of a batch.
#[derive(Debug)]
pub(crate) struct LossRoom {
    rows: Tensor,
    latents: Option<LatentRoom>,
}

/// Room to compare the latents with the teacher.
#[derive(Debug)]
struct LatentRoom {
    /// Unit teacher vectors, and their cosines.
    teacher: Tensor,
    teacher_cosines: Tensor,
    /// Unit latents, their norms, their cosines (later the gradient), and gradients.
    latents: Tensor,
    norms: Tensor,
    cosines: Tensor,
    unit_gradient: Tensor,
    gradient: Tensor,
    losses: Tensor,
    stored: Option<StoredRoom>,
}

/// Room for what is stored of the latents, where that differs from them.
#[derive(Debug)]
struct StoredRoom {
    unit: Tensor,
    norms: Tensor,
    unit_gradient: Tensor,
    gradient: Tensor,
}

impl LossRoom {
    pub(crate) fn new(
        device: &Device,
        objective: &Objective,
        batch: usize,
        [width, latent]: [usize; 2],
        quantised: bool,
    ) -> Result<Self> {
        let stored = || -> Result<StoredRoom> {
            Ok(StoredRoom {
                unit: device.zeros(batch, latent)?,
                norms: device.zeros(batch, 1)?,
                unit_gradient: device.zeros(batch, latent)?,
                gradient: device.zeros(batch, latent)?,
            })
        };
        let room = || -> Result<LatentRoom> {
            Ok(LatentRoom {
                teacher: device.zeros(batch, width)?,
                teacher_cosines: device.zeros(batch, batch)?,
                latents: device.zeros(batch, latent)?,
                norms: device.zeros(batch, 1)?,
                cosines: device.zeros(batch, batch)?,
                unit_gradient: device.zeros(batch, latent)?,
                gradient: device.zeros(batch, latent)?,
                losses: device.zeros(batch, 2)?,
                stored: quantised.then(stored).transpose()?,
            })
        };
        let latents = objective.compares_latents().then(room).transpose()?;
        Ok(Self { rows: device.zeros(batch, 1)?, latents })
    }

    /// Losses of the output, and their gradient into `gradient`.
    pub(crate) fn output(
        &mut self,
        device: &Device,
        objective: &Objective,
        output: &Tensor,
        teacher: &Tensor,
        gradient: &mut Tensor,
        record: &mut StepRecord,
    ) -> Result<()> {
        let share = 1.0 / output.rows() as f32;
        let (rows, weight) = (&mut self.rows, objective.alignment * share);
        cosine_loss(device, output, teacher, weight, false, gradient, rows)?;
        column_sum(device, rows, share, false, &mut record.alignment)?;
        if objective.mse != 0.0 {
            let weight = objective.mse * share;
            mse_loss(device, output, teacher, weight, true, gradient, rows)?;
            column_sum(device, rows, share, false, &mut record.mse)?;
        }
        Ok(())
    }

    /// The loss of the extra head, and its gradient into `gradient`.
    pub(crate) fn head(
        &mut self,
        device: &Device,
        objective: &Objective,
        output: &Tensor,
        teacher: &Tensor,
        gradient: &mut Tensor,
        record: &mut StepRecord,
    ) -> Result<()> {
        let share = 1.0 / output.rows() as f32;
        let weight = objective.alignment * HEAD_SHARE * share;
        cosine_loss(device, output, teacher, weight, false, gradient, &mut self.rows)?;
        column_sum(device, &self.rows, share, false, &mut record.head)
    }

    /// Losses of the latents' cosines; their gradients with respect to the latents and to what is
    /// stored of them, if it differs, if they count.
    pub(crate) fn latents(
        &mut self,
        device: &Device,
        objective: &Objective,
        [latents, teacher]: [&Tensor; 2],
        stored: Option<&Tensor>,
        record: &mut StepRecord,
    ) -> Result<[Option<&Tensor>; 2]> {
        let Some(room) = &mut self.latents else { return Ok([None, None]) };
        normalize_rows(device, teacher, &mut room.teacher, &mut room.norms)?;
        let (unit, cosines) = (&room.teacher, &mut room.teacher_cosines);
        linear(device, unit, unit, None, Epilogue::Linear, cosines)?;
        normalize_rows(device, latents, &mut room.latents, &mut room.norms)?;
        if let (Some(stored), Some(other)) = (stored, &mut room.stored) {
            normalize_rows(device, stored, &mut other.unit, &mut other.norms)?;
        }
        let queries = &room.latents;
        let documents = room.stored.as_ref().map_or(queries, |other| &other.unit);
        linear(device, queries, documents, None, Epilogue::Linear, &mut room.cosines)?;
        let (cosines, losses) = (&mut room.cosines, &mut room.losses);
        gram_loss(device, cosines, &room.teacher_cosines, objective.gram(), losses)?;
        let share = 1.0 / latents.rows() as f32;
        column_sum(device, &room.losses, share, false, &mut record.gram)?;
        // G · documents for the queries, Gᵀ · queries for the documents; they are the same rows, so
        // without a difference in one tensor.
        let (cosines, norms) = (&room.cosines, &room.norms);
        match &mut room.stored {
            None => {
                linear_grad_weight(device, cosines, queries, &mut room.unit_gradient)?;
                linear_grad_input(device, cosines, queries, true, &mut room.unit_gradient)?;
            }
            Some(other) => {
                let (to, gradient) = (&mut other.unit_gradient, &mut other.gradient);
                linear_grad_weight(device, cosines, queries, to)?;
                normalize_rows_grad(device, &other.unit, &other.norms, to, gradient)?;
                let to = &mut room.unit_gradient;
                linear_grad_input(device, cosines, &other.unit, false, to)?;
            }
        }
        normalize_rows_grad(device, queries, norms, &room.unit_gradient, &mut room.gradient)?;
        Ok([Some(&room.gradient), room.stored.as_ref().map(|other| &other.gradient)])
    }
}
