//! The teacher: a BERT encoder such as all-MiniLM-L6-v2, forward only, on the kernels of this
//! library. Token sequences in, unit vectors out.
//!
//! The graph is that of Devlin et al., "BERT" (2018), with the pooling of Reimers and Gurevych,
//! "Sentence-BERT" (2019): the mean over the tokens, scaled to unit length.

mod batch;
mod blocks;
mod encoder;
mod file;
mod host;
mod quantize;
#[cfg(feature = "text")]
pub mod sentences;
mod shape;
#[cfg(feature = "text")]
pub mod tokenizer;
mod weights;

pub use quantize::quantize;
pub use shape::Shape;
pub use weights::EPSILON as LAYER_NORM_EPSILON;

use std::io::{Cursor, Read, Seek};

use crate::arch::Precision;
use crate::device::{Device, Rooms, breathe};
use crate::error::{Error, Result};
use crate::kernels::sequence_attention::LONGEST;
use crate::matrix::Matrix;
use batch::batches;
use encoder::Room;
use file::WeightFile;
use weights::Weights;

/// What a file of a teacher's weights holds: its sizes, how many token types there are, and how most
/// of it is stored. `name` is for messages.
///
/// # Errors
/// [`Error::Format`] if it is not a whole safetensors file of a BERT encoder.
pub fn describe<R: Read + Seek>(name: &str, stream: R) -> Result<(Shape, usize, Precision)> {
    let file = WeightFile::open(name, stream)?;
    Ok((file.shape().clone(), file.types(), file.precision()))
}

/// A teacher on a device.
#[derive(Debug)]
pub struct Teacher {
    device: Device,
    precision: Precision,
    weights: Weights,
    /// Kept so that equal batches allocate nothing.
    rooms: Rooms<Room>,
}

impl Teacher {
    /// From the bytes of a safetensors file with BERT's tensor names: the hub's
    /// `model.safetensors`, or what [`quantize`] wrote. `name` is for messages; `precision` is
    /// what the matrices are kept at on the device, none for that of the file.
    ///
    /// # Errors
    /// [`Error::Format`] if the file is damaged, truncated, or of another model;
    /// [`Error::OutOfMemory`] and what the device reports.
    pub fn from_bytes(
        device: &Device,
        name: &str,
        bytes: &[u8],
        precision: Option<Precision>,
    ) -> Result<Self> {
        Self::from_reader(device, name, Cursor::new(bytes), precision)
    }

    /// As [`Self::from_bytes`], one tensor at a time: the file is never in memory as a whole.
    ///
    /// # Errors
    /// As [`Self::from_bytes`], and [`Error::Io`].
    pub fn from_reader<R: Read + Seek>(
        device: &Device,
        name: &str,
        stream: R,
        precision: Option<Precision>,
    ) -> Result<Self> {
        let mut file = WeightFile::open(name, stream)?;
        let precision = precision.unwrap_or(file.precision());
        let weights = Weights::load(device, &mut file, precision)?;
        Ok(Self { device: device.clone(), precision, weights, rooms: Rooms::new() })
    }

    /// Values of a vector.
    pub fn width(&self) -> usize {
        self.weights.shape().width
    }

    /// The most tokens that a sequence may have, `[CLS]` and `[SEP]` among them.
    pub fn max_tokens(&self) -> usize {
        self.weights.shape().positions.min(LONGEST)
    }

    /// Layers, widths and vocabulary.
    pub fn shape(&self) -> &Shape {
        self.weights.shape()
    }

    /// Precision of the matrices.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Bytes of the weights on the device.
    pub fn bytes(&self) -> u64 {
        self.weights.bytes()
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Unit vectors (`n × width`) of token sequences, each from `[CLS]` to `[SEP]`, in the order
    /// given. `progress` is called after each batch with the number of sequences done so far, and
    /// ends the work with an error of its own.
    ///
    /// # Errors
    /// [`Error::Row`] for a sequence that is empty, longer than [`Self::max_tokens`] or with a
    /// token beyond the vocabulary; what `progress` returns; what the device reports.
    pub async fn embed(
        &self,
        sequences: &[Vec<u32>],
        progress: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<Matrix> {
        self.check(sequences)?;
        let mut vectors = Matrix::zeros(sequences.len(), self.width());
        let mut done = 0;
        for batch in batches(sequences, self.tokens_at_once()) {
            let given: Vec<&[u32]> = batch.iter().map(|i| &sequences[*i][..]).collect();
            let rows = if self.device.is_gpu() {
                self.at_once(&given).await?
            } else {
                breathe().await;
                self.in_blocks(&given)?
            };
            for (i, row) in batch.iter().zip(rows.chunks_exact(self.width())) {
                vectors.row_mut(*i).copy_from_slice(row);
            }
            done += batch.len();
            progress(done)?;
        }
        Ok(vectors)
    }

    /// The unit vectors of a batch.
    async fn at_once(&self, sequences: &[&[u32]]) -> Result<Vec<f32>> {
        let (count, tokens) = (sequences.len(), sequences.iter().map(|s| s.len()).sum());
        let mut room = self.rooms.take(
            |room| room.fits(count, tokens),
            || Room::new(&self.device, self.shape(), count, tokens),
        )?;
        self.weights.forward(&self.device, sequences, &mut room)?;
        let vectors = self.device.read(room.output()).await?;
        self.rooms.give_back(room);
        Ok(vectors)
    }

    /// Tokens of a batch: enough to keep the device busy, few enough that one is not waited for
    /// long and that each of its tensors fits in one buffer of any GPU.
    fn tokens_at_once(&self) -> usize {
        /// WebGPU's default limit on a binding, in values.
        const VALUES: usize = (128 << 20) / 4;
        let wanted = if self.device.is_gpu() { 4096 } else { 2048 };
        wanted.min(VALUES / self.shape().widest()).max(1)
    }

    fn check(&self, sequences: &[Vec<u32>]) -> Result<()> {
        let vocabulary = self.shape().vocabulary;
        for (row, tokens) in sequences.iter().enumerate() {
            let refuse = |message: String| {
                Err(Error::Row { name: "token sequences".into(), row: row as u64, message })
            };
            if tokens.is_empty() {
                return refuse("has no tokens; even an empty text has [CLS] and [SEP]".into());
            }
            if tokens.len() > self.max_tokens() {
                return refuse(format!(
                    "has {} tokens, the model takes {}; cut it",
                    tokens.len(),
                    self.max_tokens()
                ));
            }
            if let Some(token) = tokens.iter().find(|t| **t as usize >= vocabulary) {
                return refuse(format!(
                    "holds the token {token}, the vocabulary ends at {}; use the tokenizer of \
                     this model",
                    vocabulary - 1
                ));
            }
        }
        Ok(())
    }
}
