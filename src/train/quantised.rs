//! Latents that are stored in a few bits: the noise that stands for it while a student learns, and
//! the code that comes with the student.

use crate::arch::Precision;
use crate::codes::TrellisCode;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::matrix::Matrix;
use crate::metrics::mean;
use crate::student::{Parameters, Student};

/// Rows from which the noise is measured.
const SAMPLE: usize = 4096;

/// Bytes of `latent` values at `bits` bits each on average.
///
/// # Errors
/// [`Error::Invalid`] if they are no whole bytes, or more than eight bits a value.
pub fn code_bytes(latent: usize, bits: u32) -> Result<usize> {
    if !(1..=8).contains(&bits) {
        return Err(Error::invalid("--latent-bits", format!("{bits} is not from 1 to 8")));
    }
    let total = latent * bits as usize;
    if total.is_multiple_of(8) {
        return Ok(total / 8);
    }
    Err(Error::invalid(
        "--latent-bits",
        format!("{latent} latents of {bits} bits are {total} bits, which is no whole bytes"),
    ))
}

/// The code of the latents that `parameters` give for `data`, of `bits` bits a value on average.
///
/// # Errors
/// As [`code_bytes`] and [`TrellisCode::fit`], and what the device reports.
pub async fn latent_code(
    device: &Device,
    parameters: &Parameters,
    bits: u32,
    data: &Matrix,
) -> Result<TrellisCode> {
    let bytes = code_bytes(parameters.arch().latent(), bits)?;
    let student = Student::new(device, parameters, Precision::F32)?;
    TrellisCode::fit(&student.encode(data).await?, bytes)
}

/// Gain, offset and deviation of the noise that stands for such a code in training (`3 × latent`,
/// see [`crate::kernels::latent_noise`]), for latents as they are at the start.
///
/// # Errors
/// As [`latent_code`].
pub(crate) async fn channel(
    device: &Device,
    start: &Parameters,
    bits: u32,
    data: &Matrix,
) -> Result<Matrix> {
    let sample: Vec<usize> = (0..data.rows()).step_by(data.rows().div_ceil(SAMPLE)).collect();
    let code = latent_code(device, start, bits, &data.gather_rows(&sample)).await?;
    let (latent, left) = (code.width(), code.distortions());
    Ok(Matrix::from_fn(3, latent, |part, i| {
        let (left, mean, deviation) = (left[i] as f32, code.means()[i], code.deviations()[i]);
        match part {
            0 => 1.0 - left,
            1 => left * mean,
            _ => deviation * (left * (1.0 - left)).sqrt(),
        }
    }))
}

/// Whether `overlaps` are above those of the start, row by row, by two standard errors: of many epochs
/// one is ahead by chance. Always, where nothing is known of the start.
pub(crate) fn clearly_better(overlaps: &[f32], start: &[f32]) -> bool {
    if start.is_empty() {
        return true;
    }
    let ahead: Vec<f32> = overlaps.iter().zip(start).map(|(a, b)| a - b).collect();
    let gain = mean(&ahead);
    let squares: f64 = ahead.iter().map(|d| (f64::from(*d) - gain).powi(2)).sum();
    let rows = ahead.len() as f64;
    gain > 2.0 * (squares / rows).sqrt() / rows.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_chance_may_bring_is_not_clearly_better() {
        let start: Vec<f32> = (0..100).map(|i| 0.1 * (i % 10) as f32).collect();
        let with = |gain: &dyn Fn(usize) -> f32| -> Vec<f32> {
            start.iter().enumerate().map(|(i, s)| s + gain(i)).collect()
        };
        // Ahead by 0.02 with a deviation of 0.3: a standard error of 0.03.
        let by_chance = with(&|i| 0.02 + if i % 2 == 0 { 0.3 } else { -0.3 });
        assert!(mean(&by_chance) > mean(&start) && !clearly_better(&by_chance, &start));
        assert!(clearly_better(&with(&|i| 0.02 + if i % 2 == 0 { 0.05 } else { -0.05 }), &start));
        assert!(!clearly_better(&start, &start));
        assert!(clearly_better(&start, &[]));
    }
}
