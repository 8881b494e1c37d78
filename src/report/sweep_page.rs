//! The report of a search: what matters, how stable it is, every run, and what it takes to repeat it.

use serde_json::Value;

use super::html::{Block, Report, Section};
use super::scale::Scale;
use super::sweep_plots::{Line, Panel, Point, parallel_coordinates, sensitivity_plot};
use super::sweep_tables::{beside_table, best_runs_table, noted, settings_table};
use crate::error::Result;
use crate::experiment::sweep::{Record, Sensitivity, Sweep, name, varying};
use crate::number::{count, decimal, signed};

/// Rows of the tables of a page.
const MOST_ROWS: usize = 300;
/// Settings that are drawn.
const MOST_AXES: usize = 9;
/// Runs that are drawn.
const MOST_LINES: usize = 1000;

/// The page of a search; `command` is what to type to repeat it (left out if empty).
///
/// # Errors
/// [`crate::Error::Invalid`] if a plot cannot be drawn.
pub fn sweep_report(sweep: &Sweep, command: &str) -> Result<Report> {
    let mut sections = vec![summary(sweep)];
    sections.extend(sensitivity_section(sweep)?);
    sections.extend(lines_section(sweep)?);
    sections.push(stability_section(sweep));
    sections.push(runs_section(sweep));
    sections.push(repeat_section(sweep, command));
    let device = sweep.runs.first().map_or("", |run| run.device.as_str());
    Ok(Report {
        title: "Search over settings".into(),
        lead: format!(
            "{} trainings on {} vectors each, scored on {} others of the training set.",
            count(sweep.runs.len() as u64),
            count(sweep.training_rows as u64),
            count(sweep.data.validation_rows as u64)
        ),
        sections,
        footer: format!("lnsp {}, on {device}. This file is complete in itself.", sweep.version),
    })
}

fn summary(sweep: &Sweep) -> Section {
    let mut section = Section::new("What came of it");
    let Some(best) = sweep.best_run().filter(|run| run.validation.is_some()) else {
        return section.with(Block::Text("Every training diverged.".into()));
    };
    let settings: Vec<_> = sweep.runs.iter().map(Record::settings).collect();
    let mut facts = vec![
        ("runs".to_string(), count(sweep.runs.len() as u64)),
        ("best score".to_string(), decimal(best.score(), 4)),
    ];
    if let Some(one) = sweep.beside_pca.last() {
        let overlap = |v: Option<f64>| decimal(v.unwrap_or(f64::NAN), 4);
        facts.push((format!("overlap@10, {}", one.vectors), overlap(one.student.overlap_at_10)));
        facts.push((format!("PCA-{}, the same", one.latent), overlap(one.pca.overlap_at_10)));
    }
    section = section.with(Block::Facts(facts)).with(Block::Text(format!(
        "The best run has {}.",
        name(&best.settings(), &varying(&settings))
    )));
    for one in sweep.beside_pca.iter().filter(|one| one.vectors == "held out") {
        let d = &one.overlap_difference;
        let verdict = match (d.low > 0.0, d.high < 0.0) {
            (true, _) => "it keeps more neighbours than PCA",
            (_, true) => "it keeps fewer neighbours than PCA",
            _ => "it is no different from PCA",
        };
        section = section.with(Block::Text(format!(
            "On {} held-out vectors {verdict}: overlap@10 {} (95 %: {} to {}).",
            count(one.rows as u64),
            signed(d.mean, 4),
            signed(d.low, 4),
            signed(d.high, 4)
        )));
    }
    section.with(Block::Text(noted(sweep)))
}

fn sensitivity_section(sweep: &Sweep) -> Result<Option<Section>> {
    let drawn: Vec<&Sensitivity> = sweep.sensitivity.iter().take(MOST_AXES).collect();
    if drawn.is_empty() {
        return Ok(None);
    }
    let panel = |one: &&Sensitivity| {
        let scale = scale_of(one);
        let point = |level: &crate::experiment::sweep::Level| {
            Some(Point {
                place: scale.at(&level.value)?,
                mean: level.score.mean,
                ends: (level.low, level.high),
                deviation: level.score.deviation,
            })
        };
        let points = one.levels.iter().filter_map(point).collect();
        Panel { name: one.name.clone(), points, scale }
    };
    let panels: Vec<Panel> = drawn.iter().map(panel).collect();
    let svg = sensitivity_plot("Score by setting", "score", &panels)?;
    let ranges: Vec<String> = drawn
        .iter()
        .map(|one| format!("{} {}", one.name.replace('_', " "), decimal(one.range, 4)))
        .collect();
    Ok(Some(
        Section::new("Which settings matter")
            .with(Block::Text(format!(
                "Mean score of the best value of each setting less that of its worst: {}. A \
                 difference that is not larger than the deviation over seeds says nothing.",
                ranges.join(", ")
            )))
            .with(Block::Figure {
                svg,
                caption: "Dots are means over all runs with that value, thick bars their standard \
                          deviation, thin ones reach from the lowest run to the highest."
                    .into(),
            }),
    ))
}

fn scale_of(one: &Sensitivity) -> Scale {
    Scale::of(&one.levels.iter().map(|level| level.value.clone()).collect::<Vec<Value>>())
}

fn lines_section(sweep: &Sweep) -> Result<Option<Section>> {
    let drawn: Vec<&Sensitivity> = sweep.sensitivity.iter().take(MOST_AXES - 1).collect();
    let scores: Vec<f64> = sweep.runs.iter().map(Record::score).collect();
    let low = scores.iter().copied().fold(f64::INFINITY, f64::min);
    let high = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if drawn.is_empty() || low >= high {
        return Ok(None);
    }
    let mut axes: Vec<(String, Scale)> =
        drawn.iter().rev().map(|one| (one.name.clone(), scale_of(one))).collect();
    let score = Scale::numbers(low, high, false);
    let every = sweep.runs.len().div_ceil(MOST_LINES).max(1);
    let line = |(i, run): (usize, &Record)| {
        let best = Some(&run.id) == sweep.best.as_ref();
        if i % every != 0 && !best {
            return None;
        }
        let fields = run.settings().fields();
        let value = |name: &String| fields.iter().find(|(other, _)| other == name).map(|(_, v)| v);
        let mut places: Vec<Option<f64>> =
            axes.iter().map(|(name, scale)| scale.at(value(name)?)).collect();
        places.push(score.at(&Value::from(run.score())));
        let strength = (run.score() - low) / (high - low);
        Some(Line { places, strength, emphasis: best })
    };
    let lines: Vec<Line> = sweep.runs.iter().enumerate().filter_map(line).collect();
    axes.push(("score".into(), score.clone()));
    let svg = parallel_coordinates("Runs through their settings", &axes, &lines)?;
    Ok(Some(
        Section::new("Every run at a glance").with(Block::Figure {
            svg,
            caption: "A line a run, the stronger the higher its score; the best run in brown. The \
                  settings that matter most stand next to the score."
                .into(),
        }),
    ))
}

fn stability_section(sweep: &Sweep) -> Section {
    Section::new("Settings and stability").with(Block::Table(settings_table(sweep, MOST_ROWS)))
}

fn runs_section(sweep: &Sweep) -> Section {
    let mut section = Section::new("Runs");
    if let Some(table) = beside_table(sweep) {
        section = section.with(Block::Table(table));
    }
    let mut table = best_runs_table(sweep);
    let left_out = table.rows.len().saturating_sub(MOST_ROWS);
    table.rows.truncate(MOST_ROWS);
    if left_out > 0 {
        table.note(format!("{left_out} more runs are in the results file."));
    }
    section.with(Block::Table(table))
}

fn repeat_section(sweep: &Sweep, command: &str) -> Section {
    let data = &sweep.data;
    let mut section = Section::new("How this was measured")
        .with(Block::Text(format!(
            "Every run trains on the same {} vectors of {} ({}) to its end and is scored on the \
             same {} set aside, drawn by seed {}: mean of overlap@10, Spearman's correlation of \
             cosines and cosine of the output, each at least 0.",
            count(sweep.training_rows as u64),
            sweep.vectors,
            data.vectors,
            count(data.validation_rows as u64),
            data.validation_seed
        )))
        .with(Block::Text(
            "The best of many runs is best partly by luck, so its score on the vectors that chose \
             it is too good. Held-out vectors are measured once, for the best run."
                .into(),
        ));
    if !command.is_empty() {
        section =
            section.with(Block::Text("To repeat it:".into())).with(Block::Command(command.into()));
    }
    section
}
