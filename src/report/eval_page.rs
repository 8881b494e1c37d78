//! The report of an evaluation: verdict, plots, tables, and what it takes to repeat it.

use serde_json::Value;

use super::eval_tables::{differences, fidelity, neighbours};
use super::heat_map::{Panel, cosine_heat_map, difference_heat_map};
use super::html::{Block, Report, Section};
use super::plot::{Axis, Curve, Mark, quality_against, training_curve};
use crate::arch::Precision;
use crate::error::Result;
use crate::experiment::{
    Comparison, CosineSample, Evaluation, Kind, Outcome, Row, STUDENT, SetInfo,
};
use crate::metrics::Interval;
use crate::number::{count, decimal, megabytes};
use crate::student::StudentInfo;
use crate::train::EpochRecord;

/// The page of an evaluation; `command` is what to type to repeat it (left out if empty).
///
/// # Errors
/// [`crate::Error::Invalid`] if a plot cannot be drawn.
pub fn eval_report(evaluation: &Evaluation, command: &str) -> Result<Report> {
    let arch = &evaluation.student.arch;
    let mut sections = vec![summary(evaluation)];
    sections.extend(bytes_section(evaluation)?);
    sections.extend(training_section(evaluation)?);
    sections.extend(cosine_section(evaluation)?);
    sections.push(tables_section(evaluation));
    sections.push(repeat_section(evaluation, command));
    Ok(Report {
        title: format!("Student {arch}"),
        lead: format!(
            "What {} bytes of latents keep of {}, measured on {} held-out vectors beside every \
             baseline.",
            count(4 * arch.latent() as u64),
            evaluation.student.teacher,
            count(evaluation.held_out.rows as u64)
        ),
        sections,
        footer: format!(
            "lnsp {}, on {}. This file is complete in itself.",
            evaluation.version, evaluation.device
        ),
    })
}

fn summary(evaluation: &Evaluation) -> Section {
    let student = evaluation.rows.iter().find(|row| row.kind == Kind::Student && plain(row));
    let mut facts = Vec::new();
    if let Some(row) = student {
        let values = [
            ("overlap@10", row.overlap(), 4),
            ("Spearman", row.spearman, 4),
            ("cosine", row.cosine, 4),
        ];
        for (name, value, digits) in values {
            facts.extend(value.map(|v| (name.to_string(), decimal(v, digits))));
        }
    }
    if let Some(pca) = &evaluation.comparisons.pca {
        let name = pca.rival.split(',').next().unwrap_or("PCA");
        facts.push((format!("{name}, overlap@10"), decimal(pca.rival_overlap, 4)));
    }
    let lost = |c: &&Comparison| c.outcome == Outcome::Worse;
    let losses: Vec<String> = evaluation
        .comparisons
        .equal_bytes
        .iter()
        .filter(lost)
        .map(|c| c.bytes.to_string())
        .collect();
    let mut section = Section::new("Verdict").with(Block::Facts(facts));
    if let Some((last, others)) = losses.split_last() {
        let sizes = match others {
            [] => last.clone(),
            _ => format!("{} and {last}", others.join(", ")),
        };
        section = section.with(Block::Text(format!(
            "At equal bytes the student loses: at {sizes} bytes a vector another code keeps more \
             neighbours."
        )));
    }
    for sentence in &evaluation.verdict {
        section = section.with(Block::Text(sentence.clone()));
    }
    for note in &evaluation.notes {
        section = section.with(Block::Text(format!("Note: {note}")));
    }
    section
}

/// Whether a row is the student with nothing reduced.
fn plain(row: &Row) -> bool {
    row.name == STUDENT
}

fn bytes_section(evaluation: &Evaluation) -> Result<Option<Section>> {
    let point = |row: &Row| mark(&row.name, row.kind, row.bytes_per_vector, row.overlap_at_10);
    let marks: Vec<Mark> = evaluation.rows.iter().filter_map(point).collect();
    if marks.is_empty() {
        return Ok(None);
    }
    let svg =
        quality_against(Axis::Bytes, "overlap@10 against bytes a vector", "overlap@10", &marks)?;
    let caption = "Higher and further left is better. Bars are 95 % intervals. Codes with fewer \
                   bytes than f32 are searched with queries in f32.";
    let mut section =
        Section::new("Quality against bytes").with(Block::Figure { svg, caption: caption.into() });
    let timed = evaluation
        .rows
        .iter()
        .filter_map(|row| Some(Mark { x: row.encode_microseconds?, ..point(row)? }));
    let timed: Vec<Mark> = timed.collect();
    if !timed.is_empty() {
        let title = "overlap@10 against the time to encode a vector";
        let svg = quality_against(Axis::Microseconds, title, "overlap@10", &timed)?;
        let caption = format!(
            "The same codes by the time that storing one of {} vectors takes on all cores, measured \
             in this run.",
            count(evaluation.held_out.rows as u64)
        );
        section = section.with(Block::Figure { svg, caption });
    }
    Ok(Some(section))
}

/// A code as a point: those that say the same as another one are left to the tables.
pub(super) fn mark(
    name: &str,
    kind: Kind,
    bytes_per_vector: usize,
    value: Option<Interval>,
) -> Option<Mark> {
    let series = match kind {
        Kind::Start => return None,
        Kind::Student if ["weights", "all int8", "output"].iter().any(|w| name.contains(w)) => {
            return None;
        }
        Kind::Student => "student",
        Kind::Other => "other student",
        Kind::Baseline if name.contains("transform") => "transform",
        Kind::Baseline if name.contains("rotated") => "rotated",
        Kind::Baseline if name.starts_with("PCA") && name.contains(", centred") => "centred",
        Kind::Baseline if name.starts_with("PCA") && name.ends_with("int8") => "PCA int8",
        Kind::Baseline if name.starts_with("PCA") => "PCA",
        Kind::Baseline if name.starts_with("teacher") => "teacher",
        Kind::Baseline => "not fitted",
    };
    let label = match series {
        "transform" => format!("transform coding, {bytes_per_vector}"),
        "student" if name == STUDENT => "student".into(),
        "PCA" | "PCA int8" | "centred" => {
            name.replace(", uncentred, f32", "").replace(", uncentred", "")
        }
        _ => name.to_string(),
    };
    let value = value?;
    Some(Mark {
        label: label.trim_end_matches(", f32").to_string(),
        series: series.into(),
        x: bytes_per_vector as f64,
        value: value.mean,
        interval: Some((value.low, value.high)),
        emphasis: series.ends_with("student"),
    })
}

fn training_section(evaluation: &Evaluation) -> Result<Option<Section>> {
    let history = evaluation.student.training.get("history").cloned().unwrap_or(Value::Null);
    // A file without a history, or with one of another version, has no curve.
    let Ok(history) = serde_json::from_value::<Vec<EpochRecord>>(history) else {
        return Ok(None);
    };
    let epochs = || history.iter().filter(|record| record.epoch > 0);
    let losses = |name: &str, of: &dyn Fn(&EpochRecord) -> f32| Curve {
        name: name.into(),
        points: epochs().map(|r| (f64::from(r.epoch), f64::from(of(r)))).collect(),
    };
    let mut section = Section::new("Training");
    if epochs().count() > 1 {
        let curves =
            [losses("total", &|r| r.losses.total), losses("1 − cosine", &|r| r.losses.alignment)];
        let svg = training_curve("Loss by epoch", "epoch", "loss", &curves)?;
        let caption = "Mean loss of each epoch: the weighted sum, and its alignment term, 1 − \
                       cosine of output and teacher.";
        section = section.with(Block::Figure { svg, caption: caption.into() });
    }
    let points: Vec<(f64, f64)> =
        history.iter().filter_map(|r| Some((f64::from(r.epoch), r.validation_overlap?))).collect();
    if points.len() > 1 {
        let curve = Curve { name: "validation".into(), points };
        let svg = training_curve("Validation by epoch", "epoch", "overlap@10", &[curve])?;
        let caption = "overlap@10 of training vectors set aside; epoch 0 is the start. Fewer \
                       vectors are neighbours here, so it cannot be compared with the held-out \
                       figures.";
        section = section.with(Block::Figure { svg, caption: caption.into() });
    }
    Ok((!section.blocks.is_empty()).then_some(section))
}

fn cosine_section(evaluation: &Evaluation) -> Result<Option<Section>> {
    let Some(sample) = evaluation.sample.as_ref().filter(|s| s.rows.len() > 1) else {
        return Ok(None);
    };
    let CosineSample { rows, teacher, latents, outputs } = sample;
    let labels: Vec<String> = rows.iter().map(|row| format!("vector {row}")).collect();
    let arch = &evaluation.student.arch;
    let before = format!("teacher, {} values", arch.input());
    let after = format!("student, {} values", arch.latent());
    let panels =
        [Panel { title: &before, cosines: teacher }, Panel { title: &after, cosines: latents }];
    let cosines = cosine_heat_map("Cosines before and after", &labels, panels)?;
    let less =
        |after: &[f32]| -> Vec<f32> { after.iter().zip(teacher).map(|(a, t)| a - t).collect() };
    let (latents, outputs) = (less(latents), less(outputs));
    let largest = latents.iter().chain(&outputs).fold(0.0f32, |m, v| m.max(v.abs()));
    // In steps of 0.005, so that the legend is exact; never zero.
    let reach = ((largest / 0.005).ceil() * 0.005).clamp(0.005, 2.0);
    let panels = [
        Panel { title: "latents less teacher", cosines: &latents },
        Panel { title: "output less teacher", cosines: &outputs },
    ];
    let gaps = difference_heat_map("Differences of cosines", &labels, panels, reach)?;
    let section = Section::new("Cosines before and after")
        .with(Block::Figure {
            svg: cosines,
            caption: format!(
                "{} held-out vectors, a few drawn with seed {}, each followed by its nearest.",
                rows.len(),
                evaluation.seed
            ),
        })
        .with(Block::Figure {
            svg: gaps,
            caption: format!(
                "What the student changes, the same vectors: at most {} here. Blue: it makes them \
                 more alike; brown: less.",
                decimal(f64::from(largest), 3)
            ),
        });
    Ok(Some(section))
}

fn tables_section(evaluation: &Evaluation) -> Section {
    let mut section = Section::new("All codes")
        .with(Block::Table(neighbours(evaluation)))
        .with(Block::Table(fidelity(evaluation)));
    if let Some(table) = differences(evaluation) {
        section = section.with(Block::Table(table));
    }
    section
}

fn repeat_section(evaluation: &Evaluation, command: &str) -> Section {
    let mut section = Section::new("How this was measured")
        .with(Block::Text(student_text(&evaluation.student)))
        .with(Block::Text(format!("Measured on: {}.", set(&evaluation.held_out))))
        .with(Block::Text(format!(
            "Baselines and int8 ranges fitted on: {}.",
            set(&evaluation.training)
        )))
        .with(Block::Text(format!(
            "Device {}, lnsp {}, seed {} for bootstrap, pairs, rotation and projection.",
            evaluation.device, evaluation.version, evaluation.seed
        )));
    if !command.is_empty() {
        section =
            section.with(Block::Text("To repeat it:".into())).with(Block::Command(command.into()));
    }
    section
}

/// What a student is and how it came about.
pub(super) fn student_text(student: &StudentInfo) -> String {
    let sizes: Vec<String> = Precision::ALL
        .into_iter()
        .map(|p| format!("{} MB in {p}", megabytes(student.arch.bytes(p))))
        .collect();
    format!(
        "Student: {} ({}, {}), {} parameters, {}; trained on {} from a {} start with seed {}.",
        student.arch,
        student.arch.variant(),
        student.arch.activation(),
        count(student.arch.parameter_count()),
        sizes.join(", "),
        student.training_set,
        student.init,
        student.seed
    )
}

fn set(info: &SetInfo) -> String {
    let left_out = match info.left_out {
        0 => String::new(),
        n => format!(", {} left out", count(n)),
    };
    format!("{}, {} vectors of {} values{left_out}", info.name, count(info.rows as u64), info.width)
}
