//! [`Sizes`] as tables: three narrow ones a family for people, one wide one for CSV.

use serde_json::Value;

use super::table::{Cell, Column, Table, Tone};
use crate::arch::Variant;
use crate::note::Family;
use crate::number::{count, metric, signed_percent};
use crate::sizes::{Check, SN727_IS_INFERRED, SizeRow, Sizes, Verdict};

/// For people: parameters, memory, and speed and use, of family A, family B and the user's own,
/// each only where there are rows.
pub fn size_tables(sizes: &Sizes) -> Vec<Table> {
    let noted = |family| {
        let own = |row: &&SizeRow| row.note.is_some_and(|n| n.family == family);
        sizes.rows.iter().filter(own).collect::<Vec<_>>()
    };
    let (a, b) = (noted(Family::A), noted(Family::B));
    let others: Vec<&SizeRow> = sizes.rows.iter().filter(|row| row.note.is_none()).collect();
    let mut tables = Vec::new();
    if !a.is_empty() {
        let name = "Family A, N→N→N/2→N→N";
        tables.extend([parameters_a(&a, name), memory(&a, name, "N"), speed(&a, name, "N")]);
    }
    if !b.is_empty() {
        let name = "Family B, 384→S→192→S→384";
        tables.extend([parameters_b(&b, name), memory(&b, name, "S"), speed(&b, name, "S")]);
    }
    if !others.is_empty() {
        tables.push(own(&others));
    }
    tables
}

fn parameters_a(rows: &[&SizeRow], name: &str) -> Table {
    let mut table = Table::new(
        format!("{name}: parameters"),
        vec![
            Column::right("n", "N"),
            Column::right("note", "note"),
            Column::right("exact", "layer list"),
            Column::right("four_squares", "4·N²"),
            Column::left("verdict", "the note is"),
        ],
    );
    for row in rows {
        table.row(vec![
            width(row),
            noted(row, |n| n.parameters.text),
            Cell::count(row.parameters),
            row.four_squares.map_or_else(Cell::empty, Cell::count).tone(Tone::Muted),
            verdict(row.checks.map(|c| c.parameters)),
        ]);
    }
    table.note(
        "The note counts four square layers, 4·N². Its own layer list has 3·N² weights and the \
         biases: one of its four layers too many.",
    );
    table
}

fn parameters_b(rows: &[&SizeRow], name: &str) -> Table {
    let variant = rows[0].arch.variant();
    let mut table = Table::new(
        format!("{name}: parameters, {variant}"),
        vec![
            Column::right("s", "S"),
            Column::right("note", "note"),
            Column::right(
                "exact",
                if variant == Variant::Plain { "layer list" } else { "this variant" },
            ),
            Column::right("note_formula", "962·S + 576"),
            Column::right("sn727", "sn727 (inferred)"),
            Column::left("verdict", "the note is"),
        ],
    );
    for row in rows {
        table.row(vec![
            width(row),
            noted(row, |n| n.parameters.text),
            Cell::count(row.parameters),
            row.note_formula.map_or_else(Cell::empty, Cell::count).tone(Tone::Muted),
            row.sn727.map_or_else(Cell::empty, |s| Cell::count(s.parameters)).tone(Tone::Muted),
            verdict(row.checks.map(|c| c.parameters)),
        ]);
    }
    table.note(
        "The layer list has 1154·S + 576. The note's formula, 962·S + 576, drops one of its two \
         192·S products.",
    );
    table.note(format!("{SN727_IS_INFERRED}; it fits at S = 256, the other rows are rough."));
    table
}

fn memory(rows: &[&SizeRow], name: &str, letter: &str) -> Table {
    let mut table = Table::new(
        format!("{name}: size and training memory, MB"),
        vec![
            Column::right(letter.to_lowercase(), letter),
            Column::right("note_size_mb", "note"),
            Column::right("f32", "f32"),
            Column::right("size_deviation", "note is"),
            Column::right("f16", "f16"),
            Column::right("int8", "int8"),
            Column::right("note_ram_mb", "note, RAM"),
            Column::right("training", "training"),
            Column::right("ram_deviation", "note is"),
        ],
    );
    for row in rows {
        table.row(vec![
            width(row),
            noted(row, |n| n.size_mb.text.trim_end_matches(" MB")),
            Cell::megabytes(row.bytes.f32),
            deviation(row.checks.map(|c| c.size)),
            Cell::megabytes(row.bytes.f16),
            Cell::megabytes(row.bytes.int8),
            noted(row, |n| n.ram_mb.text.trim_end_matches(" MB")),
            Cell::megabytes(row.training.total),
            deviation(row.checks.map(|c| c.memory)),
        ]);
    }
    let batch = rows[0].training.batch;
    table.note(format!(
        "Training: predicted from the tensors at batch {batch}, 16 bytes a parameter and the \
         activations; dataset and framework left out. MB are 10⁶ bytes.",
    ));
    table
}

fn speed(rows: &[&SizeRow], name: &str, letter: &str) -> Table {
    let mut table = Table::new(
        format!("{name}: work, and the note's words"),
        vec![
            Column::right(letter.to_lowercase(), letter),
            Column::right("flops_per_vector", "FLOPs/vector"),
            Column::left("note_speed", "speed (note)"),
            Column::left("note_use_case", "use case (note)"),
        ],
    );
    for row in rows {
        table.row(vec![
            width(row),
            Cell::shown_as(metric(row.flops_per_vector), row.flops_per_vector),
            noted(row, |n| n.speed),
            noted(row, |n| n.use_case),
        ]);
    }
    table
}

fn own(rows: &[&SizeRow]) -> Table {
    let mut table = Table::new(
        "Your architectures, sizes in MB",
        vec![
            Column::left("architecture", "architecture"),
            Column::right("parameters", "parameters"),
            Column::right("f32", "f32"),
            Column::right("f16", "f16"),
            Column::right("int8", "int8"),
            Column::right("training", "training"),
            Column::right("flops_per_vector", "FLOPs/vector"),
        ],
    );
    for row in rows {
        table.row(vec![
            Cell::text(row.architecture.clone()).tone(Tone::Strong),
            Cell::count(row.parameters),
            Cell::megabytes(row.bytes.f32),
            Cell::megabytes(row.bytes.f16),
            Cell::megabytes(row.bytes.int8),
            Cell::megabytes(row.training.total),
            Cell::shown_as(metric(row.flops_per_vector), row.flops_per_vector),
        ]);
    }
    if rows[0].arch.variant() == Variant::Sn727 {
        table.note(format!("Variant sn727. {SN727_IS_INFERRED}."));
    }
    table.note(format!("The note has no figures for these. Batch {}.", rows[0].training.batch));
    table
}

/// For machines: every figure of every row, bytes as bytes.
pub fn size_csv(sizes: &Sizes) -> String {
    let keys = [
        "family",
        "width",
        "architecture",
        "variant",
        "activation",
        "note_parameters_text",
        "note_parameters",
        "parameters",
        "parameters_deviation",
        "parameters_verdict",
        "inference_parameters",
        "note_formula",
        "four_n_squared",
        "sn727_parameters_inferred",
        "note_size_mb",
        "bytes_f32",
        "bytes_f16",
        "bytes_int8",
        "size_deviation",
        "size_verdict",
        "note_ram_mb",
        "batch",
        "training_bytes",
        "ram_deviation",
        "ram_verdict",
        "row_verdict",
        "flops_per_vector",
        "note_speed",
        "note_use_case",
        "explanation",
    ];
    let mut table = Table::new("", keys.iter().map(|key| Column::left(*key, "")).collect());
    let raw = |value: Value| Cell::shown_as("", value);
    for row in &sizes.rows {
        let check = |pick: fn(&crate::sizes::Checks) -> Check| {
            let check = row.checks.as_ref().map(pick);
            [
                raw(check.map(|c| (c.deviation * 1e6).round() / 1e6).into()),
                check.map_or_else(Cell::empty, |c| Cell::text(verdict_word(c.verdict))),
            ]
        };
        let [parameters_deviation, parameters_verdict] = check(|c| c.parameters);
        let [size_deviation, size_verdict] = check(|c| c.size);
        let [ram_deviation, ram_verdict] = check(|c| c.memory);
        table.row(vec![
            raw(row.family.map(|f| f.to_string()).into()),
            raw(row.family.map(|_| row.arch.widths()[1]).into()),
            Cell::text(row.architecture.clone()),
            Cell::text(row.arch.variant().to_string()),
            Cell::text(row.arch.activation().to_string()),
            raw(row.note.map(|n| n.parameters.text).into()),
            raw(row.note.map(|n| n.parameters.value as u64).into()),
            raw(row.parameters.into()),
            parameters_deviation,
            parameters_verdict,
            raw(row.inference_parameters.into()),
            raw(row.note_formula.into()),
            raw(row.four_squares.into()),
            raw(row.sn727.map(|s| s.parameters).into()),
            raw(row.note.map(|n| n.size_mb.value).into()),
            raw(row.bytes.f32.into()),
            raw(row.bytes.f16.into()),
            raw(row.bytes.int8.into()),
            size_deviation,
            size_verdict,
            raw(row.note.map(|n| n.ram_mb.value).into()),
            raw(row.training.batch.into()),
            raw(row.training.total.into()),
            ram_deviation,
            ram_verdict,
            raw(row.checks.map(|c| verdict_word(c.row)).into()),
            raw(row.flops_per_vector.into()),
            raw(row.note.map(|n| n.speed).into()),
            raw(row.note.map(|n| n.use_case).into()),
            Cell::text(row.explanation.clone()),
        ]);
    }
    table.to_csv()
}

fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Understated => "understated",
        Verdict::Overstated => "overstated",
        Verdict::Mixed => "mixed",
    }
}

fn width(row: &SizeRow) -> Cell {
    let width = row.arch.widths()[1];
    Cell::shown_as(width.to_string(), width)
}

fn noted(row: &SizeRow, pick: fn(&crate::note::Row) -> &'static str) -> Cell {
    row.note.map_or_else(Cell::empty, |note| Cell::text(pick(note))).tone(Tone::Muted)
}

fn verdict(check: Option<Check>) -> Cell {
    check.map_or_else(Cell::empty, |check| Cell::text(check.words()).tone(tone(check.verdict)))
}

fn deviation(check: Option<Check>) -> Cell {
    check.map_or_else(Cell::empty, |check| {
        Cell::shown_as(signed_percent(check.deviation), check.deviation).tone(tone(check.verdict))
    })
}

fn tone(verdict: Verdict) -> Tone {
    if verdict == Verdict::Ok { Tone::Good } else { Tone::Warn }
}

/// The whole in one line: how many figures of the note's tables hold.
pub fn size_summary(sizes: &Sizes) -> Option<String> {
    let checks: Vec<_> = sizes.rows.iter().filter_map(|row| row.checks).collect();
    let columns = checks.iter().flat_map(|c| [c.parameters, c.size, c.memory]);
    let right = columns.filter(|c| c.verdict == Verdict::Ok).count();
    (!checks.is_empty()).then(|| {
        format!(
            "{} of the note's {} figures for parameters, size and training memory are within \
             {:.0} % of ours.",
            count(right as u64),
            count(3 * checks.len() as u64),
            100.0 * sizes.threshold,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::{Activation, Arch};
    use crate::report::table::Terminal;

    fn sizes(variant: Variant) -> Sizes {
        let own = ["768-300-64-300-768".parse::<Arch>().unwrap()];
        Sizes::new(&[Family::A, Family::B], variant, Activation::Gelu, &own, 256).unwrap()
    }

    #[test]
    fn readable_in_eighty_columns_without_splitting() {
        let terminal = Terminal { width: 80, color: false, unicode: true };
        for table in size_tables(&sizes(Variant::Plain)).iter().take(6) {
            let text = table.to_terminal(terminal);
            assert!(text.lines().all(|l| l.chars().count() <= 80), "{text}");
            assert_eq!(text.lines().filter(|l| l.contains('─')).count(), 1, "split:\n{text}");
        }
    }

    #[test]
    fn the_inferred_count_is_never_without_its_label() {
        for variant in [Variant::Plain, Variant::Sn727] {
            for table in size_tables(&sizes(variant)) {
                let text = format!("{:?}", table);
                if text.contains("545,856") {
                    assert!(table.notes.iter().any(|n| n.contains("inference")), "{text}");
                }
            }
        }
        assert!(size_csv(&sizes(Variant::Plain)).contains("sn727_parameters_inferred"));
    }

    #[test]
    fn csv_has_every_row_and_as_many_fields_as_its_header() {
        let csv = size_csv(&sizes(Variant::Plain));
        assert_eq!(csv.lines().count(), 1 + 17 + 1);
        let fields = |line: &str| {
            let mut quoted = false;
            1 + line
                .chars()
                .filter(|&c| {
                    quoted ^= c == '"';
                    c == ',' && !quoted
                })
                .count()
        };
        let wanted = fields(csv.lines().next().unwrap());
        assert!(csv.lines().all(|line| fields(line) == wanted));
    }
}
