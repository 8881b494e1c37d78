//! Codes that project a vector on fewer directions and store the numbers: truncation, random
//! projection, PCA; and the vector itself.

use super::{Code, Storage, expect_width};
use crate::error::{Error, Result};
use crate::linalg::product::{matmul, matmul_nt};
use crate::linalg::{Pca, random_projection};
use crate::matrix::Matrix;

/// How a vector becomes a latent.
#[derive(Clone, Debug, PartialEq)]
enum Directions {
    /// The first values of the vector.
    First(usize),
    /// k×d orthonormal rows.
    Rows(Matrix),
    /// Principal components, with their mean if centred.
    Components(Pca),
}

/// A projection on orthonormal directions, its latents stored in some number format. Queries
/// are latents in `f32`.
#[derive(Clone, Debug, PartialEq)]
pub struct Projected {
    label: String,
    width: usize,
    directions: Directions,
    storage: Storage,
}

impl Projected {
    /// The vector itself, `width` values.
    ///
    /// # Errors
    /// [`Error::Invalid`] if `width` is 0.
    pub fn whole(width: usize) -> Result<Self> {
        Self::truncation(width, width).map(|code| Self { label: "teacher".into(), ..code })
    }

    /// The first `k` of `width` values. The rest is reconstructed as zeros.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless `1 ≤ k ≤ width`.
    pub fn truncation(width: usize, k: usize) -> Result<Self> {
        if k == 0 || k > width {
            return Err(Error::invalid(
                "truncation",
                format!("{k} of {width} values cannot be kept; choose 1 to {width}"),
            ));
        }
        Ok(Self {
            label: format!("first {k} coordinates"),
            width,
            directions: Directions::First(k),
            storage: Storage::F32,
        })
    }

    /// Projection on `k` random orthonormal directions.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless `1 ≤ k ≤ width`.
    pub fn random(width: usize, k: usize, seed: u64) -> Result<Self> {
        Ok(Self {
            label: format!("random projection to {k}"),
            width,
            directions: Directions::Rows(random_projection(k, width, seed)?),
            storage: Storage::F32,
        })
    }

    /// Projection on the first `k` principal components.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless `1 ≤ k ≤` the number of components.
    pub fn pca(pca: &Pca, k: usize) -> Result<Self> {
        let kind = if pca.mean.is_some() { "centred" } else { "uncentred" };
        Ok(Self {
            label: format!("PCA-{k}, {kind}"),
            width: pca.components.cols(),
            directions: Directions::Components(pca.truncated(k)?),
            storage: Storage::F32,
        })
    }

    /// The same with latents of a byte a value, ranges fitted on the vectors `train`.
    ///
    /// # Errors
    /// [`Error::Invalid`] if `train` has another width, no rows, or values that are not finite.
    pub fn int8(&self, train: &Matrix) -> Result<Self> {
        Ok(self.stored_as(Storage::int8(&self.queries(train)?)?))
    }

    /// The same with latents stored as `storage`.
    pub(super) fn stored_as(&self, storage: Storage) -> Self {
        Self { storage, ..self.clone() }
    }

    /// The same with latents in `f16`.
    pub fn f16(&self) -> Self {
        Self { storage: Storage::F16, ..self.clone() }
    }

    /// Number of values of a latent.
    pub fn latent(&self) -> usize {
        match &self.directions {
            Directions::First(k) => *k,
            Directions::Rows(rows) => rows.rows(),
            Directions::Components(pca) => pca.components.rows(),
        }
    }
}

impl Code for Projected {
    fn name(&self) -> String {
        // "teacher int8", but "PCA-192, uncentred, int8".
        let comma = if self.label == "teacher" { "" } else { "," };
        format!("{}{comma} {}", self.label, self.storage.name())
    }

    fn width(&self) -> usize {
        self.width
    }

    fn bytes_per_vector(&self) -> usize {
        self.storage.bytes(self.latent())
    }

    fn asymmetric(&self) -> bool {
        self.storage.lossy()
    }

    fn model_bytes(&self) -> u64 {
        let numbers = match &self.directions {
            Directions::First(_) => 0,
            Directions::Rows(rows) => rows.data().len(),
            Directions::Components(pca) => {
                pca.components.data().len() + pca.mean.as_ref().map_or(0, Vec::len)
            }
        };
        4 * numbers as u64 + self.storage.model_bytes()
    }

    fn pack(&self, x: &Matrix) -> Result<Vec<u8>> {
        self.storage.pack(&self.queries(x)?)
    }

    fn unpack(&self, bytes: &[u8]) -> Result<Matrix> {
        self.storage.unpack(bytes, self.latent())
    }

    fn queries(&self, x: &Matrix) -> Result<Matrix> {
        expect_width(&self.name(), x, self.width)?;
        match &self.directions {
            Directions::First(k) => Ok(resized(x, *k)),
            Directions::Rows(rows) => Ok(matmul_nt(x, rows)),
            Directions::Components(pca) => pca.project(x),
        }
    }

    fn decode(&self, documents: &Matrix) -> Result<Option<Matrix>> {
        expect_width(&self.name(), documents, self.latent())?;
        Ok(Some(match &self.directions {
            Directions::First(_) => resized(documents, self.width),
            Directions::Rows(rows) => matmul(documents, rows),
            Directions::Components(pca) => pca.reconstruct(documents)?,
        }))
    }
}

/// The rows cut, or filled with zeros, to `width` values.
fn resized(x: &Matrix, width: usize) -> Matrix {
    let mut out = Matrix::zeros(x.rows(), width);
    let kept = width.min(x.cols());
    for row in 0..x.rows() {
        out.row_mut(row)[..kept].copy_from_slice(&x.row(row)[..kept]);
    }
    out
}
