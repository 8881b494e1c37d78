//! A run of the note as tables: the note's figure, the exact one, the measured one and the verdict
//! side by side.

use super::eval_tables::{differing, interval, number};
use super::html::Statement;
use super::table::{Cell, Column, Table, Tone};
use crate::error::Result;
use crate::experiment::claims::{Finding, Standing};
use crate::experiment::note::{
    CodeQuality, EPOCH_ROWS, LARGE_ROWS, Measured, NoteRun, Quality, RowResult,
};
use crate::note::{self, Family};
use crate::number::{count, decimal, signed_percent};
use crate::sizes::{Check, Verdict};

/// Epochs of the two trainings of the note, which does not give its number: ours.
fn usual_epochs() -> f64 {
    f64::from(crate::train::TrainConfig::default().epochs)
}

/// For each family sizes, memory and time; what students keep; the other codes; what was skipped.
/// Each only where there are rows.
///
/// # Errors
/// As [`Quality::held_out_mean`].
pub fn note_tables(run: &NoteRun) -> Result<Vec<Table>> {
    let mut tables = Vec::new();
    for family in [Family::B, Family::A] {
        let rows = of_family(run, family);
        if !rows.is_empty() {
            tables.extend([
                sizes(&rows, family),
                memory(&rows, family),
                answering(&rows, family),
                learning(&rows, family),
            ]);
        }
    }
    tables.extend(quality(run)?);
    tables.extend(codes(run));
    tables.extend(skipped(run));
    Ok(tables)
}

/// The rows of one of the note's tables.
pub fn of_family(run: &NoteRun, family: Family) -> Vec<&RowResult> {
    run.rows.iter().filter(|row| row.id.family == family).collect()
}

fn name(family: Family) -> (&'static str, &'static str) {
    match family {
        Family::A => ("Family A, N→N→N/2→N→N", "N"),
        Family::B => ("Family B, 384→S→192→S→384", "S"),
    }
}

fn width(row: &RowResult) -> Cell {
    Cell::shown_as(row.id.width.to_string(), row.id.width as u64)
}

fn noted(text: &str) -> Cell {
    Cell::text(text.trim_end_matches(" MB")).tone(Tone::Muted)
}

fn says(check: Option<Check>) -> Cell {
    check.map_or_else(Cell::empty, |check| {
        let tone = if check.verdict == Verdict::Ok { Tone::Good } else { Tone::Warn };
        Cell::text(check.words()).tone(tone)
    })
}

fn or_empty<T>(value: Option<T>, cell: impl FnOnce(T) -> Cell) -> Cell {
    value.map_or_else(Cell::empty, cell)
}

/// Parameters and size: arithmetic.
pub fn sizes(rows: &[&RowResult], family: Family) -> Table {
    let (title, letter) = name(family);
    let mut table = Table::new(
        format!("{title}: parameters and size"),
        vec![
            Column::right("width", letter),
            Column::right("note_parameters", "note"),
            Column::right("parameters", "exact"),
            Column::left("parameters_verdict", "the note is"),
            Column::right("note_size_mb", "note, MB"),
            Column::right("f32", "f32, MB"),
            Column::left("size_verdict", "the note is"),
            Column::right("int8", "int8, MB"),
        ],
    );
    for row in rows {
        let size = &row.size;
        let text = |of: fn(&note::Row) -> &str| or_empty(size.note, |n| noted(of(n)));
        table.row(vec![
            width(row),
            text(|n| n.parameters.text),
            Cell::count(size.parameters),
            says(size.checks.map(|c| c.parameters)),
            text(|n| n.size_mb.text),
            Cell::megabytes(size.bytes.f32),
            says(size.checks.map(|c| c.size)),
            Cell::megabytes(size.bytes.int8),
        ]);
    }
    match family {
        Family::A => table.note(
            "The note counts four square layers, 4·N²; its layer list has 3·N² weights and the \
             biases.",
        ),
        Family::B => table.note(
            "Exact: the plain layer list, 1154·S + 576. The note's 545K fits the sn727 reading, an \
             inference (545,856 parameters).",
        ),
    };
    table
}

/// Memory in training: the note's, predicted, by the device's account, by the process.
pub fn memory(rows: &[&RowResult], family: Family) -> Table {
    let (title, letter) = name(family);
    let mut table = Table::new(
        format!("{title}: memory in training, MB"),
        vec![
            Column::right("width", letter),
            Column::right("note_ram_mb", "note"),
            Column::right("predicted_256", "exact, 256"),
            Column::right("ram_deviation", "the note is"),
            Column::right("batch", "batch"),
            Column::right("predicted_bytes", "predicted"),
            Column::right("ledger_bytes", "tensors"),
            Column::right("ledger_deviation", "off by"),
            Column::right("process_bytes", "process"),
            Column::right("process_deviation", "off by"),
        ],
    );
    for row in rows {
        let found = row.measured.as_ref();
        let off = |share: Option<f64>, most: f64| {
            or_empty(share, |share| {
                let tone = if share.abs() <= most { Tone::Good } else { Tone::Plain };
                Cell::shown_as(signed_percent(share), share).tone(tone)
            })
        };
        table.row(vec![
            width(row),
            or_empty(row.size.note, |n| noted(n.ram_mb.text)),
            Cell::megabytes(row.size.training.total),
            or_empty(row.size.checks, |c| {
                let tone = if c.memory.verdict == Verdict::Ok { Tone::Good } else { Tone::Warn };
                Cell::shown_as(signed_percent(c.memory.deviation), c.memory.deviation).tone(tone)
            }),
            or_empty(found, |m| Cell::count(m.step.batch as u64)),
            or_empty(found, |m| Cell::megabytes(m.predicted_bytes)),
            or_empty(found, |m| Cell::megabytes(m.ledger_bytes).tone(Tone::Strong)),
            off(found.map(Measured::ledger_deviation), 0.05),
            or_empty(found.and_then(|m| m.process_bytes), Cell::megabytes),
            off(found.and_then(Measured::process_deviation), 0.15),
        ]);
    }
    table.note(
        "Exact: parameters, gradients, two moments and the values of a batch of 256, counted. \
         Tensors: the most that the device's own account held in a training at the batch given, \
         beside what is predicted for it. Process: by how much the memory of a process of its own \
         grew meanwhile; below 100 MB the program itself weighs in it.",
    );
    table
}

/// Three digits or so of a number of milliseconds, or of any other unit.
pub(super) fn three_digits(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        v if v >= 0.9995 => 2,
        v if v >= 0.0995 => 3,
        _ => 4,
    };
    decimal(value, digits)
}

fn figure(value: f64) -> Cell {
    Cell::shown_as(three_digits(value), value)
}

/// Time to answer: one vector, and many together.
pub fn answering(rows: &[&RowResult], family: Family) -> Table {
    let (title, letter) = name(family);
    let measured = || rows.iter().filter_map(|row| row.measured.as_ref());
    let least = measured().map(|m| m.one.median_ms).fold(f64::INFINITY, f64::min);
    let has_ms = family == Family::B;
    let mut columns =
        vec![Column::right("width", letter), Column::left("note_speed", "the note's rating")];
    if has_ms {
        columns.push(Column::right("note_ms", "note, ms"));
    }
    columns.extend([
        Column::right("one_ms", "one vector, ms"),
        Column::right("one_spread", "p10–p90"),
        Column::right("times", "× the fastest"),
        Column::right("many_ms", "in a batch, ms"),
        Column::right("many_batch", "of"),
    ]);
    let mut table = Table::new(format!("{title}: time to answer"), columns);
    for row in rows {
        let found = row.measured.as_ref();
        let of = |f: fn(&Measured) -> f64| or_empty(found, |m| figure(f(m)));
        let mut cells = vec![width(row), or_empty(row.size.note, |n| noted(n.speed))];
        if has_ms {
            let claim = note::claim(&format!("inference-{}", row.id.width));
            cells.push(or_empty(claim.and_then(|c| c.figure), |ms| {
                Cell::shown_as(format!("~{ms}"), ms).tone(Tone::Muted)
            }));
        }
        cells.extend([
            of(|m| m.one.median_ms).tone(Tone::Strong),
            or_empty(found, |m| {
                let ends = [m.one.p10_ms, m.one.p90_ms].map(three_digits);
                Cell::text(ends.join("–")).tone(Tone::Muted)
            }),
            or_empty(found, |m| figure(m.one.median_ms / least)),
            of(|m| m.many.per_vector_ms()),
            or_empty(found, |m| Cell::count(m.many.batch as u64)),
        ]);
        table.row(cells);
    }
    table.note("In a batch: milliseconds of one of its vectors. Everything is on the device.");
    if has_ms {
        table.note(
            "The note's milliseconds are of the GPU of a MacBook M4: another device than this, \
             unless its name says so, and not to be compared.",
        );
    }
    table
}

/// Time to learn: a step, an epoch, the note's two trainings.
pub fn learning(rows: &[&RowResult], family: Family) -> Table {
    let (title, letter) = name(family);
    let columns = vec![
        Column::right("width", letter),
        Column::right("step_ms", "step, ms"),
        Column::right("step_spread", "p10–p90"),
        Column::right("step_batch", "of"),
        Column::right("epoch_s", "epoch of 20K, s"),
        Column::right("training_20k_min", "20K, min"),
        Column::right("training_220k_min", "220K, min"),
    ];
    let mut table = Table::new(format!("{title}: time to learn"), columns);
    let mut extrapolated = false;
    for row in rows {
        let found = row.measured.as_ref();
        let epoch = found.map(|m| epoch_seconds(m, row.quality.as_ref()));
        let minutes = |rows: usize| {
            or_empty(epoch, |(seconds, _)| {
                figure(usual_epochs() * seconds * rows as f64 / EPOCH_ROWS as f64 / 60.0)
            })
        };
        table.row(vec![
            width(row),
            or_empty(found, |m| figure(m.step.median_ms)).tone(Tone::Strong),
            or_empty(found, |m| {
                let ends = [m.step.p10_ms, m.step.p90_ms].map(three_digits);
                Cell::text(ends.join("–")).tone(Tone::Muted)
            }),
            or_empty(found, |m| Cell::count(m.step.batch as u64)),
            or_empty(epoch, |(seconds, whole)| {
                extrapolated |= !whole;
                let mark = if whole { "" } else { " *" };
                Cell::shown_as(format!("{}{mark}", three_digits(seconds)), seconds)
            }),
            minutes(EPOCH_ROWS),
            minutes(LARGE_ROWS),
        ]);
    }
    table.note(format!(
        "20K and 220K: minutes of {} epochs (ours; the note does not give its number) over 20,000 \
         and 220,000 vectors, extrapolated from the epoch. At S = 256 the note has 6.5 and 25 \
         minutes, which we read as these two.",
        usual_epochs()
    ));
    if extrapolated {
        table.note("* Extrapolated from the time of the steps that were timed.");
    }
    let random = |row: &&&RowResult| row.measured.as_ref().is_some_and(|m| m.synthetic);
    let widths: Vec<String> =
        rows.iter().filter(random).map(|row| row.id.width.to_string()).collect();
    if !widths.is_empty() {
        table.note(format!(
            "On random vectors, synthetic, with a spectrum like the teacher's: {letter} = {}.",
            widths.join(", ")
        ));
    }
    table
}

/// Seconds of an epoch of 20,000 vectors and whether they were measured whole: those of a training
/// that was run, else from the time of a step.
pub(super) fn epoch_seconds(measured: &Measured, quality: Option<&Quality>) -> (f64, bool) {
    match quality.filter(|q| q.training_rows == EPOCH_ROWS) {
        Some(quality) => (quality.epoch_seconds(), true),
        None => (measured.epoch_seconds(EPOCH_ROWS), measured.whole_epoch(EPOCH_ROWS)),
    }
}

/// What students keep, of what they were trained on and of what they were not.
///
/// # Errors
/// As [`Quality::held_out_mean`].
pub fn quality(run: &NoteRun) -> Result<Option<Table>> {
    let mut table = Table::new(
        "What students keep: overlap@10 of their latents",
        vec![
            Column::right("row", "row"),
            Column::right("held_out", "held out"),
            Column::right("held_out_interval", "95 %"),
            Column::right("seen", "trained on"),
            Column::right("to_pca", "− PCA, ‰"),
            Column::right("to_pca_interval", "95 %"),
            Column::right("excess", "excess, ‰"),
            Column::right("excess_interval", "95 %"),
        ],
    );
    let trained = || run.rows.iter().filter_map(|row| row.quality.as_ref());
    for found in trained() {
        let (held, seen) = (found.held_out_mean()?, found.seen_mean()?);
        let mut cells = vec![
            Cell::text(found.row.to_string()),
            number(Some(held.mean), 4).tone(Tone::Strong),
            interval(Some(held), &|v| decimal(v, 3)),
            number(Some(seen.mean), 4),
        ];
        cells.extend(differing(Some(found.to_pca()?)));
        // Here more is worse: it is learned by heart.
        let excess = found.excess()?;
        let [mean, ends] = differing(Some(excess));
        let tone = if excess.low > 0.0 { Tone::Warn } else { Tone::Plain };
        cells.extend([mean.tone(tone), ends]);
        table.row(cells);
    }
    let Some(first) = trained().next() else { return Ok(None) };
    table.note(format!(
        "{} epochs on {} vectors; held out and trained on: {} vectors each, against each other, with \
         95 % intervals. − PCA: less PCA of the same latent width, held out, in thousandths. \
         Excess: by how much the student is further ahead of PCA on vectors it was trained on than \
         on the others, what it learned by heart.",
        first.config.epochs,
        count(first.training_rows as u64),
        count(first.held_out.values().len() as u64)
    ));
    let usual = crate::train::TrainConfig::default().epochs;
    if trained().any(|found| found.config.epochs < usual) {
        table.note(format!(
            "So few epochs are a quick run's; lnsp train has {usual}, and so has lnsp note --full."
        ));
    }
    Ok(Some(table))
}

/// Every code that was measured, smallest first.
pub fn codes(run: &NoteRun) -> Option<Table> {
    let all = all_codes(run);
    if all.is_empty() {
        return None;
    }
    let mut table = Table::new(
        "Codes by bytes",
        vec![
            Column::left("code", "code"),
            Column::right("bytes_per_vector", "bytes"),
            Column::right("overlap_at_10", "overlap@10"),
            Column::right("overlap_at_10_interval", "95 %"),
            Column::right("spearman", "Spearman"),
            Column::right("encode_ms", "ms to make one"),
            Column::right("model_bytes", "model, MB"),
        ],
    );
    let mut shown = Vec::new();
    for (name, code, own) in all {
        // Of the students the best of each size.
        if own && shown.contains(&code.bytes_per_vector) {
            continue;
        }
        let tone = if own { Tone::Strong } else { Tone::Plain };
        if own {
            shown.push(code.bytes_per_vector);
        }
        let star = if code.asymmetric { "\u{a0}*" } else { "" };
        table.row(vec![
            Cell::shown_as(format!("{name}{star}"), name).tone(tone),
            Cell::count(code.bytes_per_vector as u64).tone(tone),
            Cell::decimal(code.overlap.mean, 4).tone(tone),
            interval(Some(code.overlap), &|v| decimal(v, 3)),
            number(code.spearman, 4),
            figure(code.encode_ms),
            Cell::megabytes(code.model_bytes),
        ]);
    }
    table.note(
        "* Only the stored documents have so few bytes; the query stays in f32. Of the students the \
         best of each size.",
    );
    table.note("Model: what makes the code, in memory; of a student the whole network in f32.");
    Some(table)
}

/// Baselines and students' latents by bytes, the better first among equals; whether a student's.
pub fn all_codes(run: &NoteRun) -> Vec<(String, &CodeQuality, bool)> {
    let baselines = run.baselines.iter().flat_map(|all| &all.codes);
    let mut all: Vec<_> = baselines
        .map(|code| {
            (
                code.name
                    .trim_end_matches(&format!(", {} bytes", code.bytes_per_vector))
                    .to_string(),
                code,
                false,
            )
        })
        .collect();
    for student in run.students() {
        let name = |code: &CodeQuality| format!("student {}, {}", student.row.width, code.name);
        all.extend(student.codes.iter().map(|code| (name(code), code, true)));
    }
    all.sort_by(|(_, a, _), (_, b, _)| {
        a.bytes_per_vector.cmp(&b.bytes_per_vector).then(b.overlap.mean.total_cmp(&a.overlap.mean))
    });
    all
}

pub(super) fn skipped(run: &NoteRun) -> Option<Table> {
    let mut table = Table::new(
        "Not measured",
        vec![
            Column::left("row", "row"),
            Column::right("needed", "needs MB"),
            Column::right("available", "there are MB"),
            Column::left("reason", "why"),
        ],
    );
    for skipped in run.rows.iter().filter_map(|row| row.skipped.as_ref()) {
        table.row(vec![
            Cell::text(skipped.row.to_string()),
            or_empty(skipped.needed, Cell::megabytes).tone(Tone::Warn),
            or_empty(skipped.available, Cell::megabytes),
            Cell::text(&skipped.reason),
        ]);
    }
    (!table.rows.is_empty()).then_some(table)
}

/// How a verdict is toned.
fn tone(standing: Standing) -> Tone {
    match standing {
        Standing::Holds => Tone::Good,
        Standing::Fails => Tone::Warn,
        Standing::OtherDevice | Standing::CannotCompare => Tone::Muted,
    }
}

/// Every claim with its verdict, as a page shows it.
pub fn claims(findings: &[Finding]) -> Vec<Statement> {
    let one = |found: &Finding| {
        let claim = note::claim(&found.id);
        let mut facts: Vec<String> = Vec::new();
        facts.extend(claim.and_then(|c| c.width).map(|width| format!("S = {width}")));
        let unit = &found.unit;
        facts.extend(found.note.map(|note| format!("the note: {} {unit}", short(note))));
        facts.extend(found.ours.map(|ours| format!("here: {} {unit}", short(ours))));
        facts.extend(claim.map(|c| c.reading.to_string()).filter(|reading| !reading.is_empty()));
        Statement {
            text: claim.map_or(found.id.as_str(), |claim| claim.statement).into(),
            facts: facts.join("; "),
            verdict: found.standing.words().into(),
            tone: tone(found.standing),
            why: found.words.clone(),
        }
    };
    findings.iter().map(one).collect()
}

/// A number as short as it can be.
fn short(value: f64) -> String {
    let text = three_digits(value);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text,
    }
}

/// Every claim as text for a terminal: what the note says, the verdict, what was found.
pub fn claim_lines(findings: &[Finding]) -> Vec<String> {
    let mut lines = vec![claim_summary(findings), String::new()];
    for found in findings {
        let claim = note::claim(&found.id);
        let statement = claim.map_or(found.id.as_str(), |claim| claim.statement);
        let about = claim.and_then(|c| c.width).map_or(String::new(), |w| format!(" ({w})"));
        lines.push(format!("“{statement}”{about}: {}. {}", found.standing.words(), found.words));
    }
    lines
}

/// How many claims hold, and so on.
pub fn claim_summary(findings: &[Finding]) -> String {
    let of = |standing| findings.iter().filter(|one| one.standing == standing).count();
    format!(
        "Of {} claims {} hold, {} do not, {} are about another device, {} cannot be compared.",
        findings.len(),
        of(Standing::Holds),
        of(Standing::Fails),
        of(Standing::OtherDevice),
        of(Standing::CannotCompare)
    )
}
