//! Who is compared: every baseline, the student's codes and its untrained start, each asked for
//! rows in the same way.

use super::eval::EvalOptions;
use super::evaluation::{Kind, SetInfo};
use super::student_codes::{StudentCode, other_code, start_codes, student_codes};
use crate::codes::{Code, Encoded, Projected, baselines};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::matrix::Matrix;
use crate::student::{Init, StudentFile};
use crate::train::{TrainConfig, start};

/// A code in a comparison.
pub(super) enum Contender {
    Baseline(Box<dyn Code>),
    Student(StudentCode),
    Start(StudentCode),
    Other(StudentCode),
}

impl Contender {
    pub fn kind(&self) -> Kind {
        match self {
            Contender::Baseline(_) => Kind::Baseline,
            Contender::Student(_) => Kind::Student,
            Contender::Start(_) => Kind::Start,
            Contender::Other(_) => Kind::Other,
        }
    }

    pub fn name(&self) -> String {
        match self {
            Contender::Baseline(code) => code.name(),
            Contender::Student(code) | Contender::Start(code) | Contender::Other(code) => {
                code.name().into()
            }
        }
    }

    pub fn bytes_per_vector(&self) -> usize {
        match self {
            Contender::Baseline(code) => code.bytes_per_vector(),
            Contender::Student(code) | Contender::Start(code) | Contender::Other(code) => {
                code.bytes_per_vector()
            }
        }
    }

    /// Whether the query keeps more precision than the stored documents.
    pub fn asymmetric(&self) -> bool {
        match self {
            Contender::Baseline(code) => code.asymmetric(),
            Contender::Student(code) | Contender::Start(code) | Contender::Other(code) => {
                code.asymmetric()
            }
        }
    }

    /// The rows with which documents are searched: those of the documents themselves unless the
    /// code is asymmetric.
    pub async fn queries(&self, vectors: &Matrix) -> Result<Matrix> {
        match self {
            Contender::Baseline(code) if code.asymmetric() => code.queries(vectors),
            Contender::Baseline(code) => code.documents(vectors),
            Contender::Student(code) | Contender::Start(code) | Contender::Other(code) => {
                code.queries(vectors).await
            }
        }
    }

    /// The rows that stored vectors stand for.
    pub async fn documents(&self, vectors: &Matrix) -> Result<Matrix> {
        match self {
            Contender::Baseline(code) => code.documents(vectors),
            Contender::Student(code) | Contender::Start(code) | Contender::Other(code) => {
                code.documents(vectors).await
            }
        }
    }

    /// The stored form of vectors.
    pub async fn pack(&self, vectors: &Matrix) -> Result<Vec<u8>> {
        match self {
            Contender::Baseline(code) => code.pack(vectors),
            Contender::Student(code) | Contender::Start(code) | Contender::Other(code) => {
                code.pack(vectors).await
            }
        }
    }

    /// All that measuring needs, each part computed once.
    pub async fn encode(&self, vectors: &Matrix) -> Result<Encoded> {
        match self {
            Contender::Baseline(code) => code.encode(vectors),
            Contender::Student(code) | Contender::Start(code) | Contender::Other(code) => {
                code.encode(vectors).await
            }
        }
    }
}

/// All of them, baselines first, and what they are compared with.
pub(super) struct Field {
    pub contenders: Vec<Contender>,
    /// Name of the teacher's own vectors.
    pub teacher: String,
    /// Name of PCA of the same latent width.
    pub pca: String,
    /// Name of the teacher in int8.
    pub int8: String,
    /// What was left out, a sentence each.
    pub notes: Vec<String>,
}

/// Fits every baseline, int8 ranges and the student's start on the vectors `fit`. The start of a
/// student that began at random is left out unless the options ask for it.
pub(super) async fn field(
    device: &Device,
    student: &StudentFile,
    fit: &Matrix,
    options: &EvalOptions,
) -> Result<Field> {
    let arch = &student.info.arch;
    // PCA of a latent wider than the vectors is PCA of all of them.
    let latent = arch.latent().min(fit.cols());
    let own = student_codes(device, student, fit).await?;
    let baselines = baselines(fit, latent, options.seed)?;
    let mut contenders: Vec<Contender> = baselines.into_iter().map(Contender::Baseline).collect();
    contenders.extend(own.into_iter().map(Contender::Student));
    for (name, other) in &options.beside {
        contenders.push(Contender::Other(other_code(device, name, other)?));
    }
    let mut notes = Vec::new();
    if options.start || student.info.init == Init::Spectral {
        match start(arch, &start_config(student), fit) {
            Ok(begun) => {
                let codes = start_codes(device, &begun, student.code.as_ref(), fit).await?;
                contenders.extend(codes.into_iter().map(Contender::Start));
            }
            Err(cause) => notes.push(format!("The untrained start was not measured: {cause}.")),
        }
    }
    let teacher = Projected::whole(fit.cols())?;
    Ok(Field {
        contenders,
        int8: teacher.int8(fit)?.name(),
        teacher: teacher.name(),
        pca: format!("PCA-{latent}, uncentred, f32"),
        notes,
    })
}

/// Vectors with what is to be said about them.
#[derive(Clone, Copy, Debug)]
pub struct VectorSet<'a> {
    /// The file, or another name.
    pub name: &'a str,
    /// n×d.
    pub vectors: &'a Matrix,
    /// Rows of the file that were left out.
    pub left_out: u64,
}

impl VectorSet<'_> {
    pub(super) fn info(&self) -> SetInfo {
        SetInfo {
            name: self.name.into(),
            rows: self.vectors.rows(),
            width: self.vectors.cols(),
            left_out: self.left_out,
        }
    }
}

/// Refuses a student whose output is no teacher's vector, and sets that it cannot take.
pub(super) fn check(
    student: &StudentFile,
    sets: &[VectorSet<'_>],
    options: &EvalOptions,
) -> Result<()> {
    let arch = &student.info.arch;
    if arch.input() != arch.output() {
        return Err(Error::invalid(
            "student",
            format!(
                "{arch} takes {} values and gives {}: its output cannot be compared with the \
                 teacher",
                arch.input(),
                arch.output()
            ),
        ));
    }
    for set in sets {
        if set.vectors.rows() == 0 {
            return Err(Error::invalid(set.name, "holds no vectors"));
        }
        if set.vectors.cols() != arch.input() {
            return Err(Error::invalid(
                set.name,
                format!(
                    "its vectors are {} wide, the student {arch} takes {}; give vectors of its \
                     teacher",
                    set.vectors.cols(),
                    arch.input()
                ),
            ));
        }
    }
    if options.resamples == 0 {
        return Err(Error::invalid("--resamples", "must be at least 1"));
    }
    Ok(())
}

/// What is needed to begin again as the student began.
fn start_config(student: &StudentFile) -> TrainConfig {
    let default = TrainConfig::default();
    let kept = student.info.training.get("validation_rows").and_then(serde_json::Value::as_u64);
    TrainConfig {
        init: student.info.init,
        seed: student.info.seed,
        validation_rows: kept.map_or(default.validation_rows, |rows| rows as usize),
        ..default
    }
}
