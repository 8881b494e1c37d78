//! The training's curves as SVG.

use std::fmt::Write;

/// The drawing's size, and the room for labels left and below.
const SIZE: (f64, f64) = (640.0, 240.0);
const LEFT: f64 = 56.0;
const BELOW: f64 = 28.0;

/// Points joined by a line, and a level to compare with.
pub(super) struct Curve<'a> {
    /// What is drawn, for the label.
    pub title: &'a str,
    /// What runs to the right.
    pub across: &'a str,
    /// The points, from left to right.
    pub points: &'a [(f64, f64)],
    /// Where the right end is.
    pub most: f64,
    /// A level and its name.
    pub level: Option<(f64, &'a str)>,
    /// Digits of the labels.
    pub digits: usize,
}

impl Curve<'_> {
    /// As SVG; says that there is nothing yet where there is no point.
    pub fn svg(&self) -> String {
        let values = self.points.iter().map(|p| p.1).chain(self.level.map(|l| l.0));
        let (mut low, mut high) = values
            .filter(|v| v.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        if low > high {
            return format!("<p class=\"aside\">{}: nothing yet.</p>", self.title);
        }
        let room = (0.08 * (high - low)).max(1e-3 * high.abs()).max(1e-9);
        (low, high) = (low - room, high + room);
        let (width, height) = SIZE;
        let x = |v: f64| LEFT + (width - LEFT - 12.0) * (v / self.most.max(1e-9)).clamp(0.0, 1.0);
        let y = |v: f64| 10.0 + (height - BELOW - 20.0) * (1.0 - (v - low) / (high - low));
        let mut out = format!(
            "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">",
            self.label()
        );
        let (floor, digits) = (height - BELOW - 10.0, self.digits);
        let _ = write!(
            out,
            "<path class=\"axis\" d=\"M{LEFT} 10V{floor}H{}\"/>\
             <text x=\"{}\" y=\"18\" text-anchor=\"end\">{high:.digits$}</text>\
             <text x=\"{}\" y=\"{floor}\" text-anchor=\"end\">{low:.digits$}</text>\
             <text x=\"{LEFT}\" y=\"{}\">0</text>\
             <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{} {}</text>",
            width - 12.0,
            LEFT - 6.0,
            LEFT - 6.0,
            height - 12.0,
            width - 12.0,
            height - 12.0,
            self.most,
            self.across
        );
        if let Some((value, name)) = self.level {
            let at = y(value);
            let _ = write!(
                out,
                "<path class=\"level\" d=\"M{LEFT} {at:.1}H{}\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{name} {value:.digits$}</text>",
                width - 12.0,
                width - 14.0,
                at - 5.0
            );
        }
        let mut path = String::new();
        for (i, (at, value)) in self.points.iter().filter(|p| p.1.is_finite()).enumerate() {
            let letter = if i == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{letter}{:.1} {:.1}", x(*at), y(*value));
        }
        let _ = write!(out, "<path class=\"curve\" d=\"{path}\"/>");
        if let Some((at, value)) = self.points.last().filter(|p| p.1.is_finite()) {
            let _ = write!(out, "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"/>", x(*at), y(*value));
        }
        out + "</svg>"
    }

    /// What a screen reader says.
    fn label(&self) -> String {
        let digits = self.digits;
        let mut label = self.title.to_string();
        if let (Some(first), Some(last)) = (self.points.first(), self.points.last()) {
            let (from, to, at) = (first.1, last.1, last.0);
            label += &format!(": from {from:.digits$} to {to:.digits$} at {} {at}", self.across);
        }
        if let Some((value, name)) = self.level {
            label += &format!("; {name} is at {value:.digits$}");
        }
        label
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_what_there_is() {
        let mut curve = Curve {
            title: "Loss",
            across: "steps",
            points: &[],
            most: 10.0,
            level: None,
            digits: 2,
        };
        assert!(curve.svg().contains("nothing yet"));
        curve.points = &[(0.0, 2.0), (5.0, f64::NAN), (10.0, 1.0)];
        curve.level = Some((1.5, "PCA"));
        let svg = curve.svg();
        assert!(svg.contains("Loss: from 2.00 to 1.00 at steps 10; PCA is at 1.50"), "{svg}");
        assert!(!svg.contains("NaN"));
        curve.points = &[(3.0, 1.0)];
        assert!(!curve.svg().contains("inf"));
    }
}
