//! The settings of a training.

use serde::{Deserialize, Serialize};

use crate::arch::{Arch, Variant};
use crate::error::{Error, Result};
use crate::student::Init;

/// Every setting of a training; two trainings with the same settings on the same device and
/// data give the same student.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Passes over the training rows.
    pub epochs: u32,
    /// Vectors in a step, or all of them if there are fewer ([`Self::batch_of`]); the rows left over
    /// at the end of an epoch wait for a later one.
    pub batch: usize,
    /// The highest learning rate, reached after the warm-up.
    pub learning_rate: f32,
    /// The lowest, at the end of the cosine, as a share of the highest.
    pub final_learning_rate: f32,
    /// Share of all steps over which the learning rate rises from zero.
    pub warmup: f32,
    /// Decoupled weight decay of AdamW, for matrices only.
    pub weight_decay: f32,
    /// Global gradient norm above which gradients are scaled down; zero for no clipping.
    pub clip_norm: f32,
    /// Weight of 1 − cosine(output, teacher).
    pub alignment_weight: f32,
    /// Weight of 2 τ² times the divergence of the neighbours among the latents from those among
    /// the teacher's vectors ([`crate::kernels::gram_loss`]).
    pub geometry_weight: f32,
    /// Temperature τ of the softmax that makes shares of a row's cosines; zero for the mean
    /// squared difference of cosines over all pairs alike.
    pub geometry_temperature: f32,
    /// Weight of the mean squared error of the output.
    pub mse_weight: f32,
    /// Weight of the mean squared cosine between latents of different rows.
    pub diversity_weight: f32,
    /// Bits in which a latent will be stored, on average; zero for f32.
    pub latent_bits: u32,
    /// Where it starts.
    pub init: Init,
    /// Seed of the start, the validation rows and the order of the rows.
    pub seed: u64,
    /// Training rows set aside, drawn by the seed, to watch overlap@10 and to stop early by.
    pub validation_rows: usize,
    /// Epochs without a better validation overlap@10 after which training stops and goes back to
    /// the best epoch; zero to train to the end and keep the last step.
    pub patience: u32,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            epochs: 20,
            batch: NEAR_BATCH,
            learning_rate: SPECTRAL_RATE,
            final_learning_rate: 0.01,
            warmup: 0.05,
            weight_decay: 0.0,
            clip_norm: 1.0,
            alignment_weight: 1.0,
            geometry_weight: NEAR_WEIGHT,
            geometry_temperature: NEAR_TEMPERATURE,
            mse_weight: 0.0,
            diversity_weight: 0.0,
            latent_bits: 0,
            init: Init::Spectral,
            seed: 727,
            validation_rows: 500,
            patience: 0,
        }
    }
}

/// Learning rate from a spectral start; where the latent holds all of a vector; and where a hidden layer
/// has fewer than two units for each latent. Higher ones lose what the start gave.
const SPECTRAL_RATE: f32 = 1e-3;
const WHOLE_RATE: f32 = 3e-4;
const NARROW_RATE: f32 = 1e-4;
/// Hidden width up to which that rate holds. AdamW moves every weight by about the rate, so the
/// sum over a wider layer moves by more: beyond, the rate falls as the width grows (Yang and
/// others, "Tensor Programs V", 2022).
const SPECTRAL_WIDTH: usize = 1024;
/// The same from random numbers.
const RANDOM_RATE: f32 = 2e-3;
const RANDOM_WIDTH: usize = 512;
/// Batch, weight and temperature of the geometry loss from a spectral start, where only near
/// neighbours are left to be mended: of 256 vectors hardly two are near.
const NEAR_BATCH: usize = 2048;
const NEAR_WEIGHT: f32 = 1000.0;
const NEAR_TEMPERATURE: f32 = 0.06;
/// Batch from random numbers: more steps.
const ALL_BATCH: usize = 256;
/// Weight of the geometry loss from random numbers, where every pair has something to teach.
const ALL_WEIGHT: f32 = 20.0;

impl TrainConfig {
    /// The defaults for an architecture: a spectral start where it can have one, which is not
    /// promised for `sn727`, with rates and losses for that start and that width. `init` is the
    /// caller's wish, if there is one.
    pub fn suited_to(arch: &Arch, init: Option<Init>) -> Self {
        let usual = if arch.variant() == Variant::Plain { Init::Spectral } else { Init::Random };
        let init = init.unwrap_or(usual);
        let hidden = (1..arch.layers()).filter(|i| *i != arch.latent_index());
        let widths: Vec<usize> = hidden.map(|i| arch.widths()[i]).collect();
        let widest = widths.iter().copied().max().unwrap_or(0);
        let narrow = widths.iter().any(|width| *width < 2 * arch.latent());
        let spectral = match arch.latent() >= arch.input() {
            _ if narrow => NARROW_RATE,
            true => WHOLE_RATE,
            false => SPECTRAL_RATE,
        };
        let rate = |rate: f32, width: usize| rate * (width as f32 / widest as f32).min(1.0);
        let base = match init {
            Init::Spectral => {
                Self { learning_rate: rate(spectral, SPECTRAL_WIDTH), ..Self::default() }
            }
            Init::Random => Self {
                batch: ALL_BATCH,
                learning_rate: rate(RANDOM_RATE, RANDOM_WIDTH),
                geometry_weight: ALL_WEIGHT,
                geometry_temperature: 0.0,
                ..Self::default()
            },
        };
        Self { init, ..base }
    }

    /// Vectors in a step of a training on `rows`.
    pub fn batch_of(&self, rows: usize) -> usize {
        self.batch.min(rows)
    }

    /// Whether the best epoch is kept, where there are validation rows.
    pub(crate) fn keeps_best(&self) -> bool {
        self.patience > 0 || self.latent_bits > 0
    }

    /// Every setting by its name. By way of text, so that 0.0005 does not become an f64 of many
    /// digits.
    pub fn fields(&self) -> serde_json::Map<String, serde_json::Value> {
        let text = serde_json::to_string(self).expect("numbers and words");
        serde_json::from_str(&text).expect("what was just written")
    }

    /// These settings with the values of `fields` in their place, checked.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name that is no setting, or a value that it cannot have.
    pub fn with(&self, fields: &serde_json::Map<String, serde_json::Value>) -> Result<Self> {
        let mut config = self.clone();
        for (name, value) in fields {
            let mut all = config.fields();
            all.insert(name.clone(), value.clone());
            config = serde_json::from_value(serde_json::Value::Object(all))
                .map_err(|e| Error::invalid(Self::flag(name), e.to_string()))?;
        }
        config.check()?;
        Ok(config)
    }

    /// The flag of a setting: `learning_rate` → `--learning-rate`.
    pub fn flag(field: &str) -> String {
        format!("--{}", field.replace('_', "-"))
    }

    /// Refuses settings that make no sense, naming the flag.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn check(&self) -> Result<()> {
        let finite = [
            ("--learning-rate", self.learning_rate, 0.0, f32::MAX),
            ("--final-learning-rate", self.final_learning_rate, 0.0, 1.0),
            ("--warmup", self.warmup, 0.0, 1.0),
            ("--weight-decay", self.weight_decay, 0.0, f32::MAX),
            ("--clip-norm", self.clip_norm, 0.0, f32::MAX),
            ("--alignment-weight", self.alignment_weight, 0.0, f32::MAX),
            ("--geometry-weight", self.geometry_weight, 0.0, f32::MAX),
            ("--geometry-temperature", self.geometry_temperature, 0.0, f32::MAX),
            ("--mse-weight", self.mse_weight, 0.0, f32::MAX),
            ("--diversity-weight", self.diversity_weight, 0.0, f32::MAX),
        ];
        for (name, value, low, high) in finite {
            if !value.is_finite() || value < low || value > high {
                return Err(Error::invalid(
                    name,
                    format!("{value} is not between {low} and {high}"),
                ));
            }
        }
        if self.learning_rate == 0.0 {
            return Err(Error::invalid("--learning-rate", "must be above 0"));
        }
        if self.latent_bits > 8 {
            return Err(Error::invalid(
                "--latent-bits",
                format!("{} is not from 1 to 8, or 0 for f32", self.latent_bits),
            ));
        }
        if self.batch < 2 {
            return Err(Error::invalid(
                "--batch",
                "must be at least 2 (the Gram loss compares rows)",
            ));
        }
        let weights =
            [self.alignment_weight, self.geometry_weight, self.mse_weight, self.diversity_weight];
        if weights.iter().all(|w| *w == 0.0) {
            return Err(Error::invalid(
                "--alignment-weight",
                "all loss weights are 0: nothing to learn",
            ));
        }
        Ok(())
    }

    /// Learning rate of step `step` (from one) of `total`: a linear rise, then half a cosine.
    pub fn learning_rate_at(&self, step: u64, total: u64) -> f32 {
        let warmup = (f64::from(self.warmup) * total as f64).round().max(1.0);
        let step = step as f64;
        let share = if step < warmup {
            step / warmup
        } else {
            let done = (step - warmup) / (total as f64 - warmup).max(1.0);
            let low = f64::from(self.final_learning_rate);
            low + (1.0 - low) * 0.5 * (1.0 + (std::f64::consts::PI * done.min(1.0)).cos())
        };
        (f64::from(self.learning_rate) * share) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_then_falls() {
        let config = TrainConfig { warmup: 0.1, ..TrainConfig::default() };
        let rate = |step| config.learning_rate_at(step, 100) / config.learning_rate;
        assert!((rate(5) - 0.5).abs() < 1e-6);
        assert!((rate(10) - 1.0).abs() < 1e-6);
        assert!((rate(55) - 0.505).abs() < 1e-3);
        assert!((rate(100) - 0.01).abs() < 1e-6);
    }

    #[test]
    fn rates_and_losses_go_by_start_and_width() {
        let config = |s, init| TrainConfig::suited_to(&Arch::family_b(s).unwrap(), Some(init));
        assert_eq!(config(512, Init::Spectral), TrainConfig::default());
        assert_eq!(config(383, Init::Spectral).learning_rate, NARROW_RATE);
        let whole: Arch = "384-768-384-768-384".parse().unwrap();
        let rate = TrainConfig::suited_to(&whole, None).learning_rate;
        assert_eq!(rate, WHOLE_RATE);
        assert_eq!(config(2048, Init::Spectral).learning_rate, SPECTRAL_RATE / 2.0);
        let random = config(256, Init::Random);
        assert_eq!((random.learning_rate, random.geometry_temperature), (RANDOM_RATE, 0.0));
        assert_eq!(random.batch, ALL_BATCH);
        assert_eq!(config(1024, Init::Random).learning_rate, RANDOM_RATE / 2.0);
        let sn727 = Arch::family_b(256).unwrap().with_variant(Variant::Sn727).unwrap();
        assert_eq!(TrainConfig::suited_to(&sn727, None), random);
    }

    #[test]
    fn refuses_nonsense() {
        assert!(TrainConfig::default().check().is_ok());
        let broken = [
            TrainConfig { learning_rate: f32::NAN, ..Default::default() },
            TrainConfig { learning_rate: 0.0, ..Default::default() },
            TrainConfig { batch: 1, ..Default::default() },
            TrainConfig { geometry_weight: -1.0, ..Default::default() },
            TrainConfig { geometry_temperature: f32::INFINITY, ..Default::default() },
            TrainConfig { alignment_weight: 0.0, geometry_weight: 0.0, ..Default::default() },
        ];
        for config in broken {
            assert!(config.check().is_err(), "{config:?}");
        }
    }
}
