//! One column of comma-separated values.

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};

use super::lines::decode;
use super::{COLUMNS, Fault, Found, MAX_BYTES};
use crate::error::{Error, Result};

/// What the parser may read for one record: it reads ahead, in steps of its own.
const MOST_READ: usize = 4 * MAX_BYTES;

/// The records of a stream and the column of their texts.
pub(super) struct CsvRows<R> {
    reader: Reader<Metered<R>>,
    read: Rc<Cell<usize>>,
    record: ByteRecord,
    column: usize,
    columns: usize,
}

impl<R: BufRead> CsvRows<R> {
    /// Reads the header.
    pub fn new(name: &str, stream: R, delimiter: u8, column: Option<&str>) -> Result<Self> {
        let read = Rc::new(Cell::new(0));
        let metered = Metered { stream, read: read.clone() };
        let mut reader =
            ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(metered);
        let header = reader.byte_headers().map_err(|e| {
            Error::io(name, io::Error::other(format!("the header cannot be read: {e}")))
        })?;
        let columns: Vec<String> =
            header.iter().map(|field| String::from_utf8_lossy(field).trim().to_owned()).collect();
        let at = choose(&columns, column).map_err(|message| Error::format(name, message))?;
        Ok(Self { reader, read, record: ByteRecord::new(), column: at, columns: columns.len() })
    }

    /// The text of the next record.
    pub fn next(&mut self) -> Found {
        self.read.set(0);
        let line = self.reader.position().line();
        match self.reader.read_byte_record(&mut self.record) {
            Ok(false) => return Ok(None),
            Ok(true) => {}
            Err(e) => {
                let said = e.to_string();
                return Err(match e.into_kind() {
                    ErrorKind::Io(cause) => {
                        io::Error::new(cause.kind(), format!("from line {line} on: {cause}"))
                    }
                    _ => io::Error::other(said),
                });
            }
        }
        // The parser passes over blank lines before a record.
        let line = self.record.position().map_or(line, |p| p.line());
        let text = match self.record.get(self.column) {
            _ if self.record.len() != self.columns => Err(Fault::Misfit(format!(
                "{} fields where the header has {}; is a comma or a quotation mark amiss?",
                self.record.len(),
                self.columns
            ))),
            Some(field) if field.len() > MAX_BYTES => Err(Fault::TooLong),
            Some(field) => decode(field.to_vec()),
            None => Err(Fault::Empty),
        };
        Ok(Some((line, text)))
    }
}

/// Which column holds the texts.
fn choose(columns: &[String], wanted: Option<&str>) -> std::result::Result<usize, String> {
    let find = |name: &str| columns.iter().position(|c| c == name);
    let list = || super::list(columns.iter().map(String::as_str));
    match wanted {
        Some(name) => find(name).ok_or_else(|| format!("there is no column {name:?}: {}", list())),
        None => match COLUMNS.into_iter().find_map(find) {
            Some(at) => Ok(at),
            None if columns.len() == 1 && columns[0].contains([';', '\t']) => Err(format!(
                "the header {:?} has no comma; separate by commas, or by tabs in a .tsv",
                columns[0]
            )),
            None if columns.len() == 1 => Ok(0),
            None => Err(format!("name the column of the texts with --column: {}", list())),
        },
    }
}

/// Counts what is read, and ends a record that has no end.
struct Metered<R> {
    stream: R,
    read: Rc<Cell<usize>>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.read.get() > MOST_READ {
            let message =
                format!("a record of more than {MOST_READ} bytes; is every quotation mark closed?");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let n = self.stream.read(into)?;
        self.read.set(self.read.get() + n);
        Ok(n)
    }
}
