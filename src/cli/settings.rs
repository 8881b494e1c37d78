//! The settings of a training as flags: one for each field of [`TrainConfig`], of its name, and
//! with its default in the help.

use clap::{Arg, ArgMatches, Command};
use serde_json::{Map, Value};

use crate::arch::{Arch, TEACHER_WIDTH};
use crate::error::{Error, Result};
use crate::student::Init;
use crate::train::TrainConfig;

/// Flag, of the name of its field of [`TrainConfig`], what its value is called, and what it does.
pub(super) const FLAGS: [(&str, &str, &str); 17] = [
    ("epochs", "N", "Passes over the vectors; the learning rate falls over all of them"),
    (
        "batch",
        "N",
        "Vectors in a step, or all if there are fewer; of many some are near to each other, which the \
         Gram loss is about",
    ),
    (
        "learning-rate",
        "RATE",
        "Highest learning rate, after the warm-up; too high loses what the start gave",
    ),
    (
        "final-learning-rate",
        "SHARE",
        "Learning rate at the end of the cosine, as a share of the highest",
    ),
    ("warmup", "SHARE", "Share of all steps over which the learning rate rises from zero"),
    (
        "weight-decay",
        "RATE",
        "Decoupled weight decay of AdamW, on matrices alone; draws weights to zero",
    ),
    ("clip-norm", "NORM", "Gradients of a larger norm are scaled down to it; 0: never"),
    (
        "alignment-weight",
        "W",
        "Weight of 1 − cosine(output, teacher); the output comes to point where the teacher does",
    ),
    (
        "geometry-weight",
        "W",
        "Weight of the Gram loss; of a batch's vectors the latents keep which are near to which",
    ),
    (
        "geometry-temperature",
        "T",
        "Temperature of the softmax that makes shares of a row's cosines in the Gram loss: the lower, \
         the more the nearest count; 0: the mean square over all pairs",
    ),
    (
        "mse-weight",
        "W",
        "Weight of the mean squared error; the output comes to the teacher's length, too",
    ),
    (
        "diversity-weight",
        "W",
        "Weight of the mean squared cosine between latents; spreads them, against the geometry",
    ),
    (
        "latent-bits",
        "BITS",
        "Bits in which a latent will be stored, on average, 1 to 8: a code comes with the student, \
         and training allows for it; 0: f32",
    ),
    (
        "init",
        "START",
        "Start: spectral (from uncentred PCA of the vectors) or random (always so for sn727)",
    ),
    ("seed", "N", "Seed of the start, the validation rows and the order of the vectors"),
    (
        "validation-rows",
        "N",
        "Vectors set aside to watch overlap@10 and to stop early by, at most a fifth; with \
         --latent-bits 2000 unless given",
    ),
    (
        "patience",
        "N",
        "Epochs without a better validation overlap@10 after which training stops and goes back to \
         the best; 0: train to the end and keep the last",
    ),
];

/// The settings that the command line gives; the others keep their defaults, or what a
/// checkpoint has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    given: Map<String, Value>,
}

impl Settings {
    /// The start, if one was given.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is none.
    pub fn init(&self) -> Result<Option<Init>> {
        self.given.get("init").and_then(Value::as_str).map(str::parse).transpose()
    }

    /// Whether a setting, by its field, was given.
    pub fn gives(&self, field: &str) -> bool {
        self.given.contains_key(field)
    }

    /// `base` with what was given in its place, and checked.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a value that its setting cannot have.
    pub fn over(&self, base: &TrainConfig) -> Result<TrainConfig> {
        base.with(&self.given)
    }

    /// What was given and is otherwise in `other`, in words.
    ///
    /// # Errors
    /// As [`Self::over`].
    pub fn differences(&self, other: &TrainConfig) -> Result<Vec<String>> {
        let (ours, theirs) = (self.over(other)?.fields(), other.fields());
        let differ = theirs.iter().filter(|(field, value)| ours[*field] != **value);
        Ok(differ
            .map(|(field, value)| {
                let flag = TrainConfig::flag(field);
                format!("{flag} {} where it has {}", shown(&ours[field]), shown(value))
            })
            .collect())
    }
}

/// `learning-rate` → `learning_rate`.
pub(super) fn field(flag: &str) -> String {
    flag.replace('-', "_")
}

pub(super) fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

impl clap::Args for Settings {
    fn augment_args(command: Command) -> Command {
        let defaults = TrainConfig::default().fields();
        let arch = Arch::family_b(TEACHER_WIDTH).expect("a width of family B");
        let random = TrainConfig::suited_to(&arch, Some(Init::Random)).fields();
        FLAGS.into_iter().fold(command, |command, (flag, value_name, help)| {
            let default = &defaults[&field(flag)];
            let arg =
                Arg::new(flag).long(flag).value_name(value_name).allow_negative_numbers(true).help(
                    match &random[&field(flag)] {
                        same if same == default => format!("{help} [default: {}]", shown(default)),
                        _ if flag == "init" => format!("{help} [default: {}]", shown(default)),
                        other => format!(
                            "{help} [default: {}; from a random start {}]",
                            shown(default),
                            shown(other)
                        ),
                    },
                );
            command.arg(match default {
                Value::String(_) => arg.value_parser(start),
                Value::Number(n) if n.is_f64() => arg.value_parser(decimal),
                _ => arg.value_parser(whole),
            })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Settings {
    fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<Self, clap::Error> {
        let mut settings = Self::default();
        settings.update_from_arg_matches(matches)?;
        Ok(settings)
    }

    fn update_from_arg_matches(
        &mut self,
        matches: &ArgMatches,
    ) -> std::result::Result<(), clap::Error> {
        for (flag, ..) in FLAGS {
            if let Some(value) = matches.get_one::<Value>(flag) {
                self.given.insert(field(flag), value.clone());
            }
        }
        Ok(())
    }
}

fn whole(text: &str) -> std::result::Result<Value, String> {
    let value: u64 = text.parse().map_err(|_| "not a whole number of 0 or more".to_string())?;
    Ok(value.into())
}

fn decimal(text: &str) -> std::result::Result<Value, String> {
    let value: f32 = text.parse().map_err(|_| "not a number".to_string())?;
    if !value.is_finite() {
        return Err("not a finite number".into());
    }
    serde_json::from_str(&value.to_string()).map_err(|e| e.to_string())
}

fn start(text: &str) -> std::result::Result<Value, String> {
    let init: Init = text.parse().map_err(|e: Error| e.to_string())?;
    Ok(init.to_string().into())
}

#[cfg(test)]
mod tests {
    use clap::{Args, FromArgMatches};

    use super::*;

    fn parse(args: &[&str]) -> std::result::Result<Settings, clap::Error> {
        let command = Settings::augment_args(Command::new("t").no_binary_name(true));
        Settings::from_arg_matches(&command.try_get_matches_from(args)?)
    }

    #[test]
    fn every_setting_has_a_flag_and_no_other() {
        let fields = TrainConfig::default().fields();
        assert_eq!(fields.len(), FLAGS.len());
        for (flag, ..) in FLAGS {
            assert!(fields.contains_key(&field(flag)), "{flag}");
        }
    }

    #[test]
    fn defaults_stay_where_nothing_is_given() {
        let defaults = TrainConfig::default();
        assert_eq!(parse(&[]).unwrap().over(&defaults).unwrap(), defaults);
        let given = ["--epochs", "3", "--learning-rate", "1e-3", "--init", "random", "--warmup=0"];
        let config = parse(&given).unwrap().over(&defaults).unwrap();
        let expected = TrainConfig {
            epochs: 3,
            learning_rate: 1e-3,
            init: Init::Random,
            warmup: 0.0,
            ..defaults.clone()
        };
        assert_eq!(config, expected);
    }

    #[test]
    fn differences_name_the_flag() {
        let base = TrainConfig { epochs: 5, ..TrainConfig::default() };
        assert!(parse(&["--epochs", "5"]).unwrap().differences(&base).unwrap().is_empty());
        let found = parse(&["--epochs", "3", "--seed", "1"]).unwrap().differences(&base).unwrap();
        assert_eq!(found, ["--epochs 3 where it has 5", "--seed 1 where it has 727"]);
    }

    #[test]
    fn refuses_what_is_no_value() {
        for args in [["--epochs", "x"], ["--learning-rate", "NaN"], ["--init", "zero"]] {
            assert!(parse(&args).is_err(), "{args:?}");
        }
        for args in [["--learning-rate", "-1"], ["--epochs", "5000000000"], ["--batch", "1"]] {
            let message = parse(&args).unwrap().over(&TrainConfig::default()).unwrap_err();
            assert!(message.to_string().starts_with(args[0]), "{message}");
        }
    }
}
