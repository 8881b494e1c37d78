//! The table that needs no device, and everything there is as CSV and JSON.

use lnsp::note::Family;
use lnsp::number::{count, megabytes, metric};
use lnsp::sizes::{Check, SizeRow, Verdict};
use serde::Serialize;

use super::device::Results;
use super::settings::Settings;
use crate::page::html::{Cell, Table};
use crate::protocol::Measured;

/// The note's figures and the exact ones beside them.
pub(super) fn table(settings: &Settings) -> Table {
    Table {
        caption: format!(
            "The note's figures, the exact ones beside them; bytes in {}, training at batch {}",
            settings.precision, settings.batch
        ),
        head: vec![
            "Size",
            "Parameters, note",
            "exact",
            "the note is",
            "MB, note",
            "exact",
            "Training MB, note",
            "exact",
            "FLOPs a vector",
            "Speed, note",
        ],
        rows: settings.rows().iter().map(|row| cells(settings, row)).collect(),
    }
}

/// `A 1024` or `B 256`.
pub(super) fn label(row: &SizeRow) -> String {
    let width = row.arch.widths()[1];
    match row.family.filter(|_| row.note.is_some()) {
        Some(Family::A) => format!("A {width}"),
        Some(Family::B) => format!("B {width}"),
        None => row.architecture.clone(),
    }
}

fn cells(settings: &Settings, row: &SizeRow) -> Vec<Cell> {
    let note = |pick: fn(&lnsp::note::Row) -> &'static str| {
        Cell::new(row.note.map_or("", pick)).class("note")
    };
    let mut name = Cell::new(label(row));
    if row.note.is_some() {
        name.markup = format!("<small>{}</small>", row.architecture);
    }
    let parameters = row.checks.map(|checks| checks.parameters);
    vec![
        name,
        note(|row| row.parameters.text),
        Cell::new(count(row.parameters)),
        off(parameters),
        note(|row| row.size_mb.text.trim_end_matches(" MB")),
        Cell::new(megabytes(settings.bytes(row))),
        note(|row| row.ram_mb.text.trim_end_matches(" MB")),
        Cell::new(megabytes(row.training.total)),
        Cell::new(metric(row.flops_per_vector)),
        note(|row| row.speed),
    ]
}

fn off(check: Option<Check>) -> Cell {
    let Some(check) = check else { return Cell::default() };
    let class = if check.verdict == Verdict::Ok { "ok" } else { "off" };
    Cell::new(match check.verdict {
        Verdict::Ok => "right".into(),
        _ => lnsp::number::signed_percent(check.deviation),
    })
    .class(class)
}

/// Every row with every figure, the measured ones last.
pub(super) fn everything(settings: &Settings, results: &Results) -> Table {
    let rows = settings.all();
    let line = |row: &SizeRow| {
        let measured = results.get(&super::device::key(settings, row));
        let mut cells = vec![
            label(row),
            row.architecture.clone(),
            row.arch.variant().to_string(),
            row.note.map_or(String::new(), |note| format!("{:.0}", note.parameters.value)),
            row.parameters.to_string(),
            row.note.map_or(String::new(), |note| format!("{:.1}", note.size_mb.value)),
            row.bytes.f32.to_string(),
            row.bytes.f16.to_string(),
            row.bytes.int8.to_string(),
            row.flops_per_vector.to_string(),
            row.note.map_or(String::new(), |note| format!("{:.0}", note.ram_mb.value)),
            row.training.total.to_string(),
            settings.precision.to_string(),
            measured.map_or(String::new(), |m| m.device.clone()),
            measured
                .and_then(|m| m.cold.as_ref())
                .map_or(String::new(), |cold| format!("{:.3}", cold.total_ms())),
        ];
        for batch in super::device::BATCHES {
            let warm = measured.and_then(|m| m.warm.iter().find(|warm| warm.batch == batch));
            cells.push(warm.map_or(String::new(), |w| format!("{:.6}", w.ms_per_vector())));
            cells.push(warm.map_or(String::new(), |w| w.peak_bytes.to_string()));
        }
        cells.into_iter().map(Cell::new).collect()
    };
    Table {
        caption: String::new(),
        head: vec![
            "size",
            "architecture",
            "variant",
            "note_parameters",
            "parameters",
            "note_mb",
            "bytes_f32",
            "bytes_f16",
            "bytes_int8",
            "flops_per_vector",
            "note_training_mb",
            "training_bytes",
            "measured_precision",
            "device",
            "cold_ms",
            "ms_per_vector_1",
            "peak_bytes_1",
            "ms_per_vector_32",
            "peak_bytes_32",
            "ms_per_vector_1024",
            "peak_bytes_1024",
        ],
        rows: rows.iter().map(line).collect(),
    }
}

/// Everything as it goes into JSON.
#[derive(Serialize)]
pub(super) struct Document {
    source: &'static str,
    precision: lnsp::Precision,
    rows: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    row: SizeRow,
    measured: Option<Measured>,
}

/// Everything as it goes into JSON.
pub(super) fn document(settings: &Settings, results: &Results) -> Document {
    let line = |row: SizeRow| Line {
        measured: results.get(&super::device::key(settings, &row)).cloned(),
        row,
    };
    Document {
        source: lnsp::note::SOURCE,
        precision: settings.precision,
        rows: settings.all().into_iter().map(line).collect(),
    }
}
