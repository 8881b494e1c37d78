//! Lines of bytes, none held that is longer than the limit.

use std::io::BufRead;

use super::{Fault, Found, MAX_BYTES};

/// The lines of a stream.
pub(super) struct Lines<R> {
    stream: R,
    line: u64,
}

impl<R: BufRead> Lines<R> {
    pub fn new(stream: R) -> Self {
        Self { stream, line: 0 }
    }

    /// The next line, without its end.
    pub fn next(&mut self) -> Found {
        let mut bytes = Vec::new();
        let (mut any, mut too_long) = (false, false);
        loop {
            let chunk = match self.stream.fill_buf() {
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                chunk => chunk?,
            };
            if chunk.is_empty() {
                break;
            }
            any = true;
            let end = chunk.iter().position(|&b| b == b'\n');
            let part = &chunk[..end.unwrap_or(chunk.len())];
            if bytes.len() + part.len() > MAX_BYTES {
                // The rest is passed over, so that the next line is found.
                too_long = true;
                bytes.clear();
            } else if !too_long {
                bytes.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.stream.consume(used);
            if end.is_some() {
                break;
            }
        }
        if !any {
            return Ok(None);
        }
        self.line += 1;
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        let text = if too_long { Err(Fault::TooLong) } else { decode(bytes) };
        Ok(Some((self.line, text)))
    }
}

/// Bytes as UTF-8.
pub(super) fn decode(bytes: Vec<u8>) -> Result<String, Fault> {
    String::from_utf8(bytes).map_err(|e| Fault::NotUtf8(e.utf8_error().valid_up_to()))
}
