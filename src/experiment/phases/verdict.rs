//! What follows from the comparisons, and what becomes of the note's claims.

use super::compare::{ArmSummary, Contrast};
use super::design::{Design, Tuned};
use crate::experiment::Outcome;
use crate::experiment::claims::{Finding, Standing};
use crate::metrics::Interval;
use crate::note;
use crate::number::signed;
use crate::train::TrainConfig;

/// A gain in overlap@10 below which a step is not worth taking: one neighbour in two hundred.
pub const MARGIN: f64 = 0.005;

/// What a difference says of a step that claims to bring something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gain {
    /// More than nothing for sure.
    Shown,
    /// Less than [`MARGIN`] for sure, and not shown to be more than nothing.
    None,
    /// The interval holds both nothing and a gain worth having.
    Open,
}

fn gain(difference: &Interval) -> Gain {
    match difference {
        d if d.low > 0.0 => Gain::Shown,
        d if d.high < MARGIN => Gain::None,
        _ => Gain::Open,
    }
}

/// `+0.0024 (95 %: +0.0005 to +0.0044)`.
pub fn interval(d: &Interval) -> String {
    format!("{} (95 %: {} to {})", signed(d.mean, 4), signed(d.low, 4), signed(d.high, 4))
}

fn find<'a>(contrasts: &'a [Contrast], id: &str) -> Option<&'a Contrast> {
    contrasts.iter().find(|contrast| contrast.id == id)
}

/// The contrast of two students, on the larger set if there is one.
fn widths<'a>(
    design: &Design,
    contrasts: &'a [Contrast],
    a: usize,
    b: usize,
) -> Option<&'a Contrast> {
    let id = format!("width-{}-{}", design.archs[a].widths()[1], design.archs[b].widths()[1]);
    let larger = find(contrasts, &format!("{id}-larger"));
    larger.or_else(|| find(contrasts, &id))
}

/// The recommendation, a sentence each, from intervals alone.
pub fn recommendation(
    design: &Design,
    tuned: Tuned,
    arms: &[ArmSummary],
    contrasts: &[Contrast],
) -> Vec<String> {
    let mut all = Vec::new();
    let s = |i: usize| format!("S = {}", design.archs[i].widths()[1]);
    let usual = TrainConfig::default().alignment_weight;
    let mut step = |name: &str, contrast: Option<&Contrast>| {
        let Some(contrast) = contrast else { return Gain::None };
        let found = gain(&contrast.difference);
        let verdict = match (found, contrast.outcome) {
            (Gain::Shown, _) if contrast.difference.high < MARGIN => "brings little",
            (Gain::Shown, _) => "brings something",
            (Gain::None, Outcome::Worse) => "costs",
            (Gain::None, _) => "brings nothing to speak of",
            (Gain::Open, _) => "cannot be told from nothing",
        };
        all.push(format!(
            "{name} {verdict}: {} in overlap@10 ({}).",
            interval(&contrast.difference),
            contrast.question
        ));
        found
    };
    let mut tuning = Gain::None;
    if tuned.best == usual {
        // There is no contrast: what is usual is the best.
        tuning = step("The alignment weight, at most,", find(contrasts, "alignment-range"));
    } else {
        let found = step("The alignment weight", find(contrasts, "alignment"));
        tuning = if found == Gain::Shown { found } else { tuning };
    }
    let longer = step("Training longer", find(contrasts, "epochs"));
    let wider = [(1, 0), (2, 1)]
        .map(|(a, b)| step(&format!("Widening to {}", s(a)), widths(design, contrasts, a, b)));
    let data = (0..3).map(|i| {
        let id = format!("data-{}", design.archs[i].widths()[1]);
        step(&format!("More vectors at {}", s(i)), find(contrasts, &id))
    });
    let data: Vec<Gain> = data.collect();
    let pca = arms.iter().filter(|arm| arm.less_pca.low > 0.0).count();
    let best = arms.iter().max_by(|a, b| a.overlap_at_10.mean.total_cmp(&b.overlap_at_10.mean));
    if let Some(best) = best {
        all.push(format!(
            "Of {} arms {pca} keep more neighbours than PCA fitted on the same vectors for sure; \
             the best, {}, by {}.",
            arms.len(),
            best.arm.label,
            interval(&best.less_pca)
        ));
    }
    all.push(advice(design, (tuning, longer), wider, &data, find(contrasts, "tune-or-scale")));
    if !design.larger {
        all.push(
            "No larger set was given, so Phases 2 and 3 ran on the first one: what more vectors \
             bring is not answered here (--larger; docs/corpus.md says how to make a set)."
                .into(),
        );
    }
    if design.seeds.len() < 3 {
        all.push(format!(
            "With {} the spread over seeds is hardly known: the intervals are too narrow.",
            if design.seeds.len() == 1 { "one seed" } else { "two seeds" }
        ));
    }
    all
}

fn advice(
    design: &Design,
    (alignment, epochs): (Gain, Gain),
    wider: [Gain; 2],
    data: &[Gain],
    direct: Option<&Contrast>,
) -> String {
    let s = |i: usize| format!("S = {}", design.archs[i].widths()[1]);
    let size = match wider {
        [_, Gain::Shown] => format!("train {}", s(2)),
        [Gain::Shown, _] => format!("train {}; {} buys nothing more that shows", s(1), s(2)),
        [Gain::Open, _] => format!("stay with {} unless more seeds show a gain", s(0)),
        _ => format!("stay with {}: a larger student buys nothing here", s(0)),
    };
    let mut first: Vec<&str> = Vec::new();
    if alignment == Gain::Shown {
        first.push("the alignment weight");
    }
    if epochs == Gain::Shown {
        first.push("the epochs");
    }
    if data.contains(&Gain::Shown) {
        first.push("the number of vectors");
    }
    let tune = match first.split_last() {
        None => "neither alignment weight nor epochs show a gain".to_string(),
        Some((last, [])) => format!("{last} is worth a look"),
        Some((last, rest)) => format!("{} and {last} are worth a look", rest.join(", ")),
    };
    let order = match direct.map(|c| c.outcome) {
        Some(Outcome::Better) => "; tuned, the small student is ahead of the wider untuned one",
        Some(Outcome::Worse) => "; the wider student untuned is ahead of the small one tuned",
        Some(Outcome::Even) => {
            "; the small student tuned and the wider one untuned cannot be told apart"
        }
        None => "",
    };
    format!("Recommendation: {size}; {tune}{order}.")
}

/// The note's claims that the phases put to the test.
pub fn findings(design: &Design, contrasts: &[Contrast], device: &str) -> Vec<Finding> {
    let s = |i: usize| format!("S = {}", design.archs[i].widths()[1]);
    let mut all = Vec::new();
    let mut add = |id: &str, standing, contrast: &Contrast, words: String| {
        let Some(claim) = note::claim(id) else { return };
        all.push(Finding {
            id: claim.id.into(),
            standing,
            note: None,
            ours: Some(contrast.difference.mean),
            unit: "overlap@10".into(),
            words: format!("{words} {} ({}).", interval(&contrast.difference), contrast.question),
            device: device.into(),
        });
    };
    if let Some(direct) = find(contrasts, "tune-or-scale") {
        let (standing, words) = match direct.outcome {
            Outcome::Better => (Standing::Holds, "Tuning first keeps more neighbours:"),
            Outcome::Worse => (Standing::Fails, "Scaling first keeps more neighbours:"),
            Outcome::Even => (
                Standing::CannotCompare,
                "Tuned and small or untuned and wider, no difference shows:",
            ),
        };
        add("tune-first", standing, direct, words.into());
    }
    for (id, a, b) in [("next-step-512", 1, 0), ("sweet-spot-768", 2, 1)] {
        // The note speaks of its own widths.
        if note::claim(id).and_then(|c| c.width) != Some(design.archs[a].widths()[1]) {
            continue;
        }
        let Some(contrast) = widths(design, contrasts, a, b) else { continue };
        let (standing, words) = match gain(&contrast.difference) {
            Gain::Shown => (Standing::Holds, format!("{} keeps more than {}:", s(a), s(b))),
            Gain::None => (
                Standing::Fails,
                format!("{} keeps no more than {} that is worth its size:", s(a), s(b)),
            ),
            Gain::Open => (
                Standing::CannotCompare,
                format!(
                    "Whether {} keeps more than {} is open, more seeds would tell:",
                    s(a),
                    s(b)
                ),
            ),
        };
        add(id, standing, contrast, words);
    }
    all
}
