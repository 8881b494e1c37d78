//! Every claim against a whole run of the note.

use super::figures::{self, Memory, Spread, latency, mobile, one_vector, training_time};
use super::quality::quality;
use super::{Finding, Here, Method, Standing, counted, method};
use crate::arch::Variant;
use crate::error::Result;
use crate::experiment::note::{Measured, NoteRun, RowId, RowResult};
use crate::experiment::score::Score;
use crate::note::{CLAIMS, Claim, Family};
use crate::number::decimal;

/// Whether a claim is tested by a measurement of its own; the rows of a run settle the others.
pub fn tested_alone(claim: &Claim) -> bool {
    matches!(claim.id, "full-attention" | "sn727-memory" | "sn727-stability")
}

/// What comes of every claim of the note, in its order: by what `run` measured, by what was tested
/// by itself, by counting, or why it is left open. `cache` as for [`counted`].
///
/// # Errors
/// As [`crate::experiment::note::Quality::held_out_mean`].
pub fn findings(run: &NoteRun, here: &Here, cache: Option<u64>) -> Result<Vec<Finding>> {
    CLAIMS.iter().map(|claim| finding(claim, run, here, cache)).collect()
}

fn finding(claim: &Claim, run: &NoteRun, here: &Here, cache: Option<u64>) -> Result<Finding> {
    if let Some(found) = run.claims.iter().find(|found| found.id == claim.id) {
        return Ok(found.clone());
    }
    if let Some(found) = quality(claim, run, here)? {
        return Ok(found);
    }
    if let Some(found) = by_rows(claim, run, here).or_else(|| counted(claim, cache)) {
        return Ok(found);
    }
    let words = match method(claim) {
        Method::Train => "Not tested in this run: `lnsp note` without --rows trains for it.",
        _ => "Not measured in this run: `lnsp note` without --rows measures it.",
    };
    Ok(Finding::new(claim, Standing::CannotCompare, None, words.into()))
}

/// What the timed rows say of a claim.
fn by_rows(claim: &Claim, run: &NoteRun, here: &Here) -> Option<Finding> {
    let width = claim.width.unwrap_or(256);
    let row = || run.measured_b(width);
    let kind = |prefix: &str| claim.id.starts_with(prefix);
    match claim.id {
        "inference-ratings-a" => ratings(claim, run, Family::A, here),
        "inference-ratings-b" => ratings(claim, run, Family::B, here),
        "law-latency" => {
            let of = |s: usize| Some((s as f64, run.measured_b(s)?.one.median_ms));
            let points: Option<Vec<_>> = [256, 512, 1024, 2048, 4096].into_iter().map(of).collect();
            Some(latency(claim, here, &points?))
        }
        "sn727-score" => score(claim, run, here),
        "mobile" => Some(mobile(claim, here, row()?.one.median_ms)),
        _ if kind("inference-") => Some(one_vector(claim, here, width, spread(row()?))),
        _ if kind("training-memory-") => {
            let found = row()?;
            let memory = Memory {
                batch: found.step.batch,
                predicted: found.predicted_bytes,
                held: found.ledger_bytes,
            };
            Some(figures::training_memory(claim, here, (width, Variant::Plain), memory))
        }
        _ if kind("training-time-") => {
            let found = row()?;
            let id = RowId { family: Family::B, width };
            let trained = run.row(id)?.quality.as_ref();
            let trained = trained.map(|quality| (quality.config.epochs, quality.seconds));
            Some(training_time(claim, here, (found.step.batch, found.step.median_ms), trained))
        }
        _ => None,
    }
}

/// Our score of the student S = 256 of the run.
fn score(claim: &Claim, run: &NoteRun, here: &Here) -> Option<Finding> {
    let own = run.students().into_iter().find(|student| student.row.width == 256)?;
    let code = own.codes.first()?;
    let score = Score::new(Some(code.overlap.mean), code.spearman, code.cosine);
    let words = format!(
        "Our score of S = 256 after {} epochs is {}: the mean of overlap@10 ({}), Spearman's \
         correlation of cosines ({}) and the cosine of the output ({}). Not comparable with the \
         note's 0.414, which is undefined.",
        own.config.epochs,
        decimal(score.score, 3),
        decimal(code.overlap.mean, 3),
        decimal(code.spearman.unwrap_or(f64::NAN), 3),
        decimal(code.cosine.unwrap_or(f64::NAN), 3)
    );
    Some(here.finding(claim, Standing::CannotCompare, Some(score.score), words))
}

fn spread(found: &Measured) -> Spread {
    Spread { median: found.one.median_ms, p10: found.one.p10_ms, p90: found.one.p90_ms }
}

/// The note's ratings, the fastest first.
const RATINGS: [&str; 7] =
    ["Very Fast", "Fast", "Medium", "Slower", "Slow", "Very Slow", "Extremely Slow"];

/// Whether rows that are rated slower take longer. Both tables are needed whole.
fn ratings(claim: &Claim, run: &NoteRun, family: Family, here: &Here) -> Option<Finding> {
    let rows: Vec<&RowResult> = run.rows.iter().filter(|row| row.id.family == family).collect();
    let whole = RowId::all().filter(|id| id.family == family).count();
    let of = |row: &&RowResult| {
        let speed = row.id.row().speed;
        let rank = RATINGS.iter().position(|rating| *rating == speed)?;
        Some((rank, speed, row.id.width, row.measured.as_ref()?.one.median_ms))
    };
    let timed: Vec<_> = rows.iter().filter_map(of).collect();
    if timed.len() < whole {
        return None;
    }
    let wrong = timed.iter().flat_map(|a| timed.iter().map(move |b| (a, b)));
    let wrong: Vec<String> = wrong
        .filter(|(a, b)| a.0 < b.0 && a.3 >= b.3)
        .map(|(a, b)| format!("{} ({}) takes longer than {} ({})", a.2, a.1, b.2, b.1))
        .collect();
    let (first, last) = (timed.first()?, timed.last()?);
    let order = match wrong.is_empty() {
        true => "Rows that are rated slower take longer here".to_string(),
        false => format!("Not in this order here: {}", wrong.join("; ")),
    };
    let words = format!(
        "{order}: from {} ms a vector at {} ({}) to {} ms at {} ({}), {} times as long.",
        figures::shown(first.3),
        first.2,
        first.1,
        figures::shown(last.3),
        last.2,
        last.1,
        decimal(last.3 / first.3, 0)
    );
    let standing = if wrong.is_empty() { Standing::Holds } else { Standing::Fails };
    Some(here.finding(claim, standing, None, words))
}
