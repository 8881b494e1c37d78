//! One training step on a device: the batch, its losses and gradients, the optimiser.

use crate::device::{Device, Tensor};
use crate::error::Result;
use crate::kernels::Weight;
use crate::kernels::adamw::{AdamW, adamw};
use crate::kernels::squared_norm::squared_norm;
use crate::matrix::Matrix;
use crate::student::{Activations, Graph, Parameters, forward};
use crate::train::backward::{Gradients, Rooms, Stored};
use crate::train::loss::{LossRoom, Losses, Objective, StepRecord};

/// Steps whose losses may stay on the device before they are read together.
pub(crate) const RECORDS: usize = 16;

/// A student's parameters on a device with everything that a step needs; a step allocates
/// nothing and reads nothing back.
#[derive(Debug)]
pub struct Step {
    device: Device,
    graph: Graph,
    objective: Objective,
    parameters: Vec<Weight>,
    /// Which parameters decay: the matrices.
    matrices: Vec<bool>,
    moments: [Vec<Tensor>; 2],
    gradients: Gradients,
    activations: Activations,
    room: LossRoom,
    /// Of latents that are stored in a few bits.
    channel: Option<Channel>,
    records: Vec<StepRecord>,
    unread: usize,
}

/// How stored latents differ from what the encoder gives, and room for them.
#[derive(Debug)]
struct Channel {
    /// See [`crate::kernels::latent_noise`].
    settings: Tensor,
    gains: Tensor,
    stored: Tensor,
}

impl Step {
    /// Room for batches of `batch` vectors, from `parameters`. `channel` (`3 × latent`: gain, offset
    /// and deviation of each latent) is for latents that are stored in a few bits.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`] and what the device reports.
    pub fn new(
        device: &Device,
        parameters: &Parameters,
        objective: &Objective,
        batch: usize,
        channel: Option<&Matrix>,
    ) -> Result<Self> {
        let arch = parameters.arch();
        let graph = Graph::new(arch);
        let shapes = arch.parameters();
        let blank = || shapes.iter().map(|p| device.zeros(p.rows, p.cols)).collect::<Result<_>>();
        let moments = [blank()?, blank()?];
        let parameters = parameters
            .values()
            .iter()
            .map(|values| Weight::from_rows(device, values))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            gradients: Gradients::new(device, &graph, &parameters, batch)?,
            activations: Activations::new(device, &graph, batch, true)?,
            room: LossRoom::new(
                device,
                objective,
                batch,
                [arch.input(), arch.latent()],
                channel.is_some(),
            )?,
            channel: channel
                .map(|settings| -> Result<_> {
                    Ok(Channel {
                        settings: device.upload(1, settings.data().len(), settings.data())?,
                        gains: device.upload(1, settings.data().len(), &gains(settings))?,
                        stored: device.zeros(batch, arch.latent())?,
                    })
                })
                .transpose()?,
            records: (0..RECORDS).map(|_| StepRecord::new(device)).collect::<Result<_>>()?,
            unread: 0,
            matrices: shapes.iter().map(|p| p.matrix).collect(),
            device: device.clone(),
            objective: *objective,
            graph,
            parameters,
            moments,
        })
    }

    /// Forward, losses and backward for a batch (`batch × input` values); the losses of at most
    /// sixteen steps wait on the device for [`Self::read_losses`]. `seed` is that of the noise on
    /// latents that are stored in a few bits.
    ///
    /// # Errors
    /// What the device reports.
    pub fn differentiate(&mut self, batch: &[f32], seed: u32) -> Result<()> {
        assert!(self.unread < RECORDS, "losses must be read every {RECORDS} steps");
        self.device.write(self.activations.input_mut(), batch)?;
        let record = &mut self.records[self.unread];
        let stored = self.channel.as_mut().map(|channel| Stored {
            channel: &channel.settings,
            gains: &channel.gains,
            seed,
            room: &mut channel.stored,
        });
        let losses = &mut self.room;
        let rooms = Rooms { activations: &mut self.activations, losses, stored, record };
        let (graph, objective) = (&self.graph, &self.objective);
        self.gradients.run(&self.device, graph, objective, &self.parameters, rooms)?;
        self.unread += 1;
        let total = &mut self.records[self.unread - 1].squared_norm;
        for (i, gradient) in self.gradients.parameters.iter().enumerate() {
            squared_norm(&self.device, gradient, i > 0, total)?;
        }
        Ok(())
    }

    /// One step of AdamW with the gradients of the last batch, and hands all to the device.
    /// Vectors do not decay.
    ///
    /// # Errors
    /// What the device reports.
    pub fn update(&mut self, settings: &AdamW) -> Result<()> {
        let norm = &self.records[self.unread - 1].squared_norm;
        let [first, second] = &mut self.moments;
        let moments = first.iter_mut().zip(second);
        for (i, (weight, (m, v))) in self.parameters.iter_mut().zip(moments).enumerate() {
            let decay = if self.matrices[i] { settings.weight_decay } else { 0.0 };
            let settings = AdamW { weight_decay: decay, ..*settings };
            let gradient = &self.gradients.parameters[i];
            adamw(&self.device, &settings, gradient, norm, weight.parts_mut().0, m, v)?;
        }
        self.device.submit()
    }

    /// Where it computes.
    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// How many steps' losses wait to be read.
    pub(crate) fn unread(&self) -> usize {
        self.unread
    }

    /// The losses of the steps since the last call, in order.
    ///
    /// # Errors
    /// What the device reports.
    pub async fn read_losses(&mut self) -> Result<Vec<Losses>> {
        let mut all = Vec::with_capacity(self.unread);
        for record in &self.records[..self.unread] {
            all.push(record.read(&self.device, &self.objective).await?);
        }
        self.unread = 0;
        Ok(all)
    }

    /// The latents of a batch, `batch × latent` values.
    ///
    /// # Errors
    /// What the device reports.
    pub async fn encode(&mut self, batch: &[f32]) -> Result<Vec<f32>> {
        self.device.write(self.activations.input_mut(), batch)?;
        let latent = self.graph.latent;
        forward(&self.device, &self.graph, &self.parameters, &mut self.activations, 0..latent)?;
        self.device.read(&self.activations.values[latent]).await
    }

    /// The parameters as they are now.
    ///
    /// # Errors
    /// What the device reports.
    pub async fn read_parameters(&self) -> Result<Vec<Matrix>> {
        read_all(&self.device, self.parameters.iter().map(|w| w.view().words)).await
    }

    /// The gradients of the last batch, in the order of the parameters, not clipped.
    ///
    /// # Errors
    /// What the device reports.
    pub async fn read_gradients(&self) -> Result<Vec<Matrix>> {
        read_all(&self.device, self.gradients.parameters.iter()).await
    }

    /// Both moments of every parameter.
    ///
    /// # Errors
    /// What the device reports.
    pub(crate) async fn read_moments(&self) -> Result<[Vec<Matrix>; 2]> {
        let [first, second] = &self.moments;
        Ok([
            read_all(&self.device, first.iter()).await?,
            read_all(&self.device, second.iter()).await?,
        ])
    }

    /// Replaces both moments of every parameter.
    ///
    /// # Errors
    /// What the device reports.
    pub(crate) fn write_moments(&mut self, values: [&[Matrix]; 2]) -> Result<()> {
        for (tensors, values) in self.moments.iter_mut().zip(values) {
            for (tensor, value) in tensors.iter_mut().zip(values) {
                self.device.write(tensor, value.data())?;
            }
        }
        Ok(())
    }
}

/// The gains of a channel alone, with nothing added.
fn gains(channel: &Matrix) -> Vec<f32> {
    let mut gains = channel.row(0).to_vec();
    gains.resize(channel.data().len(), 0.0);
    gains
}

async fn read_all(device: &Device, tensors: impl Iterator<Item = &Tensor>) -> Result<Vec<Matrix>> {
    let mut values = Vec::new();
    for tensor in tensors {
        values.push(device.read_matrix(tensor).await?);
    }
    Ok(values)
}
