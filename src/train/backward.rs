//! The backward pass over a student's graph.

use crate::device::{Device, Tensor};
use crate::error::Result;
use crate::kernels::Weight;
use crate::kernels::add_scaled::add_scaled;
use crate::kernels::attention_grad::attention_grad;
use crate::kernels::column_sum::column_sum;
use crate::kernels::latent_noise::latent_noise;
use crate::kernels::layer_norm_grad::layer_norm_grad;
use crate::kernels::layer_norm_grad_parameters::layer_norm_grad_parameters;
use crate::kernels::linear::{Epilogue, linear};
use crate::kernels::linear_grad_input::linear_grad_input;
use crate::kernels::linear_grad_weight::linear_grad_weight;
use crate::kernels::multiply::multiply;
use crate::student::{Activations, Graph, Kept, Op, forward};
use crate::train::loss::{LossRoom, Objective, StepRecord};

/// What a batch needs besides its gradients.
pub(crate) struct Rooms<'a> {
    /// With the batch as its input.
    pub(crate) activations: &'a mut Activations,
    pub(crate) losses: &'a mut LossRoom,
    /// What is stored of the latents, if it differs from them.
    pub(crate) stored: Option<Stored<'a>>,
    /// Where the losses go.
    pub(crate) record: &'a mut StepRecord,
}

/// What is stored of the latents of a batch.
pub(crate) struct Stored<'a> {
    /// `1 × 3 latent`: see [`latent_noise`].
    pub(crate) channel: &'a Tensor,
    /// The same with the gains alone: the way of the gradient.
    pub(crate) gains: &'a Tensor,
    /// Of this batch's noise.
    pub(crate) seed: u32,
    /// `batch × latent`, overwritten.
    pub(crate) room: &'a mut Tensor,
}

/// Gradients of one batch.
#[derive(Debug)]
pub(crate) struct Gradients {
    /// One a parameter, of its shape.
    pub(crate) parameters: Vec<Tensor>,
    /// Gradient of value `i + 1` of the graph; the input needs none.
    values: Vec<Tensor>,
    attention: Option<AttentionRoom>,
    head: Option<HeadRoom>,
}

#[derive(Debug)]
struct AttentionRoom {
    mixed: Tensor,
    qkv: Tensor,
}

/// The extra head's output and its gradient.
#[derive(Debug)]
struct HeadRoom {
    output: Tensor,
    gradient: Tensor,
}

impl Gradients {
    pub(crate) fn new(
        device: &Device,
        graph: &Graph,
        parameters: &[Weight],
        batch: usize,
    ) -> Result<Self> {
        let zeros_like = |w: &Weight| device.zeros(w.view().outputs, w.view().inputs);
        let attends = graph.ops.iter().any(|op| matches!(op, Op::Attention { .. }));
        let latent = graph.widths[graph.latent];
        let output = graph.widths[graph.widths.len() - 1];
        Ok(Self {
            parameters: parameters.iter().map(zeros_like).collect::<Result<_>>()?,
            values: graph.widths[1..]
                .iter()
                .map(|w| device.zeros(batch, *w))
                .collect::<Result<_>>()?,
            attention: attends
                .then(|| -> Result<_> {
                    Ok(AttentionRoom {
                        mixed: device.zeros(batch, latent)?,
                        qkv: device.zeros(batch, 3 * latent)?,
                    })
                })
                .transpose()?,
            head: graph
                .head
                .map(|_| -> Result<_> {
                    Ok(HeadRoom {
                        output: device.zeros(batch, output)?,
                        gradient: device.zeros(batch, output)?,
                    })
                })
                .transpose()?,
        })
    }

    /// Forward, losses and backward for the batch in `activations`; leaves the gradients of the
    /// parameters and the losses on the device.
    pub(crate) fn run(
        &mut self,
        device: &Device,
        graph: &Graph,
        objective: &Objective,
        parameters: &[Weight],
        rooms: Rooms<'_>,
    ) -> Result<()> {
        let Rooms { activations, losses: room, mut stored, record } = rooms;
        let (count, latent) = (graph.ops.len(), graph.latent);
        forward(device, graph, parameters, activations, 0..latent)?;
        // From here on the graph goes on from what is stored; the latents themselves are kept aside.
        if let Some(Stored { channel, seed, room, .. }) = &mut stored {
            latent_noise(device, &activations.values[latent], channel, *seed, room)?;
            std::mem::swap(&mut activations.values[latent], room);
        }
        forward(device, graph, parameters, activations, latent..count)?;
        let teacher = &activations.values[0];
        let last = &mut self.values[count - 1];
        room.output(device, objective, activations.output(), teacher, last, record)?;
        if let (Some((from, w)), Some(head)) = (graph.head, &mut self.head) {
            let hidden = &activations.values[from];
            let bias = Some(tensor(parameters, w + 1));
            linear(device, hidden, &parameters[w], bias, Epilogue::Linear, &mut head.output)?;
            room.head(device, objective, &head.output, teacher, &mut head.gradient, record)?;
        }
        let decoded = &activations.values[latent];
        let (latents, given) = match &stored {
            Some(stored) => (&*stored.room, Some(decoded)),
            None => (decoded, None),
        };
        let [of_latents, of_stored] =
            room.latents(device, objective, [latents, teacher], given, record)?;
        for i in (0..count).rev() {
            if i + 1 == latent {
                if let Some(gradient) = of_stored {
                    add_scaled(device, &mut self.values[i], 1.0, gradient)?;
                }
                if let Some(Stored { gains, room, .. }) = &mut stored {
                    latent_noise(device, &self.values[i], gains, 0, room)?;
                    std::mem::swap(&mut self.values[i], room);
                }
                if let Some(gradient) = of_latents {
                    add_scaled(device, &mut self.values[i], 1.0, gradient)?;
                }
            }
            if let (Some((from, w)), Some(head)) = (graph.head, &self.head)
                && i + 1 == from
            {
                let hidden = &activations.values[from];
                linear_grad_weight(device, &head.gradient, hidden, &mut self.parameters[w])?;
                column_sum(device, &head.gradient, 1.0, false, &mut self.parameters[w + 1])?;
                let weight = tensor(parameters, w);
                linear_grad_input(device, &head.gradient, weight, true, &mut self.values[i])?;
            }
            self.step_back(device, graph.ops[i], i, parameters, activations)?;
        }
        Ok(())
    }

    /// Through operation `i`: from the gradient of its output to those of its parameters and
    /// its input.
    fn step_back(
        &mut self,
        device: &Device,
        op: Op,
        i: usize,
        parameters: &[Weight],
        activations: &Activations,
    ) -> Result<()> {
        let x = &activations.values[i];
        let (before, after) = self.values.split_at_mut(i);
        let (dx, dy) = (before.last_mut(), &mut after[0]);
        let gradients = &mut self.parameters;
        match (op, &activations.kept[i]) {
            (Op::Linear { weight, .. }, kept) => {
                if let Kept::Slope(slope) = kept {
                    multiply(device, dy, slope)?;
                }
                linear_grad_weight(device, dy, x, &mut gradients[weight])?;
                column_sum(device, dy, 1.0, false, &mut gradients[weight + 1])?;
                if let Some(dx) = dx {
                    linear_grad_input(device, dy, tensor(parameters, weight), false, dx)?;
                }
            }
            (Op::LayerNorm { weight }, Kept::Statistics(statistics)) => {
                let (low, high) = gradients.split_at_mut(weight + 1);
                let (dw, db) = (&mut low[weight], &mut high[0]);
                layer_norm_grad_parameters(device, x, statistics, dy, dw, db)?;
                if let Some(dx) = dx {
                    let scale = tensor(parameters, weight);
                    layer_norm_grad(device, x, statistics, scale, dy, dx)?;
                }
            }
            (Op::Attention { qkv: w, heads }, Kept::Attention { qkv, probabilities, mixed }) => {
                let room = self.attention.as_mut().expect("made with the graph");
                linear_grad_weight(device, dy, mixed, &mut gradients[w + 2])?;
                column_sum(device, dy, 1.0, false, &mut gradients[w + 3])?;
                let out = tensor(parameters, w + 2);
                linear_grad_input(device, dy, out, false, &mut room.mixed)?;
                let (dmixed, dqkv) = (&room.mixed, &mut room.qkv);
                attention_grad(device, qkv, probabilities, dmixed, heads, 1, dqkv)?;
                linear_grad_weight(device, dqkv, x, &mut gradients[w])?;
                column_sum(device, dqkv, 1.0, false, &mut gradients[w + 1])?;
                if let Some(dx) = dx {
                    linear_grad_input(device, dqkv, tensor(parameters, w), false, dx)?;
                    add_scaled(device, dx, 1.0, dy)?;
                }
            }
            _ => unreachable!("activations are made from the same graph"),
        }
        Ok(())
    }
}

/// The f32 tensor of a parameter in training.
fn tensor(parameters: &[Weight], i: usize) -> &Tensor {
    parameters[i].view().words
}
