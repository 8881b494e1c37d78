//! Quality of a student beside every baseline, on the same held-out vectors.

use std::collections::HashSet;

use web_time::Instant;

use super::contenders::{VectorSet, check, field};
use super::evaluation::{Comparison, Comparisons, CosineSample, Evaluation, Kind, Outcome, Row};
use super::student_codes::STUDENT;
use super::verdict::verdict;
use super::yardstick::{DEPTHS, Score, Yardstick, cosines_among};
use crate::arch::Precision;
use crate::codes::Encoded;
use crate::device::Device;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::metrics::{Interval, bootstrap_mean, paired_difference};
use crate::student::StudentFile;

/// How to evaluate.
#[derive(Clone, Debug)]
pub struct EvalOptions {
    /// Bootstrap resamples behind each interval.
    pub resamples: usize,
    /// Seed of the bootstrap, the pairs, the rotation, the projection and the cosine sample.
    pub seed: u64,
    /// Measure the untrained start of a randomly initialised student, too; that of a spectral
    /// one is measured always.
    pub start: bool,
    /// Other students to compare with, each by its name.
    pub beside: Vec<(String, StudentFile)>,
    /// Measure how long storing takes, too.
    pub timed: bool,
}

impl Default for EvalOptions {
    fn default() -> Self {
        Self { resamples: 1000, seed: 0, start: false, beside: Vec::new(), timed: false }
    }
}

/// Measures a student and all baselines on `held_out`. Baselines, int8 ranges and the start are
/// fitted on `training`. `progress` is told how many codes of how many are done and which one
/// is next; its error (such as [`crate::Error::Cancelled`]) ends the work.
///
/// # Errors
/// [`crate::Error::Invalid`] if a set is empty or of another width than the student, if the student's
/// output is not as wide as its input, or without resamples; what the device reports.
pub async fn evaluate(
    device: &Device,
    student: &StudentFile,
    training: VectorSet<'_>,
    held_out: VectorSet<'_>,
    options: &EvalOptions,
    progress: &mut dyn FnMut(usize, usize, &str) -> Result<()>,
) -> Result<Evaluation> {
    check(student, &[training, held_out], options)?;
    for (_, other) in &options.beside {
        check(other, &[held_out], options)?;
    }
    let (fit, vectors) = (training.vectors, held_out.vectors);
    progress(0, 0, "the teacher's neighbours")?;
    let yardstick = Yardstick::new(vectors, options.seed)?;
    let mut notes = notes(student, &yardstick, fit, vectors);
    progress(0, 0, "fitting the baselines")?;
    let field = field(device, student, fit, options).await?;
    notes.extend(field.notes);
    let total = field.contenders.len();
    let (mut scored, mut of_student) = (Vec::with_capacity(total), None);
    for contender in &field.contenders {
        progress(scored.len(), total, &contender.name())?;
        let code = contender.encode(vectors).await?;
        let mut score = Scored::new(contender.kind(), &code, &yardstick)?;
        if options.timed {
            // All that is needed is warm by now.
            let began = Instant::now();
            let stored = contender.pack(vectors).await?;
            let time = began.elapsed().as_secs_f64() * 1e6;
            score.microseconds = (!stored.is_empty()).then(|| time / vectors.rows() as f64);
        }
        scored.push(score);
        if code.name == STUDENT {
            of_student = sample(&yardstick, options.seed, vectors, &code);
        }
    }
    progress(total, total, "confidence intervals")?;
    let judge = Judge { pca: field.pca, int8: field.int8, scored: &scored, options };
    let mut rows = scored.iter().map(|s| judge.row(s)).collect::<Result<Vec<_>>>()?;
    rows.sort_by(|a, b| {
        let overlap = |row: &Row| row.overlap().unwrap_or(-1.0);
        a.bytes_per_vector
            .cmp(&b.bytes_per_vector)
            .then(overlap(b).total_cmp(&overlap(a)))
            .then_with(|| a.name.cmp(&b.name))
    });
    let comparisons = judge.comparisons()?;
    Ok(Evaluation {
        version: env!("CARGO_PKG_VERSION").into(),
        device: device.name(),
        student: student.info.clone(),
        held_out: held_out.info(),
        training: training.info(),
        resamples: options.resamples,
        seed: options.seed,
        pairs: yardstick.pairs(),
        verdict: verdict(&comparisons, vectors.rows()),
        rows,
        comparisons,
        notes,
        sample: of_student,
    })
}

fn notes(
    student: &StudentFile,
    yardstick: &Yardstick<'_>,
    fit: &Matrix,
    vectors: &Matrix,
) -> Vec<String> {
    let mut notes = Vec::new();
    let missing: Vec<String> = DEPTHS
        .into_iter()
        .filter(|k| !yardstick.reaches(*k))
        .map(|k| format!("overlap@{k}"))
        .collect();
    if !missing.is_empty() {
        let neighbours = vectors.rows() - 1;
        notes.push(format!(
            "{} left out: each of the {} held-out vectors has only {neighbours} others.",
            missing.join(" and "),
            vectors.rows()
        ));
    }
    let known: HashSet<&[u8]> = fit.iter_rows().map(bytemuck::cast_slice).collect();
    let seen = vectors.iter_rows().filter(|row| known.contains(bytemuck::cast_slice(row))).count();
    if seen > 0 {
        notes.push(format!(
            "{seen} of {} held-out vectors are among the training vectors, too: what was fitted \
             on them looks better than it is.",
            vectors.rows()
        ));
    }
    if student.info.precision != Precision::F32 {
        notes.push(format!(
            "The file holds {} weights; rows in f32 compute with these values.",
            student.info.precision
        ));
    }
    notes
}

fn sample(
    yardstick: &Yardstick<'_>,
    seed: u64,
    teacher: &Matrix,
    student: &Encoded,
) -> Option<CosineSample> {
    let rows = yardstick.sample_rows(seed);
    Some(CosineSample {
        teacher: cosines_among(teacher, &rows),
        latents: cosines_among(&student.documents, &rows),
        outputs: cosines_among(student.reconstruction.as_ref()?, &rows),
        rows,
    })
}

/// A code's score with what stays of the code.
struct Scored {
    name: String,
    kind: Kind,
    bytes: usize,
    asymmetric: bool,
    score: Score,
    microseconds: Option<f64>,
}

impl Scored {
    fn new(kind: Kind, code: &Encoded, yardstick: &Yardstick<'_>) -> Result<Self> {
        Ok(Self {
            name: code.name.clone(),
            kind,
            bytes: code.bytes_per_vector,
            asymmetric: code.asymmetric,
            score: yardstick.score(code)?,
            microseconds: None,
        })
    }

    /// overlap@10 of each vector.
    fn overlaps(&self) -> Option<&[f32]> {
        self.score.overlaps[1].as_deref()
    }

    fn mean_overlap(&self) -> f64 {
        let values = self.overlaps().unwrap_or_default();
        values.iter().map(|v| f64::from(*v)).sum::<f64>() / values.len().max(1) as f64
    }
}

/// Compares scores.
struct Judge<'a> {
    pca: String,
    int8: String,
    scored: &'a [Scored],
    options: &'a EvalOptions,
}

impl Judge<'_> {
    fn find(&self, name: &str) -> Option<&Scored> {
        self.scored.iter().find(|s| s.name == name)
    }

    /// The start in as many bytes as `of`, or in f32.
    fn start(&self, of: &Scored) -> Option<&Scored> {
        let starts = || self.scored.iter().filter(|s| s.kind == Kind::Start);
        starts().find(|s| s.bytes == of.bytes).or_else(|| starts().next())
    }

    fn row(&self, of: &Scored) -> Result<Row> {
        let interval = |values: &Option<Vec<f32>>| -> Result<Option<Interval>> {
            let mean = |v: &Vec<f32>| bootstrap_mean(v, self.options.resamples, self.options.seed);
            values.as_ref().map(mean).transpose()
        };
        let score = &of.score;
        let own = of.kind == Kind::Student;
        Ok(Row {
            name: of.name.clone(),
            kind: of.kind,
            bytes_per_vector: of.bytes,
            asymmetric: of.asymmetric,
            encode_microseconds: of.microseconds,
            cosine: score.cosine,
            mean_squared_error: score.mean_squared_error,
            explained_variance: score.explained_variance,
            spearman: score.spearman,
            overlap_at_1: interval(&score.overlaps[0])?,
            overlap_at_10: interval(&score.overlaps[1])?,
            overlap_at_100: interval(&score.overlaps[2])?,
            ndcg_at_10: score.ndcg,
            to_pca: self.difference(of, self.find(&self.pca))?,
            to_int8: self.difference(of, self.find(&self.int8))?,
            to_start: if own { self.difference(of, self.start(of))? } else { None },
        })
    }

    /// `None` where either has no overlap@10, or both are the same code.
    fn difference(&self, of: &Scored, rival: Option<&Scored>) -> Result<Option<Interval>> {
        let Some(rival) = rival.filter(|rival| rival.name != of.name) else { return Ok(None) };
        let (Some(a), Some(b)) = (of.overlaps(), rival.overlaps()) else { return Ok(None) };
        paired_difference(a, b, self.options.resamples, self.options.seed).map(Some)
    }

    fn compare(&self, of: &Scored, rival: Option<&Scored>) -> Result<Option<Comparison>> {
        let Some(rival) = rival else { return Ok(None) };
        Ok(self.difference(of, Some(rival))?.map(|difference| Comparison {
            subject: of.name.clone(),
            rival: rival.name.clone(),
            bytes: of.bytes,
            rival_bytes: rival.bytes,
            overlap: of.mean_overlap(),
            rival_overlap: rival.mean_overlap(),
            outcome: Outcome::of(&difference),
            difference,
        }))
    }

    fn comparisons(&self) -> Result<Comparisons> {
        let Some(student) = self.find(STUDENT) else { return Ok(Comparisons::default()) };
        let best = |kind: Kind, fits: &dyn Fn(usize) -> bool| {
            // Of equals the last one wins: reversed, the first, which is the plainest.
            let of_kind = self.scored.iter().rev().filter(|s| s.kind == kind && fits(s.bytes));
            of_kind.max_by(|a, b| a.mean_overlap().total_cmp(&b.mean_overlap()))
        };
        let own = self.scored.iter().filter(|s| s.kind == Kind::Student);
        let mut sizes: Vec<usize> = own.map(|s| s.bytes).collect();
        sizes.sort_unstable();
        sizes.dedup();
        let mut equal_bytes = Vec::new();
        for size in sizes {
            if let Some(subject) = best(Kind::Student, &|bytes| bytes == size) {
                let rival = best(Kind::Baseline, &|bytes| bytes <= size);
                equal_bytes.extend(self.compare(subject, rival)?);
            }
        }
        Ok(Comparisons {
            pca: self.compare(student, self.find(&self.pca))?,
            start: self.compare(student, self.start(student))?,
            equal_bytes,
        })
    }
}
