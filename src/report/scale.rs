//! Where the values of a setting stand on an axis from 0 to 1.

use serde_json::Value;

use crate::experiment::sweep::shown;

/// Values that each get a place of their own; of more, numbers stand where they are.
const MOST_PLACES: usize = 12;
/// From this ratio of the largest to the smallest on, numbers stand by their logarithm.
const LOG_RATIO: f64 = 20.0;

/// The axis of a setting.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    kind: Kind,
    /// Place and words of each tick.
    pub ticks: Vec<(f64, String)>,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Places(Vec<Value>),
    Numbers { low: f64, high: f64, log: bool },
}

impl Scale {
    /// The axis of `values`, which ascend and differ.
    pub fn of(values: &[Value]) -> Self {
        let numbers: Vec<f64> = values.iter().filter_map(Value::as_f64).collect();
        if values.len() <= MOST_PLACES || numbers.len() < values.len() {
            let last = (values.len().max(2) - 1) as f64;
            let place = |i: usize| if values.len() == 1 { 0.5 } else { i as f64 / last };
            let ticks = values.iter().enumerate().map(|(i, v)| (place(i), shown(v))).collect();
            return Self { kind: Kind::Places(values.to_vec()), ticks };
        }
        let (low, high) = (numbers[0], numbers[numbers.len() - 1]);
        Self::numbers(low, high, low > 0.0 && high / low > LOG_RATIO)
    }

    /// The axis of numbers from `low` to `high`.
    pub fn numbers(low: f64, high: f64, log: bool) -> Self {
        let at = |share: f64| match log {
            true => (low.ln() + share * (high.ln() - low.ln())).exp(),
            false => low + share * (high - low),
        };
        let words = |v: f64| shown(&Value::from(format!("{v:.3e}").parse().unwrap_or(v)));
        let ticks = [0.0, 0.25, 0.5, 0.75, 1.0].map(|share| (share, words(at(share)))).to_vec();
        Self { kind: Kind::Numbers { low, high, log }, ticks }
    }

    /// The place of a value, if it has one.
    pub fn at(&self, value: &Value) -> Option<f64> {
        match &self.kind {
            Kind::Places(values) => {
                Some(self.ticks[values.iter().position(|other| other == value)?].0)
            }
            Kind::Numbers { low, high, log } => {
                let (v, low, high) = match log {
                    true => (value.as_f64()?.ln(), low.ln(), high.ln()),
                    false => (value.as_f64()?, *low, *high),
                };
                let share = (v - low) / (high - low).max(f64::MIN_POSITIVE);
                share.is_finite().then(|| share.clamp(0.0, 1.0))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn few_values_get_places_and_many_numbers_a_scale() {
        let few = Scale::of(&[json!(0.1), json!(1.0), json!(20.0)]);
        assert_eq!(few.at(&json!(1.0)), Some(0.5));
        assert_eq!(few.at(&json!(2.0)), None);
        assert_eq!(few.ticks[2], (1.0, "20".into()));
        assert_eq!(Scale::of(&[json!("spectral")]).at(&json!("spectral")), Some(0.5));
        let rates: Vec<Value> =
            (0..13).map(|i| json!(1e-4 * 10f64.powf(f64::from(i) / 6.0))).collect();
        let log = Scale::of(&rates);
        assert!((log.at(&json!(1e-3)).unwrap() - 0.5).abs() < 1e-9);
        assert_eq!(log.ticks[2].1, "0.001");
        let linear = Scale::of(&(0..13).map(|i| json!(10 + i)).collect::<Vec<_>>());
        assert_eq!(linear.at(&json!(16)), Some(0.5));
    }
}
