//! Which code is best for what it costs: scores, costs, the Pareto front, and that in words.

use lnsp::experiment::{Kept, Kind};
use lnsp::metrics::{Interval, pareto_front};
use lnsp::number::{count, decimal};

use super::result::Outcome;
use crate::protocol::CodeTimes;

/// What runs to the right, as it stands in the address and in words; the default first.
pub(super) const COSTS: [(&str, &str); 2] =
    [("bytes", "bytes a vector"), ("time", "time to encode a vector")];
/// What runs upwards.
pub(super) const SCORES: [(&str, &str); 2] =
    [("neighbours", "neighbours kept"), ("topic", "neighbours of the same topic")];

/// What is held against what.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Axes {
    /// Time to encode, not bytes.
    pub time: bool,
    /// Neighbours of the same topic, not those of the teacher.
    pub topic: bool,
}

/// A code as a mark.
pub(super) struct Mark<'a> {
    pub code: &'a Kept,
    pub cost: f64,
    /// Of the neighbours that are counted.
    pub score: Interval,
}

impl Mark<'_> {
    pub fn is_student(&self) -> bool {
        self.code.kind == Kind::Student
    }
}

/// The codes as marks, which of them are on the front, and how they are told.
pub(super) struct Chart<'a> {
    pub axes: Axes,
    pub k: usize,
    pub marks: Vec<Mark<'a>>,
    pub front: Vec<usize>,
    /// What the teacher scores, which has no time of its own.
    pub teacher: f64,
}

impl<'a> Chart<'a> {
    /// None without a code that has both; `times` once they are measured.
    pub fn new(outcome: &'a Outcome, axes: Axes, times: Option<&CodeTimes>) -> Option<Self> {
        let sides = &outcome.compared.side_by_side;
        let k = sides.k as f64;
        let score = |code: &Kept| -> Option<Interval> {
            let share = if axes.topic { code.same_label? } else { code.interval };
            Some(Interval { mean: k * share.mean, low: k * share.low, high: k * share.high })
        };
        let cost = |code: &Kept| match times {
            _ if !axes.time => Some(code.bytes_per_vector as f64),
            Some(times) => time_of(times, &code.name),
            None => None,
        };
        let mark = |code: &'a Kept| Some(Mark { code, cost: cost(code)?, score: score(code)? });
        let marks: Vec<Mark<'a>> = sides.codes.iter().filter_map(mark).collect();
        let points: Vec<(f64, f64)> = marks.iter().map(|m| (m.cost, m.score.mean)).collect();
        let front = pareto_front(&points);
        let teacher = sides.codes.first().and_then(score)?.mean;
        (!marks.is_empty()).then_some(Self { axes, k: sides.k, marks, front, teacher })
    }

    /// What runs upwards.
    pub fn title(&self) -> String {
        let score = if self.axes.topic { "of the same topic" } else { "kept" };
        format!("Of {} nearest neighbours, {score}", self.k)
    }

    fn cost(&self, mark: &Mark<'_>) -> String {
        match self.axes.time {
            true => format!("{} µs", significant(mark.cost)),
            false => format!("{} bytes", count(mark.cost as u64)),
        }
    }

    /// A mark's code, with its cost unless its name says it already.
    pub fn named(&self, mark: &Mark<'_>) -> String {
        let (name, cost) = (&mark.code.name, self.cost(mark));
        if name.ends_with(&cost) { name.clone() } else { format!("{name}, {cost}") }
    }

    /// The front, from little cost to much.
    pub fn best(&self) -> impl Iterator<Item = &Mark<'a>> {
        self.front.iter().map(|i| &self.marks[*i])
    }

    /// What the picture shows, in words: the front, and each student's place.
    pub fn sentence(&self) -> String {
        let (spent, first) =
            if self.axes.time { ("time", "fastest") } else { ("bytes", "smallest") };
        let score = |mark: &Mark<'_>| decimal(mark.score.mean, 2);
        let all: Vec<String> =
            self.best().map(|mark| format!("{} ({})", self.named(mark), score(mark))).collect();
        let mut said = format!("Best for their {spent}, from the {first}: {}.", all.join("; "));
        let scores = || self.marks.iter().map(|mark| mark.score);
        let lowest_end = scores().map(|score| score.high).fold(f64::MAX, f64::min);
        if scores().all(|score| score.low <= lowest_end) {
            return said + " All intervals overlap: by this no code can be told from another.";
        }
        let students = || self.marks.iter().filter(|mark| mark.is_student());
        let on: Vec<String> =
            self.best().filter(|mark| mark.is_student()).map(|mark| self.named(mark)).collect();
        if !on.is_empty() {
            said += &format!(" Students among them: {}.", on.join("; "));
        } else if students().next().is_some() {
            said += " No student is among them.";
        }
        for (place, rival) in self.best().enumerate() {
            // Who could have this one at no more cost, but nothing better.
            let next = self.front.get(place + 1).map_or(f64::INFINITY, |i| self.marks[*i].cost);
            let near = |mark: &&Mark<'_>| rival.cost <= mark.cost && mark.cost < next;
            let behind = || students().filter(near).filter(|mark| !std::ptr::eq(*mark, rival));
            let chance = ", as far as these vectors tell";
            for (words, clearly, how) in
                [("that lose to", true, ""), ("no better than", false, chance)]
            {
                let own = behind().filter(|mark| (mark.score.high < rival.score.low) == clearly);
                let own: Vec<String> =
                    own.map(|mark| format!("{} ({})", mark.code.name, score(mark))).collect();
                if !own.is_empty() {
                    said += &format!(
                        " Students {words} {}{how}: {}.",
                        self.named(rival),
                        own.join("; ")
                    );
                }
            }
        }
        said
    }
}

/// The microseconds that a code takes for one vector, if it was timed.
pub(super) fn time_of(times: &CodeTimes, name: &str) -> Option<f64> {
    times.codes.iter().find(|(known, _)| known == name).map(|(_, us)| *us)
}

/// Microseconds with as many digits as were measured.
pub(super) fn significant(value: f64) -> String {
    decimal(value, if value < 1.0 { 2 } else { usize::from(value < 100.0) })
}
