//! The forward pass, once for inference and training.

use crate::device::{Device, Tensor};
use crate::error::Result;
use crate::kernels::Weight;
use crate::kernels::add_scaled::add_scaled;
use crate::kernels::attention::attention;
use crate::kernels::layer_norm::layer_norm;
use crate::kernels::linear::{Epilogue, linear};
use crate::student::graph::{Graph, Op};

/// What an operation leaves for the backward pass, or needs besides its output.
#[derive(Debug)]
pub enum Kept {
    /// Nothing.
    Nothing,
    /// The slope of the activation at each value.
    Slope(Tensor),
    /// Mean and inverse deviation of each row.
    Statistics(Tensor),
    /// The parts of attention.
    Attention {
        /// q, k and v.
        qkv: Tensor,
        /// The softmax.
        probabilities: Tensor,
        /// The heads' outputs before the output layer.
        mixed: Tensor,
    },
}

/// The values of a graph for a batch of a fixed number of rows.
#[derive(Debug)]
pub struct Activations {
    /// Value `i` of the graph, `rows × widths[i]`; 0 is the input.
    pub values: Vec<Tensor>,
    /// What operation `i` keeps.
    pub kept: Vec<Kept>,
}

impl Activations {
    /// Room for a batch of `rows`; with the slopes that a backward pass needs if `training`.
    ///
    /// # Errors
    /// Out of memory.
    pub fn new(device: &Device, graph: &Graph, rows: usize, training: bool) -> Result<Self> {
        let values =
            graph.widths.iter().map(|w| device.zeros(rows, *w)).collect::<Result<Vec<_>>>()?;
        let mut kept = Vec::new();
        for (op, width) in graph.ops.iter().zip(&graph.widths[1..]) {
            kept.push(match op {
                Op::Linear { activation: Some(_), .. } if training => {
                    Kept::Slope(device.zeros(rows, *width)?)
                }
                Op::Linear { .. } => Kept::Nothing,
                Op::LayerNorm { .. } => Kept::Statistics(device.zeros(rows, 2)?),
                Op::Attention { heads, .. } => Kept::Attention {
                    qkv: device.zeros(rows, 3 * width)?,
                    probabilities: device.zeros(rows, *heads)?,
                    mixed: device.zeros(rows, *width)?,
                },
            });
        }
        Ok(Self { values, kept })
    }

    /// From now on for batches of so many rows, at most as many as it was made for; on the CPU.
    pub(super) fn set_rows(&mut self, rows: usize) {
        self.values.iter_mut().for_each(|value| value.set_rows(rows));
        for kept in &mut self.kept {
            match kept {
                Kept::Nothing => {}
                Kept::Slope(tensor) | Kept::Statistics(tensor) => tensor.set_rows(rows),
                Kept::Attention { qkv, probabilities, mixed } => {
                    [qkv, probabilities, mixed].into_iter().for_each(|t| t.set_rows(rows));
                }
            }
        }
    }

    /// The batch that goes in.
    pub fn input_mut(&mut self) -> &mut Tensor {
        &mut self.values[0]
    }

    /// What comes out.
    pub fn output(&self) -> &Tensor {
        &self.values[self.values.len() - 1]
    }
}

/// Runs the operations `range` of the graph.
///
/// # Errors
/// What the kernels report.
pub fn forward(
    device: &Device,
    graph: &Graph,
    parameters: &[Weight],
    activations: &mut Activations,
    range: std::ops::Range<usize>,
) -> Result<()> {
    let vector = |i: usize| parameters[i].view().words;
    for i in range {
        let (before, after) = activations.values.split_at_mut(i + 1);
        let (x, y) = (&before[i], &mut after[0]);
        match (graph.ops[i], &mut activations.kept[i]) {
            (Op::Linear { weight, activation }, kept) => {
                let epilogue = match (activation, kept) {
                    (None, _) => Epilogue::Linear,
                    (Some(kind), Kept::Slope(slope)) => Epilogue::ActivationAndSlope(kind, slope),
                    (Some(kind), _) => Epilogue::Activation(kind),
                };
                linear(device, x, &parameters[weight], Some(vector(weight + 1)), epilogue, y)?;
            }
            (Op::LayerNorm { weight }, Kept::Statistics(statistics)) => {
                layer_norm(device, x, vector(weight), vector(weight + 1), y, statistics)?;
            }
            (Op::Attention { qkv: w, heads }, Kept::Attention { qkv, probabilities, mixed }) => {
                linear(device, x, &parameters[w], Some(vector(w + 1)), Epilogue::Linear, qkv)?;
                attention(device, qkv, heads, 1, probabilities, mixed)?;
                let bias = Some(vector(w + 3));
                linear(device, mixed, &parameters[w + 2], bias, Epilogue::Linear, y)?;
                add_scaled(device, y, 1.0, x)?;
            }
            _ => unreachable!("activations are made from the same graph"),
        }
    }
    Ok(())
}
