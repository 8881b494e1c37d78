//! Which code to take: the one that meets all limits at least cost, be it a student's or not.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::evaluation::{Evaluation, Kind};
use super::note::{CodeQuality, NoteRun};
use crate::error::{Error, Result};
use crate::metrics::Interval;
use crate::number::{count, decimal, megabytes};

/// What a code must keep to; what is not given does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Limits {
    /// Bytes of a stored vector at most.
    pub max_bytes: Option<usize>,
    /// Milliseconds to make the code of one vector at most.
    pub max_ms: Option<f64>,
    /// Bytes of what makes the code, in memory, at most.
    pub max_memory: Option<u64>,
    /// overlap@10 at least.
    pub min_overlap: Option<f64>,
}

/// One of the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// [`Limits::max_bytes`].
    MaxBytes,
    /// [`Limits::max_ms`].
    MaxMs,
    /// [`Limits::max_memory`].
    MaxMemory,
    /// [`Limits::min_overlap`].
    MinOverlap,
}

const ALL: [Limit; 4] = [Limit::MaxBytes, Limit::MaxMs, Limit::MaxMemory, Limit::MinOverlap];

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Limit::MaxBytes => "--max-bytes",
            Limit::MaxMs => "--max-ms",
            Limit::MaxMemory => "--max-memory",
            Limit::MinOverlap => "--min-overlap",
        })
    }
}

/// What is to be least; among equals the code that keeps more is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Least {
    /// Bytes of a stored vector.
    #[default]
    Bytes,
    /// Milliseconds to make the code of one.
    Ms,
    /// Memory of what makes it.
    Memory,
}

impl fmt::Display for Least {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Least::Bytes => "bytes",
            Least::Ms => "ms",
            Least::Memory => "memory",
        })
    }
}

impl FromStr for Least {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "bytes" => Ok(Least::Bytes),
            "ms" => Ok(Least::Ms),
            "memory" => Ok(Least::Memory),
            _ => Err(Error::invalid("least", format!("{text:?} is not bytes, ms or memory"))),
        }
    }
}

/// A code with what it costs and keeps.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// Whether it is a student's.
    pub student: bool,
    /// Bytes of a stored vector.
    pub bytes: usize,
    /// Milliseconds to make the code of one vector, if measured.
    pub ms: Option<f64>,
    /// Bytes of what makes it, if known.
    pub memory: Option<u64>,
    /// overlap@10 with its 95 % interval.
    pub overlap: Interval,
}

impl Candidate {
    fn of(name: String, student: bool, code: &CodeQuality) -> Self {
        Self {
            name,
            student,
            bytes: code.bytes_per_vector,
            ms: Some(code.encode_ms),
            memory: Some(code.model_bytes),
            overlap: code.overlap,
        }
    }

    /// A baseline that was measured.
    pub fn baseline(code: &CodeQuality) -> Self {
        Self::of(code.name.clone(), false, code)
    }

    /// The latents of a student of hidden width `width`.
    pub fn student(width: usize, code: &CodeQuality) -> Self {
        Self::of(format!("student {width}, {}", code.name), true, code)
    }

    /// By how much it is beyond a limit, as the logarithm of a ratio: of bytes, of times, of bytes,
    /// of neighbours lost. At most 0 if it keeps to it; without end where the figure is not known.
    fn beyond(&self, limit: Limit, limits: &Limits) -> f64 {
        let over = |is: Option<f64>, most: Option<f64>| match (is, most) {
            (_, None) => f64::NEG_INFINITY,
            (None, Some(_)) => f64::INFINITY,
            (Some(is), Some(most)) => (is.max(1e-12) / most.max(1e-12)).ln(),
        };
        match limit {
            Limit::MaxBytes => over(Some(self.bytes as f64), limits.max_bytes.map(|v| v as f64)),
            Limit::MaxMs => over(self.ms, limits.max_ms),
            Limit::MaxMemory => {
                over(self.memory.map(|v| v as f64), limits.max_memory.map(|v| v as f64))
            }
            Limit::MinOverlap => match limits.min_overlap {
                None => f64::NEG_INFINITY,
                Some(least) if self.overlap.mean >= least => 0.0,
                Some(least) => {
                    // A share that may be lost of nought would be infinitely exceeded.
                    let lost = |kept: f64| (1.0 - kept).max(1e-3);
                    (lost(self.overlap.mean) / lost(least)).ln().max(1e-9)
                }
            },
        }
    }

    /// The limits that it does not keep to.
    pub fn breaks(&self, limits: &Limits) -> Vec<Limit> {
        ALL.into_iter().filter(|limit| self.beyond(*limit, limits) > 0.0).collect()
    }

    /// How far it is from keeping to all of them.
    fn distance(&self, limits: &Limits) -> f64 {
        ALL.into_iter().map(|limit| self.beyond(limit, limits).max(0.0)).sum()
    }

    /// Its costs, what matters most first; what is not known costs most.
    fn costs(&self, least: Least) -> [f64; 3] {
        let bytes = self.bytes as f64;
        let ms = self.ms.unwrap_or(f64::INFINITY);
        let memory = self.memory.map_or(f64::INFINITY, |v| v as f64);
        match least {
            Least::Bytes => [bytes, ms, memory],
            Least::Ms => [ms, bytes, memory],
            Least::Memory => [memory, bytes, ms],
        }
    }

    /// Whether it costs less than `other`; of two that cost the same the one that keeps more is
    /// taken, then the one whose other costs are less.
    pub fn cheaper(&self, other: &Self, least: Least) -> bool {
        let ([own, own_rest @ ..], [others, others_rest @ ..]) =
            (self.costs(least), other.costs(least));
        let rest = own_rest.iter().zip(&others_rest).map(|(a, b)| a.total_cmp(b));
        own.total_cmp(&others)
            .then_with(|| other.overlap.mean.total_cmp(&self.overlap.mean))
            .then_with(|| rest.fold(Ordering::Equal, Ordering::then))
            .is_lt()
    }

    /// `PCA transform coding, 96 bytes: 96 bytes a vector, overlap@10 0.896, 0.021 ms, 0.59 MB`.
    pub fn words(&self) -> String {
        let ms = self.ms.map_or(String::new(), |ms| format!(", {} ms to make one", decimal(ms, 4)));
        let memory =
            self.memory.map_or(String::new(), |m| format!(", {} MB of model", megabytes(m)));
        format!(
            "{}: {} bytes a vector, overlap@10 {} ({} to {}){ms}{memory}",
            self.name,
            count(self.bytes as u64),
            decimal(self.overlap.mean, 4),
            decimal(self.overlap.low, 4),
            decimal(self.overlap.high, 4)
        )
    }
}

/// What to take, and why.
#[derive(Clone, Debug, Serialize)]
pub struct Recommendation {
    /// What was asked for.
    pub limits: Limits,
    /// What was to be least.
    pub least: Least,
    /// The code to take; none if nothing keeps to all limits.
    pub choice: Option<Candidate>,
    /// Where the choice is no student: the student to take, if one keeps to all limits. Where it
    /// is one: the other code.
    pub other: Option<Candidate>,
    /// If there is no choice: each limit without which there would be one.
    pub in_the_way: Vec<Limit>,
    /// If there is no choice: the code that is nearest to all limits, and the ones it breaks.
    pub nearest: Option<(Candidate, Vec<Limit>)>,
    /// How many codes were looked at.
    pub candidates: usize,
    /// All this in words.
    pub words: Vec<String>,
}

/// The cheapest of those that keep to `limits`.
fn cheapest<'a>(
    all: impl Iterator<Item = &'a Candidate>,
    limits: &Limits,
    least: Least,
) -> Option<&'a Candidate> {
    all.filter(|one| one.breaks(limits).is_empty())
        .reduce(|best, one| if one.cheaper(best, least) { one } else { best })
}

impl Limits {
    fn without(mut self, limit: Limit) -> Self {
        match limit {
            Limit::MaxBytes => self.max_bytes = None,
            Limit::MaxMs => self.max_ms = None,
            Limit::MaxMemory => self.max_memory = None,
            Limit::MinOverlap => self.min_overlap = None,
        }
        self
    }

    /// Refuses limits that make no sense, naming the flag.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn check(&self) -> Result<()> {
        if let Some(overlap) = self.min_overlap.filter(|v| !(0.0..=1.0).contains(v)) {
            let message = format!("{overlap} is not between 0 and 1");
            return Err(Error::invalid("--min-overlap", message));
        }
        if let Some(ms) = self.max_ms.filter(|v| !(v.is_finite() && *v > 0.0)) {
            return Err(Error::invalid("--max-ms", format!("{ms} is not above 0")));
        }
        Ok(())
    }
}

/// The code among `candidates` that keeps to `limits` at least cost.
pub fn recommend(candidates: &[Candidate], limits: &Limits, least: Least) -> Recommendation {
    let choice = cheapest(candidates.iter(), limits, least);
    let other = choice.and_then(|choice| {
        let kind = |one: &&Candidate| one.student != choice.student;
        cheapest(candidates.iter().filter(kind), limits, least)
    });
    let mut found = Recommendation {
        limits: *limits,
        least,
        choice: choice.cloned(),
        other: other.cloned(),
        in_the_way: Vec::new(),
        nearest: None,
        candidates: candidates.len(),
        words: Vec::new(),
    };
    if choice.is_none() {
        let helps =
            |limit: &Limit| cheapest(candidates.iter(), &limits.without(*limit), least).is_some();
        found.in_the_way = ALL.into_iter().filter(helps).collect();
        let nearest =
            candidates.iter().min_by(|a, b| a.distance(limits).total_cmp(&b.distance(limits)));
        found.nearest = nearest.map(|one| (one.clone(), one.breaks(limits)));
    }
    found.words = words(&found);
    found
}

fn words(found: &Recommendation) -> Vec<String> {
    let mut lines = Vec::new();
    match (&found.choice, &found.nearest) {
        (Some(choice), _) => {
            lines.push(format!("Take {}.", choice.words()));
            lines.push(match (choice.student, &found.other) {
                (false, Some(student)) => format!(
                    "No student: the cheapest one that keeps to this, too, costs more ({}).",
                    student.words()
                ),
                (false, None) => "No student: none that was measured keeps to this.".into(),
                (true, Some(code)) => {
                    format!(
                        "The cheapest other code that keeps to this costs more ({}).",
                        code.words()
                    )
                }
                (true, None) => "No other code that was measured keeps to this.".into(),
            });
        }
        (None, Some((nearest, broken))) => {
            lines.push(match found.in_the_way.as_slice() {
                [] => "Nothing keeps to all of this, nor would it with any one limit less.".into(),
                limits => {
                    format!("Nothing keeps to all of this; in the way: {}.", listed(limits, " or "))
                }
            });
            lines.push(format!(
                "Nearest: {}; beyond {}.",
                nearest.words(),
                listed(broken, " and ")
            ));
        }
        (None, None) => lines.push("There is no code to choose from.".into()),
    }
    lines
}

fn listed(limits: &[Limit], last: &str) -> String {
    let all: Vec<String> = limits.iter().map(Limit::to_string).collect();
    match all.split_last() {
        Some((end, rest)) if !rest.is_empty() => format!("{}{last}{end}", rest.join(", ")),
        _ => all.concat(),
    }
}

/// The codes of a run of the note.
pub fn candidates_of_run(run: &NoteRun) -> Vec<Candidate> {
    let baselines = run.baselines.iter().flat_map(|all| &all.codes).map(Candidate::baseline);
    let students = run.students().into_iter().flat_map(|student| {
        student.codes.iter().map(|code| Candidate::student(student.row.width, code))
    });
    baselines.chain(students).collect()
}

/// The codes of an evaluation, of which times and memory are not known.
pub fn candidates_of_evaluation(evaluation: &Evaluation) -> Vec<Candidate> {
    let rows = evaluation.rows.iter().filter(|row| row.kind != Kind::Start);
    rows.filter_map(|row| {
        Some(Candidate {
            name: row.name.clone(),
            student: row.kind == Kind::Student,
            bytes: row.bytes_per_vector,
            ms: None,
            memory: None,
            overlap: row.overlap_at_10?,
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(
        name: &str,
        student: bool,
        bytes: usize,
        ms: f64,
        memory: u64,
        overlap: f64,
    ) -> Candidate {
        let overlap = Interval { mean: overlap, low: overlap - 0.003, high: overlap + 0.003 };
        Candidate { name: name.into(), student, bytes, ms: Some(ms), memory: Some(memory), overlap }
    }

    fn few() -> Vec<Candidate> {
        vec![
            one("teacher f32", false, 1536, 0.0001, 0, 1.0),
            one("teacher int8", false, 384, 0.0005, 3072, 0.995),
            one("student 512", true, 768, 0.05, 2_400_000, 0.889),
            one("student 512, int8 latents", true, 192, 0.06, 2_400_000, 0.888),
            one("rotated, 2 bit", false, 96, 0.01, 600_000, 0.886),
            one("PCA transform coding", false, 96, 0.02, 600_000, 0.896),
        ]
    }

    #[test]
    fn it_may_be_no_student() {
        let limits = Limits { min_overlap: Some(0.99), ..Limits::default() };
        let found = recommend(&few(), &limits, Least::Bytes);
        assert_eq!(found.choice.unwrap().name, "teacher int8");
        assert!(found.words[1].starts_with("No student: none"), "{:?}", found.words);
        let limits = Limits { min_overlap: Some(0.88), max_bytes: Some(200), ..limits };
        let found = recommend(&few(), &limits, Least::Bytes);
        assert_eq!(found.choice.unwrap().name, "PCA transform coding");
        assert_eq!(found.other.unwrap().name, "student 512, int8 latents");
        let fast = recommend(&few(), &Limits::default(), Least::Ms);
        assert_eq!(fast.choice.unwrap().name, "teacher f32");
    }

    #[test]
    fn what_is_in_the_way_is_named_and_the_nearest() {
        let limits = Limits { max_bytes: Some(48), min_overlap: Some(0.95), ..Limits::default() };
        let found = recommend(&few(), &limits, Least::Bytes);
        assert_eq!(found.choice, None);
        // Without either there is something: int8 keeps enough.
        assert_eq!(found.in_the_way, [Limit::MaxBytes]);
        let (nearest, broken) = found.nearest.unwrap();
        assert_eq!((nearest.name.as_str(), broken.len()), ("PCA transform coding", 2));
        assert!(found.words[0].contains("--max-bytes"), "{:?}", found.words);
        let unknown = Candidate { ms: None, ..few()[0].clone() };
        let limits = Limits { max_ms: Some(1.0), ..Limits::default() };
        assert_eq!(recommend(&[unknown], &limits, Least::Bytes).in_the_way, [Limit::MaxMs]);
        assert!(recommend(&[], &limits, Least::Bytes).words[0].contains("no code"));
        assert!(Limits { min_overlap: Some(1.5), ..Limits::default() }.check().is_err());
        assert!(Limits { max_ms: Some(f64::NAN), ..Limits::default() }.check().is_err());
    }

    fn candidate() -> impl Strategy<Value = Candidate> {
        (any::<bool>(), 1..8usize, 1..8u64, 1..8u64, 0.0..=1.0f64).prop_map(
            |(student, bytes, ms, memory, overlap)| {
                one("c", student, 24 * bytes, ms as f64, 1000 * memory, overlap)
            },
        )
    }

    fn limits() -> impl Strategy<Value = Limits> {
        let maybe = |most| proptest::option::of(1..most);
        (maybe(8u64), maybe(8), maybe(8), proptest::option::of(0.0..=1.0f64)).prop_map(
            |(bytes, ms, memory, min_overlap)| Limits {
                max_bytes: bytes.map(|b| 24 * b as usize),
                max_ms: ms.map(|ms| ms as f64),
                max_memory: memory.map(|m| 1000 * m),
                min_overlap,
            },
        )
    }

    proptest! {
        /// Checked against the limits as they are written, not as the code takes them.
        #[test]
        fn the_choice_keeps_to_the_limits_and_nothing_cheaper_does(
            all in proptest::collection::vec(candidate(), 0..12), limits in limits(), which in 0..3usize,
        ) {
            let least = [Least::Bytes, Least::Ms, Least::Memory][which];
            let fits = |c: &&Candidate| {
                limits.max_bytes.is_none_or(|m| c.bytes <= m)
                    && limits.max_ms.is_none_or(|m| c.ms.unwrap() <= m)
                    && limits.max_memory.is_none_or(|m| c.memory.unwrap() <= m)
                    && limits.min_overlap.is_none_or(|m| c.overlap.mean >= m)
            };
            let cost = |c: &Candidate| match least {
                Least::Bytes => c.bytes as f64,
                Least::Ms => c.ms.unwrap(),
                Least::Memory => c.memory.unwrap() as f64,
            };
            let found = recommend(&all, &limits, least);
            match &found.choice {
                Some(choice) => {
                    prop_assert!(fits(&choice));
                    prop_assert!(all.iter().filter(fits).all(|c| cost(c) >= cost(choice)));
                    prop_assert!(found.other.as_ref().is_none_or(|o| o.student != choice.student));
                }
                None => {
                    prop_assert_eq!(all.iter().filter(fits).count(), 0);
                    if let Some((nearest, broken)) = &found.nearest {
                        prop_assert!(!broken.is_empty() && !fits(&nearest));
                    }
                }
            }
        }
    }
}
