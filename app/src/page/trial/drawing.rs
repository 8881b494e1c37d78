//! The codes in one picture: score against cost, intervals as bars, the front as a line.

use lnsp::number::{count, decimal};

use super::pareto::{Axes, Chart, Mark};
use super::result::Outcome;
use crate::page::axes::{Scale, decades};
use crate::page::html::escape;
use crate::protocol::CodeTimes;

/// The drawing's size, and where its axes end.
const SIZE: (f64, f64) = (720.0, 430.0);
const ACROSS: (f64, f64) = (66.0, 704.0);
const UP: (f64, f64) = (376.0, 46.0);
/// Places between marks of one cost, which would hide each other.
const APART: f64 = 9.0;
/// A letter of a label is about so wide.
const LETTER: f64 = 7.0;

impl Chart<'_> {
    /// Places of the marks: those of one cost stand a little apart, the one on the front where it
    /// belongs and the others to its right, where the front does not pass.
    fn places(&self, across: &Scale) -> Vec<f64> {
        let mut places = vec![f64::NAN; self.marks.len()];
        for i in self.front.iter().copied().chain(0..self.marks.len()) {
            if places[i].is_nan() {
                let cost = self.marks[i].cost;
                let alike =
                    |(mark, place): &(&Mark<'_>, &f64)| mark.cost == cost && !place.is_nan();
                let before = self.marks.iter().zip(&places).filter(alike).count();
                places[i] = across.at(cost) + APART * before as f64;
            }
        }
        places
    }

    fn draw(&self) -> String {
        let spread = |values: &mut dyn Iterator<Item = f64>| {
            values.fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)))
        };
        let (least, most) = spread(&mut self.marks.iter().map(|mark| mark.cost));
        let across = Scale::log((least / 1.6, most * 1.35), ACROSS);
        let ends = self.marks.iter().flat_map(|mark| [mark.score.low, mark.score.high]);
        let (low, high) = spread(&mut ends.chain([self.teacher]));
        let room = (0.04 * (high - low)).max(0.02);
        let up = Scale::linear((low - room, high + room), UP);
        let mut out = format!(
            "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}. {}\">\
             <text x=\"4\" y=\"20\">{}</text>",
            SIZE.0,
            SIZE.1,
            escape(&self.title()),
            escape(&self.sentence()),
            escape(&self.title())
        );
        let (step, digits) = step(high - low);
        let rows = up.among((0..=(high / step).ceil() as usize).map(|i| i as f64 * step));
        out += &up.rows(&across, &rows, |value| decimal(value, digits));
        let (ticks, unit) = self.ticks(&across);
        out += &across.columns(
            &up,
            &ticks,
            |v| if v < 1.0 { format!("{v}") } else { count(v as u64) },
        );
        let teacher = up.at(self.teacher);
        out += &format!(
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{unit}</text>\
             <path class=\"level\" d=\"M{} {teacher:.1}H{}\"/>",
            ACROSS.1,
            UP.0 + 46.0,
            ACROSS.0,
            ACROSS.1
        );
        let places = self.places(&across);
        let line: Vec<String> = self
            .front
            .iter()
            .map(|i| format!("{:.1} {:.1}", places[*i], up.at(self.marks[*i].score.mean)))
            .collect();
        out += &format!("<path class=\"front\" d=\"M{}\"/>", line.join("L"));
        for (i, mark) in self.marks.iter().enumerate() {
            out += &self.mark(mark, places[i], &up, self.front.contains(&i));
        }
        out + &self.names(&places, &up) + "</svg>"
    }

    /// One mark: its interval, a diamond or a circle, filled on the front.
    fn mark(&self, mark: &Mark<'_>, x: f64, up: &Scale, best: bool) -> String {
        let y = up.at(mark.score.mean);
        let (low, high) = (up.at(mark.score.low), up.at(mark.score.high));
        let shape = match mark.is_student() {
            true => format!("M{x:.1} {:.1}l7 7-7 7-7-7z", y - 7.0),
            false => format!("M{:.1} {y:.1}a5 5 0 1 1 10 0a5 5 0 1 1-10 0z", x - 5.0),
        };
        let class = match (mark.is_student(), best) {
            (true, true) => "student best",
            (true, false) => "student",
            (false, true) => "best",
            (false, false) => "",
        };
        format!(
            "<g class=\"{class}\"><title>{}: {} of {} ({} to {})</title>\
             <path d=\"M{x:.1} {low:.1}V{high:.1}\"/><path d=\"{shape}\"/></g>",
            escape(&self.named(mark)),
            decimal(mark.score.mean, 2),
            self.k,
            decimal(mark.score.low, 2),
            decimal(mark.score.high, 2)
        )
    }

    /// Names of what is on the front, above it, where nothing else is; one that would cover the
    /// name before it is left to the words below.
    fn names(&self, places: &[f64], up: &Scale) -> String {
        let (mut out, mut last) = (String::new(), (f64::MIN, f64::MIN));
        for (i, mark) in self.front.iter().zip(self.best()) {
            let name = mark.code.name.split(',').next().unwrap_or_default();
            let width = LETTER * name.len() as f64;
            let (x, y) = (places[*i], up.at(mark.score.mean));
            // What begins the front would leave the drawing.
            let (x, y, anchor) = match x - width > ACROSS.0 {
                true => (x - 10.0, y - 8.0, "end"),
                false => (x + 10.0, y + 18.0, "start"),
            };
            if x - width < last.0 && (y - last.1).abs() < 18.0 {
                continue;
            }
            last = (if anchor == "end" { x } else { x + width }, y);
            out += &format!(
                "<text class=\"name\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>",
                escape(name)
            );
        }
        out
    }

    /// Values that stand below the drawing, and what they are. Codes of 384 values take 3·2ᵏ bytes.
    fn ticks(&self, across: &Scale) -> (Vec<f64>, &'static str) {
        match self.axes.time {
            true => (across.among(decades().flat_map(|v| [v, 3.0 * v])), "µs to encode a vector"),
            false => (
                across.among((0..14).map(|k| 3.0 * f64::from(1u32 << k))),
                "bytes a vector, each step doubles",
            ),
        }
    }
}

/// Between two lines of a scale that spans so much: of ten lines at most.
fn step(span: f64) -> (f64, usize) {
    let all = [(0.02, 2), (0.05, 2), (0.1, 1), (0.2, 1), (0.5, 1)];
    all.into_iter().find(|(step, _)| span <= 8.0 * step).unwrap_or((1.0, 0))
}

/// The chart and what it says; `times` once they are measured.
pub(super) fn chart(outcome: &Outcome, axes: Axes, times: Option<&CodeTimes>) -> String {
    let waits = !outcome.whole || axes.time && times.is_none();
    let drawn = (!waits).then(|| Chart::new(outcome, axes, times)).flatten();
    let Some(chart) = drawn else {
        let said = if waits { "Being measured." } else { "Could not be measured." };
        // As large as what comes.
        return format!(
            "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{said}\">\
             <text x=\"{}\" y=\"60\">{said}</text></svg>",
            SIZE.0, SIZE.1, ACROSS.0
        );
    };
    format!(
        "{}<p class=\"aside\">◆ students, ● other codes; filled: the best for what they cost, joined by \
         the line; bars: 95 % intervals, and where they overlap chance may have put one above the \
         other; dashed: the teacher.</p><p>{}</p>",
        chart.draw(),
        escape(&chart.sentence())
    )
}

#[cfg(test)]
mod tests {
    use lnsp::Matrix;
    use lnsp::codes::Encoded;
    use lnsp::experiment::{Kind, Reference};

    use super::*;
    use crate::protocol::Compared;

    const BYTES: Axes = Axes { time: false, topic: false };

    /// Points on a circle, moved by the code; the more, the fewer neighbours stay.
    fn circle(moved: f32) -> Matrix {
        Matrix::from_fn(60, 2, |r, c| {
            let angle = 0.1 * r as f32 + moved * ((r * 17 % 60) as f32 / 60.0 - 0.5);
            if c == 0 { angle.cos() } else { angle.sin() }
        })
    }

    fn outcome(codes: &[(Kind, &str, usize, f32)]) -> Outcome {
        let labels = (0..60).map(|i| i / 20).collect();
        let reference = Reference::new(circle(0.0), &[]).unwrap().labelled(labels).unwrap();
        let kept = |(kind, name, bytes, moved): &(Kind, &str, usize, f32)| {
            let code = Encoded {
                name: (*name).into(),
                bytes_per_vector: *bytes,
                asymmetric: false,
                queries: None,
                documents: circle(*moved),
                reconstruction: None,
            };
            reference.kept(*kind, &code).unwrap()
        };
        let compared = Compared {
            side_by_side: reference.side_by_side(codes.iter().map(kept).collect()).unwrap(),
            device: "cpu".into(),
            fitted_on: "these".into(),
            notes: Vec::new(),
        };
        Outcome { compared, texts: Vec::new(), whole: true }
    }

    #[test]
    fn the_front_is_drawn_and_told_and_losses_are_said() {
        let found = outcome(&[
            (Kind::Student, "good, 2 bytes", 2, 0.3),
            (Kind::Student, "poor, int8 latents", 4, 3.0),
            (Kind::Baseline, "plain <4>", 4, 0.05),
            (Kind::Baseline, "useless", 6, 5.0),
        ]);
        let html = chart(&found, BYTES, None);
        assert_eq!(html.matches("<g class=").count(), 5, "the teacher, too");
        assert_eq!(html.matches("class=\"student best\"").count(), 1);
        assert_eq!(html.matches("class=\"student\"").count(), 1);
        assert!(
            html.contains("role=\"img\" aria-label=\"Of 10 nearest neighbours, kept. Best for")
        );
        let said = html.rsplit("<p>").next().unwrap();
        assert!(
            said.starts_with("Best for their bytes, from the smallest: good, 2 bytes ("),
            "{said}"
        );
        assert!(said.contains("plain &lt;4&gt;, 4 bytes") && !said.contains("<4>"), "{said}");
        assert!(said.contains("Students among them: good, 2 bytes."), "{said}");
        assert!(
            said.contains("Students that lose to plain &lt;4&gt;, 4 bytes: poor, int8 latents ("),
            "{said}"
        );
        assert!(!said.contains("useless") && !html.contains("NaN") && !html.contains("inf"));
    }

    #[test]
    fn without_a_student_on_the_front_that_is_said() {
        let found =
            outcome(&[(Kind::Student, "student", 4, 3.0), (Kind::Baseline, "plain", 4, 0.05)]);
        assert!(chart(&found, BYTES, None).contains("No student is among them."));
    }

    #[test]
    fn marks_of_one_cost_stand_apart_and_chance_is_named() {
        let found = outcome(&[
            (Kind::Student, "one", 4, 0.02),
            (Kind::Baseline, "two", 4, 0.04),
            (Kind::Baseline, "three", 4, 0.03),
        ]);
        let chart = Chart::new(&found, BYTES, None).unwrap();
        let across = Scale::linear((0.0, 8.0), (100.0, 900.0));
        let mut places = chart.places(&across);
        places.sort_by(f64::total_cmp);
        assert_eq!(places, [500.0, 509.0, 518.0, 900.0]);
        assert_eq!(chart.places(&across)[chart.front[0]], 500.0, "the front is where it belongs");
        let all = Chart::new(&found, Axes { topic: true, ..BYTES }, None).unwrap().sentence();
        assert!(all.ends_with("by this no code can be told from another."), "{all}");
    }

    #[test]
    fn the_axes_are_those_asked_for() {
        let found = outcome(&[(Kind::Student, "slow", 4, 0.05), (Kind::Baseline, "fast", 8, 0.3)]);
        let topic = chart(&found, Axes { topic: true, ..BYTES }, None);
        assert!(topic.contains("Of 10 nearest neighbours, of the same topic"));
        let time = Axes { time: true, ..BYTES };
        assert!(chart(&found, time, None).contains("Being measured."));
        let times =
            CodeTimes { vectors: 60, codes: vec![("slow".into(), 41.25), ("fast".into(), 0.5)] };
        let timed = chart(&found, time, Some(&times));
        // The teacher's own vectors are there: no time.
        assert_eq!(timed.matches("<g class=").count(), 2);
        assert!(timed.contains("Best for their time, from the fastest: fast, 0.50 µs"), "{timed}");
        assert!(timed.contains("slow, 41.2 µs") && timed.contains("µs to encode a vector"));
        let early = Outcome { whole: false, ..found };
        assert!(chart(&early, BYTES, None).contains("Being measured."));
    }
}
