//! Claims that a device settles.

use std::sync::Arc;

use super::attention::Layer;
use super::{Finding, Method, Setting, Standing, judged, method};
use crate::arch::{Arch, Precision, Variant};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::experiment::bench::{
    Announce, BenchOptions, InferenceRow, TrainingRow, bench_inference, bench_training, measure,
};
use crate::experiment::score::{ScoreSet, Spread};
use crate::note::Claim;
use crate::number::{decimal, megabytes, percent};
use crate::student::{Init, Student};
use crate::train::{Budget, TrainConfig, Trainer};

/// Tokens of the sentence that a student is compared on.
const TOKENS: usize = 64;
/// Seeds that stability is measured over.
const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];
/// Epochs of each of those trainings.
const EPOCHS: u32 = 5;
/// Milliseconds that a picture lasts at sixty a second: faster is called real-time.
const REAL_TIME: f64 = 1e3 / 60.0;

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

/// Three digits or so.
fn shown(ms: f64) -> String {
    decimal(
        ms,
        if ms >= 10.0 {
            1
        } else if ms >= 0.1 {
            3
        } else {
            4
        },
    )
}

async fn one_vector(
    claim: &Claim,
    device: &Device,
    width: usize,
    setting: &Setting,
    announce: &mut Announce<'_>,
) -> Result<Finding> {
    let row = timed(device, width, setting, announce).await?;
    let ours = row.timing.median_us / 1e3;
    let noted = claim.figure.unwrap_or(f64::NAN);
    let words = format!(
        "One vector at S = {width} takes {} ms here, {} to {} in eight of ten samples; the note \
         has ~{noted} ms on the GPU of a MacBook M4.",
        shown(ours),
        shown(row.timing.p10_us / 1e3),
        shown(row.timing.p90_us / 1e3)
    );
    Ok(Finding::new(claim, judged(claim, device, ours <= noted), Some(ours), words))
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
    let ours = row.predicted_bytes as f64 / 1e6;
    let noted = claim.figure.unwrap_or(f64::NAN);
    let reading = match variant {
        Variant::Plain => "",
        Variant::Sn727 => " (the sn727 reading, an inference)",
    };
    let words = format!(
        "The tensors of a training step at S = {width}{reading} with {} vectors take {} MB; with \
         the training set and the best parameters beside them at most {} MB were held. The note \
         has ~{noted} MB and does not say what it counts.",
        row.batch,
        megabytes(row.predicted_bytes),
        megabytes(row.peak_device_bytes)
    );
    Ok(Finding::new(claim, judged(claim, device, ours <= noted), Some(ours), words))
}

async fn training_time(
    claim: &Claim,
    device: &Device,
    setting: &Setting,
    announce: &mut Announce<'_>,
) -> Result<Finding> {
    let row = step(device, 256, Variant::Plain, setting, announce).await?;
    let vectors: f64 = if claim.id.ends_with("220k") { 220e3 } else { 20e3 };
    let epochs = TrainConfig::default().epochs;
    let steps = (vectors / row.batch as f64).floor() * f64::from(epochs);
    let ours = steps * row.median_ms / 6e4;
    let words = format!(
        "A step of {} vectors at S = 256 takes {} ms here. {} vectors in {epochs} epochs (ours; \
         the note does not give its number) are {} steps: {} minutes, from the time of a step. \
         The note has {} minutes.",
        row.batch,
        shown(row.median_ms),
        decimal(vectors, 0),
        decimal(steps, 0),
        decimal(ours, 2),
        claim.figure.unwrap_or(f64::NAN)
    );
    // The note names neither its epochs nor its machine for this figure.
    Ok(Finding::new(claim, Standing::OtherDevice, Some(ours), words))
}

async fn mobile(
    claim: &Claim,
    device: &Device,
    setting: &Setting,
    announce: &mut Announce<'_>,
) -> Result<Finding> {
    let row = timed(device, 256, setting, announce).await?;
    let ours = row.timing.median_us / 1e3;
    let words = format!(
        "One vector at S = 256 takes {} ms on this device; a picture at sixty a second lasts {} \
         ms. Open this page on a phone to test the claim there. The teacher, which makes the \
         vectors of a text, takes far longer than the student.",
        shown(ours),
        decimal(REAL_TIME, 1)
    );
    let finding = Finding::new(claim, Standing::OtherDevice, Some(ours), words);
    Ok(Finding { unit: "ms".into(), ..finding })
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
    let exponent = slope(&points);
    let times: Vec<String> =
        points.iter().map(|(width, ms)| format!("{} ms at {width}", shown(*ms))).collect();
    let words = format!(
        "{}: here time grows with S to the power of {}; the note's list doubles with S, a power \
         of 1.",
        times.join(", "),
        decimal(exponent, 2)
    );
    let right = (exponent - 1.0).abs() <= 0.05;
    let finding = Finding::new(claim, judged(claim, device, right), Some(exponent), words);
    Ok(Finding { note: Some(1.0), unit: "power of S".into(), ..finding })
}

/// The slope of log y over log x, by least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let n = logs.len() as f64;
    let (mx, my) = logs.iter().fold((0.0, 0.0), |(a, b), (x, y)| (a + x / n, b + y / n));
    let (mut xy, mut xx) = (0.0, 0.0);
    for (x, y) in logs {
        xy += (x - mx) * (y - my);
        xx += (x - mx) * (x - mx);
    }
    xy / xx
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
    Ok(Finding::new(claim, judged(claim, device, times >= 10.0), Some(times), words))
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
    Ok(Finding::new(claim, Standing::CannotCompare, Some(variation), words))
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
    fn figures_by_hand() {
        let law: Vec<(f64, f64)> = [1.0, 3.0, 9.0].map(|x: f64| (x, 5.0 * x.powf(1.5))).to_vec();
        assert!((slope(&law) - 1.5).abs() < 1e-12);
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
