//! What drawings with two axes share: where values stand, and the lines and numbers that say so.

/// Where values stand along one axis of a drawing, in its own units.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    log: bool,
}

impl Scale {
    /// From `low` at `from` to `high` at `to`.
    pub fn linear((low, high): (f64, f64), (from, to): (f64, f64)) -> Self {
        Self { low, high, from, to, log: false }
    }

    /// The same on a logarithmic axis.
    pub fn log((low, high): (f64, f64), (from, to): (f64, f64)) -> Self {
        Self { low: low.log10(), high: high.log10(), from, to, log: true }
    }

    fn on(&self, value: f64) -> f64 {
        if self.log { value.log10() } else { value }
    }

    /// The place of a value.
    pub fn at(&self, value: f64) -> f64 {
        self.from + (self.on(value) - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    /// Those of `values` that are on the axis.
    pub fn among(&self, values: impl Iterator<Item = f64>) -> Vec<f64> {
        values.filter(|v| (self.low..=self.high).contains(&self.on(*v))).collect()
    }

    /// A line to the right at each value of this vertical axis, as long as `other`, its words on
    /// the left.
    pub fn rows(&self, other: &Self, values: &[f64], words: impl Fn(f64) -> String) -> String {
        let line = |value: &f64| {
            let at = self.at(*value);
            format!(
                "<path d=\"M{} {at:.1}H{}\" stroke=\"currentColor\" opacity=\".18\"/>\
                 <text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                other.from,
                other.to,
                other.from - 8.0,
                at + 4.0,
                words(*value)
            )
        };
        values.iter().map(line).collect()
    }

    /// A line upwards at each value of this horizontal axis, as long as `other`, its words below.
    pub fn columns(&self, other: &Self, values: &[f64], words: impl Fn(f64) -> String) -> String {
        let line = |value: &f64| {
            let at = self.at(*value);
            format!(
                "<path d=\"M{at:.1} {}V{}\" stroke=\"currentColor\" opacity=\".1\"/>\
                 <text x=\"{at:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{}</text>",
                other.to,
                other.from,
                other.from + 18.0,
                words(*value)
            )
        };
        values.iter().map(line).collect()
    }
}

/// Powers of ten, from what is far too small to what is far too large.
pub fn decades() -> impl Iterator<Item = f64> {
    (-9..=15).map(|power| 10f64.powi(power))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_where_they_belong() {
        let across = Scale::log((10.0, 1000.0), (50.0, 250.0));
        assert!((across.at(100.0) - 150.0).abs() < 1e-9);
        assert_eq!(across.among(decades()), [10.0, 100.0, 1000.0]);
        // Upwards: the larger, the nearer to the top.
        let up = Scale::linear((0.0, 4.0), (90.0, 10.0));
        assert_eq!((up.at(0.0), up.at(1.0), up.at(4.0)), (90.0, 70.0, 10.0));
        assert_eq!(up.among([-1.0, 0.5, 4.0, 4.1].into_iter()), [0.5, 4.0]);
        let lines = up.rows(&across, &[1.0], |v| format!("{v} MB"));
        assert!(lines.contains("M50 70.0H250") && lines.contains(">1 MB<"), "{lines}");
        let lines = across.columns(&up, &[10.0, 100.0], |v| v.to_string());
        assert!(lines.contains("M150.0 10V90") && lines.contains("y=\"108\""), "{lines}");
    }
}
