//! Claims about how much students keep, settled by training one of every width on the same vectors.

use super::{Finding, Here, Standing};
use crate::error::Result;
use crate::experiment::note::{NoteRun, Quality};
use crate::metrics::Interval;
use crate::note::Claim;
use crate::number::{count, decimal, percent, signed};
use crate::train::TrainConfig;

/// A difference of overlap@10 that somebody would notice: one neighbour in a hundred.
const MATERIAL: f64 = 0.01;

/// What the students of `run` say of a claim; nothing if it is not about quality, or too few of them
/// were trained.
///
/// # Errors
/// As [`Quality::held_out_mean`].
pub(super) fn quality(claim: &Claim, run: &NoteRun, here: &Here) -> Result<Option<Finding>> {
    let students = run.students();
    let Some(own) = students.iter().find(|s| s.row.width == 256).copied() else { return Ok(None) };
    let others: Vec<&Quality> = students.iter().copied().filter(|s| s.row.width > 256).collect();
    if others.is_empty() {
        return Ok(None);
    }
    let all = Students { own, others, here };
    let finding = match claim.id {
        "goldilocks" => all.goldilocks(claim)?,
        "ceiling-256" | "sweet-spot-256" => all.ceiling(claim)?,
        "next-step-320" => all.gain_of(claim, 320)?,
        "next-step-512" => all.next_step(claim)?,
        "next-step-quality" => all.wider_keeps_more(claim)?,
        "sweet-spot-768" => all.sweet_spot(claim)?,
        "maximum-1024" | "maximum-beyond" => all.beyond(claim)?,
        _ => return Ok(None),
    };
    Ok(finding.map(|finding| Finding {
        words: format!("{}{}", finding.words, all.training_words()),
        ..finding
    }))
}

struct Students<'a> {
    /// S = 256.
    own: &'a Quality,
    /// Wider ones, narrowest first.
    others: Vec<&'a Quality>,
    here: &'a Here,
}

/// `0.8871 (+0.0008, 95 %: −0.0012 to +0.0029)`.
fn versus(mean: f64, less: &Interval) -> String {
    format!(
        "{} ({}, 95 %: {} to {})",
        decimal(mean, 4),
        signed(less.mean, 4),
        signed(less.low, 4),
        signed(less.high, 4)
    )
}

fn standing(holds: bool) -> Standing {
    if holds { Standing::Holds } else { Standing::Fails }
}

impl Students<'_> {
    fn find(&self, width: usize) -> Option<&Quality> {
        std::iter::once(self.own).chain(self.others.iter().copied()).find(|s| s.row.width == width)
    }

    /// The wider student that is ahead of S = 256 by most, and by how much.
    fn best(&self) -> Result<(&Quality, Interval)> {
        let mut best: Option<(&Quality, Interval)> = None;
        for other in &self.others {
            let less = self.gain(other)?;
            if best.as_ref().is_none_or(|(_, most)| less.mean > most.mean) {
                best = Some((other, less));
            }
        }
        Ok(best.expect("there are wider students"))
    }

    /// Held-out overlap@10 of `other` less that of S = 256.
    fn gain(&self, other: &Quality) -> Result<Interval> {
        other.held_out.less(&self.own.held_out, self.own.seed)
    }

    fn training_words(&self) -> String {
        let (epochs, usual) = (self.own.config.epochs, TrainConfig::default().epochs);
        let few = match epochs < usual {
            true => format!("; lnsp train has {usual} epochs, and so has lnsp note --full"),
            false => String::new(),
        };
        format!(
            " Students of {epochs} epochs on {} vectors, {} held out{few}.",
            count(self.own.training_rows as u64),
            count(self.own.held_out.values().len() as u64)
        )
    }

    fn finding(&self, claim: &Claim, holds: bool, ours: Option<f64>, words: String) -> Finding {
        let finding = self.here.finding(claim, standing(holds), ours, words);
        match ours {
            Some(_) => Finding { unit: "overlap@10".into(), ..finding },
            None => finding,
        }
    }

    /// Not too compressed: no wider student keeps materially more. Not too large: it has learned
    /// nothing by heart that a narrower code has not.
    fn goldilocks(&self, claim: &Claim) -> Result<Option<Finding>> {
        let (best, gain) = self.best()?;
        let excess = self.own.excess()?;
        let (held, seen) = (self.own.held_out_mean()?.mean, self.own.seen_mean()?.mean);
        let mut widest = None;
        for other in &self.others {
            let found = other.excess()?;
            if found.low > 0.0 {
                widest.get_or_insert((other.row.width, found));
            }
        }
        let overfits = match widest {
            Some((width, found)) => format!(
                "Learning by heart first shows at S = {width} ({} more ahead of PCA on what it was \
                 trained on)",
                signed(found.mean, 4)
            ),
            None => "No wider student has measurably learned by heart either".to_string(),
        };
        let words = format!(
            "S = 256 keeps {} of the neighbours of vectors it was trained on and {} of others; PCA \
             has such a gap, too, and beyond it S = 256 has {} (95 %: {} to {}): no overfitting to \
             speak of. Too compressed: the best of the wider ones, S = {}, keeps {}. {overfits}. What \
             is lost, {} of the neighbours, the latent of 192 values loses, whatever S is. Held to \
             {MATERIAL} as the least difference that counts.",
            decimal(seen, 3),
            decimal(held, 3),
            signed(excess.mean, 4),
            signed(excess.low, 4),
            signed(excess.high, 4),
            best.row.width,
            versus(best.held_out_mean()?.mean, &gain),
            percent(1.0 - held),
        );
        let holds = gain.mean < MATERIAL && excess.mean < MATERIAL;
        Ok(Some(self.finding(claim, holds, Some(held), words)))
    }

    /// Whether a wider student keeps measurably more than S = 256.
    fn ceiling(&self, claim: &Claim) -> Result<Option<Finding>> {
        let (best, gain) = self.best()?;
        let own = self.own.held_out_mean()?.mean;
        let to_pca = self.own.to_pca()?;
        let says = match gain.low > 0.0 {
            true if gain.mean < MATERIAL => "There is a ceiling, and it is low",
            true => "There is a ceiling",
            false => "No wider student keeps measurably more",
        };
        let words = format!(
            "S = 256 keeps {} to PCA-192. {says}: the best of the wider ones, S = {}, keeps {}.{} The \
             ceiling that counts is the latent's: codes of other kinds keep more in fewer bytes.",
            versus(own, &to_pca),
            best.row.width,
            versus(best.held_out_mean()?.mean, &gain),
            match claim.id {
                "ceiling-256" => String::new(),
                _ => format!(" A gain below {MATERIAL} is taken for no reason to widen."),
            }
        );
        let holds = match claim.id {
            "ceiling-256" => gain.low <= 0.0,
            // Optimal is more than good: nothing may be materially better.
            _ => gain.mean < MATERIAL,
        };
        Ok(Some(self.finding(claim, holds, Some(own), words)))
    }

    fn gain_of(&self, claim: &Claim, width: usize) -> Result<Option<Finding>> {
        let Some(other) = self.find(width) else { return Ok(None) };
        let gain = self.gain(other)?;
        let words = format!(
            "S = {width} keeps {} against S = 256.",
            versus(other.held_out_mean()?.mean, &gain)
        );
        Ok(Some(self.finding(claim, gain.low > 0.0, Some(gain.mean), words)))
    }

    fn next_step(&self, claim: &Claim) -> Result<Option<Finding>> {
        let Some(other) = self.find(512) else { return Ok(None) };
        let gain = self.gain(other)?;
        let words = format!(
            "S = 512 has 591,424 parameters, 2.00 times the 296,000 of S = 256, and keeps {} against \
             it.",
            versus(other.held_out_mean()?.mean, &gain)
        );
        Ok(Some(self.finding(claim, gain.low > 0.0, Some(gain.mean), words)))
    }

    fn wider_keeps_more(&self, claim: &Claim) -> Result<Option<Finding>> {
        let wanted = [512, 768, 1024].map(|width| self.find(width));
        let [Some(a), Some(b), Some(c)] = wanted else { return Ok(None) };
        let steps = [
            ("512 to 256", self.gain(a)?),
            ("768 to 512", b.held_out.less(&a.held_out, a.seed)?),
            ("1024 to 768", c.held_out.less(&b.held_out, b.seed)?),
        ];
        let each: Vec<String> = steps
            .iter()
            .map(|(name, less)| {
                format!(
                    "{name} {} ({} to {})",
                    signed(less.mean, 4),
                    signed(less.low, 4),
                    signed(less.high, 4)
                )
            })
            .collect();
        let words = format!("overlap@10, each width less the one before: {}.", each.join("; "));
        let holds = steps.iter().all(|(_, less)| less.low > 0.0);
        let finding = self.finding(claim, holds, None, words);
        Ok(Some(finding))
    }

    /// The sweet spot is the narrowest student that the best one is not measurably ahead of.
    fn sweet_spot(&self, claim: &Claim) -> Result<Option<Finding>> {
        let Some(noted) = self.find(768) else { return Ok(None) };
        let (best, gain) = self.best()?;
        let best = if gain.mean > 0.0 { best } else { self.own };
        let mut narrowest = best;
        for student in std::iter::once(self.own).chain(self.others.iter().copied()) {
            let behind = best.held_out.less(&student.held_out, self.own.seed)?;
            if behind.low <= 0.0 {
                narrowest = student;
                break;
            }
        }
        let words = format!(
            "Read as the narrowest student that the best one (S = {}, {}) is not measurably ahead \
             of: that is S = {}, with {}. S = 768 keeps {} against S = 256, for 3.0 times its \
             parameters.",
            best.row.width,
            decimal(best.held_out_mean()?.mean, 4),
            narrowest.row.width,
            decimal(narrowest.held_out_mean()?.mean, 4),
            versus(noted.held_out_mean()?.mean, &self.gain(noted)?)
        );
        let spot = narrowest.row.width;
        let finding = self.finding(claim, spot == 768, Some(spot as f64), words);
        Ok(Some(Finding { note: Some(768.0), unit: "= S".into(), ..finding }))
    }

    /// Beyond S = 1024 nothing is gained.
    fn beyond(&self, claim: &Claim) -> Result<Option<Finding>> {
        let Some(at) = self.find(1024) else { return Ok(None) };
        let mut each = Vec::new();
        let mut gains = false;
        for other in self.others.iter().filter(|s| s.row.width > 1024) {
            let less = other.held_out.less(&at.held_out, at.seed)?;
            gains |= less.low > 0.0;
            each.push(format!(
                "S = {} {}",
                other.row.width,
                versus(other.held_out_mean()?.mean, &less)
            ));
        }
        if each.is_empty() {
            return Ok(None);
        }
        let memory = match claim.id {
            "maximum-1024" => " Memory and time would allow them on this machine; see the tables.",
            _ => "",
        };
        let words = format!(
            "Against S = 1024, which keeps {}: {}.{memory}",
            decimal(at.held_out_mean()?.mean, 4),
            each.join("; ")
        );
        Ok(Some(self.finding(claim, !gains, None, words)))
    }
}
