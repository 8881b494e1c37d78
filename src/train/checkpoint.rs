//! The whole state of a training as bytes: what it takes to go on as if never stopped.

use std::collections::HashMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use crate::arch::Arch;
use crate::error::{Error, Result};
use crate::matrix::Matrix;
use crate::train::{EpochRecord, Losses, TrainConfig};

const KEY: &str = "lnsp_checkpoint";
const MAX_HEADER: usize = 64 << 20;

/// The numbers of a checkpoint beside its tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) format: u32,
    pub(crate) arch: Arch,
    pub(crate) config: TrainConfig,
    /// Of the training rows, so that a resumed run cannot mix two sets.
    pub(crate) data_fingerprint: String,
    /// Steps done.
    pub(crate) step: u64,
    pub(crate) history: Vec<EpochRecord>,
    /// Losses of the steps of the running epoch, summed.
    pub(crate) epoch_sum: Losses,
    pub(crate) epoch_steps: u64,
    /// Epoch of the best parameters and their validation overlap@10.
    pub(crate) best: (u32, f64),
    /// Of the start, the overlap@10 of each validation row; empty unless latents are stored in a few
    /// bits.
    #[serde(default)]
    pub(crate) start_overlaps: Vec<f32>,
    pub(crate) stopped_early: bool,
}

/// A training between two steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    pub(crate) state: State,
    /// Parameters, first moments, second moments, and with early stopping the best parameters.
    pub(crate) tensors: [Vec<Matrix>; 4],
}

const PARTS: [&str; 4] = ["parameter", "first_moment", "second_moment", "best"];

impl Checkpoint {
    /// The architecture.
    pub fn arch(&self) -> &Arch {
        &self.state.arch
    }

    /// The settings.
    pub fn config(&self) -> &TrainConfig {
        &self.state.config
    }

    /// Steps done.
    pub fn step(&self) -> u64 {
        self.state.step
    }

    /// The checkpoint as a safetensors file.
    ///
    /// # Errors
    /// [`Error::Format`] if it cannot be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let refuse = |e: &dyn std::fmt::Display| Error::format("checkpoint", e.to_string());
        let shapes = self.state.arch.parameters();
        let mut views = Vec::new();
        for (part, tensors) in PARTS.iter().zip(&self.tensors) {
            for (shape, values) in shapes.iter().zip(tensors) {
                let dims = vec![values.rows(), values.cols()];
                let bytes = bytemuck::cast_slice(values.data());
                let view = TensorView::new(Dtype::F32, dims, bytes).map_err(|e| refuse(&e))?;
                views.push((format!("{part}.{}", shape.name), view));
            }
        }
        let text = serde_json::to_string(&self.state).map_err(|e| refuse(&e))?;
        let metadata = HashMap::from([(KEY.to_string(), text)]);
        safetensors::serialize(views, Some(metadata)).map_err(|e| refuse(&e))
    }

    /// Reads a checkpoint; `name` is for messages.
    ///
    /// # Errors
    /// [`Error::Format`] if the bytes are not a whole checkpoint.
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self> {
        let refuse = |message: String| {
            Error::format(
                name,
                format!("not a whole checkpoint: {message}; remove it and start without --resume"),
            )
        };
        if let Some(start) = bytes.get(..8)
            && u64::from_le_bytes(start.try_into().expect("8 bytes")) > MAX_HEADER as u64
        {
            return Err(refuse("its header is too long".into()));
        }
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| refuse(e.to_string()))?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|e| refuse(e.to_string()))?;
        let text = metadata.metadata().as_ref().and_then(|m| m.get(KEY));
        let text = text.ok_or_else(|| refuse("it has no training state".into()))?;
        let state: State = serde_json::from_str(text).map_err(|e| refuse(e.to_string()))?;
        let mut parts: [Vec<Matrix>; 4] = Default::default();
        for (part, into) in PARTS.iter().zip(&mut parts) {
            if *part == "best" && state.config.patience == 0 {
                continue;
            }
            for shape in state.arch.parameters() {
                let key = format!("{part}.{}", shape.name);
                let view = tensors.tensor(&key).map_err(|e| refuse(e.to_string()))?;
                if view.dtype() != Dtype::F32 || view.shape() != [shape.rows, shape.cols] {
                    return Err(refuse(format!("{key} has another shape or type")));
                }
                let values = view
                    .data()
                    .chunks_exact(4)
                    .map(|b| f32::from_le_bytes(b.try_into().expect("4 bytes")))
                    .collect();
                into.push(Matrix::new(shape.rows, shape.cols, values)?);
            }
        }
        Ok(Self { state, tensors: parts })
    }
}

/// A fingerprint of training rows: their shape and every bit (FNV-1a over the words).
pub fn fingerprint(rows: &Matrix) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for value in rows.data() {
        hash = (hash ^ u64::from(value.to_bits())).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{}x{}:{hash:016x}", rows.rows(), rows.cols())
}
