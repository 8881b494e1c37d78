//! A student as codes: its weights and latents at several precisions, its output.

use std::rc::Rc;

use crate::arch::Precision;
use crate::codes::{Encoded, Storage, TrellisCode};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::matrix::Matrix;
use crate::student::{Parameters, Student, StudentFile};

/// Name of the row that computes in f32 and stores its latents in f32.
pub const STUDENT: &str = "student, f32";
/// Name of the row that decodes these latents and searches the teacher's space.
pub const STUDENT_OUTPUT: &str = "student output";
/// Name of the first of them before any training.
pub(super) const START: &str = "untrained start, f32";

/// A student's latents, stored in some number format, as a code.
pub struct StudentCode {
    name: String,
    student: Rc<Student>,
    storage: Storage,
    view: View,
}

/// What is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum View {
    /// The latents.
    Latents,
    /// What they decode to, in the teacher's space: searched with the teacher's own vectors
    /// where the storage loses something, else with outputs.
    Output,
}

impl StudentCode {
    /// The latents of `student` as `storage` keeps them, called `name`.
    pub fn latents(name: &str, student: Rc<Student>, storage: Storage) -> Self {
        Self { name: name.into(), student, storage, view: View::Latents }
    }

    /// The latents of `student` in the few bits of a code of its own, called `name` and by its
    /// bytes.
    pub fn coded(name: &str, student: Rc<Student>, code: &TrellisCode) -> Self {
        let name = format!("{name}, {} bytes", code.bytes());
        Self::latents(&name, student, Storage::Trellis(code.clone()))
    }

    /// What to call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Exact bytes of one stored vector.
    pub fn bytes_per_vector(&self) -> usize {
        self.storage.bytes(self.student.arch().latent())
    }

    /// Whether the query keeps more precision than the stored documents.
    pub fn asymmetric(&self) -> bool {
        self.storage.lossy()
    }

    /// The rows with which documents are searched.
    ///
    /// # Errors
    /// Vectors of another width than the student takes, and what the device reports.
    pub async fn queries(&self, vectors: &Matrix) -> Result<Matrix> {
        match self.view {
            View::Latents => latents(&self.student, vectors).await,
            View::Output if self.asymmetric() => Ok(vectors.clone()),
            View::Output => self.documents(vectors).await,
        }
    }

    /// The rows that stored vectors stand for.
    ///
    /// # Errors
    /// As [`Self::queries`].
    pub async fn documents(&self, vectors: &Matrix) -> Result<Matrix> {
        let stored = self.stored(&latents(&self.student, vectors).await?)?;
        match self.view {
            View::Latents => Ok(stored),
            View::Output => self.student.decode(&stored).await,
        }
    }

    /// The stored form of vectors.
    ///
    /// # Errors
    /// As [`Self::queries`].
    pub async fn pack(&self, vectors: &Matrix) -> Result<Vec<u8>> {
        self.storage.pack(&latents(&self.student, vectors).await?)
    }

    /// All that measuring needs, each part computed once.
    ///
    /// # Errors
    /// As [`Self::queries`].
    pub async fn encode(&self, vectors: &Matrix) -> Result<Encoded> {
        let latents = latents(&self.student, vectors).await?;
        let stored = self.stored(&latents)?;
        let output = self.student.decode(&stored).await?;
        let (queries, documents) = match self.view {
            View::Latents => (latents, stored),
            View::Output => (vectors.clone(), output.clone()),
        };
        Ok(Encoded {
            name: self.name.clone(),
            bytes_per_vector: self.bytes_per_vector(),
            asymmetric: self.asymmetric(),
            queries: self.asymmetric().then_some(queries),
            reconstruction: Some(output),
            documents,
        })
    }

    fn stored(&self, latents: &Matrix) -> Result<Matrix> {
        self.storage.unpack(&self.storage.pack(latents)?, latents.cols())
    }
}

/// All codes of a student, [`STUDENT`] first: weights in f32, f16 and int8; latents in f16, int8
/// (with ranges from the latents of `training`) and in the few bits of its own code, if it has one;
/// and its output, searched in the teacher's space.
pub(super) async fn student_codes(
    device: &Device,
    student: &StudentFile,
    training: &Matrix,
) -> Result<Vec<StudentCode>> {
    let parameters = &student.parameters;
    let mut students = Vec::new();
    for precision in [Precision::F32, Precision::F16, Precision::Int8] {
        students.push(Rc::new(Student::new(device, parameters, precision)?));
    }
    let [exact, half, byte] = [0, 1, 2].map(|i| &students[i]);
    let ranges = Storage::int8(&latents(exact, training).await?)?;
    let byte_ranges = Storage::int8(&latents(byte, training).await?)?;
    let code = |name: &str, student: &Rc<Student>, storage: &Storage, view| StudentCode {
        name: name.into(),
        student: student.clone(),
        storage: storage.clone(),
        view,
    };
    let mut all = vec![
        code(STUDENT, exact, &Storage::F32, View::Latents),
        code("student, f16 latents", exact, &Storage::F16, View::Latents),
        code("student, int8 latents", exact, &ranges, View::Latents),
        code(STUDENT_OUTPUT, exact, &Storage::F32, View::Output),
        code("student output, int8 latents", exact, &ranges, View::Output),
        code("student, f16 weights", half, &Storage::F32, View::Latents),
        code("student, int8 weights", byte, &Storage::F32, View::Latents),
        code("student, all int8", byte, &byte_ranges, View::Latents),
    ];
    if let Some(trellis) = &student.code {
        for (name, view) in [("student", View::Latents), ("student output", View::Output)] {
            all.push(StudentCode { view, ..StudentCode::coded(name, exact.clone(), trellis) });
        }
    }
    Ok(all)
}

/// Latents of another student, called `name`, in its own code, or in f32 if it has none.
pub(super) fn other_code(device: &Device, name: &str, other: &StudentFile) -> Result<StudentCode> {
    let student = Rc::new(Student::new(device, &other.parameters, Precision::F32)?);
    Ok(match &other.code {
        Some(code) => StudentCode::coded(name, student, code),
        None => StudentCode::latents(&format!("{name}, f32"), student, Storage::F32),
    })
}

/// The start, all of it in f32; and its latents in as few bits as those of the student, if that has
/// a code of its own, fitted on the start's latents of `training`.
pub(super) async fn start_codes(
    device: &Device,
    parameters: &Parameters,
    code: Option<&TrellisCode>,
    training: &Matrix,
) -> Result<Vec<StudentCode>> {
    let student = Rc::new(Student::new(device, parameters, Precision::F32)?);
    let mut all = vec![StudentCode::latents(START, student.clone(), Storage::F32)];
    if let Some(code) = code {
        let own = TrellisCode::fit(&latents(&student, training).await?, code.bytes())?;
        all.push(StudentCode::coded("untrained start", student, &own));
    }
    Ok(all)
}

async fn latents(student: &Student, vectors: &Matrix) -> Result<Matrix> {
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
