//! A batch of vectors on a student's device, for those who time it.

use super::blocks::Blocks;
use super::forward::{Activations, forward};
use super::graph::Graph;
use crate::arch::Precision;
use crate::device::{Device, Tensor};
use crate::error::Result;
use crate::kernels::Weight;

/// Vectors that lie on the device, with room for what the whole network makes of them.
#[derive(Debug)]
pub struct Batch(Room);

#[derive(Debug)]
enum Room {
    /// Layer after layer.
    Whole(Activations),
    /// Block after block.
    Blocks { input: Tensor, output: Tensor, blocks: Blocks },
}

impl Batch {
    pub(super) fn new(
        device: &Device,
        graph: &Graph,
        precision: Precision,
        rows: usize,
    ) -> Result<Self> {
        let Some(blocks) = Blocks::of(device, precision, rows) else {
            return Ok(Self(Room::Whole(Activations::new(device, graph, rows, false)?)));
        };
        let tensor = |value: usize| device.zeros(rows, graph.widths[value]);
        Ok(Self(Room::Blocks { input: tensor(0)?, output: tensor(graph.ops.len())?, blocks }))
    }

    pub(super) fn forward(
        &mut self,
        device: &Device,
        graph: &Graph,
        weights: &[Weight],
    ) -> Result<()> {
        let all = 0..graph.ops.len();
        match &mut self.0 {
            Room::Whole(activations) => forward(device, graph, weights, activations, all),
            Room::Blocks { input, output, blocks } => {
                let ends = (input.host(), output.host_mut());
                blocks.forward(device, graph, weights, all, ends)
            }
        }
    }

    /// What goes in.
    pub fn input_mut(&mut self) -> &mut Tensor {
        match &mut self.0 {
            Room::Whole(activations) => &mut activations.values[0],
            Room::Blocks { input, .. } => input,
        }
    }

    /// What came out.
    pub fn output(&self) -> &Tensor {
        match &self.0 {
            Room::Whole(activations) => activations.output(),
            Room::Blocks { output, .. } => output,
        }
    }
}
