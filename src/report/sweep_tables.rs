//! A [`Sweep`] as tables: settings with their spread over seeds, runs, and the best beside PCA.

use super::table::{Cell, Column, Table, Tone};
use crate::experiment::Spread;
use crate::experiment::sweep::{Record, RunSettings, SettingSummary, Sweep, shown, varying};
use crate::number::{count, decimal, signed};

/// Settings that a terminal shows.
const SHOWN: usize = 20;

/// What a terminal shows: the best settings, and the best run beside PCA.
pub fn sweep_tables(sweep: &Sweep) -> Vec<Table> {
    let mut all = vec![settings_table(sweep, SHOWN)];
    all.extend(beside_table(sweep));
    all
}

/// The best `most` settings, with mean, standard deviation and coefficient of variation over
/// seeds.
pub fn settings_table(sweep: &Sweep, most: usize) -> Table {
    let all: Vec<RunSettings> = sweep.settings.iter().map(|s| s.settings.with_seed(0)).collect();
    let names = varying(&all);
    let seeds = sweep.settings.iter().any(|s| s.seeds.len() > 1);
    let mut columns: Vec<Column> = match names.is_empty() {
        true => vec![Column::left("arch", "student")],
        false => names.iter().map(|name| Column::right(name, name.replace('_', "\n"))).collect(),
    };
    if seeds {
        columns.push(Column::right("seeds", "seeds"));
    }
    columns.push(Column::right("score", "score"));
    if seeds {
        columns.push(Column::right("deviation", "sd"));
        columns.push(Column::right("variation", "CV"));
    }
    columns.push(Column::right("overlap_at_10", "overlap\n@10"));
    columns.push(Column::right("gap", "trained on\nless set aside"));
    let mut table = Table::new("Settings by score on the vectors set aside", columns);
    for setting in sweep.settings.iter().take(most) {
        table.row(settings_row(setting, &names, seeds));
    }
    let left_out = sweep.settings.len().saturating_sub(most);
    if left_out > 0 {
        table.note(format!("{} more settings are in the results file.", count(left_out as u64)));
    }
    let diverged: usize = sweep.settings.iter().map(|s| s.diverged).sum();
    if diverged > 0 {
        table.note(format!("{diverged} trainings diverged; they score 0."));
    }
    table.note(format!(
        "Score: mean of overlap@10, Spearman's correlation of cosines and cosine of the output, on \
         {} vectors set aside from the training set. The last column is the score on as many \
         vectors that were trained on, less it.",
        count(sweep.data.validation_rows as u64)
    ));
    if seeds {
        table.note(
            "sd: standard deviation over seeds (of a sample); CV: sd as a share of the mean.",
        );
    }
    table.note(noted(sweep));
    table
}

/// The note's score and stability beside ours.
pub fn noted(sweep: &Sweep) -> String {
    let figure = |v: Option<f64>| decimal(v.unwrap_or(f64::NAN), 3);
    format!(
        "The note has a score of {} with a CV of {}: {}.",
        figure(sweep.note.score),
        figure(sweep.note.stability),
        sweep.note.verdict
    )
}

fn settings_row(setting: &SettingSummary, names: &[String], seeds: bool) -> Vec<Cell> {
    let mut cells = match names.is_empty() {
        true => vec![Cell::text(setting.settings.arch.to_string())],
        false => fields(&setting.settings, names),
    };
    let optional =
        |v: Option<f64>, digits| v.map_or_else(Cell::empty, |v| Cell::decimal(v, digits));
    if seeds {
        cells.push(Cell::count(setting.seeds.len() as u64));
    }
    cells.push(Cell::decimal(setting.score.mean, 4).tone(Tone::Strong));
    if seeds {
        cells.push(optional(setting.score.deviation, 5));
        cells.push(optional(setting.score.variation, 5));
    }
    let mean = |spread: Option<Spread>| spread.map(|s| s.mean);
    cells.push(optional(mean(setting.overlap_at_10), 4));
    let gap = mean(setting.training_score).map(|trained| trained - setting.score.mean);
    cells.push(match gap.filter(|_| setting.diverged == 0) {
        Some(gap) => Cell::shown_as(signed(gap, 4), gap),
        None => Cell::empty(),
    });
    cells
}

fn fields(settings: &RunSettings, names: &[String]) -> Vec<Cell> {
    let fields = settings.fields();
    let cell = |name: &String| match fields.iter().find(|(other, _)| other == name) {
        Some((_, value)) => Cell::shown_as(shown(value), value.clone()),
        None => Cell::empty(),
    };
    names.iter().map(cell).collect()
}

/// Every run with every setting: what `--csv` prints.
pub fn runs_table(sweep: &Sweep) -> Table {
    let all: Vec<RunSettings> = sweep.runs.iter().map(Record::settings).collect();
    let mut names: Vec<String> = Vec::new();
    for (name, _) in all.iter().flat_map(RunSettings::fields) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    runs_with(sweep, &names, true)
}

/// Every run with the settings that vary, the best first.
pub fn best_runs_table(sweep: &Sweep) -> Table {
    let all: Vec<RunSettings> = sweep.runs.iter().map(Record::settings).collect();
    let mut sorted = sweep.clone();
    sorted.runs.sort_by(|a, b| b.score().total_cmp(&a.score()));
    runs_with(&sorted, &varying(&all), false)
}

/// `whole`: with what only machines ask for.
fn runs_with(sweep: &Sweep, names: &[String], whole: bool) -> Table {
    let mut columns = match whole {
        true => vec![Column::left("run", "run")],
        false => Vec::new(),
    };
    columns.extend(names.iter().map(|name| Column::right(name, name.replace('_', "\n"))));
    columns.extend([
        Column::right("score", "score"),
        Column::right("overlap_at_10", "overlap\n@10"),
        Column::right("spearman", "Spearman"),
        Column::right("cosine", "cosine"),
        Column::right("training_score", "trained\non"),
        Column::right("seconds", "s"),
    ]);
    if whole {
        columns.push(Column::right("final_loss", "loss"));
        columns.push(Column::right("steps", "steps"));
    }
    let mut table = Table::new("Every run", columns);
    for run in &sweep.runs {
        let part =
            |v: Option<f64>, digits| v.map_or_else(Cell::empty, |v| Cell::decimal(v, digits));
        let mut cells = match whole {
            true => vec![Cell::text(run.id.clone())],
            false => Vec::new(),
        };
        cells.extend(fields(&run.settings(), names));
        let own = Some(&run.id) == sweep.best.as_ref();
        let score = part(run.validation.map(|s| s.score), 4);
        cells.push(if own { score.tone(Tone::Strong) } else { score });
        cells.push(part(run.validation.and_then(|s| s.overlap_at_10), 4));
        cells.push(part(run.validation.and_then(|s| s.spearman), 4));
        cells.push(part(run.validation.and_then(|s| s.cosine), 4));
        cells.push(part(run.training.map(|s| s.score), 4));
        cells.push(Cell::decimal(run.seconds, 1));
        if whole {
            cells.push(part(run.final_loss, 5));
            cells.push(Cell::count(run.steps));
        }
        table.row(cells);
    }
    table
}

/// The best run and PCA, on every set that both were scored on.
pub fn beside_table(sweep: &Sweep) -> Option<Table> {
    let first = sweep.beside_pca.first()?;
    let pca = format!("PCA-{}", first.latent);
    let mut table = Table::new(
        format!("The best run beside {pca}"),
        vec![
            Column::left("vectors", "scored on"),
            Column::right("rows", "vectors"),
            Column::right("score", "score"),
            Column::right("pca_score", format!("{pca},\nscore")),
            Column::right("overlap_at_10", "overlap\n@10"),
            Column::right("pca_overlap_at_10", format!("{pca},\noverlap@10")),
            Column::right("overlap_difference", "difference (95 %)"),
        ],
    );
    for one in &sweep.beside_pca {
        let d = &one.overlap_difference;
        let overlap = |v: Option<f64>| v.map_or_else(Cell::empty, |v| Cell::decimal(v, 4));
        let interval = format!("{} to {}", signed(d.low, 4), signed(d.high, 4));
        table.row(vec![
            Cell::text(one.vectors.clone()),
            Cell::count(one.rows as u64),
            Cell::decimal(one.student.score, 4).tone(Tone::Strong),
            Cell::decimal(one.pca.score, 4),
            overlap(one.student.overlap_at_10),
            overlap(one.pca.overlap_at_10),
            Cell::shown_as(format!("{} ({interval})", signed(d.mean, 4)), d.mean),
        ]);
    }
    table.note(
        "The vectors set aside chose the best run of all, so what it scores there is too good; \
         held-out vectors were not looked at before.",
    );
    Some(table)
}
