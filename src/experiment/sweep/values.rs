//! Values of one setting, as a list or a range: `0.1,0.5,1`, `1e-4..1e-2:log:5`, `1..5`.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::student::Init;

/// Values of a range of decimals in a grid, where the range does not say.
const DEFAULT_COUNT: usize = 5;
/// Values of one setting in a grid at most.
const MAX_COUNT: usize = 1000;

/// What the values of a setting are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 0, 1, 2, …
    Whole,
    /// Finite numbers, to the precision of an f32.
    Decimal,
    /// `spectral` or `random`.
    Start,
}

/// Values that a setting takes in a search.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    kind: Kind,
    items: Vec<Item>,
}

#[derive(Clone, Debug, PartialEq)]
enum Item {
    One(Value),
    Range { low: f64, high: f64, log: bool, count: Option<usize> },
}

impl Values {
    /// Parses values parted by commas, each one value or a range `LOW..HIGH`, both ends with it,
    /// followed by `:log` for steps that multiply and `:N` for the number of values. Without a
    /// number, whole values take every step of one and decimals five values.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an empty list, what is no number of its kind, NaN, an infinity, a
    /// range that goes down, and a logarithmic one that does not start above 0.
    pub fn parse(text: &str, kind: Kind) -> Result<Self> {
        let refuse = |message: String| Error::invalid(format!("{text:?}"), message);
        if text.trim().is_empty() {
            return Err(refuse("is an empty list; give one value or more".into()));
        }
        let item = |part: &str| match part.split_once("..") {
            Some((low, rest)) => range(low, rest, kind),
            None => one(part, kind).map(Item::One),
        };
        let items = text
            .split(',')
            .map(|part| match part.trim() {
                "" => Err("has an empty place between commas".to_string()),
                part => item(part),
            })
            .collect::<std::result::Result<Vec<_>, _>>()
            .map_err(refuse)?;
        let values = Self { kind, items };
        match values.count() {
            n if n > MAX_COUNT => {
                Err(refuse(format!("comes to {n} values; at most {MAX_COUNT} fit in a search")))
            }
            _ => Ok(values),
        }
    }

    /// Every value of a grid, in order, each once.
    pub fn grid(&self) -> Vec<Value> {
        let mut all: Vec<Value> = Vec::new();
        for item in &self.items {
            let values = match item {
                Item::One(value) => vec![value.clone()],
                Item::Range { low, high, log, count } => {
                    let n = self.steps(*low, *high, *log, *count);
                    let share = |i: usize| i as f64 / (n.max(2) - 1) as f64;
                    (0..n).map(|i| self.value(between(*low, *high, *log, share(i)))).collect()
                }
            };
            for value in values {
                if !all.contains(&value) {
                    all.push(value);
                }
            }
        }
        all
    }

    /// One value at random: an item of the list, and of a range any value in it, evenly or evenly
    /// in its logarithm.
    pub fn draw(&self, rng: &mut ChaCha8Rng) -> Value {
        match &self.items[rng.random_range(0..self.items.len())] {
            Item::One(value) => value.clone(),
            Item::Range { low, high, .. } if self.kind == Kind::Whole => {
                rng.random_range(*low as u64..=*high as u64).into()
            }
            Item::Range { low, high, log, .. } => {
                self.value(between(*low, *high, *log, rng.random_range(0.0..=1.0)))
            }
        }
    }

    fn count(&self) -> usize {
        let one = |item: &Item| match item {
            Item::One(_) => 1,
            Item::Range { low, high, log, count } => self.steps(*low, *high, *log, *count),
        };
        self.items.iter().map(one).fold(0, usize::saturating_add)
    }

    fn steps(&self, low: f64, high: f64, log: bool, count: Option<usize>) -> usize {
        match (count, self.kind) {
            (Some(n), _) => n,
            (None, Kind::Whole) if !log => (high - low) as usize + 1,
            (None, _) => DEFAULT_COUNT,
        }
    }

    fn value(&self, v: f64) -> Value {
        match self.kind {
            Kind::Whole => (v.round() as u64).into(),
            // Three digits, so that what is shown is what was used.
            _ => decimal(&format!("{v:.2e}")).unwrap_or(Value::Null),
        }
    }
}

fn between(low: f64, high: f64, log: bool, share: f64) -> f64 {
    match share {
        // The ends are as they were given.
        0.0 => low,
        1.0 => high,
        _ if log => (low.ln() + share * (high.ln() - low.ln())).exp(),
        _ => low + share * (high - low),
    }
}

/// `HIGH[:log][:N]` after `LOW..`.
fn range(low: &str, rest: &str, kind: Kind) -> std::result::Result<Item, String> {
    if kind == Kind::Start {
        return Err("has a range; write spectral,random".into());
    }
    let mut parts = rest.trim_start_matches('=').split(':');
    let end = |text: &str| -> std::result::Result<f64, String> {
        one(text.trim(), kind)?.as_f64().ok_or_else(|| format!("{text:?} is not a number"))
    };
    let (low, high) = (end(low)?, end(parts.next().unwrap_or_default())?);
    let (mut log, mut count) = (false, None);
    for part in parts {
        match part.trim() {
            "log" => log = true,
            "lin" => log = false,
            number => match number.parse::<usize>() {
                Ok(n) if n >= 1 => count = Some(n),
                _ => return Err(format!("{number:?} is neither log, lin nor a number of values")),
            },
        }
    }
    if low > high {
        return Err(format!("goes down, from {low} to {high}; write {high}..{low}"));
    }
    if log && low <= 0.0 {
        return Err(format!("is logarithmic and starts at {low}; start above 0"));
    }
    if count == Some(1) && low != high {
        return Err("is a range of one value; give the value alone".into());
    }
    Ok(Item::Range { low, high, log, count })
}

fn one(text: &str, kind: Kind) -> std::result::Result<Value, String> {
    match kind {
        Kind::Whole => text
            .parse::<u64>()
            .map(Value::from)
            .map_err(|_| format!("{text:?} is not a whole number of 0 or more")),
        Kind::Decimal => decimal(text),
        Kind::Start => {
            let init: Init = text.parse().map_err(|e: Error| e.to_string())?;
            Ok(init.to_string().into())
        }
    }
}

/// By way of the text of an f32, as settings are written.
fn decimal(text: &str) -> std::result::Result<Value, String> {
    let value: f32 = text.parse().map_err(|_| format!("{text:?} is not a number"))?;
    if !value.is_finite() {
        return Err(format!("{text:?} is not a finite number"));
    }
    serde_json::from_str(&serde_json::to_string(&value).map_err(|e| e.to_string())?)
        .map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::rand_core::SeedableRng;
    use serde_json::json;

    use super::*;

    fn grid(text: &str, kind: Kind) -> Vec<Value> {
        Values::parse(text, kind).unwrap().grid()
    }

    #[test]
    fn lists_and_ranges() {
        assert_eq!(grid("0.1, 0.5,1,0.5", Kind::Decimal), [json!(0.1), json!(0.5), json!(1.0)]);
        assert_eq!(
            grid("1e-4..1e-2:log:3", Kind::Decimal),
            [json!(0.0001), json!(0.001), json!(0.01)]
        );
        assert_eq!(grid("0..1", Kind::Decimal).len(), DEFAULT_COUNT);
        assert_eq!(grid("0..1:3", Kind::Decimal), [json!(0.0), json!(0.5), json!(1.0)]);
        assert_eq!(grid("1..3,7", Kind::Whole), [json!(1), json!(2), json!(3), json!(7)]);
        assert_eq!(grid("10..40:4", Kind::Whole), [json!(10), json!(20), json!(30), json!(40)]);
        assert_eq!(grid("256..1024:log:3", Kind::Whole), [json!(256), json!(512), json!(1024)]);
        assert_eq!(grid("5..5", Kind::Decimal), [json!(5.0)]);
        assert_eq!(grid("random,spectral", Kind::Start), ["random", "spectral"]);
    }

    #[test]
    fn refuses_what_is_no_list() {
        let cases = [
            ("", Kind::Whole, "empty list"),
            (" ", Kind::Decimal, "empty list"),
            ("1,,2", Kind::Whole, "empty place"),
            ("1,", Kind::Whole, "empty place"),
            ("NaN", Kind::Decimal, "finite"),
            ("0..inf", Kind::Decimal, "finite"),
            ("1e39", Kind::Decimal, "finite"),
            ("-1", Kind::Whole, "whole number"),
            ("2.5", Kind::Whole, "whole number"),
            ("x", Kind::Decimal, "not a number"),
            ("2..1", Kind::Decimal, "goes down"),
            ("0..1:log", Kind::Decimal, "above 0"),
            ("0..1:loud", Kind::Decimal, "neither"),
            ("0..1:0", Kind::Decimal, "neither"),
            ("0..1:1", Kind::Decimal, "one value"),
            ("0..4000000000", Kind::Whole, "at most"),
            ("spectral..random", Kind::Start, "range"),
            ("zero", Kind::Start, "spectral"),
        ];
        for (text, kind, words) in cases {
            let message = Values::parse(text, kind).unwrap_err().to_string();
            assert!(message.contains(words), "{text:?}: {message}");
        }
    }

    proptest! {
        #[test]
        fn a_grid_keeps_its_ends_and_ascends(
            low in 1e-6..1.0f64, times in 1.5..1e4f64, log in any::<bool>(), n in 2..9usize,
        ) {
            let (low, high) = (format!("{low:.2e}"), format!("{:.2e}", low * times));
            let text = format!("{low}..{high}:{}:{n}", if log { "log" } else { "lin" });
            let values: Vec<f64> =
                grid(&text, Kind::Decimal).iter().map(|v| v.as_f64().unwrap()).collect();
            prop_assert_eq!(values[0] as f32, low.parse::<f32>().unwrap());
            prop_assert_eq!(*values.last().unwrap() as f32, high.parse::<f32>().unwrap());
            prop_assert!(values.windows(2).all(|w| w[0] < w[1]), "{:?}", values);
            prop_assert!(values.len() <= n);
        }

        #[test]
        fn draws_stay_within(seed in any::<u64>()) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let rate = Values::parse("1e-4..1e-2:log", Kind::Decimal).unwrap().draw(&mut rng);
            let rate = rate.as_f64().unwrap();
            prop_assert!((0.99e-4..=1.01e-2).contains(&rate));
            let width = Values::parse("3..5,9", Kind::Whole).unwrap().draw(&mut rng);
            prop_assert!([3, 4, 5, 9].contains(&width.as_u64().unwrap()));
        }
    }
}
