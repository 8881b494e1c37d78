//! What follows from the comparisons, and what becomes of the note's claims.

use super::compare::{ArmSummary, Contrast};
use super::design::{Design, Tuned};
use crate::experiment::Outcome;
use crate::experiment::claims::{Finding, Standing};
use crate::metrics::Interval;
use crate::note;
use crate::number::{decimal, signed};
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

/// The contrast of two students, on the larger set if that is wanted and there is one.
fn widths<'a>(
    design: &Design,
    contrasts: &'a [Contrast],
    (a, b): (usize, usize),
    larger: bool,
) -> Option<&'a Contrast> {
    let id = format!("width-{}-{}", design.archs[a].widths()[1], design.archs[b].widths()[1]);
    let on_larger = larger.then(|| find(contrasts, &format!("{id}-larger"))).flatten();
    on_larger.or_else(|| find(contrasts, &id))
}

/// What the larger set brings to each student.
fn data<'a>(design: &Design, contrasts: &'a [Contrast]) -> Vec<&'a Contrast> {
    let ids = design.archs.iter().map(|arch| format!("data-{}", arch.widths()[1]));
    ids.filter_map(|id| find(contrasts, &id)).collect()
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
    // Where the usual weight is the best there is nothing to gain, only to lose.
    let tuning = match tuned.best == usual {
        true => {
            step(
                "The usual alignment weight is the best; in place of the worst it",
                find(contrasts, "alignment-range"),
            );
            Gain::None
        }
        false => step("The alignment weight", find(contrasts, "alignment")),
    };
    let longer = step("Training longer", find(contrasts, "epochs"));
    let (mut more, mut less) = (0, 0);
    for (i, contrast) in data(design, contrasts).into_iter().enumerate() {
        match step(&format!("The larger set at {}", s(i)), Some(contrast)) {
            Gain::Shown => more += 1,
            _ => less += usize::from(contrast.outcome == Outcome::Worse),
        }
    }
    // Who would not train on a set need not ask what is best there.
    let larger = less <= more;
    let wider = [(1, 0), (2, 1)].map(|pair| {
        let contrast = widths(design, contrasts, pair, larger);
        (step(&format!("Widening to {}", s(pair.0)), contrast), contrast)
    });
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
    let set = match (design.larger, more, less) {
        (true, more, less) if more > less => "on the larger set, ",
        (true, _, less) if less > more => "on the first set, since the larger one costs, ",
        _ => "",
    };
    let direct = find(contrasts, "tune-or-scale");
    all.push(format!("Recommendation: {set}{}", advice(design, (tuning, longer), wider, direct)));
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
    wider: [(Gain, Option<&Contrast>); 2],
    direct: Option<&Contrast>,
) -> String {
    let s = |i: usize| format!("S = {}", design.archs[i].widths()[1]);
    // How much it is, and at what price.
    let price = |i: usize, contrast: Option<&Contrast>| {
        let parameters = |i: usize| design.archs[i].parameter_count() as f64;
        let little = contrast.is_some_and(|c| c.difference.high < MARGIN);
        let times = decimal(parameters(i) / parameters(i - 1), 1);
        match little {
            true => format!(
                " if {times} times the parameters of {} are worth less than one neighbour in two \
                 hundred",
                s(i - 1)
            ),
            false => String::new(),
        }
    };
    let size = match wider {
        [_, (Gain::Shown, of)] => format!("train {}{}", s(2), price(2, of)),
        [(Gain::Shown, of), _] => {
            format!("train {}{}; {} buys nothing more that shows", s(1), price(1, of), s(2))
        }
        [(Gain::Open, _), _] => format!("stay with {} unless more seeds show a gain", s(0)),
        _ => format!("stay with {}: a larger student buys nothing here", s(0)),
    };
    let tune = match (alignment == Gain::Shown, epochs == Gain::Shown) {
        (true, true) => "alignment weight and epochs are worth tuning",
        (true, false) => "the alignment weight is worth tuning",
        (false, true) => "more epochs are worth their time",
        (false, false) => "neither alignment weight nor epochs show a gain",
    };
    let order = match direct.map(|c| c.outcome) {
        Some(Outcome::Better) => "; tuned, the small student is ahead of the wider untuned one",
        Some(Outcome::Worse) => "; the wider student untuned is ahead of the small one tuned",
        Some(Outcome::Even) => {
            "; the small student tuned and the wider one untuned cannot be told apart"
        }
        None => "",
    };
    format!("{size}; {tune}{order}.")
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
        // Phases 2 and 3 are on the larger set.
        let Some(contrast) = widths(design, contrasts, (a, b), true) else { continue };
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

#[cfg(test)]
mod tests {
    use super::super::design::tests::design;
    use super::*;

    fn contrast(id: &str, low: f64, high: f64) -> Contrast {
        let difference = Interval { mean: (low + high) / 2.0, low, high };
        Contrast {
            id: id.into(),
            question: format!("question of {id}"),
            arm: "a".into(),
            than: "b".into(),
            outcome: Outcome::of(&difference),
            difference,
        }
    }

    #[test]
    fn gains_by_their_intervals() {
        let of = |low, high| gain(&contrast("", low, high).difference);
        assert_eq!(of(0.0001, 0.002), Gain::Shown);
        assert_eq!(of(-0.001, 0.004), Gain::None);
        assert_eq!(of(-0.02, -0.01), Gain::None);
        assert_eq!(of(-0.001, 0.01), Gain::Open);
    }

    #[test]
    fn a_wider_student_that_helps_is_recommended_and_the_claim_holds() {
        let all = [
            contrast("alignment", -0.001, 0.001),
            contrast("epochs", -0.001, 0.002),
            contrast("width-512-256", -0.004, -0.001),
            contrast("width-512-256-larger", 0.006, 0.01),
            contrast("width-768-512-larger", -0.001, 0.002),
            contrast("data-512", 0.001, 0.002),
            contrast("tune-or-scale", -0.004, -0.001),
        ];
        let design = design(true);
        let found = findings(&design, &all, "cpu");
        let standing: Vec<_> = found.iter().map(|f| (f.id.as_str(), f.standing)).collect();
        let expected = [
            ("tune-first", Standing::Fails),
            ("next-step-512", Standing::Holds),
            ("sweet-spot-768", Standing::Fails),
        ];
        assert_eq!(standing, expected);
        assert!(found[1].words.contains("+0.0080 (95 %: +0.0060 to +0.0100)"), "{found:?}");
        let words = recommendation(&design, Tuned { best: 0.1, worst: 10.0 }, &[], &all).join("\n");
        for part in [
            "Widening to S = 512 brings something: +0.0080",
            "Widening to S = 768 brings nothing to speak of",
            "The larger set at S = 512 brings little",
            "Recommendation: on the larger set, train S = 512; S = 768 buys nothing more that \
             shows; neither alignment weight nor epochs show a gain; the wider student untuned is \
             ahead",
            "two seeds",
        ] {
            assert!(words.contains(part), "{part}:\n{words}");
        }
    }

    #[test]
    fn a_larger_set_that_costs_is_not_trained_on() {
        let all = [
            contrast("alignment", 0.001, 0.003),
            contrast("width-512-256", 0.001, 0.003),
            contrast("width-512-256-larger", -0.002, 0.001),
            contrast("data-512", -0.006, -0.001),
        ];
        let design = design(true);
        let words = recommendation(&design, Tuned { best: 0.1, worst: 10.0 }, &[], &all).join("\n");
        for part in [
            "The larger set at S = 256 costs",
            "Recommendation: on the first set, since the larger one costs, train S = 512 if 2.0 \
             times the parameters of S = 256 are worth less than one neighbour",
            "the alignment weight is worth tuning",
        ] {
            assert!(words.contains(part), "{part}:\n{words}");
        }
        // The note's Phase 2 is on the larger set all the same.
        assert_eq!(findings(&design, &all, "cpu")[0].standing, Standing::Fails);
    }

    #[test]
    fn where_nothing_shows_nothing_is_recommended() {
        let all = [
            contrast("alignment-range", 0.001, 0.004),
            contrast("epochs", -0.001, 0.002),
            contrast("width-512-256", -0.001, 0.002),
            contrast("width-768-512", -0.001, 0.02),
            contrast("tune-or-scale", -0.001, 0.001),
        ];
        let design = design(false);
        let words = recommendation(&design, Tuned { best: 1.0, worst: 10.0 }, &[], &all).join("\n");
        for part in [
            "The usual alignment weight is the best",
            "a larger student buys nothing here",
            "neither alignment weight nor epochs show a gain",
            "cannot be told apart",
            "not answered here",
        ] {
            assert!(words.contains(part), "{part}:\n{words}");
        }
        let found = findings(&design, &all, "cpu");
        assert_eq!(found[0].standing, Standing::CannotCompare);
        assert_eq!(found[2].standing, Standing::CannotCompare, "open");
        // Of other widths the note says nothing.
        let archs = [9, 14, 18].map(|s| crate::arch::Arch::family_b(s).unwrap());
        assert_eq!(findings(&super::super::Design { archs, ..design }, &all, "cpu").len(), 1);
    }
}
