//! What the baselines take from a training set, as a small file: whoever has it needs no training
//! vectors to compare a student with them.

use std::collections::{BTreeMap, HashMap};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::{Code, Int8Range, PcaTransform, Projected, RotatedBits, Storage, TransformBasis};
use crate::error::{Error, Result};
use crate::linalg::Pca;
use crate::linalg::product::matmul_nt;
use crate::matrix::Matrix;

/// The metadata key of the training set's name.
const KEY: &str = "lnsp_baselines";
/// The largest header that is read.
const MAX_HEADER: u64 = 1 << 20;
/// No basis is larger.
const MAX_WIDTH: usize = 8192;

/// Baselines fitted on a training set. The basis of uncentred PCA is kept in a byte a number and
/// made orthonormal again: its subspaces are turned by less than a thousandth, and everything
/// else is fitted on the basis as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// The vectors that it was fitted on, by name and number.
    pub training_set: String,
    stored: StoredBasis,
    basis: TransformBasis,
    /// Ranges of the vectors' own coordinates.
    vectors: Int8Range,
    /// Ranges of the projections on the basis.
    latents: Int8Range,
    /// Ranges of students' latents, by the student's name.
    students: BTreeMap<String, Int8Range>,
}

/// A d×d basis, a byte a number and a scale a row.
#[derive(Clone, Debug, PartialEq)]
struct StoredBasis {
    integers: Vec<i8>,
    scales: Vec<f32>,
}

impl StoredBasis {
    fn new(components: &Matrix) -> Self {
        let (integers, scales) = crate::kernels::pack::int8_rows(components);
        Self { integers, scales }
    }

    /// Gram and Schmidt's way, each row against those before it, so that the leading subspaces
    /// stay where they are. None if the rows span less than their number.
    fn orthonormal(&self) -> Option<Matrix> {
        let width = self.scales.len();
        let mut rows: Vec<Vec<f64>> = Vec::with_capacity(width);
        for (integers, scale) in self.integers.chunks_exact(width).zip(&self.scales) {
            let mut row: Vec<f64> =
                integers.iter().map(|i| f64::from(*i) * f64::from(*scale)).collect();
            let length = |row: &[f64]| row.iter().map(|v| v * v).sum::<f64>().sqrt();
            let whole = length(&row);
            for before in &rows {
                let along: f64 = row.iter().zip(before).map(|(a, b)| a * b).sum();
                row.iter_mut().zip(before).for_each(|(a, b)| *a -= along * b);
            }
            // Once is enough: rounded rows are nearly orthonormal. What is not is no basis.
            let norm = length(&row);
            if !(norm.is_finite() && norm > 0.5 * whole && whole > 0.0) {
                return None;
            }
            row.iter_mut().for_each(|v| *v /= norm);
            rows.push(row);
        }
        let data = rows.iter().flatten().map(|v| *v as f32).collect();
        Matrix::new(width, width, data).ok()
    }
}

impl Fitted {
    /// Fits everything on `train` (n×d); `name` says what it is.
    ///
    /// # Errors
    /// [`Error::Invalid`] without rows, or with values that are not finite.
    pub fn fit(name: &str, train: &Matrix) -> Result<Self> {
        let stored = StoredBasis::new(&Pca::fit(train, false)?.components);
        let components = stored.orthonormal().ok_or_else(|| {
            Error::invalid("baselines", "the vectors' components are not independent")
        })?;
        let projected = matmul_nt(train, &components);
        let pca = Pca { mean: None, variances: mean_squares(&projected), components };
        Ok(Self {
            training_set: name.into(),
            basis: TransformBasis::fit(&pca, train)?,
            vectors: Int8Range::fit(train)?,
            latents: Int8Range::fit(&projected)?,
            students: BTreeMap::new(),
            stored,
        })
    }

    /// Adds the ranges of a student's latents on the training set.
    ///
    /// # Errors
    /// [`Error::Invalid`] without rows, or with values that are not finite.
    pub fn add_student(&mut self, name: &str, latents: &Matrix) -> Result<()> {
        self.students.insert(name.into(), Int8Range::fit(latents)?);
        Ok(())
    }

    /// How the student called `name` stores its latents in a byte a value, if that is known.
    pub fn student(&self, name: &str) -> Option<Storage> {
        self.students.get(name).cloned().map(Storage::Int8)
    }

    /// Width of the vectors.
    pub fn width(&self) -> usize {
        self.stored.scales.len()
    }

    /// The baselines: the vectors in int8; PCA to `latent` values in f32 and int8; after a
    /// rotation, each number of `bits`; PCA transform coding at each number of `bytes`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for sizes that the width does not allow.
    pub fn codes(
        &self,
        latent: usize,
        bits: &[u8],
        bytes: &[usize],
        seed: u64,
    ) -> Result<Vec<Box<dyn Code>>> {
        let int8 = |range: &Int8Range| Storage::Int8(range.clone());
        let pca = Projected::pca(&self.basis.pca, latent)?;
        let range = Int8Range {
            low: self.latents.low[..latent].to_vec(),
            step: self.latents.step[..latent].to_vec(),
        };
        let mut all: Vec<Box<dyn Code>> = vec![
            Box::new(Projected::whole(self.width())?.stored_as(int8(&self.vectors))),
            Box::new(pca.stored_as(int8(&range))),
            Box::new(pca),
        ];
        if !bits.is_empty() {
            let rotated = RotatedBits::new(self.width(), 1, seed)?;
            for bits in bits {
                all.push(Box::new(rotated.with_bits(*bits)?));
            }
        }
        for bytes in bytes {
            all.push(Box::new(PcaTransform::new(&self.basis, *bytes)?));
        }
        Ok(all)
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// [`Error::Format`] if they cannot be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let refuse = |e: safetensors::SafeTensorError| Error::format("baselines", e.to_string());
        let width = self.width();
        let mut named: Vec<(String, &[f32])> = vec![
            ("scales".into(), &self.stored.scales),
            ("means".into(), &self.basis.means),
            ("deviations".into(), &self.basis.deviations),
        ];
        let ranges = [("vectors".to_string(), &self.vectors), ("latents".into(), &self.latents)];
        let students = self.students.iter().map(|(name, range)| (format!("student.{name}"), range));
        for (name, range) in ranges.into_iter().chain(students) {
            named.push((format!("{name}.low"), &range.low));
            named.push((format!("{name}.step"), &range.step));
        }
        let mut views = vec![(
            "components".to_string(),
            TensorView::new(
                Dtype::I8,
                vec![width, width],
                bytemuck::cast_slice(&self.stored.integers),
            )
            .map_err(refuse)?,
        )];
        for (name, values) in named {
            let bytes = bytemuck::cast_slice(values);
            let view = TensorView::new(Dtype::F32, vec![values.len()], bytes).map_err(refuse)?;
            views.push((name, view));
        }
        let metadata = HashMap::from([(KEY.to_string(), self.training_set.clone())]);
        safetensors::serialize(views, Some(metadata)).map_err(refuse)
    }

    /// Reads a file's bytes; `name` is for messages.
    ///
    /// # Errors
    /// [`Error::Format`] if the bytes are not a whole file of baselines.
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self> {
        let refuse = |message: String| {
            Error::format(name, format!("no whole file of baselines: {message}; make it again"))
        };
        let header = bytes.get(..8).map(|b| u64::from_le_bytes(b.try_into().expect("8 bytes")));
        if header.is_none_or(|n| n > MAX_HEADER) {
            return Err(refuse("it is no safetensors file".into()));
        }
        let explain = |e: safetensors::SafeTensorError| refuse(e.to_string());
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(explain)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(explain)?;
        let training_set = metadata.metadata().as_ref().and_then(|m| m.get(KEY)).cloned();
        let training_set = training_set.ok_or_else(|| refuse(format!("it has no {KEY}")))?;
        let components = tensors.tensor("components").map_err(explain)?;
        let width = match components.shape() {
            &[rows, columns] if rows == columns && (1..=MAX_WIDTH).contains(&rows) => rows,
            other => return Err(refuse(format!("its components are of shape {other:?}"))),
        };
        if components.dtype() != Dtype::I8 {
            return Err(refuse("its components are not int8".into()));
        }
        let values = |tensor: &str, count: Option<usize>| -> Result<Vec<f32>> {
            let view = tensors.tensor(tensor).map_err(explain)?;
            let right = view.dtype() == Dtype::F32 && view.shape().len() == 1;
            let data = view.data().chunks_exact(4);
            let data: Vec<f32> =
                data.map(|b| f32::from_le_bytes(b.try_into().expect("4 bytes"))).collect();
            let finite = data.iter().all(|v| v.is_finite());
            if !right || !finite || count.is_some_and(|count| data.len() != count) {
                return Err(refuse(format!("{tensor} has another type, shape or strange values")));
            }
            Ok(data)
        };
        let range = |of: &str, count: Option<usize>| -> Result<Int8Range> {
            let low = values(&format!("{of}.low"), count)?;
            Ok(Int8Range { step: values(&format!("{of}.step"), Some(low.len()))?, low })
        };
        let stored = StoredBasis {
            integers: bytemuck::cast_slice(components.data()).to_vec(),
            scales: values("scales", Some(width))?,
        };
        let orthonormal = stored.orthonormal();
        let components = orthonormal.ok_or_else(|| refuse("its components are no basis".into()))?;
        let (means, deviations) =
            (values("means", Some(width))?, values("deviations", Some(width))?);
        let square = |(m, s): (&f32, &f32)| f64::from(*m).powi(2) + f64::from(*s).powi(2);
        let variances = means.iter().zip(&deviations).map(square).collect();
        let mut students = BTreeMap::new();
        for tensor in tensors.names() {
            if let Some(of) = tensor.strip_suffix(".low").filter(|t| t.starts_with("student.")) {
                students.insert(of["student.".len()..].to_string(), range(of, None)?);
            }
        }
        Ok(Self {
            training_set,
            stored,
            basis: TransformBasis {
                pca: Pca { mean: None, components, variances },
                means,
                deviations,
            },
            vectors: range("vectors", Some(width))?,
            latents: range("latents", Some(width))?,
            students,
        })
    }
}

/// Mean square of each column.
fn mean_squares(rows: &Matrix) -> Vec<f64> {
    let mut sums = vec![0.0; rows.cols()];
    for row in rows.iter_rows() {
        sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += f64::from(*v).powi(2));
    }
    sums.iter_mut().for_each(|sum| *sum /= rows.rows() as f64);
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Neighbours, cosines, overlap_at_k};

    /// Unit vectors whose coordinates matter less and less, after a fixed mixing of neighbours.
    fn vectors(rows: usize, width: usize) -> Matrix {
        let mut out = Matrix::from_fn(rows, width, |r, c| {
            let noise = |k: usize| ((r * 7919 + c * 104_729 + k) as f32 * 0.618_034).sin();
            (noise(1) + 0.5 * noise(2)) / (1.0 + c as f32)
        });
        for r in 0..rows {
            let row = out.row_mut(r);
            for c in 1..row.len() {
                row[c] += 0.3 * row[c - 1];
            }
        }
        crate::linalg::unit_rows(&out)
    }

    fn mean(values: &[f32]) -> f32 {
        values.iter().sum::<f32>() / values.len() as f32
    }

    #[test]
    fn survives_the_file_and_agrees_with_the_exact_basis() {
        let (train, test) = (vectors(500, 24), vectors(90, 24));
        let mut fitted = Fitted::fit("made up, 500 vectors", &train).unwrap();
        fitted.add_student("student-7", &train).unwrap();
        let again = Fitted::from_bytes("file", &fitted.to_bytes().unwrap()).unwrap();
        assert_eq!(again.training_set, "made up, 500 vectors");
        assert_eq!(again.student("student-7"), Some(Storage::int8(&train).unwrap()));
        assert_eq!(again.student("student-8"), None);
        let components = &again.basis.pca.components;
        let gram = matmul_nt(components, components);
        let identity = |i: usize| if i.is_multiple_of(25) { 1.0 } else { 0.0 };
        assert!(gram.data().iter().enumerate().all(|(i, v)| (v - identity(i)).abs() < 1e-5));

        let exact: Box<dyn Code> =
            Box::new(Projected::pca(&Pca::fit(&train, false).unwrap(), 6).unwrap());
        let (ours, theirs) = (fitted.codes(6, &[4], &[6], 3), again.codes(6, &[4], &[6], 3));
        let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
        assert_eq!(ours.len(), 5);
        for (a, b) in ours.iter().zip(&theirs) {
            assert_eq!(a.name(), b.name());
            assert_eq!(a.pack(&test).unwrap(), b.pack(&test).unwrap(), "{}", a.name());
        }
        assert_eq!(ours[2].name(), exact.name());
        let kept = |code: &dyn Code| {
            let back = code.reconstruct(&test).unwrap().unwrap();
            mean(&cosines(&test, &back).unwrap())
        };
        assert!((kept(&*ours[2]) - kept(&*exact)).abs() < 2e-3);
        let truth = Neighbours::within(&test, &test, 5).unwrap();
        let found = |code: &dyn Code| {
            let x = code.documents(&test).unwrap();
            let found = Neighbours::within(&x, &x, 5).unwrap();
            mean(&overlap_at_k(&truth, &found, 5).unwrap())
        };
        assert!((found(&*ours[2]) - found(&*exact)).abs() < 0.05);
    }

    #[test]
    fn what_is_no_file_of_baselines_is_refused() {
        let fitted = Fitted::fit("x", &vectors(60, 9)).unwrap();
        let bytes = fitted.to_bytes().unwrap();
        for end in (0..bytes.len()).step_by(7) {
            assert!(Fitted::from_bytes("f", &bytes[..end]).is_err(), "{end}");
        }
        let other = safetensors::serialize(Vec::<(String, TensorView<'_>)>::new(), None).unwrap();
        let message = Fitted::from_bytes("f", &other).unwrap_err().to_string();
        assert!(message.contains("no lnsp_baselines"), "{message}");
        // A basis of zeros spans nothing.
        let mut flat = fitted.clone();
        flat.stored.integers.fill(0);
        let bytes = flat.to_bytes().unwrap();
        assert!(Fitted::from_bytes("f", &bytes).unwrap_err().to_string().contains("no basis"));
        let mut strange = fitted;
        strange.basis.means[3] = f32::NAN;
        let bytes = strange.to_bytes().unwrap();
        assert!(Fitted::from_bytes("f", &bytes).unwrap_err().to_string().contains("means"));
    }
}
