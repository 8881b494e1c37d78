//! Claims that a device settles.

use std::sync::Arc;

use super::attention::Layer;
use super::figures::{self, Memory, Spread as Times, shown};
use super::{Finding, Here, Method, Setting, Standing, method};
use crate::arch::{Arch, Precision, Variant};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::experiment::bench::{
    Announce, BenchOptions, InferenceRow, TrainingRow, bench_inference, bench_training, measure,
};
use crate::experiment::score::{ScoreSet, Spread};
use crate::note::Claim;
use crate::number::{decimal, percent};
use crate::student::{Init, Student};
use crate::train::{Budget, TrainConfig, Trainer};

/// Tokens of the sentence that a student is compared on.
const TOKENS: usize = 64;
/// Seeds that stability is measured over.
const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];
/// Epochs of each of those trainings.
const EPOCHS: u32 = 5;
/// Puts a claim to the test on `device`; none if [`method`] says that there is nothing to
/// measure. `announce` is told what comes next and may end it.
///
/// # Errors
/// [`Error::Invalid`] if students are to be trained and `setting` has no vectors;
/// [`Error::OutOfMemory`]; what the device reports and `announce` returns.
pub async fn measured(
    claim: &Claim,
    device: &Device,
    setting: &Setting,
    announce: &mut Announce<'_>,
) -> Result<Option<Finding>> {
    let width = claim.width.unwrap_or(256);
    let kind = |prefix: &str| claim.id.starts_with(prefix);
    let finding = match (method(claim), claim.id) {
        (Method::Train, _) => stability(claim, device, setting, announce).await?,
        (Method::Measure, "full-attention") => attention(claim, device, setting, announce).await?,
        (Method::Measure, "law-latency") => latency(claim, device, setting, announce).await?,
        (Method::Measure, "mobile") => mobile(claim, device, setting, announce).await?,
        (Method::Measure, _) if kind("inference-") => {
            one_vector(claim, device, width, setting, announce).await?
        }
        (Method::Measure, _) if kind("training-time-") => {
            training_time(claim, device, setting, announce).await?
        }
        (Method::Measure, _) => {
            let variant = if kind("sn727-") { Variant::Sn727 } else { Variant::Plain };
            training_memory(claim, device, (width, variant), setting, announce).await?
        }
        _ => return Ok(None),
    };
    Ok(Some(Finding { device: device.name(), ..finding }))
}

fn options(setting: &Setting) -> BenchOptions {
    BenchOptions {
        precisions: vec![Precision::F32],
        batches: vec![1],
        seconds: setting.seconds,
        available: setting.available,
        stop: setting.stop.clone(),
        ..BenchOptions::default()
    }
}

/// One vector through `384→width→192→width→384`, warm.
async fn timed(
    device: &Device,
    width: usize,
    setting: &Setting,
    announce: &mut Announce<'_>,
) -> Result<InferenceRow> {
    let arch = Arch::family_b(width)?;
    // A cold start is not asked for: the device that is open serves.
    let open = async || Ok(device.clone());
    let report = bench_inference(device, open, &arch, &options(setting), announce).await?;
    let why = report.skipped.first().map(|skipped| skipped.reason.clone());
    report.rows.into_iter().next().ok_or_else(|| does_not_fit(&arch, why))
}

fn does_not_fit(arch: &Arch, why: Option<String>) -> Error {
    Error::invalid(arch.to_string(), why.unwrap_or_else(|| "was not measured".into()))
}

async fn one_vector(
    claim: &Claim,
    device: &Device,
    width: usize,
    setting: &Setting,
    announce: &mut Announce<'_>,
) -> Result<Finding> {
    let row = timed(device, width, setting, announce).await?;
    let timing = row.timing;
    let [median, p10, p90] = [timing.median_us, timing.p10_us, timing.p90_us].map(|us| us / 1e3);
    let times = Times { median, p10, p90 };
    Ok(figures::one_vector(claim, &Here::of(device), width, times))
}

async fn step(
    device: &Device,
    width: usize,
    variant: Variant,
    setting: &Setting,
    announce: &mut Announce<'_>,
) -> Result<TrainingRow> {
    let arch = Arch::family_b(width)?.with_variant(variant)?;
    let report = bench_training(device, &arch, &options(setting), announce).await?;
    let why = report.skipped.first().map(|skipped| skipped.reason.clone());
    report.training.into_iter().next().ok_or_else(|| does_not_fit(&arch, why))
}

async fn training_memory(
    claim: &Claim,
    device: &Device,
    (width, variant): (usize, Variant),
    setting: &Setting,
    announce: &mut Announce<'_>,
) -> Result<Finding> {
    let row = step(device, width, variant, setting, announce).await?;
    let memory =
        Memory { batch: row.batch, predicted: row.predicted_bytes, held: row.peak_device_bytes };
    Ok(figures::training_memory(claim, &Here::of(device), (width, variant), memory))
}

async fn training_time(
    claim: &Claim,
    device: &Device,
    setting: &Setting,
    announce: &mut Announce<'_>,
) -> Result<Finding> {
    let row = step(device, 256, Variant::Plain, setting, announce).await?;
    Ok(figures::training_time(claim, &Here::of(device), (row.batch, row.median_ms), None))
}

async fn mobile(
    claim: &Claim,
    device: &Device,
    setting: &Setting,
    announce: &mut Announce<'_>,
) -> Result<Finding> {
    let row = timed(device, 256, setting, announce).await?;
    Ok(figures::mobile(claim, &Here::of(device), row.timing.median_us / 1e3))
}

/// The exponent b of time ∝ S^b over the widths of the note's list.
async fn latency(
    claim: &Claim,
    device: &Device,
    setting: &Setting,
    announce: &mut Announce<'_>,
) -> Result<Finding> {
    let mut points = Vec::new();
    for width in [256, 512, 1024, 2048, 4096] {
        let row = timed(device, width, setting, announce).await?;
        points.push((width as f64, row.timing.median_us / 1e3));
    }
    Ok(figures::latency(claim, &Here::of(device), &points))
}

async fn attention(
    claim: &Claim,
    device: &Device,
    setting: &Setting,
    announce: &mut Announce<'_>,
) -> Result<Finding> {
    let row = timed(device, 256, setting, announce).await?;
    let student = row.timing.median_us;
    announce(&format!("attention over {TOKENS} tokens"))?;
    let mut layer = Layer::new(device, TOKENS)?;
    let options = options(setting);
    let mut part = async |feed_forward: bool| {
        let timing = measure(&options, async |calls| {
            for _ in 0..calls {
                layer.attend(device)?;
                if feed_forward {
                    layer.feed_forward(device)?;
                }
                device.wait().await?;
            }
            Ok(())
        });
        Ok::<f64, Error>(timing.await?.median_us)
    };
    let attend = part(false).await?;
    let whole = part(true).await?;
    let open = async || Ok(device.clone());
    let many = BenchOptions { batches: vec![TOKENS], ..options.clone() };
    let report = bench_inference(device, open, &Arch::family_b(256)?, &many, announce).await?;
    let rows = report.rows.first().map_or(f64::NAN, |row| row.timing.median_us);
    let times = attend / student;
    let words = format!(
        "One vector through the student takes {} ms; attention as wide as the teacher's over a \
         sentence of {TOKENS} tokens takes {} ms, {} times as long ({} ms with the feed-forward \
         part). Row for row it is another matter: {TOKENS} vectors through the student take {} ms, \
         so that attention over {TOKENS} tokens takes {} times as long. The student does not \
         replace the attention that made its vectors.",
        shown(student / 1e3),
        shown(attend / 1e3),
        decimal(times, 1),
        shown(whole / 1e3),
        shown(rows / 1e3),
        decimal(attend / rows, 1)
    );
    let here = Here::of(device);
    Ok(here.finding(claim, here.judged(claim, times >= 10.0), Some(times), words))
}

/// Trains from random numbers with several seeds, and takes the spread of the score on vectors held
/// out.
async fn stability(
    claim: &Claim,
    device: &Device,
    setting: &Setting,
    announce: &mut Announce<'_>,
) -> Result<Finding> {
    let vectors = setting.vectors.as_ref().ok_or_else(|| {
        Error::invalid("vectors", "stability is measured by training, and there are no vectors")
    })?;
    // One row in five is held out.
    let (held, kept): (Vec<usize>, Vec<usize>) = (0..vectors.rows()).partition(|i| i % 5 == 4);
    let (held, kept) = (vectors.gather_rows(&held), Arc::new(vectors.gather_rows(&kept)));
    let held = ScoreSet::new(Arc::new(held))?;
    let arch = Arch::family_b(256)?;
    let mut scores = Vec::new();
    for seed in SEEDS {
        announce(&format!("training with seed {seed}"))?;
        let config = TrainConfig {
            epochs: EPOCHS,
            batch: 64_usize.min(kept.rows() / 2).max(2),
            validation_rows: 0,
            seed,
            ..TrainConfig::suited_to(&arch, Some(Init::Random))
        };
        let mut trainer = Trainer::new(device, &arch, &config, kept.clone()).await?;
        while trainer.progress().stop.is_none() {
            if setting.stop.load(std::sync::atomic::Ordering::Relaxed) {
                return Err(Error::Cancelled);
            }
            trainer.advance(Budget::steps(8)).await?;
            device.wait().await?;
        }
        let parameters = trainer.student().await?;
        let student = Student::new(device, &parameters, Precision::F32)?;
        scores.push(held.score_student(&student).await?.score.score);
    }
    let spread = Spread::of(&scores).expect("there are seeds");
    let variation = spread.variation.unwrap_or(f64::NAN);
    let words = format!(
        "{} trainings from random numbers on {} of the example vectors, {EPOCHS} epochs each: our \
         score on {} vectors held out is {} on average with a standard deviation of {}, so that it \
         varies by {} from seed to seed. The note has 0.414 and 0.029, not comparable: its score is \
         undefined. Ours is the mean of overlap@10, Spearman's correlation of cosines and the \
         cosine of the output.",
        spread.runs,
        kept.rows(),
        held.vectors().rows(),
        decimal(spread.mean, 3),
        decimal(spread.deviation.unwrap_or(f64::NAN), 4),
        percent(variation)
    );
    let here = Here::of(device);
    Ok(here.finding(claim, Standing::CannotCompare, Some(variation), words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::Matrix;
    use crate::note::{self, CLAIMS};

    fn test(id: &str, setting: &Setting) -> Result<Option<Finding>> {
        let claim = note::claim(id).unwrap();
        let device = Device::cpu();
        pollster::block_on(measured(claim, &device, setting, &mut |_| Ok(())))
    }

    #[test]
    fn what_is_counted_is_not_measured() {
        let setting = Setting { seconds: 0.0, ..Setting::default() };
        for claim in CLAIMS.iter().filter(|c| matches!(method(c), Method::Count | Method::None)) {
            assert_eq!(test(claim.id, &setting).unwrap(), None, "{}", claim.id);
        }
    }

    #[test]
    fn a_vector_a_step_and_attention_are_measured() {
        let setting = Setting { seconds: 0.0, ..Setting::default() };
        let one = test("inference-256", &setting).unwrap().unwrap();
        assert_eq!((one.standing, one.device.as_str()), (Standing::OtherDevice, "cpu"));
        assert!(one.ours.unwrap() > 0.0 && one.words.contains("~0.1 ms"), "{one:?}");
        let one = test("training-memory-256", &setting).unwrap().unwrap();
        assert_eq!(one.standing, Standing::OtherDevice);
        assert!(one.ours.unwrap() > 4.0, "{one:?}");
        let one = test("sn727-memory", &setting).unwrap().unwrap();
        assert!(one.words.contains("inference"), "{one:?}");
        let one = test("full-attention", &setting).unwrap().unwrap();
        assert!(one.ours.unwrap() > 1.0 && one.words.contains("Row for row"), "{one:?}");
    }

    #[test]
    fn stability_wants_vectors_and_takes_them() {
        assert!(test("sn727-stability", &Setting::default()).is_err());
        let vectors = Matrix::from_fn(60, 384, |r, c| ((r * 41 + c * 17) as f32).sin());
        let setting = Setting { vectors: Some(Arc::new(vectors)), ..Setting::default() };
        let one = test("sn727-stability", &setting).unwrap().unwrap();
        assert!(one.ours.unwrap() > 0.0 && one.words.contains("48 of"), "{one:?}");
        assert_eq!(one.standing, Standing::CannotCompare);
        assert!(one.words.contains("not comparable"), "{one:?}");
        setting.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(matches!(test("sn727-stability", &setting), Err(Error::Cancelled)));
    }
}
