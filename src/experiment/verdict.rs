//! The verdict in plain words. Where the student loses, it says so.

use super::evaluation::{Comparison, Comparisons, Outcome};
use crate::metrics::Interval;
use crate::number::{decimal, signed};

/// What the comparisons come to, a sentence or two each.
pub(super) fn verdict(comparisons: &Comparisons, vectors: usize) -> Vec<String> {
    let Some(pca) = &comparisons.pca else {
        return vec![format!(
            "{vectors} held-out vectors are too few for overlap@10: no verdict. Give at least 11, \
             better some thousands."
        )];
    };
    let mut out = vec![against_pca(pca)];
    out.extend(comparisons.start.as_ref().map(against_start));
    out.extend(comparisons.equal_bytes.iter().map(at_equal_bytes));
    out
}

fn against_pca(c: &Comparison) -> String {
    let says = match c.outcome {
        Outcome::Better => "The student beats PCA at the same width",
        Outcome::Worse => "The student loses to PCA at the same width",
        Outcome::Even => "The student cannot be told from PCA at the same width",
    };
    format!(
        "{says}: overlap@10 {} against {} ({}).",
        decimal(c.overlap, 4),
        decimal(c.rival_overlap, 4),
        difference(&c.difference)
    )
}

fn against_start(c: &Comparison) -> String {
    let says = match c.outcome {
        Outcome::Better => "Training gained on its own start",
        Outcome::Worse => "Training lost what its start gave",
        Outcome::Even => "Training neither gained nor lost measurably against its own start",
    };
    format!("{says} at {} ({}).", decimal(c.rival_overlap, 4), difference(&c.difference))
}

pub(super) fn at_equal_bytes(c: &Comparison) -> String {
    let rival = if c.rival_bytes == c.bytes {
        c.rival.clone()
    } else {
        format!("{} ({} bytes)", c.rival, c.rival_bytes)
    };
    let scores = (decimal(c.overlap, 3), decimal(c.rival_overlap, 3));
    let gap = difference(&c.difference);
    let bytes = c.bytes;
    match c.outcome {
        Outcome::Worse => format!(
            "At {bytes} bytes a vector the best code is {rival} with {}; the student loses there \
             with {} ({gap}).",
            scores.1, scores.0
        ),
        Outcome::Better => format!(
            "At {bytes} bytes a vector the student is the best code with {} ({}); next is {rival} \
             with {} ({gap}).",
            scores.0, c.subject, scores.1
        ),
        Outcome::Even => format!(
            "At {bytes} bytes a vector the student ({}) and {rival} are even, {} and {} ({gap}).",
            c.subject, scores.0, scores.1
        ),
    }
}

/// `difference +0.0012, 95 % −0.0003 to +0.0027`.
pub(super) fn difference(d: &Interval) -> String {
    let [mean, low, high] = [d.mean, d.low, d.high].map(|v| signed(v, 4));
    format!("difference {mean}, 95 % {low} to {high}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comparison(mean: f64, low: f64, high: f64) -> Comparison {
        let difference = Interval { mean, low, high };
        Comparison {
            subject: "student, int8 latents".into(),
            rival: "PCA transform coding, 192 bytes".into(),
            bytes: 192,
            rival_bytes: 192,
            overlap: 0.886 + mean,
            rival_overlap: 0.886,
            outcome: Outcome::of(&difference),
            difference,
        }
    }

    #[test]
    fn a_loss_is_called_a_loss() {
        let (loss, gain) = (comparison(-0.08, -0.083, -0.077), comparison(0.01, 0.008, 0.012));
        let even = comparison(0.001, -0.001, 0.003);
        let of = |c: &Comparison| Comparisons {
            pca: Some(c.clone()),
            start: Some(c.clone()),
            equal_bytes: vec![c.clone()],
        };
        let said = verdict(&of(&loss), 3000).join(" ");
        for words in ["loses to PCA", "Training lost", "the student loses there with 0.806"] {
            assert!(said.contains(words), "{words}: {said}");
        }
        assert!(said.contains("−0.0800, 95 % −0.0830 to −0.0770"), "{said}");
        let said = verdict(&of(&gain), 3000).join(" ");
        for words in ["beats PCA", "Training gained", "student is the best code", "+0.0100"] {
            assert!(said.contains(words), "{words}: {said}");
        }
        let said = verdict(&of(&even), 3000).join(" ");
        for words in ["cannot be told from PCA", "neither gained nor lost", "are even"] {
            assert!(said.contains(words), "{words}: {said}");
        }
        assert!(verdict(&Comparisons::default(), 7)[0].contains("7 held-out vectors are too few"));
    }
}
