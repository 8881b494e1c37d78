//! The settings of a training as flags that take lists and ranges.

use clap::{Arg, ArgMatches, Command};
use serde_json::Value;

use crate::cli::settings::{FLAGS, field, shown};
use crate::experiment::sweep::{Kind, Values};
use crate::train::TrainConfig;

/// Flags of `lnsp train` that a search does not take: its runs are scored on rows of its own, and
/// trained to their end.
const WITHOUT: [&str; 2] = ["validation-rows", "patience"];
const WIDTH: &str = "width";
const SEED: &str = "seed";

/// What the command line gives to search over, or to hold fixed.
#[derive(Clone, Debug, Default)]
pub struct Axes {
    /// Hidden widths of family B.
    pub width: Option<Values>,
    /// Seeds of the training.
    pub seeds: Option<Values>,
    /// Other settings by the name of their field, in the order of the flags.
    pub others: Vec<(String, Values)>,
}

fn flags() -> impl Iterator<Item = (&'static str, &'static str)> {
    let taken = FLAGS.into_iter().filter(|(flag, ..)| !WITHOUT.contains(flag));
    taken.map(|(flag, _, help)| (flag, help))
}

impl clap::Args for Axes {
    fn augment_args(command: Command) -> Command {
        let defaults = TrainConfig::default().fields();
        let width = list(WIDTH, Kind::Whole)
            .conflicts_with("arch")
            .help("Hidden widths S of 384→S→192→S→384 [default: 256]");
        flags().fold(command.arg(width), |command, (flag, help)| {
            let default = &defaults[&field(flag)];
            let kind = match default {
                Value::String(_) => Kind::Start,
                Value::Number(n) if n.is_f64() => Kind::Decimal,
                _ => Kind::Whole,
            };
            // What suits the architecture is said by `lnsp train`.
            let default = match flag {
                "learning-rate" | "init" => "[default: as lnsp train]".to_string(),
                _ => format!("[default: {}]", shown(default)),
            };
            command.arg(list(flag, kind).help(format!("{help} {default}")))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn list(flag: &'static str, kind: Kind) -> Arg {
    Arg::new(flag)
        .long(flag)
        .value_name("LIST")
        .allow_hyphen_values(true)
        .value_parser(move |text: &str| Values::parse(text, kind).map_err(|e| e.to_string()))
}

impl clap::FromArgMatches for Axes {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut axes = Self::default();
        axes.update_from_arg_matches(matches)?;
        Ok(axes)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        let of = |flag: &str| matches.get_one::<Values>(flag).cloned();
        self.width = of(WIDTH).or(self.width.take());
        self.seeds = of(SEED).or(self.seeds.take());
        for (flag, _) in flags().filter(|(flag, _)| *flag != SEED) {
            if let Some(values) = of(flag) {
                self.others.push((field(flag), values));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args, FromArgMatches};

    use super::*;

    fn parse(args: &[&str]) -> Result<Axes, clap::Error> {
        let command = Axes::augment_args(Command::new("t").no_binary_name(true))
            .arg(Arg::new("arch").long("arch"));
        Axes::from_arg_matches(&command.try_get_matches_from(args)?)
    }

    #[test]
    fn lists_by_the_names_of_their_fields() {
        let axes =
            parse(&["--learning-rate", "1e-4..1e-2:log", "--width", "256,512", "--seed=1..3"]);
        let axes = axes.unwrap();
        assert_eq!(axes.others[0].0, "learning_rate");
        assert_eq!(axes.width.unwrap().grid(), [256, 512]);
        assert_eq!(axes.seeds.unwrap().grid(), [1, 2, 3]);
        assert!(parse(&[]).unwrap().others.is_empty());
        for args in [["--patience", "1"], ["--epochs", ""], ["--mse-weight", "NaN"]] {
            assert!(parse(&args).is_err(), "{args:?}");
        }
        assert!(parse(&["--width", "1", "--arch", "2"]).is_err());
    }
}
