//! What the runs of a sweep say together.

use std::cmp::Ordering;

use serde::Serialize;
use serde_json::Value;

use super::record::Record;
use super::space::RunSettings;
use crate::experiment::score::Spread;

/// Runs that differ in their seed alone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SettingSummary {
    /// What was trained, with the seed of the first run.
    #[serde(flatten)]
    pub settings: RunSettings,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// Runs whose training diverged; they score 0.
    pub diverged: usize,
    /// The validation score over seeds.
    pub score: Spread,
    /// Validation overlap@10 over seeds, those that diverged left out.
    pub overlap_at_10: Option<Spread>,
    /// The score on rows that were trained on, likewise.
    pub training_score: Option<Spread>,
    /// The score on held-out vectors, where every run has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_out_score: Option<Spread>,
}

/// One setting's values and how the score goes with them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sensitivity {
    /// The setting, such as `alignment_weight`.
    pub name: String,
    /// Its values, ascending.
    pub levels: Vec<Level>,
    /// The highest mean score of a value less the lowest.
    pub range: f64,
}

/// The runs with one value of a setting.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Level {
    /// The value.
    pub value: Value,
    /// Their validation scores.
    pub score: Spread,
    /// The lowest of them.
    pub low: f64,
    /// The highest.
    pub high: f64,
}

/// The run with the highest validation score; of equals, the first.
pub fn best_run(runs: &[Record]) -> Option<&Record> {
    runs.iter().rev().max_by(|a, b| a.score().total_cmp(&b.score()))
}

/// Runs by setting, the best mean score first.
pub fn settings(runs: &[Record]) -> Vec<SettingSummary> {
    let mut groups: Vec<(String, Vec<&Record>)> = Vec::new();
    for run in runs {
        let key = run.settings().with_seed(0).key();
        match groups.iter_mut().find(|(other, _)| *other == key) {
            Some((_, group)) => group.push(run),
            None => groups.push((key, vec![run])),
        }
    }
    let mut all: Vec<SettingSummary> = groups.iter().map(|(_, group)| summary(group)).collect();
    all.sort_by(|a, b| b.score.mean.total_cmp(&a.score.mean));
    all
}

fn summary(group: &[&Record]) -> SettingSummary {
    let spread = |of: &dyn Fn(&Record) -> Option<f64>| {
        Spread::of(&group.iter().filter_map(|run| of(run)).collect::<Vec<_>>())
    };
    SettingSummary {
        settings: group[0].settings(),
        seeds: group.iter().map(|run| run.config.seed).collect(),
        diverged: group.iter().filter(|run| run.validation.is_none()).count(),
        score: spread(&|run| Some(run.score())).expect("a group has a run"),
        overlap_at_10: spread(&|run| run.validation?.overlap_at_10),
        training_score: spread(&|run| Some(run.training?.score)),
        held_out_score: spread(&|run| Some(run.held_out.as_ref()?.score.score)),
    }
}

/// Names of the settings that take more than one value, in their order.
pub fn varying(all: &[RunSettings]) -> Vec<String> {
    let mut first: Vec<(String, Value)> = Vec::new();
    let mut varying: Vec<String> = Vec::new();
    for (name, value) in all.iter().flat_map(RunSettings::fields) {
        match first.iter().find(|(other, _)| *other == name) {
            None => first.push((name, value)),
            Some((_, one)) if *one != value && !varying.contains(&name) => varying.push(name),
            Some(_) => {}
        }
    }
    let place = |name: &String| first.iter().position(|(other, _)| other == name);
    varying.sort_by_key(place);
    varying
}

/// What sets a run apart, such as `width 512, seed 3`; the architecture if nothing does.
pub fn name(settings: &RunSettings, varying: &[String]) -> String {
    let fields = settings.fields();
    let named: Vec<String> = fields
        .iter()
        .filter(|(name, _)| varying.contains(name))
        .map(|(name, value)| format!("{} {}", name.replace('_', " "), shown(value)))
        .collect();
    if named.is_empty() { settings.arch.to_string() } else { named.join(", ") }
}

/// A value without the quotes of JSON, a whole number without its point.
pub fn shown(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_string);
    text.strip_suffix(".0").map_or(text.clone(), str::to_string)
}

/// Every setting that takes more than one value among `runs`, the one with the largest range
/// first.
pub fn sensitivity(runs: &[Record]) -> Vec<Sensitivity> {
    let fields: Vec<Vec<(String, Value)>> = runs.iter().map(|r| r.settings().fields()).collect();
    let mut names: Vec<&String> = Vec::new();
    for (name, _) in fields.iter().flatten() {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut all: Vec<Sensitivity> = names.iter().filter_map(|n| levels(n, &fields, runs)).collect();
    all.sort_by(|a, b| b.range.total_cmp(&a.range));
    all
}

fn levels(name: &str, fields: &[Vec<(String, Value)>], runs: &[Record]) -> Option<Sensitivity> {
    let mut found: Vec<(Value, Vec<f64>)> = Vec::new();
    for (fields, run) in fields.iter().zip(runs) {
        let Some((_, value)) = fields.iter().find(|(other, _)| other == name) else { continue };
        match found.iter_mut().find(|(other, _)| other == value) {
            Some((_, scores)) => scores.push(run.score()),
            None => found.push((value.clone(), vec![run.score()])),
        }
    }
    if found.len() < 2 {
        return None;
    }
    found.sort_by(|(a, _), (b, _)| order(a, b));
    let levels: Vec<Level> = found
        .into_iter()
        .map(|(value, scores)| Level {
            value,
            score: Spread::of(&scores).expect("a value has a run"),
            low: scores.iter().copied().fold(f64::INFINITY, f64::min),
            high: scores.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
        .collect();
    let means = || levels.iter().map(|level| level.score.mean);
    let range = means().fold(f64::NEG_INFINITY, f64::max) - means().fold(f64::INFINITY, f64::min);
    Some(Sensitivity { name: name.into(), levels, range })
}

/// Numbers by size, words by the alphabet.
fn order(a: &Value, b: &Value) -> Ordering {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => a.to_string().cmp(&b.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;
    use super::*;

    fn runs() -> Vec<Record> {
        vec![
            record(256, 0.5, 1, 0.70),
            record(256, 0.5, 2, 0.72),
            record(256, 1.0, 1, 0.75),
            record(1024, 1.0, 1, 0.75),
            Record { validation: None, training: None, ..record(1024, 0.1, 1, 0.0) },
        ]
    }

    #[test]
    fn seeds_of_a_setting_are_one_row() {
        let all = settings(&runs());
        assert_eq!(all.len(), 4);
        let two = all.iter().find(|s| s.seeds.len() == 2).unwrap();
        assert_eq!((two.seeds.as_slice(), two.diverged), (&[1, 2][..], 0));
        assert!((two.score.mean - 0.71).abs() < 1e-12);
        let sd = (0.0002f64).sqrt();
        assert!((two.score.deviation.unwrap() - sd).abs() < 1e-12);
        assert!((two.score.variation.unwrap() - sd / 0.71).abs() < 1e-12);
        let last = all.last().unwrap();
        assert_eq!((last.diverged, last.score.mean, last.overlap_at_10), (1, 0.0, None));
    }

    #[test]
    fn of_equals_the_first_is_best() {
        let runs = runs();
        assert_eq!(best_run(&runs), Some(&runs[2]));
        assert_eq!(best_run(&[]), None);
    }

    #[test]
    fn what_varies_is_found_with_its_means() {
        let all = sensitivity(&runs());
        let names: Vec<&str> = all.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["alignment_weight", "width", "learning_rate", "seed"]);
        let alignment = &all[0];
        let values: Vec<f64> = alignment.levels.iter().map(|l| l.value.as_f64().unwrap()).collect();
        assert_eq!(values, [0.1, 0.5, 1.0]);
        let ends = [(alignment.levels[1].low, 0.70), (alignment.levels[1].high, 0.72)];
        assert!(ends.iter().all(|(found, wanted)| (found - wanted).abs() < 1e-12), "{ends:?}");
        assert!((alignment.range - 0.75).abs() < 1e-12);
        assert!(sensitivity(&runs()[..1]).is_empty());
        let settings: Vec<RunSettings> = runs().iter().map(Record::settings).collect();
        let varies = varying(&settings);
        assert_eq!(varies, ["width", "alignment_weight", "learning_rate", "seed"]);
        let words = "width 256, alignment weight 0.5, learning rate 0.0001, seed 2";
        assert_eq!(name(&settings[1], &varies), words);
        assert!(name(&settings[1], &[]).starts_with("384→256"));
    }
}
