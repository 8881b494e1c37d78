//! The runs of a sweep in their order, checked before the first starts.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::estimate::{estimate, largest_memory};
use super::live::duration;
use super::workers::Share;
use super::{Args, quoted};
use crate::arch::{Arch, TEACHER_WIDTH};
use crate::cli::ui::{Ui, Usage};
use crate::device::Device;
use crate::error::Result;
use crate::experiment::sweep::{Kind, RunData, RunSettings, Space, Values, name, varying};
use crate::number::count;
use crate::train::{TrainConfig, Trainer};

/// The I-th of N parts of the runs: every N-th, from the I-th on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    part: usize,
    of: usize,
}

impl FromStr for Shard {
    type Err = String;
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(part, of)| {
            let (part, of) = (part.trim().parse().ok()?, of.trim().parse().ok()?);
            (1 <= part && part <= of).then_some(Shard { part, of })
        });
        parsed.ok_or_else(|| "write I/N with I from 1 to N, such as 2/4".into())
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.part, self.of)
    }
}

/// Every run of the search, whoever does it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// In their order, each once, one at least.
    pub runs: Vec<RunSettings>,
    varying: Vec<String>,
    shard: Option<Shard>,
}

impl Plan {
    /// The runs that the command line asks for.
    ///
    /// # Errors
    /// A combination that cannot be trained; more than 10,000 of them.
    pub fn new(args: &Args) -> anyhow::Result<Self> {
        let archs = match args.arch.is_empty() {
            false => {
                let arch = |a: &Arch| a.with_activation(args.activation).with_variant(args.variant);
                args.arch.iter().map(arch).collect::<Result<Vec<_>>>()?
            }
            true => {
                let usual = || Values::parse("256", Kind::Whole);
                let widths = args.axes.width.clone().map_or_else(usual, Ok)?;
                Space::family_b(&widths, args.activation, args.variant)?
            }
        };
        if archs.iter().any(|arch| arch.input() != archs[0].input()) {
            let message = "--arch: all students of a search must take the same vectors";
            return Err(Usage(message.into()).into());
        }
        let space = Space { archs, axes: args.axes.others.clone(), seeds: args.axes.seeds.clone() };
        let runs = match args.random {
            Some(n) => space.random(n.get(), args.random_seed)?,
            None => space.grid()?,
        };
        Ok(Self { varying: varying(&runs), runs, shard: args.shard })
    }

    /// Refuses what does not fit the vectors.
    ///
    /// # Errors
    /// As [`Trainer::check`].
    pub fn check(&self, data: &RunData) -> Result<()> {
        let mut seen = BTreeSet::new();
        for run in &self.runs {
            if seen.insert((run.arch.to_string(), run.config.batch)) {
                Trainer::check(&run.arch, &run.config, &data.training)?;
            }
        }
        Ok(())
    }

    /// The runs of this shard.
    pub fn mine(&self) -> Vec<RunSettings> {
        let mine = |at: usize| self.shard.is_none_or(|shard| at % shard.of == shard.part - 1);
        let runs = self.runs.iter().enumerate().filter(|(at, _)| mine(*at));
        runs.map(|(_, run)| run.clone()).collect()
    }

    /// What sets a run apart.
    pub fn name(&self, run: &RunSettings) -> String {
        name(run, &self.varying)
    }

    /// ` over width, seed`, ` (shard 1/2)`.
    pub fn words(&self) -> String {
        let mut words = String::new();
        if !self.varying.is_empty() {
            words = format!(" over {}", self.varying.join(", ").replace('_', " "));
        }
        if let Some(shard) = self.shard {
            words.push_str(&format!(" (shard {shard})"));
        }
        words
    }

    /// Prints the runs of this shard.
    ///
    /// # Errors
    /// As [`Ui::print`].
    pub fn list(&self, ui: &Ui, data: &RunData) -> anyhow::Result<()> {
        let todo = self.mine();
        if ui.json() {
            return ui.print_json(&todo);
        }
        for (at, run) in todo.iter().enumerate() {
            ui.print(&format!("{:>5}  {}", at + 1, self.name(run)))?;
        }
        let cores = rayon::current_num_threads();
        let share = Share::new(None, todo.len(), cores, u64::MAX, largest_memory(&todo)?)?;
        let seconds = estimate(&todo, data, share, &Device::cpu())?;
        ui.print(&format!(
            "{} runs{}: about {} on the CPU, {} at a time",
            count(todo.len() as u64),
            self.words(),
            duration(seconds),
            share.jobs
        ))
    }
}

/// The command that trains these settings on all vectors.
pub fn train_command(args: &Args, settings: &RunSettings) -> String {
    let arch = &settings.arch;
    let mut words = vec!["lnsp train".to_string()];
    if let Some(path) = &args.vectors {
        words.push(format!("--vectors {}", quoted(&path.display().to_string())));
    }
    let family = Arch::family_b(arch.widths()[1]).is_ok_and(|b| b.widths() == arch.widths());
    words.push(match family && arch.input() == TEACHER_WIDTH {
        true => format!("--width {}", arch.widths()[1]),
        false => format!("--arch {}", arch.to_string().replace('→', "-")),
    });
    if args.variant != Default::default() {
        words.push(format!("--variant {}", args.variant));
    }
    if args.activation != Default::default() {
        words.push(format!("--activation {}", args.activation));
    }
    let usual = TrainConfig { validation_rows: 0, ..TrainConfig::suited_to(arch, None) }.fields();
    words.push("--validation-rows 0".into());
    for (field, value) in settings.config.fields() {
        if usual.get(&field) != Some(&value) {
            let value = crate::experiment::sweep::shown(&value);
            words.push(format!("{} {value}", TrainConfig::flag(&field)));
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards() {
        let shard: Shard = "2/4".parse().unwrap();
        assert_eq!((shard.part, shard.of, shard.to_string()), (2, 4, "2/4".into()));
        for bad in ["0/4", "5/4", "1", "a/b", "1/0", "1/2/3", "-1/2"] {
            assert!(bad.parse::<Shard>().is_err(), "{bad}");
        }
    }
}
