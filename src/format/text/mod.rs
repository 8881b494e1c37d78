//! Texts in files, one after the other: `.txt` (a line each), `.jsonl` (an object a line) and
//! `.csv` or `.tsv` (with a header). All in UTF-8; a byte order mark and CRLF are taken as they
//! come. A reader holds one text at a time.

use std::fmt;
use std::io::{BufReader, Chain, Cursor, Read};

use crate::error::{Error, Result};

mod csv_rows;
mod json_rows;
mod lines;

use csv_rows::CsvRows;
use json_rows::JsonRows;
use lines::Lines;

/// The longest line or record, in bytes. The teacher reads a few hundred words; what is longer
/// than this is no sentence, but a file of another kind or a quotation mark without its pair.
pub const MAX_BYTES: usize = 1 << 20;

/// Where the text of a `.jsonl` or `.csv` is looked for if nobody names a column.
pub const COLUMNS: [&str; 2] = ["text", "sentence"];

/// The file formats for texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextKind {
    /// A text a line.
    Lines,
    /// A JSON object a line.
    Jsonl,
    /// Comma-separated values.
    Csv,
    /// Tab-separated values.
    Tsv,
}

impl TextKind {
    /// The kind that the extension of the file name `name` stands for; lines if it has none.
    ///
    /// # Errors
    /// [`Error::Format`] for any other extension.
    pub fn from_name(name: &str) -> Result<Self> {
        let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
        match file.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase()).as_deref() {
            None | Some("txt" | "text") => Ok(TextKind::Lines),
            Some("jsonl" | "ndjson") => Ok(TextKind::Jsonl),
            Some("csv") => Ok(TextKind::Csv),
            Some("tsv") => Ok(TextKind::Tsv),
            Some("npy" | "safetensors" | "parquet" | "pq") => Err(Error::format(
                name,
                "these are vectors, not text; text is .txt, .jsonl, .csv or .tsv",
            )),
            Some(other) => Err(Error::format(
                name,
                format!("{other:?} is no text format; use .txt, .jsonl, .csv or .tsv"),
            )),
        }
    }
}

/// How to read texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextOptions {
    /// Column of a `.csv` or key of a `.jsonl`; else `text`, `sentence`, or the only one.
    pub column: Option<String>,
    /// Leave out what is no text and count it, rather than stop.
    pub skip_bad: bool,
}

/// Why a line or record is no text.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fault {
    /// Nothing but white space.
    Empty,
    /// Not UTF-8 from this byte on, counted from zero.
    NotUtf8(usize),
    /// Over [`MAX_BYTES`].
    TooLong,
    /// Not what its kind of file should hold.
    Misfit(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Empty => f.write_str("there is no text"),
            Fault::NotUtf8(byte) => {
                write!(f, "byte {} is not UTF-8; save the file as UTF-8", byte + 1)
            }
            Fault::TooLong => write!(
                f,
                "it is longer than {MAX_BYTES} bytes; is this a text, and is every quotation \
                 mark closed?"
            ),
            Fault::Misfit(message) => f.write_str(message),
        }
    }
}

/// Lines or records that were left out, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct SkippedTexts {
    /// Without any text.
    pub empty: u64,
    /// Not in UTF-8.
    pub not_utf8: u64,
    /// Longer than [`MAX_BYTES`].
    pub too_long: u64,
    /// Not a JSON object, without the column, or with something else in it than text.
    pub misfit: u64,
}

impl SkippedTexts {
    /// Lines or records left out for whatever reason.
    pub fn total(&self) -> u64 {
        self.empty + self.not_utf8 + self.too_long + self.misfit
    }

    fn count(&mut self, fault: &Fault) {
        match fault {
            Fault::Empty => self.empty += 1,
            Fault::NotUtf8(_) => self.not_utf8 += 1,
            Fault::TooLong => self.too_long += 1,
            Fault::Misfit(_) => self.misfit += 1,
        }
    }
}

/// "3 lines left out: 2 empty, 1 not in UTF-8".
impl fmt::Display for SkippedTexts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reasons = [
            (self.empty, "empty"),
            (self.not_utf8, "not in UTF-8"),
            (self.too_long, "too long"),
            (self.misfit, "without a text in the column"),
        ];
        match self.total() {
            0 => return f.write_str("no line left out"),
            1 => f.write_str("1 line left out")?,
            n => write!(f, "{n} lines left out")?,
        }
        let mut before = ": ";
        for (n, reason) in reasons.into_iter().filter(|(n, _)| *n > 0) {
            write!(f, "{before}{n} {reason}")?;
            before = ", ";
        }
        Ok(())
    }
}

/// The next line or record: its line in the file, counted from one, and the text or what is
/// wrong with it. None at the end.
type Found = std::io::Result<Option<(u64, std::result::Result<String, Fault>)>>;

/// A stream whose first bytes have been looked at.
type Stream<R> = BufReader<Chain<Cursor<Vec<u8>>, R>>;

enum Rows<R> {
    Lines(Lines<Stream<R>>),
    Json(JsonRows<Stream<R>>),
    Csv(CsvRows<Stream<R>>),
}

/// The texts of a stream, batch by batch.
pub struct TextReader<R> {
    name: String,
    rows: Rows<R>,
    skip_bad: bool,
    skipped: SkippedTexts,
    taken: u64,
}

impl<R: Read> TextReader<R> {
    /// The texts of `stream`, called `name` in messages.
    ///
    /// # Errors
    /// [`Error::Format`] if it is empty, not in UTF-8, or has no such column; [`Error::Invalid`]
    /// for a column of a file of lines; [`Error::Io`] if reading fails.
    pub fn new(kind: TextKind, name: &str, stream: R, options: &TextOptions) -> Result<Self> {
        let column = options.column.as_deref();
        let stream = without_mark(name, stream)?;
        let rows = match kind {
            TextKind::Lines if column.is_some() => {
                let message = "a file of lines has no columns; leave it out, or use .csv or .jsonl";
                return Err(Error::invalid("column", message));
            }
            TextKind::Lines => Rows::Lines(Lines::new(stream)),
            TextKind::Jsonl => Rows::Json(JsonRows::new(stream, column)),
            TextKind::Csv => Rows::Csv(CsvRows::new(name, stream, b',', column)?),
            TextKind::Tsv => Rows::Csv(CsvRows::new(name, stream, b'\t', column)?),
        };
        let skip_bad = options.skip_bad;
        let skipped = SkippedTexts::default();
        Ok(Self { name: name.to_owned(), rows, skip_bad, skipped, taken: 0 })
    }

    /// The file, or another name of the source.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What was left out so far.
    pub fn skipped(&self) -> SkippedTexts {
        self.skipped
    }

    /// The next text, without white space around it; none at the end.
    ///
    /// # Errors
    /// [`Error::Format`], with the line, for what is no text, unless such lines are skipped, and
    /// if there was no text in the whole file; [`Error::Io`] if reading fails.
    pub fn next_text(&mut self) -> Result<Option<String>> {
        loop {
            let found = match &mut self.rows {
                Rows::Lines(rows) => rows.next(),
                Rows::Json(rows) => rows.next(),
                Rows::Csv(rows) => rows.next(),
            };
            let Some((line, text)) = found.map_err(|e| Error::io(&self.name, e))? else {
                return if self.taken > 0 { Ok(None) } else { Err(self.nothing()) };
            };
            let text = text.and_then(|text| match text.trim() {
                "" => Err(Fault::Empty),
                trimmed if trimmed.len() == text.len() => Ok(text),
                trimmed => Ok(trimmed.to_owned()),
            });
            match text {
                Ok(text) => {
                    self.taken += 1;
                    return Ok(Some(text));
                }
                Err(fault) if self.skip_bad => self.skipped.count(&fault),
                Err(fault) => {
                    let message = format!("line {line}: {fault}; --skip-bad leaves such lines out");
                    return Err(Error::format(&self.name, message));
                }
            }
        }
    }

    /// Replaces `into` by the next texts, at most `max` (at least one) of them, and returns how
    /// many there are: 0 at the end, fewer than `max` only before it.
    ///
    /// # Errors
    /// As [`Self::next_text`].
    pub fn read(&mut self, max: usize, into: &mut Vec<String>) -> Result<usize> {
        into.clear();
        while into.len() < max {
            match self.next_text()? {
                Some(text) => into.push(text),
                None => break,
            }
        }
        Ok(into.len())
    }

    fn nothing(&self) -> Error {
        let message = match self.skipped.total() {
            0 => "there is no text in the file".to_owned(),
            _ => format!("no line can be used: {}", self.skipped),
        };
        Error::format(&self.name, message)
    }
}

/// The stream behind its byte order mark, if it has one.
fn without_mark<R: Read>(name: &str, mut stream: R) -> Result<Stream<R>> {
    let mut head = Vec::new();
    stream.by_ref().take(3).read_to_end(&mut head).map_err(|e| Error::io(name, e))?;
    if head.is_empty() {
        return Err(Error::format(name, "the file is empty"));
    }
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return Err(Error::format(name, "this is text in UTF-16; save it as UTF-8"));
    }
    if head == b"\xef\xbb\xbf" {
        head.clear();
    }
    Ok(BufReader::new(Cursor::new(head).chain(stream)))
}

/// What there is, for the message that something else is not.
fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    /// More than these help nobody.
    const SHOWN: usize = 12;
    let names: Vec<&str> = names.collect();
    let more = if names.len() > SHOWN { ", …" } else { "" };
    match names.len() {
        0 => "there are none".into(),
        _ => format!("there are {}{more}", names[..names.len().min(SHOWN)].join(", ")),
    }
}

#[cfg(test)]
mod tests;
