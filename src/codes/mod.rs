//! Codes of a vector: fewer bytes for nearly the same neighbours. One trait, so that students
//! and baselines are measured alike.
//!
//! Every code really packs: what is scored has gone through exactly
//! [`Code::bytes_per_vector`] bytes a vector. Scales and levels come from a training set or from
//! theory, never from the batch at hand, so that one vector alone gets the same bytes as in a
//! batch.

mod baselines;
mod bits;
mod fitted;
mod gaussian;
mod projected;
mod rotated;
mod search;
mod storage;
mod transform;
mod trellis;

pub use baselines::{TRANSFORM_BYTES, baselines};
pub use fitted::Fitted;
pub use gaussian::{GaussianLevels, MAX_BITS, gaussian_levels};
pub use projected::Projected;
pub use rotated::RotatedBits;
pub use search::{CodeSearch, Queries};
pub use storage::{Int8Range, Storage};
pub use transform::{PcaTransform, TransformBasis};
pub use trellis::{TrellisCode, TrellisLayout};

use crate::error::{Error, Result};
use crate::matrix::Matrix;

/// A way to store vectors in few bytes and to search what was stored.
pub trait Code {
    /// What to call it in a table, such as `PCA-192, uncentred, f32`.
    fn name(&self) -> String;

    /// Width of the vectors that it takes.
    fn width(&self) -> usize;

    /// Exact bytes of one stored vector.
    fn bytes_per_vector(&self) -> usize;

    /// Whether the query keeps more precision than the stored documents.
    fn asymmetric(&self) -> bool;

    /// Bytes of the numbers that packing and unpacking need in memory: directions, ranges, levels
    /// for each coordinate.
    fn model_bytes(&self) -> u64;

    /// The stored form of `x` (n×width): n × [`Self::bytes_per_vector`] bytes, vector after
    /// vector.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the rows have another width.
    fn pack(&self, x: &Matrix) -> Result<Vec<u8>>;

    /// The rows that stored bytes stand for, against which a query is scored by cosine.
    ///
    /// # Errors
    /// [`Error::Format`] if the bytes are not whole vectors.
    fn unpack(&self, bytes: &[u8]) -> Result<Matrix>;

    /// The rows with which the stored documents are searched, as wide as those of
    /// [`Self::unpack`].
    ///
    /// # Errors
    /// [`Error::Invalid`] if the rows have another width.
    fn queries(&self, x: &Matrix) -> Result<Matrix>;

    /// The teacher's vectors (n×width) that unpacked rows stand for; `None` if the code has no
    /// way back.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the rows do not come from [`Self::unpack`].
    fn decode(&self, documents: &Matrix) -> Result<Option<Matrix>>;

    /// `x` stored and unpacked.
    ///
    /// # Errors
    /// As [`Self::pack`].
    fn documents(&self, x: &Matrix) -> Result<Matrix> {
        self.unpack(&self.pack(x)?)
    }

    /// `x` stored, unpacked and decoded.
    ///
    /// # Errors
    /// As [`Self::pack`].
    fn reconstruct(&self, x: &Matrix) -> Result<Option<Matrix>> {
        self.decode(&self.documents(x)?)
    }

    /// All that measuring needs, each part computed once.
    ///
    /// # Errors
    /// As [`Self::pack`].
    fn encode(&self, x: &Matrix) -> Result<Encoded> {
        let documents = self.documents(x)?;
        Ok(Encoded {
            name: self.name(),
            bytes_per_vector: self.bytes_per_vector(),
            asymmetric: self.asymmetric(),
            queries: if self.asymmetric() { Some(self.queries(x)?) } else { None },
            reconstruction: self.decode(&documents)?,
            documents,
        })
    }
}

/// What a code (or a student, whose latents come from a device) makes of a set of vectors.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoded {
    /// The code's name.
    pub name: String,
    /// Exact bytes of one stored vector.
    pub bytes_per_vector: usize,
    /// Whether the queries keep more precision than the documents.
    pub asymmetric: bool,
    /// n×k query rows; `None` if they are the documents themselves.
    pub queries: Option<Matrix>,
    /// n×k stored rows.
    pub documents: Matrix,
    /// n×width vectors in the teacher's space; `None` if the code has no way back.
    pub reconstruction: Option<Matrix>,
}

impl Encoded {
    /// The query rows, n×k.
    pub fn queries(&self) -> &Matrix {
        self.queries.as_ref().unwrap_or(&self.documents)
    }
}

/// An asymmetric code with its queries stored and unpacked like the documents.
pub struct Symmetric(pub Box<dyn Code>);

impl Code for Symmetric {
    fn name(&self) -> String {
        format!("{}, symmetric", self.0.name())
    }

    fn width(&self) -> usize {
        self.0.width()
    }

    fn bytes_per_vector(&self) -> usize {
        self.0.bytes_per_vector()
    }

    fn asymmetric(&self) -> bool {
        false
    }

    fn model_bytes(&self) -> u64 {
        self.0.model_bytes()
    }

    fn pack(&self, x: &Matrix) -> Result<Vec<u8>> {
        self.0.pack(x)
    }

    fn unpack(&self, bytes: &[u8]) -> Result<Matrix> {
        self.0.unpack(bytes)
    }

    fn queries(&self, x: &Matrix) -> Result<Matrix> {
        self.0.documents(x)
    }

    fn decode(&self, documents: &Matrix) -> Result<Option<Matrix>> {
        self.0.decode(documents)
    }
}

fn expect_width(name: &str, x: &Matrix, width: usize) -> Result<()> {
    if x.cols() == width {
        return Ok(());
    }
    Err(Error::invalid(name, format!("takes vectors of {width} values, these have {}", x.cols())))
}

/// Number of vectors in `bytes`.
fn expect_whole(name: &str, bytes: &[u8], bytes_per_vector: usize) -> Result<usize> {
    if bytes_per_vector > 0 && bytes.len().is_multiple_of(bytes_per_vector) {
        return Ok(bytes.len() / bytes_per_vector);
    }
    Err(Error::format(
        name,
        format!(
            "{} bytes are not whole vectors of {bytes_per_vector} bytes: the data is cut off or \
             of another code",
            bytes.len()
        ),
    ))
}
