//! A teacher's file at a smaller precision.

use std::collections::HashMap;
use std::io::Cursor;

use safetensors::tensor::{Dtype, TensorView};

use super::file::{WeightFile, scale_name};
use super::host::Values;
use super::shape::{KEY, TeacherInfo};
use crate::arch::Precision;
use crate::error::{Error, Result};

/// The weights of a teacher's file with the matrices at `precision`, as a safetensors file whose
/// metadata says what it is. Vectors stay in f32; tensors that are not used are left out. int8 has
/// one scale a row, the largest magnitude over 127, in a tensor of its own.
///
/// # Errors
/// [`Error::Format`] if `bytes` are not the weights of a teacher, or stored at a smaller precision
/// already; `name` is for the message.
pub fn quantize(name: &str, bytes: &[u8], precision: Precision) -> Result<Vec<u8>> {
    let mut file = WeightFile::open(name, Cursor::new(bytes))?;
    if precision.bits() > file.precision().bits() {
        return Err(Error::format(
            name,
            format!(
                "is stored at {}, and {precision} brings nothing back; start from the full weights",
                file.precision()
            ),
        ));
    }
    let mut stored: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
    for (tensor, dims) in file.shape().tensors(file.types()) {
        let is_matrix = dims.len() == 2;
        let weight = file.read(&tensor, &dims)?;
        let weight = weight.at(if is_matrix { precision } else { Precision::F32 })?;
        if let Some((at, value)) = weight.not_finite() {
            let message = format!("{tensor} becomes {value} at {at} in {precision}");
            return Err(Error::format(name, message));
        }
        let (dtype, data) = match weight.values {
            Values::F32(values) => (Dtype::F32, bytemuck::cast_slice(&values).to_vec()),
            Values::F16(bits) => (Dtype::F16, bytemuck::cast_slice(&bits).to_vec()),
            Values::Int8(integers, scales) => {
                let bytes = bytemuck::cast_slice(&scales).to_vec();
                stored.push((scale_name(&tensor), Dtype::F32, vec![scales.len()], bytes));
                (Dtype::I8, bytemuck::cast_slice(&integers).to_vec())
            }
        };
        stored.push((tensor, dtype, dims, data));
    }
    let refuse = |e: &dyn std::fmt::Display| Error::format(name, e.to_string());
    let views = stored
        .iter()
        .map(|(name, dtype, dims, data)| {
            Ok((name.as_str(), TensorView::new(*dtype, dims.clone(), data)?))
        })
        .collect::<std::result::Result<Vec<_>, safetensors::SafeTensorError>>()
        .map_err(|e| refuse(&e))?;
    let info = TeacherInfo { format: 1, heads: file.shape().heads, precision };
    let text = serde_json::to_string(&info).map_err(|e| refuse(&e))?;
    let metadata = HashMap::from([(KEY.to_string(), text)]);
    safetensors::serialize(views, Some(metadata)).map_err(|e| refuse(&e))
}
