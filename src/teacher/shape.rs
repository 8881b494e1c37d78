//! What a teacher's file holds: the sizes of the model and the names of its tensors.

use safetensors::tensor::Metadata as Header;
use serde::{Deserialize, Serialize};

use crate::arch::Precision;
use crate::error::{Error, Result};

/// The metadata key under which [`TeacherInfo`] stands, as JSON.
pub(super) const KEY: &str = "lnsp.teacher";

/// Width and heads of all-MiniLM-L6-v2. A file of the hub does not tell its number of heads, so
/// one without a description must be of this width.
const MINILM: (usize, usize) = (384, 12);

/// What a file that [`super::quantize`] wrote says about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct TeacherInfo {
    /// Version of this layout.
    pub(super) format: u32,
    /// Attention heads of a layer.
    pub(super) heads: usize,
    /// How the matrices are stored.
    pub(super) precision: Precision,
}

/// The sizes of a teacher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Transformer layers.
    pub layers: usize,
    /// Attention heads of a layer.
    pub heads: usize,
    /// Values of a token, and of the vector that comes out.
    pub width: usize,
    /// Values of a token inside a layer's feed-forward part.
    pub inner: usize,
    /// Tokens that are known.
    pub vocabulary: usize,
    /// Tokens of the longest sequence.
    pub positions: usize,
}

pub(super) const WORDS: &str = "embeddings.word_embeddings.weight";
pub(super) const POSITIONS: &str = "embeddings.position_embeddings.weight";
pub(super) const TYPES: &str = "embeddings.token_type_embeddings.weight";
pub(super) const EMBEDDING_NORM: &str = "embeddings.LayerNorm";

/// The name of a part of a layer.
pub(super) fn layer(index: usize, part: &str) -> String {
    format!("encoder.layer.{index}.{part}")
}

impl Shape {
    /// Reads the sizes off the tensors' shapes.
    ///
    /// # Errors
    /// [`Error::Format`] if they are not those of a BERT encoder whose heads are known.
    pub(super) fn read(name: &str, header: &Header, info: Option<&TeacherInfo>) -> Result<Self> {
        let refuse = |message: String| Error::format(name, message);
        let matrix = |tensor: &str| match header.info(tensor).map(|info| &info.shape[..]) {
            Some([rows, cols]) if *rows > 0 && *cols > 0 => Ok((*rows, *cols)),
            Some(other) => Err(refuse(format!("{tensor} has shape {other:?}, not two sizes"))),
            None => Err(refuse(format!(
                "has no tensor {tensor}: not the weights of a BERT encoder such as \
                 all-MiniLM-L6-v2"
            ))),
        };
        let (vocabulary, width) = matrix(WORDS)?;
        let (positions, _) = matrix(POSITIONS)?;
        let intermediate = |index: usize| layer(index, "intermediate.dense.weight");
        let (inner, _) = matrix(&intermediate(0))?;
        let layers = (0..).take_while(|i| header.info(&intermediate(*i)).is_some()).count();
        let heads = match info {
            Some(info) => info.heads,
            None if width == MINILM.0 => MINILM.1,
            None => {
                return Err(refuse(format!(
                    "its vectors are {width} wide, those of all-MiniLM-L6-v2 {}; other models \
                     need a description that tells the number of heads",
                    MINILM.0
                )));
            }
        };
        if heads == 0 || !width.is_multiple_of(heads) {
            return Err(refuse(format!("{heads} heads do not divide the width {width}")));
        }
        Ok(Self { layers, heads, width, inner, vocabulary, positions })
    }

    /// Values of the widest row between two kernels.
    pub(super) fn widest(&self) -> usize {
        self.inner.max(3 * self.width)
    }

    /// Every tensor that is read, with its shape: matrices (two sizes), then vectors (one).
    pub(super) fn tensors(&self, types: usize) -> Vec<(String, Vec<usize>)> {
        let (width, inner) = (self.width, self.inner);
        let mut all = vec![
            (WORDS.into(), vec![self.vocabulary, width]),
            (POSITIONS.into(), vec![self.positions, width]),
            (TYPES.into(), vec![types, width]),
        ];
        let norm = |all: &mut Vec<_>, name: &str| {
            all.push((format!("{name}.weight"), vec![width]));
            all.push((format!("{name}.bias"), vec![width]));
        };
        norm(&mut all, EMBEDDING_NORM);
        for index in 0..self.layers {
            for (part, outputs, inputs) in [
                ("attention.self.query", width, width),
                ("attention.self.key", width, width),
                ("attention.self.value", width, width),
                ("attention.output.dense", width, width),
                ("intermediate.dense", inner, width),
                ("output.dense", width, inner),
            ] {
                all.push((layer(index, &format!("{part}.weight")), vec![outputs, inputs]));
                all.push((layer(index, &format!("{part}.bias")), vec![outputs]));
            }
            norm(&mut all, &layer(index, "attention.output.LayerNorm"));
            norm(&mut all, &layer(index, "output.LayerNorm"));
        }
        all
    }
}
