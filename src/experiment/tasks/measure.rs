//! Every code on every task.

use super::results::{Measured, TaskEvaluation, TaskReport, TaskRow};
use super::{Task, TaskKind};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::experiment::contenders::{Field, VectorSet, check, field};
use crate::experiment::eval::EvalOptions;
use crate::experiment::evaluation::Outcome;
use crate::experiment::student_codes::{STUDENT, STUDENT_OUTPUT};
use crate::experiment::verdict::difference;
use crate::matrix::Matrix;
use crate::metrics::Resampled;
use crate::number::{count, decimal};
use crate::student::StudentFile;

/// A task with the teacher's vectors of its texts.
#[derive(Clone, Debug)]
pub struct TaskSet {
    /// The task.
    pub task: Task,
    /// One row for each of its texts.
    pub vectors: Matrix,
    /// Texts that were cut at the teacher's limit.
    pub cut: u64,
}

/// Measures the teacher, the student's latents and output and every baseline on `tasks`.
/// Baselines, int8 ranges and the start are fitted on `training`. `progress` is told how many
/// codes of how many are done, over all tasks, and which one is next; its error (such as
/// [`Error::Cancelled`]) ends the work.
///
/// # Errors
/// [`Error::Invalid`] if vectors are not one a text, not finite, or of another width than the
/// student takes, or without resamples; what the device reports.
pub async fn evaluate_tasks(
    device: &Device,
    student: &StudentFile,
    training: VectorSet<'_>,
    tasks: &[TaskSet],
    options: &EvalOptions,
    progress: &mut dyn FnMut(usize, usize, &str) -> Result<()>,
) -> Result<TaskReport> {
    for set in tasks {
        let of = VectorSet { name: set.task.name(), vectors: &set.vectors, left_out: 0 };
        check(student, &[training, of], options)?;
        whole(set)?;
    }
    progress(0, 0, "fitting the baselines")?;
    let field = field(device, student, training.vectors, options).await?;
    let codes = field.contenders.len();
    let mut found = Vec::new();
    for (i, set) in tasks.iter().enumerate() {
        let mut step = |done: usize, what: &str| {
            progress(i * codes + done, tasks.len() * codes, &format!("{}: {what}", set.task.name()))
        };
        found.push(measure(set, &field, options, &mut step).await?);
    }
    Ok(TaskReport {
        version: env!("CARGO_PKG_VERSION").into(),
        device: device.name(),
        student: student.info.clone(),
        training: training.info(),
        resamples: options.resamples,
        seed: options.seed,
        tasks: found,
    })
}

/// Refuses vectors that are not one a text, or not finite.
fn whole(set: &TaskSet) -> Result<()> {
    let (texts, rows) = (set.task.texts().len(), set.vectors.rows());
    if texts != rows {
        return Err(Error::invalid(
            set.task.name(),
            format!("has {texts} texts, and {rows} vectors were given"),
        ));
    }
    match set.vectors.iter_rows().position(|row| row.iter().any(|v| !v.is_finite())) {
        None => Ok(()),
        Some(row) => Err(Error::invalid(
            set.task.name(),
            format!("the teacher's vector of text {row} is not finite"),
        )),
    }
}

async fn measure(
    set: &TaskSet,
    field: &Field,
    options: &EvalOptions,
    step: &mut dyn FnMut(usize, &str) -> Result<()>,
) -> Result<TaskEvaluation> {
    let task = &set.task;
    // For each measure the values of one code after the other.
    let mut values: Vec<Vec<Vec<f32>>> = vec![Vec::new(); task.kind().measures().len()];
    for (done, code) in field.contenders.iter().enumerate() {
        step(done, &code.name())?;
        for (all, of_code) in values.iter_mut().zip(task.values(code, &set.vectors).await?) {
            all.push(of_code);
        }
    }
    step(field.contenders.len(), "confidence intervals")?;
    let mut resampled = Vec::new();
    for all in &values {
        let all: Vec<&[f32]> = all.iter().map(Vec::as_slice).collect();
        resampled.push(task.resampled(&all, options.resamples, options.seed)?);
    }
    let mut rows = rows(task, field, &resampled);
    for (row, values) in rows.iter_mut().zip(&values[0]) {
        row.by_section = task.by_section(values);
    }
    rows.sort_by(|a, b| {
        let main = |row: &TaskRow| row.main().map_or(f64::NEG_INFINITY, |interval| interval.mean);
        a.bytes_per_vector
            .cmp(&b.bytes_per_vector)
            .then(main(b).total_cmp(&main(a)))
            .then_with(|| a.name.cmp(&b.name))
    });
    let mut notes = task.notes();
    if set.cut > 0 {
        notes.push(format!(
            "{} of {} texts are longer than the teacher takes and were cut.",
            count(set.cut),
            count(task.texts().len() as u64)
        ));
    }
    Ok(TaskEvaluation {
        name: task.name().into(),
        kind: task.kind(),
        method: task.method(),
        items: task.items(),
        texts: task.texts().len(),
        cut: set.cut,
        teacher: field.teacher.clone(),
        pca: field.pca.clone(),
        sections: task.sections(),
        verdict: verdict(task.kind(), field, &rows),
        rows,
        notes: notes.into_iter().chain(field.notes.iter().cloned()).collect(),
    })
}

/// A row for each code, in the order of the field.
fn rows(task: &Task, field: &Field, resampled: &[Vec<Option<Resampled>>]) -> Vec<TaskRow> {
    let names: Vec<String> = field.contenders.iter().map(|code| code.name()).collect();
    let place = |name: &str| names.iter().position(|other| other == name);
    let (teacher, pca) = (place(&field.teacher), place(&field.pca));
    let row = |(i, code): (usize, &crate::experiment::contenders::Contender)| {
        let measured = |(measure, of): (&&str, &Vec<Option<Resampled>>)| {
            let own = of[i].as_ref();
            let less = |rival: Option<usize>| {
                let rival = of[rival.filter(|rival| *rival != i)?].as_ref()?;
                Some(own?.less(rival))
            };
            Measured {
                measure: (*measure).into(),
                value: own.map(Resampled::interval),
                to_teacher: less(teacher),
                to_pca: less(pca),
            }
        };
        TaskRow {
            name: names[i].clone(),
            kind: code.kind(),
            bytes_per_vector: code.bytes_per_vector(),
            asymmetric: code.asymmetric(),
            measures: task.kind().measures().iter().zip(resampled).map(measured).collect(),
            by_section: Vec::new(),
        }
    };
    field.contenders.iter().enumerate().map(row).collect()
}

/// The student's latents and its output beside the teacher and PCA, a sentence each.
fn verdict(kind: TaskKind, field: &Field, rows: &[TaskRow]) -> Vec<String> {
    let find = |name: &str| rows.iter().find(|row| row.name == name);
    let measure = kind.measures()[0];
    let mut said = Vec::new();
    for (subject, words, ending) in [(STUDENT, "latents", ""), (STUDENT_OUTPUT, "output", "s")] {
        let Some(measured) = find(subject).and_then(|row| row.measures.first()) else { continue };
        let Some(value) = measured.value else {
            said.push(format!(
                "By {measure} nothing can be said of the student's {words}: all their cosines are \
                 the same."
            ));
            continue;
        };
        for (rival, gap) in [(&field.teacher, measured.to_teacher), (&field.pca, measured.to_pca)] {
            let (Some(gap), Some(other)) = (gap, find(rival).and_then(TaskRow::main)) else {
                continue;
            };
            let verb = match Outcome::of(&gap) {
                Outcome::Better => format!("beat{ending}"),
                Outcome::Worse => format!("lose{ending} to"),
                Outcome::Even => "cannot be told from".into(),
            };
            said.push(format!(
                "By {measure} the student's {words} {verb} {rival}, {} against {} ({}).",
                decimal(value.mean, 3),
                decimal(other.mean, 3),
                difference(&gap)
            ));
        }
    }
    said
}
