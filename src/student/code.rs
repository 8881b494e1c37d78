//! The code of a student's latents in its file: four tensors beside its parameters.

use safetensors::tensor::{Dtype, SafeTensors};

use super::file::StoredTensor;
use crate::codes::TrellisCode;
use crate::error::{Error, Result};

const MEANS: &str = "latent_code.mean";
const DEVIATIONS: &str = "latent_code.deviation";
const BITS: &str = "latent_code.bits";
const VALUES: &str = "latent_code.values";

/// The tensors of a code.
pub(super) fn tensors(code: &TrellisCode) -> [StoredTensor; 4] {
    let floats = |name: &str, shape: Vec<usize>, values: &[f32]| {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        (name.to_string(), Dtype::F32, shape, bytes)
    };
    let width = vec![code.width()];
    [
        floats(MEANS, width.clone(), code.means()),
        floats(DEVIATIONS, width.clone(), code.deviations()),
        (BITS.into(), Dtype::U8, width, code.bits().to_vec()),
        floats(VALUES, TrellisCode::TABLE.to_vec(), code.values()),
    ]
}

/// The code in a student's file, if there is one.
///
/// # Errors
/// [`Error::Format`] if a tensor of it is missing, or of another type or shape, or they do not fit
/// together.
pub(super) fn read(
    name: &str,
    tensors: &SafeTensors<'_>,
    latent: usize,
) -> Result<Option<TrellisCode>> {
    if tensors.tensor(BITS).is_err() {
        return Ok(None);
    }
    let view = |tensor: &str, dtype: Dtype, shape: &[usize]| {
        let found = tensors.tensor(tensor);
        let found = found.map_err(|_| Error::format(name, format!("{tensor} is missing")))?;
        if found.dtype() == dtype && found.shape() == shape {
            return Ok(found.data().to_vec());
        }
        Err(Error::format(
            name,
            format!(
                "{tensor} is {:?} of shape {:?}, not {dtype:?} of {shape:?}",
                found.dtype(),
                found.shape()
            ),
        ))
    };
    let floats = |tensor: &str, shape: &[usize]| -> Result<Vec<f32>> {
        let bytes = view(tensor, Dtype::F32, shape)?;
        Ok(bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect())
    };
    TrellisCode::from_parts(
        floats(MEANS, &[latent])?,
        floats(DEVIATIONS, &[latent])?,
        view(BITS, Dtype::U8, &[latent])?,
        floats(VALUES, &TrellisCode::TABLE)?,
    )
    .map(Some)
    .map_err(|cause| Error::format(name, cause.to_string()))
}
