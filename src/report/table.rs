//! One table, four ways out: terminal, CSV, JSON, and (in [`super::html`]) HTML.

use comfy_table::{Attribute, CellAlignment, Color, LineStyle, TableStyle};
use serde_json::{Map, Value};

use crate::number;

/// Where the text of a column stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// What a cell says about itself; colour on a terminal, a class in HTML, nothing elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Nothing in particular.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// To be looked at.
    Warn,
    /// Secondary, such as the note's own words.
    Muted,
    /// The row or figure that matters most.
    Strong,
}

/// One column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name in CSV and JSON, such as `size_mb`.
    pub key: String,
    /// Its heading for people.
    pub title: String,
    /// Where its text stands.
    pub align: Align,
}

impl Column {
    /// A column of words.
    pub fn left(key: impl Into<String>, title: impl Into<String>) -> Self {
        Self { key: key.into(), title: title.into(), align: Align::Left }
    }

    /// A column of numbers.
    pub fn right(key: impl Into<String>, title: impl Into<String>) -> Self {
        Self { key: key.into(), title: title.into(), align: Align::Right }
    }
}

/// One cell: what people see and the value behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// For people.
    pub shown: String,
    /// For machines.
    pub value: Value,
    /// What it says about itself.
    pub tone: Tone,
}

impl Cell {
    /// Nothing; a dash for people.
    pub fn empty() -> Self {
        Self { shown: "–".into(), value: Value::Null, tone: Tone::Muted }
    }

    /// Words.
    pub fn text(text: impl Into<String>) -> Self {
        let shown = text.into();
        Self { value: Value::from(shown.clone()), shown, tone: Tone::Plain }
    }

    /// A whole number with its thousands parted.
    pub fn count(value: u64) -> Self {
        Self::shown_as(number::count(value), value)
    }

    /// A number with `digits` after the point; a NaN is `n/a` and null.
    pub fn decimal(value: f64, digits: usize) -> Self {
        Self::shown_as(number::decimal(value, digits), value)
    }

    /// Bytes, shown in MB; the value stays in bytes.
    pub fn megabytes(bytes: u64) -> Self {
        Self::shown_as(number::megabytes(bytes), bytes)
    }

    /// Any value with its own words.
    pub fn shown_as(shown: impl Into<String>, value: impl Into<Value>) -> Self {
        Self { shown: shown.into(), value: value.into(), tone: Tone::Plain }
    }

    /// The same cell in another tone.
    pub fn tone(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }
}

/// A table with its heading and the remarks below it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Heading; may be empty.
    pub title: String,
    /// Columns, the first being the rows' name.
    pub columns: Vec<Column>,
    /// Rows; a short one is filled with empty cells.
    pub rows: Vec<Vec<Cell>>,
    /// Remarks, each a sentence or two.
    pub notes: Vec<String>,
}

/// How a terminal shows tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terminal {
    /// Columns of text.
    pub width: usize,
    /// Whether to write colour and weight.
    pub color: bool,
    /// Whether lines and arrows may be other than ASCII.
    pub unicode: bool,
}

impl Table {
    /// A table without rows.
    pub fn new(title: impl Into<String>, columns: Vec<Column>) -> Self {
        Self { title: title.into(), columns, rows: Vec::new(), notes: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<Cell>) -> &mut Self {
        debug_assert!(cells.len() <= self.columns.len(), "more cells than columns");
        self.rows.push(cells);
        self
    }

    /// Adds a remark.
    pub fn note(&mut self, text: impl Into<String>) -> &mut Self {
        self.notes.push(text.into());
        self
    }

    /// The cell at a row and column, empty where the row is short.
    pub fn cell(&self, row: usize, column: usize) -> Cell {
        self.rows[row].get(column).cloned().unwrap_or_else(Cell::empty)
    }

    /// An array of objects, one a row, keyed by the columns' keys.
    pub fn to_json(&self) -> Value {
        let row = |r: usize| {
            let cells = self.columns.iter().enumerate();
            Value::Object(
                cells
                    .map(|(c, col)| (col.key.clone(), self.cell(r, c).value))
                    .collect::<Map<_, _>>(),
            )
        };
        (0..self.rows.len()).map(row).collect()
    }

    /// A header line of keys and one line a row, quoted as RFC 4180 has it, lines ending in LF.
    pub fn to_csv(&self) -> String {
        let mut out = String::new();
        let mut line = |cells: Vec<String>| {
            out.push_str(&cells.join(","));
            out.push('\n');
        };
        line(self.columns.iter().map(|c| csv_field(&c.key)).collect());
        for row in 0..self.rows.len() {
            let cells = (0..self.columns.len()).map(|c| match self.cell(row, c).value {
                Value::Null => String::new(),
                Value::String(text) => csv_field(&text),
                other => csv_field(&other.to_string()),
            });
            line(cells.collect());
        }
        out
    }

    /// The table as text, its title above and its remarks below, ending in a line feed. Where it
    /// is wider than the terminal it becomes several tables that repeat the first column.
    pub fn to_terminal(&self, terminal: Terminal) -> String {
        let mut out = String::new();
        if !self.title.is_empty() {
            out.push_str(&if terminal.color {
                format!("\x1b[1m{}\x1b[0m\n", self.title)
            } else {
                format!("{}\n", self.title)
            });
        }
        let blocks = self.split(terminal.width);
        let blocks: Vec<String> = blocks.iter().map(|c| self.block(c, terminal)).collect();
        out.push_str(&blocks.join("\n"));
        if !self.notes.is_empty() {
            out.push('\n');
        }
        for note in &self.notes {
            let indented = wrap(note, terminal.width.saturating_sub(2));
            out.extend(indented.lines().map(|line| format!(" {line}\n")));
        }
        if terminal.unicode { out } else { to_ascii(&out) }
    }

    /// Groups of columns that each fit; every group starts with column 0.
    fn split(&self, width: usize) -> Vec<Vec<usize>> {
        let widths: Vec<usize> = (0..self.columns.len()).map(|c| self.column_width(c)).collect();
        let mut groups: Vec<Vec<usize>> = Vec::new();
        let mut used = usize::MAX;
        for c in 1..widths.len() {
            if groups.is_empty() || used.saturating_add(widths[c]) > width {
                groups.push(vec![0]);
                used = widths[0];
            }
            groups.last_mut().expect("pushed above").push(c);
            used += widths[c];
        }
        if groups.is_empty() && !widths.is_empty() {
            groups.push(vec![0]);
        }
        groups
    }

    /// Widest cell or heading line, with one space either side.
    fn column_width(&self, column: usize) -> usize {
        let heading = self.columns[column].title.lines().map(|l| l.chars().count()).max();
        let cells = (0..self.rows.len()).map(|r| self.cell(r, column).shown.chars().count()).max();
        2 + heading.max(cells).unwrap_or(0)
    }

    fn block(&self, columns: &[usize], terminal: Terminal) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(light(terminal.unicode));
        table.force_no_tty();
        if terminal.color {
            table.enforce_styling();
        }
        let aligned = |text: &str, align| {
            comfy_table::Cell::new(text).set_alignment(match align {
                Align::Left => CellAlignment::Left,
                Align::Right => CellAlignment::Right,
            })
        };
        table.set_header(columns.iter().map(|&c| {
            let cell = aligned(&self.columns[c].title, self.columns[c].align);
            if terminal.color { cell.add_attribute(Attribute::Dim) } else { cell }
        }));
        for row in 0..self.rows.len() {
            table.add_row(columns.iter().map(|&c| {
                let cell = self.cell(row, c);
                let shown = aligned(&printable(&cell.shown), self.columns[c].align);
                match (terminal.color, cell.tone) {
                    (false, _) | (_, Tone::Plain) => shown,
                    (_, Tone::Good) => shown.fg(Color::Green),
                    (_, Tone::Warn) => shown.fg(Color::Yellow),
                    (_, Tone::Muted) => shown.add_attribute(Attribute::Dim),
                    (_, Tone::Strong) => shown.add_attribute(Attribute::Bold),
                }
            }));
        }
        table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }
}

/// Two spaces between columns and one rule below the heading.
fn light(unicode: bool) -> TableStyle {
    let rule = if unicode { '─' } else { '-' };
    TableStyle::new().header_separator(LineStyle::none().fill(rule))
}

/// Control characters would move the cursor or colour the terminal; they become a mark.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn csv_field(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.into()
    }
}

/// Breaks `text` at spaces into lines of at most `width` characters, where a word allows it.
pub fn wrap(text: &str, width: usize) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            out.push('\n');
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}

/// Arrows, signs and dashes in ASCII, for terminals that have nothing else.
pub fn to_ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '→' => out.push('-'),
            '×' => out.push('x'),
            '·' => out.push('*'),
            '²' => out.push_str("^2"),
            '⁶' => out.push_str("^6"),
            '−' | '–' | '—' | '─' => out.push('-'),
            '\u{a0}' => out.push(' '),
            '…' => out.push_str("..."),
            '≥' => out.push_str(">="),
            '≤' => out.push_str("<="),
            '±' => out.push_str("+-"),
            'µ' => out.push('u'),
            c if c.is_ascii() => out.push(c),
            _ => out.push('?'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::new(
            "Codes",
            vec![
                Column::left("code", "code"),
                Column::right("bytes", "bytes"),
                Column::right("overlap", "overlap@10"),
            ],
        );
        table.row(vec![Cell::text("int8, \"round\""), Cell::count(1_384), Cell::decimal(0.995, 3)]);
        table.row(vec![Cell::text("line\nfeed"), Cell::count(7), Cell::decimal(f64::NAN, 3)]);
        table.row(vec![Cell::text("\x1b[31mred").tone(Tone::Good)]);
        table.note("All of them are made up.");
        table
    }

    const WIDE: Terminal = Terminal { width: 100, color: false, unicode: true };

    #[test]
    fn csv_quotes_and_keeps_raw_values() {
        assert_eq!(
            sample().to_csv(),
            "code,bytes,overlap\n\"int8, \"\"round\"\"\",1384,0.995\n\"line\nfeed\",7,\n\
             \u{1b}[31mred,,\n"
        );
    }

    #[test]
    fn json_is_keyed_and_nan_is_null() {
        let json = sample().to_json();
        assert_eq!(json[0]["bytes"], 1384);
        assert_eq!(json[1]["overlap"], Value::Null);
        assert_eq!(json.as_array().unwrap().len(), 3);
    }

    #[test]
    fn numbers_stand_right_and_control_characters_go() {
        let text = sample().to_terminal(WIDE);
        assert!(!text.contains('\x1b'), "{text:?}");
        let ends: Vec<usize> = ["1,384", "7 "]
            .iter()
            .map(|needle| {
                let line = text.lines().find(|l| l.contains(needle)).unwrap();
                let at = line.find(needle.trim()).unwrap() + needle.trim().len();
                line[..at].chars().count()
            })
            .collect();
        assert_eq!(ends[0], ends[1], "{text}");
        assert!(text.ends_with("made up.\n"));
    }

    #[test]
    fn colour_only_when_asked() {
        let text = sample().to_terminal(Terminal { color: true, ..WIDE });
        assert!(text.contains("\x1b[1mCodes"));
    }

    #[test]
    fn too_wide_becomes_several_that_repeat_the_first_column() {
        let text = sample().to_terminal(Terminal { width: 27, ..WIDE });
        assert!(text.lines().all(|line| line.chars().count() <= 27), "{text}");
        assert_eq!(text.matches("line\u{fffd}feed").count(), 2, "{text}");
    }

    #[test]
    fn ascii_terminals_get_ascii() {
        let mut table = sample();
        table.row(vec![Cell::text("384→192 × 4·N² …")]);
        let text = table.to_terminal(Terminal { unicode: false, ..WIDE });
        assert!(text.is_ascii(), "{text}");
        assert!(text.contains("384-192 x 4*N^2 ..."));
    }

    #[test]
    fn wrapping_keeps_words() {
        assert_eq!(wrap("a bb ccc dddddddd e", 5), "a bb\nccc\ndddddddd\ne");
        assert_eq!(wrap("  ", 5), "");
    }
}
