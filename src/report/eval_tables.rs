//! An [`Evaluation`] as tables: neighbours, fidelity, and the student's differences.

use super::table::{Cell, Column, Table, Tone};
use crate::experiment::{Evaluation, Kind, Row};
use crate::metrics::Interval;
use crate::number::{decimal, signed};

/// Stands behind the names of codes whose queries keep more precision.
const ASYMMETRIC: &str = " *";

/// Three tables; the first two fit a terminal of 80 columns, the third becomes two there.
pub fn eval_tables(evaluation: &Evaluation) -> Vec<Table> {
    let mut all = vec![neighbours(evaluation), fidelity(evaluation)];
    all.extend(differences(evaluation));
    all
}

/// How many neighbours every code keeps.
pub fn neighbours(evaluation: &Evaluation) -> Table {
    let timed = evaluation.rows.iter().any(|row| row.encode_microseconds.is_some());
    let mut columns = vec![
        Column::left("code", "code"),
        Column::right("bytes_per_vector", "bytes"),
        Column::right("overlap_at_10", "@10"),
        Column::right("overlap_at_10_interval", "95 %"),
        Column::right("overlap_at_1", "@1"),
        Column::right("overlap_at_100", "@100"),
        Column::right("ndcg_at_10", "nDCG"),
    ];
    if timed {
        columns.push(Column::right("encode_microseconds", "µs"));
    }
    let mut table = Table::new("Neighbours kept", columns);
    for row in &evaluation.rows {
        let mean = |interval: Option<Interval>| number(interval.map(|i| i.mean), 3);
        let mut cells = vec![
            name(row),
            Cell::count(row.bytes_per_vector as u64),
            mean(row.overlap_at_10),
            interval(row.overlap_at_10, &|v| decimal(v, 3)),
            mean(row.overlap_at_1),
            mean(row.overlap_at_100),
            number(row.ndcg_at_10, 3),
        ];
        if timed {
            cells.push(number(row.encode_microseconds, 1));
        }
        table.row(toned(cells, row.kind));
    }
    table.note(format!(
        "@k: share of the teacher's k nearest neighbours kept, all {} held-out vectors against \
         each other; 95 % intervals from {} bootstrap resamples; nDCG@10 with gains by the \
         teacher's rank.",
        crate::number::count(evaluation.held_out.rows as u64),
        crate::number::count(evaluation.resamples as u64)
    ));
    if timed {
        table.note("µs: to encode and store one vector, all held-out vectors at once.");
    }
    table.note("* Only the stored documents have so few bytes; the query stays in f32.");
    table.note(
        "Rows named student output store latents, too; what they decode to is searched in the \
         teacher's space.",
    );
    table
}

/// How well the teacher's vectors and cosines come back.
pub fn fidelity(evaluation: &Evaluation) -> Table {
    let mut table = Table::new(
        "Vectors and cosines kept",
        vec![
            Column::left("code", "code"),
            Column::right("bytes_per_vector", "bytes"),
            Column::right("spearman", "Spearman"),
            Column::right("cosine", "cosine"),
            Column::right("mean_squared_error", "MSE ·10⁶"),
            Column::right("explained_variance", "variance"),
        ],
    );
    for row in &evaluation.rows {
        let error = row.mean_squared_error;
        let cells = vec![
            name(row),
            Cell::count(row.bytes_per_vector as u64),
            number(row.spearman, 4),
            number(row.cosine, 4),
            error.map_or_else(Cell::empty, |e| Cell::shown_as(decimal(1e6 * e, 2), e)),
            number(row.explained_variance, 4),
        ];
        table.row(toned(cells, row.kind));
    }
    table.note(format!(
        "Spearman: rank correlation of the cosines of {} pairs with the teacher's. Cosine, mean \
         squared error (a coordinate) and explained variance: of the reconstruction.",
        crate::number::count(evaluation.pairs as u64)
    ));
    table
}

/// overlap@10 of the student's rows less that of PCA, the teacher in int8 and its own start;
/// none where there is no overlap@10.
pub fn differences(evaluation: &Evaluation) -> Option<Table> {
    let own =
        |row: &&Row| matches!(row.kind, Kind::Student | Kind::Start) && row.overlap_at_10.is_some();
    let rows: Vec<&Row> = evaluation.rows.iter().filter(own).collect();
    let latent = evaluation.student.arch.latent().min(evaluation.held_out.width);
    let pca = format!("PCA-{latent}");
    let started = rows.iter().any(|row| row.to_start.is_some());
    let mut columns = vec![
        Column::left("code", "code"),
        Column::right("to_pca", format!("− {pca}")),
        Column::right("to_pca_interval", "95 %"),
    ];
    if started {
        columns.push(Column::right("to_start", "− start"));
        columns.push(Column::right("to_start_interval", "95 %"));
    }
    columns.push(Column::right("to_int8", "− int8"));
    columns.push(Column::right("to_int8_interval", "95 %"));
    let title = "The student's overlap@10 less that of others, in thousandths";
    let mut table = Table::new(title, columns);
    for row in &rows {
        let mut cells = vec![name(row)];
        cells.extend(differing(row.to_pca));
        if started {
            cells.extend(differing(row.to_start));
        }
        cells.extend(differing(row.to_int8));
        table.row(cells);
    }
    table.note(format!(
        "Paired, vector by vector, with 95 % intervals: to {pca} (uncentred, f32){}, and to the teacher \
         in int8.",
        if started { ", to the student's own untrained start" } else { "" }
    ));
    (!rows.is_empty()).then_some(table)
}

/// The bytes have a column of their own, so a name need not end in them.
pub(super) fn name_cell(name: &str, bytes_per_vector: usize, asymmetric: bool) -> Cell {
    let star = if asymmetric { ASYMMETRIC } else { "" };
    let short = name.trim_end_matches(&format!(", {bytes_per_vector} bytes"));
    Cell::shown_as(format!("{short}{star}"), name)
}

fn name(row: &Row) -> Cell {
    name_cell(&row.name, row.bytes_per_vector, row.asymmetric)
}

pub(super) fn number(value: Option<f64>, digits: usize) -> Cell {
    value.map_or_else(Cell::empty, |v| Cell::decimal(v, digits))
}

pub(super) fn interval(interval: Option<Interval>, shown: &dyn Fn(f64) -> String) -> Cell {
    interval.map_or_else(Cell::empty, |i| {
        let ends = serde_json::json!([i.low, i.high]);
        Cell::shown_as(format!("{}…{}", shown(i.low), shown(i.high)), ends).tone(Tone::Muted)
    })
}

/// A difference in thousandths and its interval.
pub(super) fn differing(of: Option<Interval>) -> [Cell; 2] {
    let Some(d) = of else { return [Cell::empty(), Cell::empty()] };
    let tone = match () {
        () if d.low > 0.0 => Tone::Good,
        () if d.high < 0.0 => Tone::Warn,
        () => Tone::Plain,
    };
    let mean = Cell::shown_as(signed(1e3 * d.mean, 1), d.mean).tone(tone);
    [mean, interval(of, &|v| signed(1e3 * v, 1))]
}

/// The student's rows stand out.
pub(super) fn toned(mut cells: Vec<Cell>, kind: Kind) -> Vec<Cell> {
    let tone = match kind {
        Kind::Student => Tone::Strong,
        Kind::Start => Tone::Muted,
        Kind::Baseline | Kind::Other => return cells,
    };
    for cell in cells.iter_mut().filter(|cell| cell.tone == Tone::Plain) {
        cell.tone = tone;
    }
    cells
}
