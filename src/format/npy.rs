//! NumPy's `.npy`, versions 1 to 3: a magic, a header that is a Python dict, the values.
//! Format: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.

use std::io::{Read, Seek, Write};

use super::raw::{Layout, RawReader, RawWriter, remaining};
use super::{Dtype, Metadata};
use crate::error::{Error, Result};

/// The first bytes of every `.npy` file.
pub const MAGIC: &[u8] = b"\x93NUMPY";

/// Numpy's own headers have 128 bytes; no array of numbers needs as many as this.
const MAX_HEADER: u64 = 1 << 16;

/// What the header says, as text.
#[derive(Debug, PartialEq)]
struct Header {
    descr: String,
    fortran_order: bool,
    shape: Vec<u64>,
}

/// Opens an array of two dimensions, C order, little-endian `f2`, `f4`, `f8` or `u1`.
///
/// # Errors
/// [`Error::Format`] for anything else, damage and truncation among it.
pub fn open<R: Read + Seek>(name: &str, mut stream: R) -> Result<RawReader<R>> {
    let text = read_header(name, &mut stream)?;
    let header = parse(&text)
        .map_err(|e| Error::format(name, format!("the npy header cannot be read: {e}")))?;
    let dtype = match header.descr.as_str() {
        "<f2" => Dtype::F16,
        "<f4" => Dtype::F32,
        "<f8" => Dtype::F64,
        "|u1" | "<u1" => Dtype::U8,
        other => {
            return Err(Error::format(
                name,
                format!(
                    "values of type {other:?} are not read, only '<f2', '<f4', '<f8' and, for \
                     codes, '|u1'; save it with array.astype('<f4')"
                ),
            ));
        }
    };
    let &[rows, width] = header.shape.as_slice() else {
        return Err(Error::format(
            name,
            format!(
                "the array has {} dimension(s), vectors need two: rows × width; for a single \
                 vector save array.reshape(1, -1)",
                header.shape.len()
            ),
        ));
    };
    if header.fortran_order {
        return Err(Error::format(
            name,
            "the array is stored column by column (Fortran order), which cannot be streamed by \
             rows; save numpy.ascontiguousarray(array)",
        ));
    }
    let available = remaining(name, &mut stream)?;
    let layout = Layout { dtype, rows, width, metadata: Metadata::new() };
    let reader = RawReader::new(name, stream, layout, available)?;
    let extra = available - rows * width * dtype.bytes() as u64; // `new` checked the product
    if extra > 0 {
        return Err(Error::format(
            name,
            format!(
                "{extra} bytes follow the {rows} × {width} values that the header promises; the \
                 header is damaged, or the file holds more than one array"
            ),
        ));
    }
    Ok(reader)
}

/// Reads magic, version and the text of the header, leaving `stream` at the first value.
fn read_header<R: Read + Seek>(name: &str, stream: &mut R) -> Result<String> {
    let total = remaining(name, stream)?;
    let short = || Error::format(name, format!("{total} bytes are too few for an npy file"));
    let mut take = |n: usize| -> Result<Vec<u8>> {
        let mut bytes = vec![0; n];
        stream.read_exact(&mut bytes).map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => short(),
            _ => Error::io(name, e),
        })?;
        Ok(bytes)
    };
    if take(6)? != MAGIC {
        return Err(Error::format(name, "not an npy file: it does not start with \\x93NUMPY"));
    }
    let version = take(2)?;
    let (length, before) = match version[0] {
        1 => (u64::from(u16::from_le_bytes(take(2)?.try_into().unwrap_or_default())), 10),
        2 | 3 => (u64::from(u32::from_le_bytes(take(4)?.try_into().unwrap_or_default())), 12),
        other => {
            let message = format!("npy version {other} is not known, only 1, 2 and 3");
            return Err(Error::format(name, message));
        }
    };
    if length > MAX_HEADER {
        return Err(Error::format(
            name,
            format!(
                "the npy header claims {length} bytes, above the limit of {MAX_HEADER}; the file is damaged"
            ),
        ));
    }
    if length > total - before {
        return Err(Error::format(
            name,
            format!("truncated: the npy header claims {length} bytes, {} follow", total - before),
        ));
    }
    String::from_utf8(take(length as usize)?)
        .map_err(|_| Error::format(name, "the npy header is not text; the file is damaged"))
}

/// Parses the dict literal that numpy writes (and no other Python).
fn parse(text: &str) -> std::result::Result<Header, String> {
    let mut at = Cursor { rest: text.trim_start() };
    let (mut descr, mut fortran_order, mut shape) = (None, None, None);
    at.expect("{")?;
    while !at.accept("}") {
        let key = at.string()?;
        at.expect(":")?;
        match key {
            "descr" if at.rest.starts_with('[') => {
                return Err("records (structured types) are not vectors".into());
            }
            "descr" => descr = Some(at.string()?.to_owned()),
            "fortran_order" => fortran_order = Some(at.boolean()?),
            "shape" => shape = Some(at.tuple()?),
            other => return Err(format!("unknown entry {other:?}")),
        }
        if !at.accept(",") && !at.rest.starts_with('}') {
            return Err(format!("',' or '}}' is missing before {:?}", at.excerpt()));
        }
    }
    if !at.rest.is_empty() {
        return Err(format!("{:?} follows the dict", at.excerpt()));
    }
    Ok(Header {
        descr: descr.ok_or("'descr' is missing")?,
        fortran_order: fortran_order.ok_or("'fortran_order' is missing")?,
        shape: shape.ok_or("'shape' is missing")?,
    })
}

/// The unread rest of a header; each step skips the blanks behind it.
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn excerpt(&self) -> String {
        self.rest.chars().take(20).collect()
    }

    fn accept(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &str) -> std::result::Result<(), String> {
        if self.accept(token) {
            return Ok(());
        }
        Err(format!("{token:?} is missing before {:?}", self.excerpt()))
    }

    fn string(&mut self) -> std::result::Result<&'a str, String> {
        let quote = self.rest.chars().next().filter(|c| matches!(c, '\'' | '"'));
        let body = quote.and_then(|q| self.rest[1..].split_once(q));
        let Some((text, rest)) = body else {
            return Err(format!("a string is missing before {:?}", self.excerpt()));
        };
        self.rest = rest.trim_start();
        Ok(text)
    }

    fn boolean(&mut self) -> std::result::Result<bool, String> {
        if self.accept("True") {
            return Ok(true);
        }
        self.expect("False").map(|()| false)
    }

    fn tuple(&mut self) -> std::result::Result<Vec<u64>, String> {
        let mut numbers = Vec::new();
        self.expect("(")?;
        while !self.accept(")") {
            let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
            let number = self.rest[..digits].parse();
            numbers.push(number.map_err(|_| format!("no size at {:?}", self.excerpt()))?);
            self.rest = self.rest[digits..].trim_start();
            self.accept("L"); // Python 2 wrote long integers so
            if !self.accept(",") && !self.rest.starts_with(')') {
                return Err(format!("',' or ')' is missing before {:?}", self.excerpt()));
            }
        }
        Ok(numbers)
    }
}

/// A writer of `rows × width` values of `dtype` (`F32`, `F16`, `U8`), version 1.
///
/// # Errors
/// [`Error::Invalid`] for another type or a width of 0; [`Error::Io`] if writing fails.
pub fn create<W: Write + Seek>(
    name: &str,
    stream: W,
    width: usize,
    dtype: Dtype,
) -> Result<RawWriter<W>> {
    let descr = match dtype {
        Dtype::F16 => "<f2",
        Dtype::U8 => "|u1",
        _ => "<f4", // a type that cannot be written is refused by the writer itself
    };
    let header = move |rows: u64| {
        let dict =
            format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({rows}, {width}), }}");
        // 128 bytes in all hold any number of rows, and are what numpy itself writes.
        let mut bytes = MAGIC.to_vec();
        bytes.extend([1, 0, 118, 0]);
        bytes.extend(format!("{dict:<117}\n").into_bytes());
        Ok(bytes)
    };
    RawWriter::new(name, stream, dtype, width, Box::new(header))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_dicts_that_numpy_writes() {
        let header = |shape: &[u64]| Header {
            descr: "<f4".into(),
            fortran_order: false,
            shape: shape.to_vec(),
        };
        let cases = [
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 5), }   \n", vec![3, 5]),
            ("{\"shape\": (3L, 5L), 'descr': '<f4', 'fortran_order': False}", vec![3, 5]),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (7,), }", vec![7]),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (), }", vec![]),
        ];
        for (text, shape) in cases {
            assert_eq!(parse(text), Ok(header(&shape)), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_such_dict() {
        for text in [
            "",
            "{",
            "{'descr': '<f4'}",
            "{'descr': '<f4', 'fortran_order': 0, 'shape': (1, 2)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 2)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 2)}",
            "{'descr': '<f4' 'fortran_order': False, 'shape': (1, 2)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1 2)}",
            "{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1, 2)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), 'more': 1}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2)} x",
            "{'descr': 'é, 'fortran_order': False}",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
