//! The student's file: safetensors with the note's layer names, and a description in its
//! metadata. What the command writes the browser loads.

use std::collections::{BTreeMap, HashMap};

use half::f16;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use crate::arch::{Arch, ParameterShape, Precision};
use crate::codes::TrellisCode;
use crate::error::{Error, Result};
use crate::matrix::Matrix;
use crate::student::{Init, Parameters, code};

/// The metadata key under which [`StudentInfo`] stands, as JSON. One key, so that equal students
/// are equal files.
const KEY: &str = "lnsp";
/// The largest header that is read.
const MAX_HEADER: usize = 16 << 20;

/// The teacher of the bundled vectors.
pub const TEACHER: &str = "sentence-transformers/all-MiniLM-L6-v2";

/// What a student's file says about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StudentInfo {
    /// Version of this layout.
    pub format: u32,
    /// Widths, activation and variant.
    pub arch: Arch,
    /// How the matrices are stored.
    pub precision: Precision,
    /// The teacher whose vectors it compresses.
    pub teacher: String,
    /// The vectors it was trained on, by name and number.
    pub training_set: String,
    /// Where training started.
    pub init: Init,
    /// The seed of the start, the split and the order.
    pub seed: u64,
    /// Every setting of the training by its name.
    #[serde(default)]
    pub training: BTreeMap<String, serde_json::Value>,
    /// What was measured, by name.
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
}

/// Name, type, shape and bytes of a tensor in the file.
pub(super) type StoredTensor = (String, Dtype, Vec<usize>, Vec<u8>);

/// A student's parameters and its description.
#[derive(Clone, Debug, PartialEq)]
pub struct StudentFile {
    /// The description.
    pub info: StudentInfo,
    /// The parameters in f32 (as they were stored, if stored at another precision).
    pub parameters: Parameters,
    /// How its latents are stored in a few bits, if it was trained for that.
    pub code: Option<TrellisCode>,
}

impl StudentInfo {
    /// A description with nothing known but the architecture.
    pub fn new(arch: &Arch) -> Self {
        Self {
            format: 1,
            arch: arch.clone(),
            precision: Precision::F32,
            teacher: TEACHER.into(),
            training_set: "unknown".into(),
            init: Init::Random,
            seed: 0,
            training: BTreeMap::new(),
            metrics: BTreeMap::new(),
        }
    }
}

impl StudentFile {
    /// The file's bytes, with the matrices at `info.precision`.
    ///
    /// # Errors
    /// [`Error::Format`] if the description cannot be written, or f16 cannot hold a value.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let refuse = |e: &dyn std::fmt::Display| Error::format("student", e.to_string());
        let mut stored: Vec<StoredTensor> = Vec::new();
        let corrected;
        let parameters = if self.info.precision == Precision::Int8 {
            corrected = self.parameters.corrected_for_int8();
            &corrected
        } else {
            &self.parameters
        };
        for (shape, values) in parameters.iter() {
            check_range(&shape, values, self.info.precision)?;
            store(&shape, values, self.info.precision, &mut stored);
        }
        if let Some(code) = &self.code {
            stored.extend(code::tensors(code));
        }
        let views = stored
            .iter()
            .map(|(name, dtype, shape, bytes)| {
                Ok((name.as_str(), TensorView::new(*dtype, shape.clone(), bytes)?))
            })
            .collect::<std::result::Result<Vec<_>, safetensors::SafeTensorError>>()
            .map_err(|e| refuse(&e))?;
        let text = serde_json::to_string(&self.info).map_err(|e| refuse(&e))?;
        let metadata = HashMap::from([(KEY.to_string(), text)]);
        safetensors::serialize(views, Some(metadata)).map_err(|e| refuse(&e))
    }

    /// Reads a file's bytes; `name` is for messages.
    ///
    /// # Errors
    /// [`Error::Format`] if the bytes are not a whole student: not safetensors, truncated,
    /// without a description, with a missing tensor or one of another shape, or with values
    /// that are not finite.
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self> {
        let refuse = |message: String| Error::format(name, message);
        let header = bytes.get(..8).map(|b| u64::from_le_bytes(b.try_into().expect("8 bytes")));
        match header {
            None => {
                return Err(refuse(format!(
                    "{} bytes are no student; a file written by `lnsp train` is needed",
                    bytes.len()
                )));
            }
            Some(n) if n > MAX_HEADER as u64 => {
                return Err(refuse(format!(
                    "not a safetensors file (its header would be {n} bytes long)"
                )));
            }
            Some(_) => {}
        }
        let explain = |e: safetensors::SafeTensorError| {
            refuse(format!("not a whole safetensors file ({e}); copy or train it again"))
        };
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(explain)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(explain)?;
        let text = metadata.metadata().as_ref().and_then(|m| m.get(KEY)).ok_or_else(|| {
            refuse("has no description of a student; was it written by `lnsp train`?".into())
        })?;
        let info: StudentInfo = serde_json::from_str(text)
            .map_err(|e| refuse(format!("its description cannot be read: {e}")))?;
        if info.format != 1 {
            return Err(refuse(format!(
                "is of format {}, this version reads format 1; update lnsp",
                info.format
            )));
        }
        // Compared before any allocation: the description is as untrusted as the rest.
        let expected = info.arch.parameters();
        let mut values = Vec::with_capacity(expected.len());
        for shape in &expected {
            values.push(load(name, &tensors, shape)?);
        }
        let parameters = Parameters::new(&info.arch, values)?;
        let code = code::read(name, &tensors, info.arch.latent())?;
        Ok(Self { info, parameters, code })
    }
}

/// Whether `precision` can hold all values of a parameter.
fn check_range(shape: &ParameterShape, values: &Matrix, precision: Precision) -> Result<()> {
    let beyond = |v: &&f32| f16::from_f32(**v).is_infinite();
    match values.data().iter().find(beyond) {
        Some(value) if precision == Precision::F16 => Err(Error::format(
            "student",
            format!("f16 cannot hold {value} of {}; use f32 or int8", shape.name),
        )),
        _ => Ok(()),
    }
}

fn store(
    shape: &ParameterShape,
    values: &Matrix,
    precision: Precision,
    stored: &mut Vec<StoredTensor>,
) {
    let dims = if shape.matrix { vec![shape.rows, shape.cols] } else { vec![shape.cols] };
    let bytes_of = |v: &[f32]| v.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    match (precision, shape.matrix) {
        (Precision::F32, _) | (Precision::Int8, false) => {
            stored.push((shape.name.clone(), Dtype::F32, dims, bytes_of(values.data())));
        }
        (Precision::F16, _) => {
            let halves = values.data().iter().flat_map(|v| f16::from_f32(*v).to_le_bytes());
            stored.push((shape.name.clone(), Dtype::F16, dims, halves.collect()));
        }
        (Precision::Int8, true) => {
            let (integers, scales) = crate::kernels::pack::int8_rows(values);
            let bytes = bytemuck::cast_slice(&integers).to_vec();
            stored.push((shape.name.clone(), Dtype::I8, dims, bytes));
            let name = format!("{}.scale", shape.name);
            stored.push((name, Dtype::F32, vec![shape.rows], bytes_of(&scales)));
        }
    }
}

fn load(name: &str, tensors: &SafeTensors<'_>, shape: &ParameterShape) -> Result<Matrix> {
    let refuse = |message: String| Error::format(name, message);
    let missing = |tensor: &str| refuse(format!("the tensor {tensor} is missing"));
    let view = tensors.tensor(&shape.name).map_err(|_| missing(&shape.name))?;
    let dims = if shape.matrix { vec![shape.rows, shape.cols] } else { vec![shape.cols] };
    if view.shape() != dims {
        return Err(refuse(format!(
            "{} has shape {:?}, its architecture wants {dims:?}",
            shape.name,
            view.shape()
        )));
    }
    let floats = |bytes: &[u8]| -> Vec<f32> {
        bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().expect("4 bytes"))).collect()
    };
    let data = match view.dtype() {
        Dtype::F32 => floats(view.data()),
        Dtype::F16 => {
            let bits: Vec<u16> =
                view.data().chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect();
            let mut values = vec![0.0; bits.len()];
            bits.reinterpret_cast::<f16>().convert_to_f32_slice(&mut values);
            values
        }
        Dtype::I8 if shape.matrix => {
            let scale_name = format!("{}.scale", shape.name);
            let scales = tensors.tensor(&scale_name).map_err(|_| missing(&scale_name))?;
            if scales.dtype() != Dtype::F32 || scales.shape() != [shape.rows] {
                return Err(refuse(format!("{scale_name} must be {} values of f32", shape.rows)));
            }
            let scales = floats(scales.data());
            let integers: &[i8] = bytemuck::cast_slice(view.data());
            let rows = integers.chunks_exact(shape.cols).zip(scales);
            rows.flat_map(|(row, s)| row.iter().map(move |v| f32::from(*v) * s)).collect()
        }
        other => {
            return Err(refuse(format!(
                "{} is of type {other:?}, not f32, f16 or int8",
                shape.name
            )));
        }
    };
    if let Some(at) = data.iter().position(|v| !v.is_finite()) {
        return Err(refuse(format!("{} holds {} at position {at}", shape.name, data[at])));
    }
    Matrix::new(shape.rows, shape.cols, data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::Variant;
    use proptest::prelude::*;

    fn sample(precision: Precision) -> StudentFile {
        let arch: Arch = "10-7-6-7-10".parse().unwrap();
        let arch = arch.with_variant(Variant::Sn727).unwrap();
        let mut info = StudentInfo::new(&arch);
        info.precision = precision;
        info.metrics.insert("overlap@10".into(), 0.5);
        StudentFile { info, parameters: Parameters::random(&arch, 3), code: None }
    }

    #[test]
    fn survives_the_round_trip() {
        let file = sample(Precision::F32);
        let bytes = file.to_bytes().unwrap();
        assert_eq!(bytes, file.to_bytes().unwrap(), "equal students are equal files");
        assert_eq!(StudentFile::from_bytes("x", &bytes).unwrap(), file);
        for (precision, error) in [(Precision::F16, 3e-4), (Precision::Int8, 3e-3)] {
            let file = sample(precision);
            let read = StudentFile::from_bytes("x", &file.to_bytes().unwrap()).unwrap();
            for (a, b) in file.parameters.values().iter().zip(read.parameters.values()) {
                for (a, b) in a.data().iter().zip(b.data()) {
                    assert!((a - b).abs() <= error, "{precision}: {a} {b}");
                }
            }
            let again = StudentFile { code: None, ..read };
            assert_eq!(again.to_bytes().unwrap(), file.to_bytes().unwrap(), "{precision}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let bytes = sample(Precision::F32).to_bytes().unwrap();
        let message = |bytes: &[u8]| StudentFile::from_bytes("s", bytes).unwrap_err().to_string();
        assert!(message(&[]).contains("0 bytes"));
        assert!(message(&bytes[..bytes.len() - 1]).contains("not a whole"));
        assert!(message(&[255; 64]).contains("header would be"));
        let mut broken = sample(Precision::F32);
        broken.parameters.get_mut("compression.weight").unwrap().data_mut()[5] = f32::NAN;
        assert!(message(&broken.to_bytes().unwrap()).contains("compression.weight holds NaN"));
        let mut other = sample(Precision::F32);
        other.info.arch = "10-9-6-9-10".parse().unwrap();
        assert!(message(&other.to_bytes().unwrap()).contains("has shape"));
        let mut large = sample(Precision::F16);
        large.parameters.get_mut("compression.bias").unwrap().data_mut()[1] = 7e4;
        let message = large.to_bytes().unwrap_err().to_string();
        assert!(message.contains("70000 of compression.bias"), "{message}");
    }

    proptest! {
        #[test]
        fn damage_never_panics(at in 0usize..4000, value: u8, cut in 0usize..4000) {
            let mut bytes = sample(Precision::Int8).to_bytes().unwrap();
            let at = at % bytes.len();
            bytes[at] = value;
            let _ = StudentFile::from_bytes("x", &bytes);
            let _ = StudentFile::from_bytes("x", &bytes[..cut.min(bytes.len())]);
        }
    }
}
