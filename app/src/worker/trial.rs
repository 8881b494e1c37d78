//! Trying students: the vectors at hand, the students and the baselines, side by side.

use std::collections::BTreeMap;
use std::rc::Rc;

use lnsp::arch::{Precision, TEACHER_WIDTH};
use lnsp::codes::{Code, Fitted, Storage, TRANSFORM_BYTES};
use lnsp::device::Device;
use lnsp::experiment::{Kept, Kind, Reference, StudentCode};
use lnsp::format::safetensors::halves;
use lnsp::format::{ReadOptions, open_bytes};
use lnsp::source::{BadRows, VectorSource, read_to_matrix};
use lnsp::student::{Student, StudentFile};
use lnsp::{Error, Matrix, Result};

use super::core::Core;
use super::fetch::fetch;
use super::{Reply, Task};
use crate::protocol::{
    CompareCodes, Compared, DropVectors, Dropped, Examples, LoadExamples, MOST_COMPARED,
    TRAINED_HERE, Topic, VectorSet,
};

/// Numbers of a latent of the students of family B, and of PCA beside all.
const LATENT: usize = TEACHER_WIDTH / 2;
/// Bits a coordinate of the rotated codes.
const BITS: [u8; 3] = [4, 2, 1];
/// Seed of their rotation, as in `lnsp eval`.
const SEED: u64 = 727;

/// What trying needs, each fetched when first asked for.
#[derive(Default)]
pub struct TrialRoom {
    examples: Option<(Examples, Matrix)>,
    fitted: Option<Fitted>,
    pub(super) baselines: Option<Vec<Box<dyn Code>>>,
    students: BTreeMap<String, StudentFile>,
    /// Students on the device of this generation.
    on_device: BTreeMap<String, (u32, Rc<Student>)>,
    dropped: Option<DroppedVectors>,
    pub(super) last: Option<Comparison>,
}

/// Students compared with the teacher; the baselines come after them.
pub(super) struct Comparison {
    pub(super) reference: Reference,
    pub(super) students: Vec<(StudentCode, Kept)>,
    device: String,
    /// Of the device that the students are on.
    pub(super) generation: u32,
    notes: Vec<String>,
}

impl Comparison {
    fn answer(&self, baselines: Vec<Kept>, fitted: &Fitted) -> Result<Reply> {
        let students = self.students.iter().map(|(_, kept)| kept.clone());
        let codes = students.chain(baselines).collect();
        Reply::of(&Compared {
            side_by_side: self.reference.side_by_side(codes)?,
            device: self.device.clone(),
            fitted_on: fitted.training_set.clone(),
            notes: self.notes.clone(),
        })
    }
}

/// A file of the visitor's.
struct DroppedVectors {
    name: String,
    rows: Matrix,
}

impl TrialRoom {
    /// The visitor's file.
    fn dropped(&self) -> Result<&DroppedVectors> {
        self.dropped.as_ref().ok_or_else(|| {
            Error::invalid(
                "vectors",
                "there is no file of yours here (none was chosen, or the worker was started \
                 anew): choose it under Try",
            )
        })
    }

    async fn examples(&mut self, task: &Task) -> Result<&(Examples, Matrix)> {
        if self.examples.is_none() {
            let text = fetch("./examples/examples.txt", "the examples", None, task).await?;
            let name = "./examples/examples.safetensors";
            let bytes = fetch(name, "the examples' vectors", None, task).await?;
            let vectors = halves(name, &bytes, "vectors")?;
            let examples = topics(&String::from_utf8_lossy(&text));
            let sentences: usize = examples.topics.iter().map(|t| t.sentences.len()).sum();
            if sentences != vectors.rows() {
                return Err(Error::format(
                    name,
                    format!("holds {} vectors for {sentences} sentences", vectors.rows()),
                ));
            }
            self.examples = Some((examples, vectors));
        }
        Ok(self.examples.as_ref().expect("just filled"))
    }

    async fn fitted(&mut self, task: &Task) -> Result<&Fitted> {
        if self.fitted.is_none() {
            let name = "./students/baselines.safetensors";
            let bytes = fetch(name, "the baselines", None, task).await?;
            self.fitted = Some(Fitted::from_bytes(name, &bytes)?);
        }
        Ok(self.fitted.as_ref().expect("just filled"))
    }

    async fn student(
        &mut self,
        name: &str,
        device: &Device,
        generation: u32,
        task: &Task,
    ) -> Result<Rc<Student>> {
        if let Some((made_for, student)) = self.on_device.get(name)
            && *made_for == generation
        {
            return Ok(student.clone());
        }
        if !self.students.contains_key(name) {
            if name == TRAINED_HERE {
                return Err(Error::invalid(
                    "students",
                    "none was trained here yet: train one, or leave it out",
                ));
            }
            // A name of ours, or an address.
            let address = match name.contains('/') {
                true => name.to_string(),
                false => format!("./students/{name}.safetensors"),
            };
            let bytes = fetch(&address, "the student", None, task).await?;
            self.students.insert(name.into(), StudentFile::from_bytes(&address, &bytes)?);
        }
        let parameters = &self.students[name].parameters;
        let student = Rc::new(Student::new(device, parameters, Precision::F32)?);
        self.on_device.insert(name.into(), (generation, student.clone()));
        Ok(student)
    }
}

/// Lines that begin with # name topics, the others are sentences.
fn topics(text: &str) -> Examples {
    let mut topics: Vec<Topic> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match line.strip_prefix('#') {
            Some(name) => topics.push(Topic { name: name.trim().into(), ..Topic::default() }),
            None => {
                if topics.is_empty() {
                    topics.push(Topic::default());
                }
                topics.last_mut().expect("one at least").sentences.push(line.into());
            }
        }
    }
    Examples { topics }
}

/// For each sentence the number of its topic.
fn labels(examples: &Examples) -> Vec<usize> {
    let of = |(i, topic): (usize, &Topic)| vec![i; topic.sentences.len()];
    examples.topics.iter().enumerate().flat_map(of).collect()
}

/// The usable vectors in the bytes of a file, and what was left out.
fn read(name: &str, bytes: &[u8]) -> Result<(Matrix, Option<String>)> {
    let reader = open_bytes(name, bytes, &ReadOptions::default())?;
    let mut source = VectorSource::new(reader, Some(TEACHER_WIDTH), BadRows::Skip)?;
    let rows = read_to_matrix(&mut source, None)?;
    let skipped = source.skipped();
    Ok((rows, (skipped.total() > 0).then(|| skipped.to_string())))
}

/// Answers [`LoadExamples`].
pub(super) async fn examples(core: &mut Core, _: LoadExamples, task: &Task) -> Result<Reply> {
    Reply::of(&core.trial.examples(task).await?.0)
}

/// Answers [`DropVectors`].
pub(super) fn drop_vectors(core: &mut Core, question: DropVectors, task: &Task) -> Result<Reply> {
    let DropVectors { name } = question;
    let bytes = task.buffer(0).unwrap_or_default();
    let (rows, left_out) = read(&name, &bytes)?;
    if rows.rows() < 2 {
        return Err(Error::format(name, "holds one vector; neighbours need at least two"));
    }
    let answer = Dropped { name: name.clone(), rows: rows.rows(), left_out };
    core.trial.dropped = Some(DroppedVectors { name, rows });
    Reply::of(&answer)
}

/// Answers [`crate::protocol::TakeVectors`].
pub(super) fn take_vectors(core: &mut Core) -> Result<Reply> {
    let DroppedVectors { name, rows } = core.trial.dropped()?;
    let answer = Dropped { name: name.clone(), rows: rows.rows(), left_out: None };
    Ok(Reply::of(&answer)?.with(rows.data()))
}

/// Answers [`crate::protocol::PutStudent`].
pub(super) fn put_student(core: &mut Core, task: &Task) -> Result<Reply> {
    let bytes = task.buffer(0).unwrap_or_default();
    let file = StudentFile::from_bytes("the student trained here", &bytes)?;
    core.trial.students.insert(TRAINED_HERE.into(), file);
    core.trial.on_device.remove(TRAINED_HERE);
    Reply::of(&())
}

/// The vectors of a set, and what is to be said about them.
async fn vectors(core: &mut Core, set: VectorSet, task: &Task) -> Result<(Matrix, Vec<String>)> {
    match set {
        VectorSet::Examples => Ok((core.trial.examples(task).await?.1.clone(), Vec::new())),
        VectorSet::Typed => {
            let values = task.floats(0);
            let mut all = Matrix::new(values.len() / TEACHER_WIDTH, TEACHER_WIDTH, values)?;
            all.append(&core.trial.examples(task).await?.1)?;
            Ok((all, Vec::new()))
        }
        VectorSet::Dropped => {
            let rows = &core.trial.dropped()?.rows;
            let most = rows.rows().min(MOST_COMPARED);
            let note = (most < rows.rows()).then(|| {
                format!("Compared among the first {most} of {} vectors of the file.", rows.rows())
            });
            Ok((rows.slice_rows(0, most), note.into_iter().collect()))
        }
    }
}

/// Answers [`CompareCodes`].
pub(super) async fn compare(core: &mut Core, question: CompareCodes, task: &Task) -> Result<Reply> {
    core.trial.last = None;
    let (vectors, mut notes) = vectors(core, question.set, task).await?;
    let device = core.devices.get(question.device.parse()?, TEACHER_WIDTH).await?;
    let generation = core.devices.generation();
    let mut reference = Reference::new(vectors, &question.shown)?;
    if question.set == VectorSet::Examples {
        reference = reference.labelled(labels(&core.trial.examples(task).await?.0))?;
    }
    let mut students = Vec::new();
    for name in &question.students {
        let student = core.trial.student(name, &device, generation, task).await?;
        // Of an address its file's name.
        let file = name.rsplit('/').next().unwrap_or(name);
        let shown = file.strip_suffix(".safetensors").unwrap_or(file);
        task.progress(None, &format!("{shown} on {} vectors", reference.vectors().rows()));
        let int8 = match core.trial.fitted(task).await?.student(name) {
            Some(int8) => int8,
            // A student without ranges of its own; the vectors at hand give them.
            None => {
                notes.push(format!("The int8 ranges of {shown} come from the vectors compared."));
                Storage::int8(&student.encode(reference.vectors()).await?)?
            }
        };
        let latents = |form: &str, storage| {
            StudentCode::latents(&format!("{shown}, {form} latents"), student.clone(), storage)
        };
        let mut codes = vec![latents("f32", Storage::F32), latents("int8", int8)];
        if let Some(code) = &core.trial.students[name].code {
            codes.push(StudentCode::coded(shown, student.clone(), code));
        }
        for code in codes {
            let kept = reference.kept(Kind::Student, &code.encode(reference.vectors()).await?)?;
            students.push((code, kept));
            task.check().await?;
        }
    }
    let comparison = Comparison { reference, students, device: device.name(), generation, notes };
    let reply = comparison.answer(Vec::new(), core.trial.fitted(task).await?);
    core.trial.last = Some(comparison);
    reply
}

/// Answers [`crate::protocol::CompareBaselines`].
pub(super) async fn compare_baselines(core: &mut Core, task: &Task) -> Result<Reply> {
    core.trial.fitted(task).await?;
    let TrialRoom { fitted: Some(fitted), last: Some(last), baselines, .. } = &mut core.trial
    else {
        return Err(Error::invalid("baselines", "compare the students first"));
    };
    let codes = match baselines {
        Some(codes) => codes,
        None => {
            task.progress(None, "preparing the baselines");
            task.check().await?;
            baselines.insert(fitted.codes(LATENT, &BITS, &TRANSFORM_BYTES, SEED)?)
        }
    };
    let mut kept = Vec::new();
    for code in codes.iter() {
        task.progress(None, &code.name());
        kept.push(last.reference.kept(Kind::Baseline, &code.encode(last.reference.vectors())?)?);
        task.check().await?;
    }
    last.answer(kept, fitted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_and_their_sentences() {
        let found = topics("first\n# A\none\n\n two \n#B\n# C\nthree");
        let names: Vec<_> = found.topics.iter().map(|t| (&*t.name, t.sentences.len())).collect();
        assert_eq!(names, [("", 1), ("A", 2), ("B", 0), ("C", 1)]);
        assert_eq!(labels(&found), [0, 1, 1, 3]);
    }
}
