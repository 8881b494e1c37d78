//! Lines of text with their numbers, and texts kept once each.

use std::collections::HashMap;
use std::io::BufRead;

use crate::error::{Error, Result};

/// Longest line that is read, in bytes: a longer one is no text for a sentence encoder.
const LONGEST: usize = 1 << 24;

/// Gives `each` the lines of `reader` with their numbers from 1, without line ends and without a
/// byte order mark; lines of white space only are passed over.
///
/// # Errors
/// [`Error::Format`] with the line's number for what is not UTF-8 or far too long, and what
/// reading or `each` report (see [`at`]).
pub(super) fn for_each_line(
    name: &str,
    reader: &mut dyn BufRead,
    mut each: impl FnMut(usize, &str) -> Result<()>,
) -> Result<()> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let limited = &mut std::io::Read::take(&mut *reader, LONGEST as u64 + 1);
        let read = limited.read_until(b'\n', &mut line);
        if read.map_err(|e| Error::format(name, format!("cannot be read: {e}")))? == 0 {
            return Ok(());
        }
        if line.len() > LONGEST {
            return Err(at(name, number, "is longer than 16 MiB: this is no text file"));
        }
        let text = std::str::from_utf8(&line)
            .map_err(|_| at(name, number, "is not UTF-8; save the file as UTF-8"))?;
        let text = if number == 1 { text.trim_start_matches('\u{feff}') } else { text };
        let text = text.trim_end_matches(['\n', '\r']);
        if !text.trim().is_empty() {
            each(number, text)?;
        }
    }
    Ok(())
}

/// An error of a line.
pub(super) fn at(name: &str, line: usize, message: impl std::fmt::Display) -> Error {
    Error::format(name, format!("line {line} {message}"))
}

/// Texts in the order in which they came first, each once.
#[derive(Default)]
pub(super) struct Texts {
    list: Vec<String>,
    rows: HashMap<String, u32>,
}

impl Texts {
    /// The row of `text`, a new one if it has not come before.
    pub fn row(&mut self, name: &str, text: &str) -> Result<u32> {
        if let Some(row) = self.rows.get(text) {
            return Ok(*row);
        }
        let row = u32::try_from(self.list.len())
            .map_err(|_| Error::format(name, "holds more than 2³² texts"))?;
        self.list.push(text.into());
        self.rows.insert(text.into(), row);
        Ok(row)
    }

    /// All of them.
    pub fn into_list(self) -> Vec<String> {
        self.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_marks_and_bad_bytes() {
        let mut seen = Vec::new();
        let bytes = "\u{feff}a\r\n\n  \nb c\nd".as_bytes();
        for_each_line("f", &mut &*bytes, |n, line| {
            seen.push((n, line.to_string()));
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, [(1, "a".into()), (4, "b c".into()), (5, "d".into())]);
        let bad = for_each_line("f", &mut &b"a\n\xff\n"[..], |_, _| Ok(())).unwrap_err();
        assert_eq!(bad.to_string(), "f: line 2 is not UTF-8; save the file as UTF-8");
        let long = vec![b'x'; LONGEST + 2];
        assert!(for_each_line("f", &mut &long[..], |_, _| Ok(())).is_err());
        let mut texts = Texts::default();
        let rows: Vec<u32> = ["x", "y", "x"].iter().map(|t| texts.row("f", t).unwrap()).collect();
        assert_eq!((rows, texts.into_list()), (vec![0, 1, 0], vec!["x".into(), "y".into()]));
    }
}
