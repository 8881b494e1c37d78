//! A teacher's weights on a device.

use std::io::{Read, Seek};

use super::file::WeightFile;
use super::shape::{EMBEDDING_NORM, POSITIONS, Shape, TYPES, WORDS, layer, stored_at};
use crate::arch::Precision;
use crate::device::{Device, Tensor};
use crate::error::Result;
use crate::kernels::Weight;
use crate::kernels::residual_norm::Norm;

/// Added to the variance in every LayerNorm of BERT.
pub const EPSILON: f64 = 1e-12;

/// All weights.
#[derive(Debug)]
pub(super) struct Weights {
    pub(super) shape: Shape,
    /// The table of words, `vocabulary × width`.
    pub(super) words: Weight,
    /// The table of positions, each with the type of a first text added, `positions × width`.
    pub(super) positions: Tensor,
    pub(super) norm: NormWeights,
    pub(super) layers: Vec<Layer>,
}

/// One transformer layer.
#[derive(Debug)]
pub(super) struct Layer {
    /// q, k and v in one, `3·width × width`.
    pub(super) qkv: Dense,
    pub(super) attention_output: Dense,
    pub(super) attention_norm: NormWeights,
    pub(super) intermediate: Dense,
    pub(super) output: Dense,
    pub(super) output_norm: NormWeights,
}

/// A linear layer.
#[derive(Debug)]
pub(super) struct Dense {
    pub(super) weight: Weight,
    /// `1 × outputs`.
    pub(super) bias: Tensor,
}

/// A LayerNorm, both `1 × width`.
#[derive(Debug)]
pub(super) struct NormWeights {
    weight: Tensor,
    bias: Tensor,
}

impl NormWeights {
    pub(super) fn view(&self) -> Norm<'_> {
        Norm { weight: &self.weight, bias: &self.bias, epsilon: EPSILON as f32 }
    }

    fn bytes(&self) -> u64 {
        self.weight.bytes() + self.bias.bytes()
    }
}

impl Dense {
    fn bytes(&self) -> u64 {
        self.weight.bytes() + self.bias.bytes()
    }
}

impl Weights {
    /// Reads all weights and puts them on the device, the matrices at `precision`.
    ///
    /// # Errors
    /// As [`WeightFile::read`]; out of memory and what the device reports.
    pub(super) fn load<R: Read + Seek>(
        device: &Device,
        file: &mut WeightFile<R>,
        precision: Precision,
    ) -> Result<Self> {
        let shape = file.shape().clone();
        let (width, inner) = (shape.width, shape.inner);
        // First, as it is by far the largest: what is read besides comes on top of less.
        let words = file.read(WORDS, &[shape.vocabulary, width])?.at(precision)?.upload(device)?;
        let positions = read_positions(device, file, &shape)?;
        let mut load = Loader { device, file, precision };
        let norm = load.norm(EMBEDDING_NORM.into(), width)?;
        let mut layers = Vec::with_capacity(shape.layers);
        for i in 0..shape.layers {
            layers.push(Layer {
                qkv: load.dense(
                    &["query", "key", "value"]
                        .map(|part| layer(i, &format!("attention.self.{part}"))),
                    width,
                    width,
                )?,
                attention_output: load.dense(
                    &[layer(i, "attention.output.dense")],
                    width,
                    width,
                )?,
                attention_norm: load.norm(layer(i, "attention.output.LayerNorm"), width)?,
                intermediate: load.dense(&[layer(i, "intermediate.dense")], inner, width)?,
                output: load.dense(&[layer(i, "output.dense")], width, inner)?,
                output_norm: load.norm(layer(i, "output.LayerNorm"), width)?,
            });
        }
        Ok(Self { shape, words, positions, norm, layers })
    }

    /// The sizes of the model.
    pub(super) fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Bytes on the device.
    pub(super) fn bytes(&self) -> u64 {
        let layer = |l: &Layer| {
            let dense = [&l.qkv, &l.attention_output, &l.intermediate, &l.output];
            let norms = l.attention_norm.bytes() + l.output_norm.bytes();
            dense.into_iter().map(Dense::bytes).sum::<u64>() + norms
        };
        let tables = self.words.bytes() + self.positions.bytes() + self.norm.bytes();
        tables + self.layers.iter().map(layer).sum::<u64>()
    }
}

/// The positions stay in f32, at any precision: the table is small, and a sum is kept in it.
fn read_positions<R: Read + Seek>(
    device: &Device,
    file: &mut WeightFile<R>,
    shape: &Shape,
) -> Result<Tensor> {
    let types = file.types();
    let first_type = file.read(TYPES, &[types, shape.width])?.into_f32();
    let mut positions = file.read(POSITIONS, &[shape.positions, shape.width])?.into_f32();
    for row in positions.chunks_exact_mut(shape.width) {
        row.iter_mut().zip(&first_type).for_each(|(v, t)| *v += t);
    }
    device.upload(shape.positions, shape.width, &positions)
}

/// Reads parts of a layer.
struct Loader<'a, R> {
    device: &'a Device,
    file: &'a mut WeightFile<R>,
    precision: Precision,
}

impl<R: Read + Seek> Loader<'_, R> {
    /// A linear layer of `inputs` values: those of `names` one below the other, each with so many
    /// `outputs`.
    fn dense(&mut self, names: &[String], outputs: usize, inputs: usize) -> Result<Dense> {
        let mut read = |name: &str, part: &str, dims: &[usize]| {
            let tensor = format!("{name}.{part}");
            self.file.read(&tensor, dims)?.at(stored_at(&tensor, dims, self.precision))
        };
        let (matrix, vector) = ([outputs, inputs], [outputs]);
        let mut weight = read(&names[0], "weight", &matrix)?;
        let mut bias = read(&names[0], "bias", &vector)?.into_f32();
        for name in &names[1..] {
            weight.append(read(name, "weight", &matrix)?);
            bias.extend(read(name, "bias", &vector)?.into_f32());
        }
        Ok(Dense {
            weight: weight.upload_for_products(self.device)?,
            bias: self.device.upload(1, bias.len(), &bias)?,
        })
    }

    fn norm(&mut self, name: String, width: usize) -> Result<NormWeights> {
        let mut vector = |part: &str| {
            let values = self.file.read(&format!("{name}.{part}"), &[width])?.into_f32();
            self.device.upload(1, width, &values)
        };
        Ok(NormWeights { weight: vector("weight")?, bias: vector("bias")? })
    }
}
