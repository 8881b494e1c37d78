//! A student as codes: its weights and latents at several precisions, its output.

use crate::arch::Precision;
use crate::codes::{Encoded, Storage};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::matrix::Matrix;
use crate::student::{Parameters, Student};

/// Name of the row that computes in f32 and stores its latents in f32.
pub(super) const STUDENT: &str = "student, f32";
/// Name of the same row before any training.
pub(super) const START: &str = "untrained start, f32";

/// All codes of a student, [`STUDENT`] first: weights in f32, f16 and int8; latents in f16 and
/// int8, with ranges from the latents of `training`; and its output, searched in the teacher's
/// space.
pub(super) async fn student_codes(
    device: &Device,
    parameters: &Parameters,
    training: &Matrix,
    held_out: &Matrix,
) -> Result<Vec<Encoded>> {
    let exact = Student::new(device, parameters, Precision::F32)?;
    let latents = encode(&exact, held_out).await?;
    let ranges = Storage::int8(&encode(&exact, training).await?)?;
    let plain = stored(&exact, STUDENT, &latents, &Storage::F32).await?;
    let half_latents = stored(&exact, "student, f16 latents", &latents, &Storage::F16).await?;
    let byte_latents = stored(&exact, "student, int8 latents", &latents, &ranges).await?;
    let output = output("student output", &plain, None);
    let byte_output = self::output("student output, int8 latents", &byte_latents, Some(held_out));
    let mut all = vec![plain, half_latents, byte_latents, output, byte_output];
    drop(exact);

    let half = Student::new(device, parameters, Precision::F16)?;
    let latents = encode(&half, held_out).await?;
    all.push(stored(&half, "student, f16 weights", &latents, &Storage::F32).await?);
    drop(half);

    let byte = Student::new(device, parameters, Precision::Int8)?;
    let latents = encode(&byte, held_out).await?;
    all.push(stored(&byte, "student, int8 weights", &latents, &Storage::F32).await?);
    let ranges = Storage::int8(&encode(&byte, training).await?)?;
    all.push(stored(&byte, "student, all int8", &latents, &ranges).await?);
    Ok(all)
}

/// The start as one code, all of it in f32.
pub(super) async fn start_code(
    device: &Device,
    parameters: &Parameters,
    held_out: &Matrix,
) -> Result<Encoded> {
    let start = Student::new(device, parameters, Precision::F32)?;
    let latents = encode(&start, held_out).await?;
    stored(&start, START, &latents, &Storage::F32).await
}

async fn encode(student: &Student, vectors: &Matrix) -> Result<Matrix> {
    let latents = student.encode(vectors).await?;
    if let Some(at) = latents.data().iter().position(|v| !v.is_finite()) {
        return Err(Error::invalid(
            "student",
            format!(
                "with {} weights its latent of vector {} is not finite: its weights are far too \
                 large; train it again with a lower rate",
                student.precision(),
                at / latents.cols().max(1)
            ),
        ));
    }
    Ok(latents)
}

/// Latents stored as `storage`, and decoded from there; queries keep f32.
async fn stored(
    student: &Student,
    name: &str,
    latents: &Matrix,
    storage: &Storage,
) -> Result<Encoded> {
    let documents = storage.unpack(&storage.pack(latents)?, latents.cols())?;
    Ok(Encoded {
        name: name.into(),
        bytes_per_vector: storage.bytes(latents.cols()),
        asymmetric: storage.lossy(),
        queries: storage.lossy().then(|| latents.clone()),
        reconstruction: Some(student.decode(&documents).await?),
        documents,
    })
}

/// What `code` decodes to, searched in the teacher's space: with the teacher's own vectors if
/// there are `queries`, else with outputs. The latents are what is stored.
fn output(name: &str, code: &Encoded, queries: Option<&Matrix>) -> Encoded {
    let documents = code.reconstruction.clone().unwrap_or_default();
    Encoded {
        name: name.into(),
        bytes_per_vector: code.bytes_per_vector,
        asymmetric: queries.is_some(),
        queries: queries.cloned(),
        reconstruction: Some(documents.clone()),
        documents,
    }
}
