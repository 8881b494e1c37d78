//! Tasks as `--task` names them: their files read, their texts embedded.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use anyhow::Context;
use pollster::block_on;

use super::teacher::TeacherArgs;
use super::ui::Ui;
use crate::error::{Error, Result};
use crate::experiment::tasks::{Beir, Task, TaskKind, TaskSet, TaskSpec};
use crate::matrix::Matrix;
use crate::number::count;
use crate::student::StudentFile;
use crate::teacher::sentences::SentenceEncoder;

/// Texts that are tokenized at once.
const PIECE: usize = 8192;

/// Reads the files of a task.
///
/// # Errors
/// A file that is not there; as [`Task::sts`], [`Task::retrieval`], [`Task::analogies`].
pub fn read_task(ui: &Ui, spec: &TaskSpec) -> anyhow::Result<Task> {
    ui.status(&format!("reading {spec}"));
    let (name, place) = (spec.place.as_str(), Path::new(&spec.place));
    let task = match spec.kind {
        TaskKind::Sts => open(place).and_then(|mut file| Task::sts(name, &mut file)),
        TaskKind::Analogy => open(place).and_then(|mut file| Task::analogies(name, &mut file)),
        TaskKind::Beir => retrieval(name, place),
    };
    task.with_context(|| format!("--task {spec}"))
}

fn open(path: &Path) -> Result<BufReader<File>> {
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    if file.metadata().is_ok_and(|meta| meta.is_dir()) {
        let message = "is a folder; name the file in it (only beir: takes a folder)";
        return Err(Error::format(path.display().to_string(), message));
    }
    Ok(BufReader::new(file))
}

fn retrieval(name: &str, folder: &Path) -> Result<Task> {
    let judged = ["qrels/test.tsv", "qrels.tsv"].map(|file| folder.join(file));
    let judged = judged.into_iter().find(|path| path.is_file()).ok_or_else(|| {
        let message = "holds neither qrels/test.tsv nor qrels.tsv; give a folder in the form of \
                       BEIR, with corpus.jsonl and queries.jsonl";
        Error::format(name, message)
    })?;
    let paths: [PathBuf; 3] = [folder.join("corpus.jsonl"), folder.join("queries.jsonl"), judged];
    let names = paths.each_ref().map(|path| path.display().to_string());
    let [mut corpus, mut queries, mut judgements] =
        [open(&paths[0])?, open(&paths[1])?, open(&paths[2])?];
    Task::retrieval(
        name,
        Beir {
            corpus: (&names[0], &mut corpus),
            queries: (&names[1], &mut queries),
            judgements: (&names[2], &mut judgements),
        },
    )
}

/// Embeds the texts of all `tasks` with the teacher, which is read once. Says so if it is not the
/// student's own.
///
/// # Errors
/// As [`TeacherArgs::files`], [`TeacherArgs::load`] and [`embed`].
pub fn embed_tasks(
    ui: &Ui,
    teacher: &TeacherArgs,
    student: &StudentFile,
    tasks: Vec<Task>,
) -> anyhow::Result<Vec<TaskSet>> {
    let encoder = open_teacher(ui, teacher, student)?;
    let mut sets = Vec::new();
    for task in tasks {
        let (vectors, cut) = embed(ui, &encoder, task.texts())?;
        sets.push(TaskSet { task, vectors, cut });
    }
    Ok(sets)
}

/// Finds and reads the teacher, and says so if it is not the one whose vectors the student was
/// trained on.
///
/// # Errors
/// As [`TeacherArgs::files`] and [`TeacherArgs::load`].
pub fn open_teacher(
    ui: &Ui,
    teacher: &TeacherArgs,
    student: &StudentFile,
) -> anyhow::Result<SentenceEncoder> {
    let files = teacher.files(ui)?;
    let own = &student.info.teacher;
    // Vectors in a plain file do not say who made them.
    if files.name != *own && own != "unknown" {
        ui.warn(&format!(
            "the student was trained on vectors of {own}, and texts are embedded by {}",
            files.name
        ));
    }
    teacher.load(ui, &files)
}

/// The vectors of `texts`, with progress, and how many were cut; Ctrl-C ends it.
///
/// # Errors
/// As [`SentenceEncoder::embed`].
pub fn embed<T: AsRef<str> + Sync>(
    ui: &Ui,
    encoder: &SentenceEncoder,
    texts: &[T],
) -> Result<(Matrix, u64)> {
    let (cancel, total) = (ui.cancel(), texts.len() as u64);
    let bar = ui.progress("embed", Some(total));
    let mut all = Matrix::zeros(0, encoder.teacher().width());
    let mut cut = 0;
    for piece in texts.chunks(PIECE) {
        let before = all.rows() as u64;
        let mut progress = |done: usize| {
            let done = before + done as u64;
            bar.set(done, &format!("{} of {} texts", count(done), count(total)));
            if cancel.load(Ordering::SeqCst) { Err(Error::Cancelled) } else { Ok(()) }
        };
        let embedded = block_on(encoder.embed(piece, &mut progress))?;
        all.append(&embedded.vectors)?;
        cut += embedded.cut;
    }
    Ok((all, cut))
}
