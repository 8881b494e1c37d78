//! One text of each JSON object in a file of lines.

use std::io::BufRead;

use serde_json::{Map, Value};

use super::lines::Lines;
use super::{COLUMNS, Fault, Found};

/// The objects of a stream and the key of their texts.
pub(super) struct JsonRows<R> {
    lines: Lines<R>,
    /// As it was named, or as the first object shows it.
    key: Option<String>,
}

impl<R: BufRead> JsonRows<R> {
    pub fn new(stream: R, key: Option<&str>) -> Self {
        Self { lines: Lines::new(stream), key: key.map(str::to_owned) }
    }

    /// The text of the next line.
    pub fn next(&mut self) -> Found {
        let Some((line, text)) = self.lines.next()? else { return Ok(None) };
        let text = text.and_then(|text| match text.trim() {
            "" => Err(Fault::Empty),
            json => self.text(json),
        });
        Ok(Some((line, text)))
    }

    fn text(&mut self, json: &str) -> Result<String, Fault> {
        let misfit = |message: String| Err(Fault::Misfit(message));
        let mut object: Map<String, Value> = match serde_json::from_str(json) {
            Ok(Value::Object(object)) => object,
            Ok(_) => return misfit("this is JSON, but no object such as {\"text\": …}".into()),
            Err(e) => {
                // Its own line number counts within this line.
                let cause = e.to_string();
                let cause = cause.split(" at line ").next().unwrap_or_default();
                return misfit(format!("this is no JSON ({cause}, column {})", e.column()));
            }
        };
        let key = match &self.key {
            Some(key) => key,
            None => match choose(&object) {
                Some(key) => self.key.insert(key),
                None => return misfit(format!("name one with --column: {}", list(&object))),
            },
        };
        match object.remove(key) {
            Some(Value::String(text)) => Ok(text),
            Some(_) => misfit(format!("{key:?} is no string here")),
            None => misfit(format!("there is no {key:?} here: {}", list(&object))),
        }
    }
}

/// The key that nobody needs to name: one of the usual, or the only one with a string.
fn choose(object: &Map<String, Value>) -> Option<String> {
    let strings: Vec<&String> =
        object.iter().filter(|(_, v)| v.is_string()).map(|(k, _)| k).collect();
    let usual = COLUMNS.into_iter().find(|c| object.contains_key(*c));
    usual.map(str::to_owned).or_else(|| match strings[..] {
        [only] => Some(only.clone()),
        _ => None,
    })
}

fn list(object: &Map<String, Value>) -> String {
    super::list(object.keys().map(String::as_str))
}
