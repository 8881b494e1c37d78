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
    /// Vectors in a step; the rows left over at the end of an epoch wait for a later one.
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
    /// Weight of the mean squared difference between the latents' cosines and the teacher's.
    pub geometry_weight: f32,
    /// Weight of the mean squared error of the output.
    pub mse_weight: f32,
    /// Weight of the mean squared cosine between latents of different rows.
    pub diversity_weight: f32,
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
            batch: 256,
            learning_rate: PAIRED_RATE,
            final_learning_rate: 0.01,
            warmup: 0.05,
            weight_decay: 0.0,
            clip_norm: 1.0,
            alignment_weight: 1.0,
            geometry_weight: 20.0,
            mse_weight: 0.0,
            diversity_weight: 0.0,
            init: Init::Spectral,
            seed: 727,
            validation_rows: 500,
            patience: 0,
        }
    }
}

/// Learning rate where the start carries every latent coordinate by a pair of units, or is random.
const PAIRED_RATE: f32 = 2e-3;
/// Hidden width up to which that rate holds. AdamW moves every weight by about the rate, so the sum
/// over a wider layer moves by more: beyond, the rate falls as the width grows (Yang and others,
/// "Tensor Programs V", 2022).
const PAIRED_WIDTH: usize = 512;
/// Learning rate where some coordinates ride on a shifted unit: each of its weights is multiplied
/// by that shift, and at the higher rate training loses what the start gave.
const SHIFTED_RATE: f32 = 1e-4;

impl TrainConfig {
    /// The defaults for an architecture. It starts as PCA where it can, which is not promised for
    /// `sn727`; the learning rate is lower where a spectral start has fewer than two units for
    /// each latent coordinate, and in wide layers. `init` is the caller's wish, if there is one.
    pub fn suited_to(arch: &Arch, init: Option<Init>) -> Self {
        let usual = if arch.variant() == Variant::Plain { Init::Spectral } else { Init::Random };
        let init = init.unwrap_or(usual);
        let hidden = || (1..arch.layers()).filter(|i| *i != arch.latent_index());
        let shifted = hidden().any(|i| arch.widths()[i] < 2 * arch.latent());
        let widest = hidden().map(|i| arch.widths()[i]).max().unwrap_or(PAIRED_WIDTH);
        let learning_rate = if init == Init::Spectral && shifted {
            SHIFTED_RATE
        } else {
            PAIRED_RATE * (PAIRED_WIDTH as f32 / widest as f32).min(1.0)
        };
        Self { init, learning_rate, ..Self::default() }
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
    fn a_shifted_start_gets_the_lower_rate() {
        let rate =
            |s, init| TrainConfig::suited_to(&Arch::family_b(s).unwrap(), Some(init)).learning_rate;
        assert_eq!(rate(256, Init::Spectral), SHIFTED_RATE);
        assert_eq!(rate(384, Init::Spectral), PAIRED_RATE);
        assert_eq!(rate(512, Init::Spectral), PAIRED_RATE);
        assert_eq!(rate(2048, Init::Spectral), PAIRED_RATE / 4.0);
        assert_eq!(rate(256, Init::Random), PAIRED_RATE);
        let sn727 = Arch::family_b(256).unwrap().with_variant(Variant::Sn727).unwrap();
        assert_eq!(TrainConfig::suited_to(&sn727, None).init, Init::Random);
    }

    #[test]
    fn refuses_nonsense() {
        assert!(TrainConfig::default().check().is_ok());
        let broken = [
            TrainConfig { learning_rate: f32::NAN, ..Default::default() },
            TrainConfig { learning_rate: 0.0, ..Default::default() },
            TrainConfig { batch: 1, ..Default::default() },
            TrainConfig { geometry_weight: -1.0, ..Default::default() },
            TrainConfig { alignment_weight: 0.0, geometry_weight: 0.0, ..Default::default() },
        ];
        for config in broken {
            assert!(config.check().is_err(), "{config:?}");
        }
    }
}
