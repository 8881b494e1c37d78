//! The phases as tables and as a page.

use super::effects::{Effect, effects};
use super::html::{Block, Report, Section};
use super::table::{Cell, Column, Table, Tone};
use crate::error::Result;
use crate::experiment::phases::{ArmSummary, Phases, SetSummary, interval};
use crate::experiment::{Outcome, Spread};
use crate::number::{count, decimal, signed};

/// What a terminal shows: alignment weights, arms, comparisons.
pub fn phases_tables(phases: &Phases) -> Vec<Table> {
    vec![alignment(phases), arms(phases), contrasts(phases)]
}

fn spread(value: Option<Spread>, digits: usize) -> [Cell; 2] {
    let deviation = value.and_then(|s| s.deviation);
    [value.map(|s| s.mean), deviation]
        .map(|v| v.map_or_else(Cell::empty, |v| Cell::decimal(v, digits)))
}

fn alignment(phases: &Phases) -> Table {
    let mut table = Table::new(
        "Phase 1: alignment weights, by the vectors set aside",
        vec![
            Column::right("alignment_weight", "alignment\nweight"),
            Column::right("score", "score"),
            Column::right("deviation", "sd"),
            Column::right("overlap_at_10", "overlap\n@10"),
            Column::right("overlap_deviation", "sd"),
        ],
    );
    for setting in &phases.alignment {
        let weight = setting.settings.config.alignment_weight;
        let cell = Cell::shown_as(weight.to_string(), f64::from(weight));
        let best = weight == phases.tuned.best;
        let mut cells = vec![if best { cell.tone(Tone::Strong) } else { cell }];
        cells.extend(spread(Some(setting.score), 4));
        cells.extend(spread(setting.overlap_at_10, 4));
        table.row(cells);
    }
    table.note(format!(
        "{} epochs, seeds {}; sd: standard deviation over seeds (of a sample). The note has a score \
         of {} with a CV of {}: {}.",
        phases.epochs,
        phases.seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", "),
        decimal(phases.note.score.unwrap_or(f64::NAN), 3),
        decimal(phases.note.stability.unwrap_or(f64::NAN), 3),
        phases.note.verdict
    ));
    table
}

fn arms(phases: &Phases) -> Table {
    let mut table = Table::new(
        format!("On {} held-out vectors", count(phases.held_out_rows as u64)),
        vec![
            Column::left("arm", "student"),
            Column::right("phase", "phase"),
            Column::right("parameters", "parameters"),
            Column::right("score", "score"),
            Column::right("overlap_at_10", "overlap\n@10"),
            Column::right("deviation", "sd"),
            Column::right("less_pca", "less PCA (95 %)"),
            Column::right("gap", "trained on\nless set aside"),
            Column::right("seconds", "s a run"),
        ],
    );
    for arm in &phases.arms {
        table.row(arm_row(arm));
    }
    let set = |set: &SetSummary| {
        format!(
            "{} ({} to train on; PCA on it: score {}, overlap@10 {})",
            set.name,
            count(set.training_rows as u64),
            decimal(set.pca.score, 4),
            decimal(set.pca.overlap_at_10.unwrap_or(f64::NAN), 4)
        )
    };
    table.note(format!("First set: {}.", set(&phases.first)));
    if let Some(larger) = &phases.larger {
        table.note(format!("Larger set: {}.", set(larger)));
    }
    table.note(
        "Learning rate and start are what suits each student, as in lnsp train. The last column \
         but one is the score on vectors that were trained on less that on as many set aside: far \
         above zero, the student learns by heart.",
    );
    table
}

fn arm_row(arm: &ArmSummary) -> Vec<Cell> {
    let label = Cell::text(arm.arm.label.clone());
    let phase = arm.arm.phase.map_or_else(Cell::empty, |phase| Cell::count(phase.into()));
    let [overlap, deviation] = spread(Some(arm.overlap_at_10), 4);
    vec![
        if arm.arm.phase.is_some() { label.tone(Tone::Strong) } else { label },
        phase,
        Cell::count(arm.parameters),
        Cell::decimal(arm.score.mean, 4),
        overlap,
        deviation,
        Cell::shown_as(interval(&arm.less_pca), arm.less_pca.mean),
        Cell::shown_as(signed(arm.gap, 4), arm.gap),
        Cell::decimal(arm.seconds.mean, 1),
    ]
}

fn contrasts(phases: &Phases) -> Table {
    let mut table = Table::new(
        "What each step brings, in overlap@10",
        vec![Column::left("question", "step"), Column::left("difference", "difference (95 %)")],
    );
    for contrast in &phases.contrasts {
        let (words, tone) = match contrast.outcome {
            Outcome::Better => ("better", Tone::Good),
            Outcome::Worse => ("worse", Tone::Warn),
            Outcome::Even => ("no different", Tone::Plain),
        };
        table.row(vec![
            Cell::text(contrast.question.clone()),
            Cell::shown_as(
                format!("{}, {words}", interval(&contrast.difference)),
                contrast.difference.mean,
            )
            .tone(tone),
        ]);
    }
    table.note(
        "Intervals from a bootstrap over held-out vectors and seeds at once, the same vectors and \
         seeds on both sides.",
    );
    table
}

fn claims(phases: &Phases) -> Table {
    let mut table = Table::new(
        "The note's claims",
        vec![
            Column::left("id", "claim"),
            Column::left("standing", "verdict"),
            Column::left("words", "what was found"),
        ],
    );
    for finding in &phases.findings {
        table.row(vec![
            Cell::text(finding.id.clone()),
            Cell::text(finding.standing.words()),
            Cell::text(finding.words.clone()),
        ]);
    }
    table
}

/// The page; `command` is what to type to repeat it (left out if empty).
///
/// # Errors
/// [`crate::Error::Invalid`] if the plot cannot be drawn.
pub fn phases_report(phases: &Phases, command: &str) -> Result<Report> {
    let effect = |contrast: &crate::experiment::phases::Contrast| Effect {
        label: contrast.question.clone(),
        difference: contrast.difference,
    };
    let rows: Vec<Effect> = phases.contrasts.iter().map(effect).collect();
    let mut verdict = Section::new("What follows");
    for sentence in &phases.recommendation {
        verdict = verdict.with(Block::Text(sentence.clone()));
    }
    let mut steps = Section::new("What each step brings");
    if !rows.is_empty() {
        let svg = effects("What each step brings", "difference in overlap@10", &rows)?;
        let caption = "Dots are means, bars 95 % intervals over held-out vectors and seeds; grey \
                       ones hold zero.";
        steps = steps.with(Block::Figure { svg, caption: caption.into() });
    }
    let mut measured = Section::new("How this was measured").with(Block::Text(format!(
        "Alignment weights are chosen by the score on {} vectors set aside from the first set. \
         Everything else is compared on {} held-out vectors that no training and no choice has \
         seen. Fingerprints: {}{}.",
        count(phases.first.data.validation_rows as u64),
        count(phases.held_out_rows as u64),
        phases.first.data.vectors,
        phases.larger.as_ref().map_or(String::new(), |set| format!(" and {}", set.data.vectors))
    )));
    if !command.is_empty() {
        measured = measured.with(Block::Command(command.into()));
    }
    Ok(Report {
        title: "The note's strategy, carried out".into(),
        lead:
            "Tune the alignment weight on a small student, then widen it: what each step brings, \
               with controls."
                .into(),
        sections: vec![
            verdict,
            Section::new("Phase 1").with(Block::Table(alignment(phases))),
            Section::new("The students").with(Block::Table(arms(phases))),
            steps.with(Block::Table(contrasts(phases))),
            Section::new("The note's claims").with(Block::Table(claims(phases))),
            measured,
        ],
        footer: format!(
            "lnsp {}, on {}. This file is complete in itself.",
            phases.version, phases.device
        ),
    })
}
