//! Tasks in a report: a section each, and a page of their own where nothing else was measured.

use super::eval_page::{mark, student_text};
use super::html::{Block, Report, Section};
use super::plot::{Axis, Mark, quality_against};
use super::task_tables::{task_tables, title};
use crate::error::Result;
use crate::experiment::tasks::{TaskEvaluation, TaskReport, TaskRow};
use crate::number::count;

/// A section for each task: what it comes to, quality against bytes, all tables.
///
/// # Errors
/// [`crate::Error::Invalid`] if a plot cannot be drawn.
pub fn task_sections(tasks: &[TaskEvaluation], resamples: usize) -> Result<Vec<Section>> {
    tasks.iter().map(|task| section(task, resamples)).collect()
}

/// The page of an evaluation on tasks alone; `command` is what to type to repeat it (left out if
/// empty).
///
/// # Errors
/// As [`task_sections`].
pub fn task_report(report: &TaskReport, command: &str) -> Result<Report> {
    let arch = &report.student.arch;
    let mut sections = task_sections(&report.tasks, report.resamples)?;
    let training = &report.training;
    let mut last = Section::new("How this was measured")
        .with(Block::Text(student_text(&report.student)))
        .with(Block::Text(format!(
            "Baselines and int8 ranges fitted on: {}, {} vectors of {} values.",
            training.name,
            count(training.rows as u64),
            training.width
        )))
        .with(Block::Text(format!(
            "Device {}, lnsp {}, seed {} for bootstrap, rotation and projection.",
            report.device, report.version, report.seed
        )));
    if !command.is_empty() {
        last = last.with(Block::Text("To repeat it:".into())).with(Block::Command(command.into()));
    }
    sections.push(last);
    Ok(Report {
        title: format!("Student {arch} on tasks"),
        lead: format!(
            "What {} bytes of latents keep of the use of {}, beside every baseline.",
            count(4 * arch.latent() as u64),
            report.student.teacher
        ),
        sections,
        footer: format!(
            "lnsp {}, on {}. This file is complete in itself.",
            report.version, report.device
        ),
    })
}

fn section(task: &TaskEvaluation, resamples: usize) -> Result<Section> {
    let mut section = Section::new(title(task));
    for sentence in &task.verdict {
        section = section.with(Block::Text(sentence.clone()));
    }
    for note in &task.notes {
        section = section.with(Block::Text(format!("Note: {note}")));
    }
    let point = |row: &TaskRow| mark(&row.name, row.kind, row.bytes_per_vector, row.main());
    let marks: Vec<Mark> = task.rows.iter().filter_map(point).collect();
    if !marks.is_empty() {
        let measure = task.kind.measures()[0];
        let svg = quality_against(
            Axis::Bytes,
            &format!("{measure} against bytes a vector"),
            measure,
            &marks,
        )?;
        let caption = "Higher and further left is better. Bars are 95 % intervals; codes are \
                       measured on the same items, so differences are surer than the bars say.";
        section = section.with(Block::Figure { svg, caption: caption.into() });
    }
    for table in task_tables(task, resamples) {
        section = section.with(Block::Table(table));
    }
    Ok(section)
}
