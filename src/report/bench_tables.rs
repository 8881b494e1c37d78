//! A [`BenchReport`] as tables for people, one set a device.

use super::table::{Cell, Column, Table, Tone};
use crate::experiment::bench::{BenchReport, ColdStart, InferenceRow, Timing, TrainingRow};
use crate::number::{decimal, percent, signed_percent};

/// Cold start, inference and training of each device, each only where there are rows, and what was
/// left out.
pub fn bench_tables(report: &BenchReport) -> Vec<Table> {
    let mut devices: Vec<&str> = Vec::new();
    let named = report.cold.iter().map(|r| r.device.as_str());
    let named = named.chain(report.training.iter().map(|r| r.device.as_str()));
    for name in named.chain(report.skipped.iter().map(|r| r.device.as_str())) {
        if !devices.contains(&name) {
            devices.push(name);
        }
    }
    let mut tables = Vec::new();
    for device in devices {
        let rows: Vec<_> = report.rows.iter().filter(|r| r.device == device).collect();
        if !rows.is_empty() {
            tables.push(inference(device, &rows));
        }
        let cold: Vec<_> = report.cold.iter().filter(|r| r.device == device).collect();
        if !cold.is_empty() {
            tables.push(cold_start(device, &cold));
        }
        let training: Vec<_> = report.training.iter().filter(|r| r.device == device).collect();
        if !training.is_empty() {
            tables.push(steps(device, &training));
        }
    }
    if !report.skipped.is_empty() {
        tables.push(skipped(report));
    }
    tables
}

fn inference(device: &str, rows: &[&InferenceRow]) -> Table {
    let mut columns = vec![
        Column::left("architecture", "network"),
        Column::left("precision", "weights"),
        Column::right("batch", "vectors"),
        Column::right("median_us", "median"),
        Column::right("spread", "p10–p90"),
        Column::right("vectors_per_second", "vectors/s"),
        Column::right("gflops", "GFLOP/s"),
    ];
    let any = |f: fn(&InferenceRow) -> bool| rows.iter().any(|r| f(r));
    let (share, gpu) = (any(|r| r.peak_share.is_some()), any(|r| r.gpu_us.is_some()));
    let (transfer, note) = (any(|r| r.with_transfer.is_some()), any(|r| r.note.is_some()));
    let optional = [
        (share, Column::right("peak_share", "of peak")),
        (gpu, Column::right("gpu_us", "GPU clock")),
        (transfer, Column::right("with_transfer", "to and fro")),
        (true, Column::right("peak_device_bytes", "MB")),
        (note, Column::right("note", "note")),
    ];
    columns.extend(optional.into_iter().filter(|(there, _)| *there).map(|(_, c)| c));
    let mut table = Table::new(format!("Inference on {device}, warm"), columns);
    for row in rows {
        let mut cells = vec![
            Cell::text(&row.architecture),
            Cell::text(row.precision.to_string()),
            Cell::count(row.batch as u64),
            time(row.timing.median_us).tone(Tone::Strong),
            spread(&row.timing),
            Cell::shown_as(decimal(row.vectors_per_second, 0), row.vectors_per_second),
            Cell::decimal(row.gflops, 1),
        ];
        let or_empty = |cell: Option<Cell>| cell.unwrap_or_else(Cell::empty);
        let more = [
            (share, or_empty(row.peak_share.map(|s| Cell::shown_as(percent(s), s)))),
            (gpu, or_empty(row.gpu_us.map(time))),
            (transfer, or_empty(row.with_transfer.map(|t| time(t.median_us)))),
            (true, Cell::megabytes(row.peak_device_bytes)),
            (note, or_empty(row.note.map(|n| time(1e3 * n.note_ms).tone(Tone::Muted)))),
        ];
        cells.extend(more.into_iter().filter(|(there, _)| *there).map(|(_, cell)| cell));
        table.row(cells);
    }
    table.note(
        "Times are of the whole batch, which lies on the device and whose answers stay there. \
         MB are what tensors hold at most, packing the weights included.",
    );
    if let Some(note) = rows.iter().find_map(|r| r.note) {
        let verdict = if rows.iter().any(|r| r.note.is_some_and(|n| n.verdict == "other device")) {
            "another device than this: the two are not to be compared"
        } else {
            "this kind of machine"
        };
        table.note(format!("The note's figures are from a {}, {verdict}.", note.place));
    }
    table
}

fn cold_start(device: &str, rows: &[&ColdStart]) -> Table {
    let mut table = Table::new(
        format!("Cold start on {device}, ms"),
        vec![
            Column::left("architecture", "network"),
            Column::left("precision", "weights"),
            Column::right("weights_ms", "made"),
            Column::right("open_ms", "device opened"),
            Column::right("upload_ms", "brought there"),
            Column::right("first_vector_ms", "first vector"),
            Column::right("total_ms", "in all"),
        ],
    );
    for row in rows {
        table.row(vec![
            Cell::text(&row.architecture),
            Cell::text(row.precision.to_string()),
            Cell::decimal(row.weights_ms, 2),
            Cell::decimal(row.open_ms, 2),
            Cell::decimal(row.upload_ms, 2),
            Cell::decimal(row.first_vector_ms, 2),
            Cell::decimal(row.total_ms, 2).tone(Tone::Strong),
        ]);
    }
    if rows.iter().any(|r| r.open_ms > 1.0) {
        table.note("The driver may have kept compiled shaders from earlier runs.");
    }
    table
}

fn steps(device: &str, rows: &[&TrainingRow]) -> Table {
    let mut table = Table::new(
        format!("Training step on {device}, warm"),
        vec![
            Column::left("architecture", "network"),
            Column::right("batch", "vectors"),
            Column::right("median_ms", "median"),
            Column::right("spread", "p10–p90"),
            Column::right("vectors_per_second", "vectors/s"),
            Column::right("peak_device_bytes", "MB"),
            Column::right("predicted_bytes", "predicted"),
            Column::right("deviation", "off by"),
            Column::right("note_ram_mb", "note MB"),
        ],
    );
    for row in rows {
        let off = row.peak_device_bytes as f64 / row.predicted_bytes as f64 - 1.0;
        let timing = Timing {
            median_us: 1e3 * row.median_ms,
            p10_us: 1e3 * row.p10_ms,
            p90_us: 1e3 * row.p90_ms,
            samples: row.samples,
            calls_per_sample: row.steps_per_sample,
        };
        table.row(vec![
            Cell::text(&row.architecture),
            Cell::count(row.batch as u64),
            time(timing.median_us).tone(Tone::Strong),
            spread(&timing),
            Cell::shown_as(decimal(row.vectors_per_second, 0), row.vectors_per_second),
            Cell::megabytes(row.peak_device_bytes),
            Cell::megabytes(row.predicted_bytes),
            Cell::shown_as(signed_percent(off), off),
            row.note_ram_mb.map_or_else(Cell::empty, |mb| Cell::decimal(mb, 0).tone(Tone::Muted)),
        ]);
    }
    table.note(
        "Forward, the default losses, backward, clipping and AdamW. MB are what tensors hold at \
         most, beside what the list of layers predicts; the data set is left out of both.",
    );
    table
}

fn skipped(report: &BenchReport) -> Table {
    let mut table = Table::new(
        "Not measured",
        vec![
            Column::left("architecture", "network"),
            Column::left("device", "device"),
            Column::left("what", "what"),
            Column::right("needed", "needs MB"),
            Column::right("available", "there are MB"),
        ],
    );
    for row in &report.skipped {
        let bytes = |b: Option<u64>| b.map_or_else(Cell::empty, Cell::megabytes);
        table.row(vec![
            Cell::text(&row.architecture),
            Cell::text(&row.device),
            Cell::text(&row.what),
            bytes(row.needed).tone(Tone::Warn),
            bytes(row.available),
        ]);
    }
    table
}

/// Both ends in the unit of the median, which stands beside them.
fn spread(timing: &Timing) -> Cell {
    let (scale, _) = unit(timing.median_us);
    let [low, high] = [timing.p10_us, timing.p90_us].map(|us| three_digits(us / scale));
    Cell::text(format!("{low}–{high}")).tone(Tone::Muted)
}

fn time(us: f64) -> Cell {
    Cell::shown_as(duration(us), us)
}

/// Three digits or so in the unit that suits: `3.71 µs`, `12.4 ms`, `1.20 s`.
fn duration(us: f64) -> String {
    let (scale, name) = unit(us);
    format!("{} {name}", three_digits(us / scale))
}

/// Microseconds of the unit that suits, and its name.
fn unit(us: f64) -> (f64, &'static str) {
    match us {
        u if u < 999.5 => (1.0, "µs"),
        u if u < 999.5e3 => (1e3, "ms"),
        _ => (1e6, "s"),
    }
}

fn three_digits(value: f64) -> String {
    let digits = match value {
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    decimal(value, digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits() {
        let shown = [0.5, 9.996, 37.25, 999.6, 12_345.0, 999_600.0, 61e6].map(duration);
        assert_eq!(
            shown,
            ["0.50 µs", "10.0 µs", "37.2 µs", "1.00 ms", "12.3 ms", "1.00 s", "61.0 s"]
        );
    }
}
