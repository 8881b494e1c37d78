//! What a student keeps, on vectors that training saw and on vectors that it did not, beside PCA of
//! the same latent width and every other code.

use std::rc::Rc;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use web_time::Instant;

use super::RowId;
use crate::arch::Precision;
use crate::codes::{Encoded, Projected, Storage, baselines};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::experiment::bench::{BenchOptions, measure};
use crate::experiment::student_codes::StudentCode;
use crate::experiment::yardstick::{DEPTHS, Score, Yardstick};
use crate::linalg::Pca;
use crate::matrix::Matrix;
use crate::metrics::{Interval, bootstrap_mean, paired_difference};
use crate::student::{Parameters, Student};
use crate::train::{Budget, TrainConfig, Trainer};

/// Resamples behind each interval.
const RESAMPLES: usize = 1000;
/// Where overlap@10 stands among the depths.
const AT_10: usize = 1;
/// Seconds of samples behind the time of a code.
const SECONDS: f64 = 0.05;

/// overlap@10 of each vector, a character each for the neighbours kept: `0` to `9`, `a` for ten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Overlaps(String);

impl Overlaps {
    fn new(values: &[f32]) -> Self {
        let digit = |v: &f32| char::from_digit((10.0 * v).round() as u32, 16).unwrap_or('0');
        Self(values.iter().map(digit).collect())
    }

    /// The shares, one a vector.
    pub fn values(&self) -> Vec<f32> {
        self.0.chars().map(|c| c.to_digit(16).unwrap_or(0) as f32 / 10.0).collect()
    }

    /// Their mean and its 95 % interval.
    ///
    /// # Errors
    /// [`Error::Invalid`] without any.
    pub fn mean(&self, seed: u64) -> Result<Interval> {
        bootstrap_mean(&self.values(), RESAMPLES, seed)
    }

    /// This less `other`, vector by vector, with its 95 % interval.
    ///
    /// # Errors
    /// [`Error::Invalid`] if they are of different numbers of vectors.
    pub fn less(&self, other: &Self, seed: u64) -> Result<Interval> {
        paired_difference(&self.values(), &other.values(), RESAMPLES, seed)
    }
}

/// The vectors that students are trained on and measured on.
#[derive(Clone, Debug)]
pub struct DataSet {
    /// What the vectors to train on are called.
    pub training_name: String,
    /// n×d, unit rows or nearly.
    pub training: Arc<Matrix>,
    /// What the others are called.
    pub held_out_name: String,
    /// m×d, which training never sees.
    pub held_out: Matrix,
}

/// Everything that students and codes are held against, computed once.
pub struct Ruler<'a> {
    data: &'a DataSet,
    held_out: Yardstick<'a>,
    /// As many of the training vectors as are held out.
    sample: &'a Matrix,
    seen: Yardstick<'a>,
    pca: &'a Pca,
    seed: u64,
}

/// A code of one vector, what it takes and what it keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CodeQuality {
    /// Its name.
    pub name: String,
    /// Exact bytes of a stored vector.
    pub bytes_per_vector: usize,
    /// Whether the query keeps more precision than the stored documents.
    pub asymmetric: bool,
    /// Bytes of what makes the code: weights, directions, ranges.
    pub model_bytes: u64,
    /// Milliseconds to make the code of one vector, alone.
    pub encode_ms: f64,
    /// overlap@10 on the held-out vectors.
    pub overlap: Interval,
    /// Spearman's correlation of pair cosines with the teacher's.
    pub spearman: Option<f64>,
    /// Mean cosine of the reconstruction with the teacher.
    pub cosine: Option<f64>,
}

/// What one trained student of family B keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// The row.
    pub row: RowId,
    /// Settings of its training.
    pub config: TrainConfig,
    /// Vectors that it was trained on.
    pub training_rows: usize,
    /// Steps done.
    pub steps: u64,
    /// Seconds that they took.
    pub seconds: f64,
    /// overlap@10 of its latents on the held-out vectors.
    pub held_out: Overlaps,
    /// The same on as many of the vectors that it was trained on.
    pub seen: Overlaps,
    /// Held out, of PCA of the same latent width.
    pub pca_held_out: Overlaps,
    /// On those trained on, of PCA, which was fitted on them, too.
    pub pca_seen: Overlaps,
    /// Its latents as codes.
    pub codes: Vec<CodeQuality>,
    /// Seed of the intervals.
    pub seed: u64,
}

impl Quality {
    /// Seconds of an epoch.
    pub fn epoch_seconds(&self) -> f64 {
        self.seconds / f64::from(self.config.epochs.max(1))
    }

    /// Held-out overlap@10.
    ///
    /// # Errors
    /// As [`Overlaps::mean`], and so for the rest.
    pub fn held_out_mean(&self) -> Result<Interval> {
        self.held_out.mean(self.seed)
    }

    /// overlap@10 on vectors trained on.
    ///
    /// # Errors
    /// As [`Overlaps::mean`].
    pub fn seen_mean(&self) -> Result<Interval> {
        self.seen.mean(self.seed)
    }

    /// Held-out overlap@10 less that of PCA.
    ///
    /// # Errors
    /// As [`Overlaps::less`].
    pub fn to_pca(&self) -> Result<Interval> {
        self.held_out.less(&self.pca_held_out, self.seed)
    }

    /// What the student keeps more than PCA of the vectors it was trained on, less what it keeps
    /// more of the others: what it has learned by heart. Both sets have neighbours of their own, so
    /// the plain gap between them says little; PCA has that gap, too.
    ///
    /// # Errors
    /// As [`Overlaps::less`].
    pub fn excess(&self) -> Result<Interval> {
        let (seen, held) = (self.seen.less(&self.pca_seen, self.seed)?, self.to_pca()?);
        let mean = seen.mean - held.mean;
        // The sets are independent, so the squares of the half widths add up.
        let half = |i: &Interval| (i.high - i.low) / 2.0;
        let reach = half(&seen).hypot(half(&held));
        Ok(Interval { mean, low: mean - reach, high: mean + reach })
    }
}

/// Every baseline on the same held-out vectors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baselines {
    /// What they were fitted on.
    pub training: String,
    /// What they were measured on.
    pub held_out: String,
    /// Vectors in it.
    pub held_out_rows: usize,
    /// One a code.
    pub codes: Vec<CodeQuality>,
}

impl<'a> Ruler<'a> {
    /// For `data`, whose training vectors have the components `pca`; `sample` holds as many of these
    /// vectors as are held out.
    ///
    /// # Errors
    /// [`Error::Invalid`] for fewer than eleven held-out vectors, or as many that are trained on.
    pub fn new(data: &'a DataSet, sample: &'a Matrix, pca: &'a Pca, seed: u64) -> Result<Self> {
        for (name, rows) in
            [(&data.held_out_name, data.held_out.rows()), (&data.training_name, sample.rows())]
        {
            if rows <= DEPTHS[AT_10] {
                let message =
                    format!("{rows} vectors are too few for overlap@10; give some thousands");
                return Err(Error::invalid(name.as_str(), message));
            }
        }
        Ok(Self {
            held_out: Yardstick::new(&data.held_out, seed)?,
            seen: Yardstick::new(sample, seed)?,
            pca,
            data,
            sample,
            seed,
        })
    }

    /// As many training vectors as are held out, from all over the set.
    pub fn sample_of(data: &DataSet) -> Matrix {
        let (all, wanted) = (data.training.rows(), data.held_out.rows());
        let rows: Vec<usize> = (0..wanted.min(all)).map(|i| i * all / wanted.min(all)).collect();
        data.training.gather_rows(&rows)
    }

    /// PCA to `latent` values, held out and on those trained on.
    fn pca_overlaps(&self, latent: usize) -> Result<[Overlaps; 2]> {
        let code = Projected::pca(self.pca, latent)?;
        let of = |ruler: &Yardstick<'_>, vectors: &Matrix| {
            overlaps(&ruler.score(&crate::codes::Code::encode(&code, vectors)?)?)
        };
        Ok([of(&self.held_out, &self.data.held_out)?, of(&self.seen, self.sample)?])
    }

    fn code(
        &self,
        code: &Encoded,
        model_bytes: u64,
        encode_ms: f64,
    ) -> Result<(CodeQuality, Overlaps)> {
        let score = self.held_out.score(code)?;
        let kept = overlaps(&score)?;
        let quality = CodeQuality {
            name: code.name.clone(),
            bytes_per_vector: code.bytes_per_vector,
            asymmetric: code.asymmetric,
            model_bytes,
            encode_ms,
            overlap: kept.mean(self.seed)?,
            spearman: score.spearman,
            cosine: score.cosine,
        };
        Ok((quality, kept))
    }
}

fn overlaps(score: &Score) -> Result<Overlaps> {
    let kept = score.overlaps[AT_10].as_deref();
    kept.map(Overlaps::new).ok_or_else(|| Error::invalid("overlap@10", "there are too few vectors"))
}

/// Called with what is done of the whole, 0 to 1, and what comes next; an error ends the work.
pub type Report<'a> = dyn FnMut(f64, &str) -> Result<()> + 'a;

/// Trains a student of `row` on the data of `ruler`, and measures it.
///
/// # Errors
/// As [`Trainer::new`] and [`Trainer::advance`]; what `report` returns.
pub async fn train_and_measure(
    device: &Device,
    row: RowId,
    config: &TrainConfig,
    ruler: &Ruler<'_>,
    report: &mut Report<'_>,
) -> Result<Quality> {
    let (arch, data) = (row.arch(), ruler.data);
    report(0.0, "the start")?;
    let mut trainer = Trainer::new(device, &arch, config, data.training.clone()).await?;
    let started = Instant::now();
    let steps = loop {
        let progress = trainer.advance(Budget::steps(8)).await?;
        let share = progress.step as f64 / progress.total_steps.max(1) as f64;
        report(0.9 * share, &format!("training, epoch {}", progress.epoch + 1))?;
        if progress.stop.is_some() {
            break progress.step;
        }
    };
    device.wait().await?;
    let seconds = started.elapsed().as_secs_f64();
    report(0.9, "what it keeps")?;
    let (held_out, seen, codes) = student_quality(device, &trainer.student().await?, ruler).await?;
    let [pca_held_out, pca_seen] = ruler.pca_overlaps(arch.latent())?;
    Ok(Quality {
        row,
        config: config.clone(),
        training_rows: data.training.rows(),
        steps,
        seconds,
        held_out,
        seen,
        pca_held_out,
        pca_seen,
        codes,
        seed: ruler.seed,
    })
}

/// overlap@10 of the latents held out and seen, and the latents as codes in f32, f16 and int8.
pub async fn student_quality(
    device: &Device,
    parameters: &Parameters,
    ruler: &Ruler<'_>,
) -> Result<(Overlaps, Overlaps, Vec<CodeQuality>)> {
    let student = Rc::new(Student::new(device, parameters, Precision::F32)?);
    let latents = student.encode(&ruler.data.training).await?;
    let bytes = student.bytes();
    let one = ruler.data.held_out.slice_rows(0, 1);
    let (mut codes, mut held_out) = (Vec::new(), None);
    for (name, storage) in [
        ("f32 latents", Storage::F32),
        ("f16 latents", Storage::F16),
        ("int8 latents", Storage::int8(&latents)?),
    ] {
        let model = bytes + storage.model_bytes();
        let time = milliseconds(async || {
            let latents = student.encode(&one).await?;
            storage.pack(&latents).map(|_| ())
        });
        let time = time.await?;
        let code = StudentCode::latents(name, student.clone(), storage);
        let encoded = code.encode(&ruler.data.held_out).await?;
        let (quality, kept) = ruler.code(&encoded, model, time)?;
        held_out.get_or_insert(kept);
        codes.push(quality);
    }
    let code = StudentCode::latents("seen", student.clone(), Storage::F32);
    let seen = overlaps(&ruler.seen.score(&code.encode(ruler.sample).await?)?)?;
    Ok((held_out.expect("three codes were measured"), seen, codes))
}

/// Fits every baseline beside latents of `latent` values, and measures it.
///
/// # Errors
/// As [`baselines`]; what `report` returns.
pub async fn measure_baselines(
    ruler: &Ruler<'_>,
    latent: usize,
    report: &mut Report<'_>,
) -> Result<Baselines> {
    let data = ruler.data;
    report(0.0, "fitting the baselines")?;
    let all = baselines(&data.training, latent, ruler.seed)?;
    let one = data.held_out.slice_rows(0, 1);
    let mut codes = Vec::with_capacity(all.len());
    for (i, code) in all.iter().enumerate() {
        report(i as f64 / all.len() as f64, &code.name())?;
        let time = milliseconds(async || code.pack(&one).map(|_| ())).await?;
        let encoded = code.encode(&data.held_out)?;
        codes.push(ruler.code(&encoded, code.model_bytes(), time)?.0);
    }
    Ok(Baselines {
        training: data.training_name.clone(),
        held_out: data.held_out_name.clone(),
        held_out_rows: data.held_out.rows(),
        codes,
    })
}

/// Median milliseconds of a call.
async fn milliseconds(mut call: impl AsyncFnMut() -> Result<()>) -> Result<f64> {
    let options = BenchOptions { seconds: SECONDS, ..BenchOptions::default() };
    let timing = measure(&options, async |calls| {
        for _ in 0..calls {
            call().await?;
        }
        Ok(())
    });
    Ok(timing.await?.median_us / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::note::{Spectrum, synthetic};

    #[test]
    fn overlaps_come_back_from_their_characters() {
        let values: Vec<f32> = (0..=10).map(|kept| kept as f32 / 10.0).collect();
        let stored = Overlaps::new(&values);
        assert_eq!((stored.0.as_str(), stored.values()), ("0123456789a", values));
        let less = Overlaps::new(&[0.9; 20]).less(&Overlaps::new(&[0.7; 20]), 1).unwrap();
        assert!((less.mean - 0.2).abs() < 1e-6 && less.low > 0.19, "{less:?}");
        assert!(stored.less(&Overlaps::new(&[0.5]), 1).is_err());
    }

    #[test]
    fn a_student_is_trained_and_held_against_pca() {
        let row: RowId = "B-256".parse().unwrap();
        let law = Spectrum { first: 0.1, power: -0.5, rate: -2.5 };
        let all = synthetic(&law, 640, 384, 5);
        let data = DataSet {
            training_name: "training".into(),
            training: Arc::new(all.slice_rows(0, 600)),
            held_out_name: "held out".into(),
            held_out: all.slice_rows(600, 640),
        };
        let sample = Ruler::sample_of(&data);
        assert_eq!(sample.rows(), 40);
        let pca = Pca::fit(&data.training, false).unwrap();
        let ruler = Ruler::new(&data, &sample, &pca, 3).unwrap();
        let config = TrainConfig {
            epochs: 1,
            batch: 32,
            validation_rows: 0,
            ..TrainConfig::suited_to(&row.arch(), None)
        };
        let mut last = 0.0;
        let found = pollster::block_on(train_and_measure(
            &Device::cpu(),
            row,
            &config,
            &ruler,
            &mut |share, _| {
                assert!(share >= last);
                last = share;
                Ok(())
            },
        ))
        .unwrap();
        assert_eq!((found.steps, found.codes.len()), (18, 3));
        assert_eq!(
            found.codes.iter().map(|c| c.bytes_per_vector).collect::<Vec<_>>(),
            [768, 384, 192]
        );
        assert!(found.to_pca().unwrap().mean.abs() < 0.2 && found.excess().unwrap().low <= 0.1);
        assert!(found.codes.iter().all(|c| c.encode_ms > 0.0 && c.model_bytes > 1_000_000));
        let text = serde_json::to_string(&found).unwrap();
        assert_eq!(serde_json::from_str::<Quality>(&text).unwrap(), found);
        let codes =
            pollster::block_on(measure_baselines(&ruler, 192, &mut |_, _| Ok(()))).unwrap().codes;
        let int8 = codes.iter().find(|c| c.name == "teacher int8").unwrap();
        assert_eq!((int8.bytes_per_vector, int8.model_bytes), (384, 8 * 384));
        let few = DataSet { held_out: all.slice_rows(0, 10), ..data };
        assert!(Ruler::new(&few, &sample, &pca, 3).is_err());
    }
}
