//! The forward pass.

use super::shape::Shape;
use super::weights::{Dense, Layer, Weights};
use crate::arch::Activation;
use crate::device::{Device, Tensor};
use crate::error::{Error, Result};
use crate::kernels::Sequences;
use crate::kernels::gather::gather;
use crate::kernels::linear::{Epilogue, linear};
use crate::kernels::mean_pool::mean_pool;
use crate::kernels::normalize_rows::normalize_rows;
use crate::kernels::residual_norm::residual_norm;
use crate::kernels::sequence_attention::sequence_attention;

/// The tensors between the kernels, for a batch of so many sequences and tokens.
#[derive(Debug)]
pub(super) struct Room {
    /// What a layer takes and leaves, `tokens × width`.
    hidden: Tensor,
    /// Between the two halves of a layer, and for the output of the heads; `tokens × width`.
    middle: Tensor,
    /// What is added to what went in, `tokens × width`.
    change: Tensor,
    /// `tokens × 3·width`.
    qkv: Tensor,
    /// `tokens × inner`.
    inner: Tensor,
    /// Each `sequences × width`.
    pooled: Tensor,
    vectors: Tensor,
    norms: Tensor,
}

impl Room {
    /// Room for `sequences` of `tokens` in all.
    ///
    /// # Errors
    /// Out of memory.
    pub(super) fn new(
        device: &Device,
        shape: &Shape,
        sequences: usize,
        tokens: usize,
    ) -> Result<Self> {
        let width = shape.width;
        Ok(Self {
            hidden: device.zeros(tokens, width)?,
            middle: device.zeros(tokens, width)?,
            change: device.zeros(tokens, width)?,
            qkv: device.zeros(tokens, 3 * width)?,
            inner: device.zeros(tokens, shape.inner)?,
            pooled: device.zeros(sequences, width)?,
            vectors: device.zeros(sequences, width)?,
            norms: device.zeros(sequences, 1)?,
        })
    }

    /// Whether it is for exactly this batch.
    pub(super) fn fits(&self, sequences: usize, tokens: usize) -> bool {
        (self.vectors.rows(), self.hidden.rows()) == (sequences, tokens)
    }

    /// Whether it was made for a batch as large as this; on the CPU.
    pub(super) fn holds(&self, sequences: usize, tokens: usize) -> bool {
        self.vectors.holds(sequences) && self.hidden.holds(tokens)
    }

    /// From now on for a batch of `sequences` of `tokens` in all, neither more than it was made
    /// for; on the CPU.
    pub(super) fn set_size(&mut self, sequences: usize, tokens: usize) {
        let Self { hidden, middle, change, qkv, inner, pooled, vectors, norms } = self;
        [hidden, middle, change, qkv, inner].into_iter().for_each(|t| t.set_rows(tokens));
        [pooled, vectors, norms].into_iter().for_each(|t| t.set_rows(sequences));
    }

    /// The unit vectors, `sequences × width`.
    pub(super) fn output(&self) -> &Tensor {
        &self.vectors
    }
}

impl Weights {
    /// Runs the model on sequences of tokens, whose number and length the room fits.
    ///
    /// # Errors
    /// What the kernels report.
    pub(super) fn forward(
        &self,
        device: &Device,
        sequences: &[&[u32]],
        room: &mut Room,
    ) -> Result<()> {
        let lengths: Vec<usize> = sequences.iter().map(|s| s.len()).collect();
        let places = Sequences::new(device, &lengths)?;
        let tokens = words(device, &sequences.concat())?;
        let positions: Vec<u32> = lengths.iter().flat_map(|n| 0..*n as u32).collect();
        gather(device, &self.words, &tokens, &mut room.change)?;
        gather(device, &self.positions, &words(device, &positions)?, &mut room.middle)?;
        residual_norm(device, &room.change, &room.middle, self.norm.view(), &mut room.hidden)?;
        for layer in &self.layers {
            layer.forward(device, self.shape.heads, &places, room)?;
        }
        mean_pool(device, &room.hidden, &places, &mut room.pooled)?;
        normalize_rows(device, &room.pooled, &mut room.vectors, &mut room.norms)
    }
}

impl Layer {
    /// Attention and feed-forward, each added to what went in and normalised.
    fn forward(
        &self,
        device: &Device,
        heads: usize,
        places: &Sequences,
        room: &mut Room,
    ) -> Result<()> {
        let Room { hidden, middle, change, qkv, inner, .. } = room;
        self.qkv.forward(device, hidden, Epilogue::Linear, qkv)?;
        sequence_attention(device, qkv, heads, places, middle)?;
        self.attention_output.forward(device, middle, Epilogue::Linear, change)?;
        residual_norm(device, change, hidden, self.attention_norm.view(), middle)?;
        let gelu = Epilogue::Activation(Activation::Gelu);
        self.intermediate.forward(device, middle, gelu, inner)?;
        self.output.forward(device, inner, Epilogue::Linear, change)?;
        residual_norm(device, change, middle, self.output_norm.view(), hidden)
    }
}

impl Dense {
    fn forward(
        &self,
        device: &Device,
        x: &Tensor,
        epilogue: Epilogue<'_>,
        y: &mut Tensor,
    ) -> Result<()> {
        linear(device, x, &self.weight, Some(&self.bias), epilogue, y)
    }
}

/// Words in one row on the device.
fn words(device: &Device, words: &[u32]) -> Result<Tensor> {
    let mut tensor = device.zeros(1, words.len())?;
    device.write_words(&mut tensor, words)?;
    Ok::<_, Error>(tensor)
}
