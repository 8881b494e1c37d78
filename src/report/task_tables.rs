//! Tasks as tables: every code, the student's differences, and sections of analogies.

use super::eval_tables::{differing, interval, name_cell, number, toned};
use super::table::{Cell, Column, Table};
use crate::experiment::tasks::{Measured, TaskEvaluation, TaskKind, TaskRow};
use crate::experiment::{Kind, STUDENT, STUDENT_OUTPUT};
use crate::number::{count, decimal};

/// All tables of a task. The first two fit a terminal of 80 columns.
pub fn task_tables(task: &TaskEvaluation, resamples: usize) -> Vec<Table> {
    let mut all = vec![codes(task, resamples), differences(task)];
    all.extend(sections(task));
    all
}

/// Every code with its measures and their intervals.
pub fn codes(task: &TaskEvaluation, resamples: usize) -> Table {
    let mut columns =
        vec![Column::left("code", "code"), Column::right("bytes_per_vector", "bytes")];
    for measure in task.kind.measures() {
        columns.push(Column::right(*measure, *measure));
        columns.push(Column::right(format!("{measure} interval"), "95 %"));
    }
    let mut table = Table::new(title(task), columns);
    for row in &task.rows {
        let mut cells = vec![name_of(row), Cell::count(row.bytes_per_vector as u64)];
        for measured in &row.measures {
            cells.push(number(measured.value.map(|value| value.mean), 3));
            cells.push(interval(measured.value, &|v| decimal(v, 3)));
        }
        table.row(toned(cells, row.kind));
    }
    table.note(format!(
        "{} 95 % intervals from {} bootstrap resamples of the {}.",
        task.method,
        count(resamples as u64),
        task.kind.items()
    ));
    table.note("* Only the stored documents have so few bytes; the query stays in f32.");
    table
}

/// The main measure of the student's rows less that of the teacher and of PCA.
pub fn differences(task: &TaskEvaluation) -> Table {
    let pca = task.pca.split(',').next().unwrap_or("PCA");
    let measure = task.kind.measures()[0];
    let mut table = Table::new(
        format!("The student's {measure} less that of others, in thousandths"),
        vec![
            Column::left("code", "code"),
            Column::right("to_teacher", "− teacher"),
            Column::right("to_teacher_interval", "95 %"),
            Column::right("to_pca", format!("− {pca}")),
            Column::right("to_pca_interval", "95 %"),
        ],
    );
    for row in task.rows.iter().filter(|row| matches!(row.kind, Kind::Student | Kind::Start)) {
        let Some(Measured { to_teacher, to_pca, .. }) = row.measures.first() else { continue };
        let mut cells = vec![name_of(row)];
        cells.extend(differing(*to_teacher));
        cells.extend(differing(*to_pca));
        table.row(cells);
    }
    table.note(format!(
        "On the same {}: less the teacher in f32, and less {pca} (uncentred, f32).",
        task.kind.items()
    ));
    table
}

/// Accuracy in each section of analogies for the codes that matter most; none for other tasks.
pub fn sections(task: &TaskEvaluation) -> Option<Table> {
    let find = |name: &str| task.rows.iter().find(|row| row.name == name);
    let short = task.pca.split(',').next().unwrap_or("PCA");
    let shown: Vec<(&str, &TaskRow)> =
        [("teacher", &*task.teacher), ("student", STUDENT), ("output", STUDENT_OUTPUT)]
            .into_iter()
            .chain([(short, &*task.pca)])
            .filter_map(|(title, name)| Some((title, find(name)?)))
            .collect();
    if task.sections.len() < 2 || task.kind != TaskKind::Analogy {
        return None;
    }
    let mut columns =
        vec![Column::left("section", "section"), Column::right("questions", "questions")];
    columns.extend(shown.iter().map(|(title, row)| Column::right(row.name.clone(), *title)));
    let mut table = Table::new("Right answers by section", columns);
    for (i, section) in task.sections.iter().enumerate() {
        let mut cells =
            vec![Cell::text(section.name.clone()), Cell::count(section.questions as u64)];
        cells.extend(shown.iter().map(|(_, row)| number(row.by_section.get(i).copied(), 3)));
        table.row(cells);
    }
    Some(table)
}

/// `Analogies: questions-words.txt`.
pub(super) fn title(task: &TaskEvaluation) -> String {
    let kind = match task.kind {
        TaskKind::Sts => "Similarity of pairs",
        TaskKind::Beir => "Retrieval",
        TaskKind::Analogy => "Analogies",
    };
    format!("{kind}: {}", task.name)
}

fn name_of(row: &TaskRow) -> Cell {
    name_cell(&row.name, row.bytes_per_vector, row.asymmetric)
}
