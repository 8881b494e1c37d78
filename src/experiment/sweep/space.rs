//! The space of a search, and its runs in their order.

use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::values::Values;
use crate::arch::{Activation, Arch, Variant};
use crate::error::{Error, Result};
use crate::linalg::Pca;
use crate::matrix::Matrix;
use crate::student::{Init, Parameters};
use crate::train::TrainConfig;

/// Runs of one search at most.
const MAX_RUNS: usize = 10_000;

/// What one run trains, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSettings {
    /// The student.
    pub arch: Arch,
    /// The training.
    pub config: TrainConfig,
}

impl RunSettings {
    /// The same with another seed: runs that differ in it alone are one setting.
    pub fn with_seed(&self, seed: u64) -> Self {
        Self { arch: self.arch.clone(), config: TrainConfig { seed, ..self.config.clone() } }
    }

    /// The settings as one line of JSON: the same for the same settings and for no others.
    pub fn key(&self) -> String {
        serde_json::to_string(self).expect("numbers and words")
    }

    /// Everything that can be varied, by name, the seed last. The first is `width`, the first hidden
    /// width, or `arch` where it does not say all.
    pub fn fields(&self) -> Vec<(String, Value)> {
        let arch = &self.arch;
        let family = Arch::family_b(arch.widths()[1]).is_ok_and(|b| b.widths() == arch.widths());
        let mut fields = vec![match family {
            true => ("width".to_string(), Value::from(arch.widths()[1])),
            false => ("arch".to_string(), Value::from(arch.to_string())),
        }];
        let mut config = self.config.fields();
        let seed = config.remove("seed");
        fields.extend(config);
        fields.extend(seed.map(|seed| ("seed".to_string(), seed)));
        fields
    }
}

/// The settings that a search varies; all others keep what suits the architecture.
#[derive(Clone, Debug, Default)]
pub struct Space {
    /// Architectures, of which each run has one.
    pub archs: Vec<Arch>,
    /// Values of settings of [`TrainConfig`], by name, in the order of the loops: the first
    /// changes most slowly. Seeds are apart.
    pub axes: Vec<(String, Values)>,
    /// Seeds, each of which every combination is trained with; none for the default alone.
    pub seeds: Option<Values>,
}

impl Space {
    /// Architectures of family B by their hidden widths.
    ///
    /// # Errors
    /// As [`Arch::new`], naming `--width`.
    pub fn family_b(
        widths: &Values,
        activation: Activation,
        variant: Variant,
    ) -> Result<Vec<Arch>> {
        let arch = |width: &Value| {
            let width = width.as_u64().and_then(|w| usize::try_from(w).ok()).unwrap_or(usize::MAX);
            Arch::family_b(width)
                .and_then(|arch| arch.with_activation(activation).with_variant(variant))
                .map_err(|e| Error::invalid(format!("--width {width}"), e.to_string()))
        };
        widths.grid().iter().map(arch).collect()
    }

    /// Every combination, seeds innermost.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a combination that cannot be trained, and for more than 10,000 runs.
    pub fn grid(&self) -> Result<Vec<RunSettings>> {
        let mut combinations = vec![Map::new()];
        for (name, values) in &self.axes {
            let values = values.grid();
            self.check_count(combinations.len().saturating_mul(values.len()))?;
            combinations = combinations
                .iter()
                .flat_map(|so_far| {
                    values.iter().map(move |value| {
                        let mut more = so_far.clone();
                        more.insert(name.clone(), value.clone());
                        more
                    })
                })
                .collect();
        }
        let all = self.archs.iter().flat_map(|arch| combinations.iter().map(move |c| (arch, c)));
        self.runs(all)
    }

    /// `n` combinations drawn from `seed`, each with every seed of the space.
    ///
    /// # Errors
    /// As [`Self::grid`].
    pub fn random(&self, n: usize, seed: u64) -> Result<Vec<RunSettings>> {
        use rand::RngExt;
        self.check_count(n)?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut drawn = Vec::with_capacity(n);
        for _ in 0..n {
            let arch = &self.archs[rng.random_range(0..self.archs.len())];
            let one = |(name, values): &(String, Values)| (name.clone(), values.draw(&mut rng));
            let combination: Map<String, Value> = self.axes.iter().map(one).collect();
            drawn.push((arch, combination));
        }
        self.runs(drawn.iter().map(|(arch, combination)| (*arch, combination)))
    }

    fn runs<'a>(
        &self,
        combinations: impl Iterator<Item = (&'a Arch, &'a Map<String, Value>)>,
    ) -> Result<Vec<RunSettings>> {
        let seeds = match &self.seeds {
            Some(seeds) => seeds.grid(),
            None => vec![TrainConfig::default().seed.into()],
        };
        let (mut runs, mut seen) = (Vec::new(), BTreeSet::new());
        for (arch, combination) in combinations {
            for seed in &seeds {
                let mut fields = combination.clone();
                fields.insert("seed".into(), seed.clone());
                let run = settings(arch, &fields)?;
                // Two draws may come to the same.
                if seen.insert(run.key()) {
                    runs.push(run);
                }
            }
            self.check_count(runs.len())?;
        }
        Ok(runs)
    }

    fn check_count(&self, runs: usize) -> Result<()> {
        if runs <= MAX_RUNS {
            return Ok(());
        }
        Err(Error::invalid(
            "search",
            format!(
                "comes to {runs} combinations, more than {MAX_RUNS}; give fewer values, or draw \
                 some of them with --random"
            ),
        ))
    }
}

/// What suits `arch`, with `fields` in its place; refused if it could not be trained.
fn settings(arch: &Arch, fields: &Map<String, Value>) -> Result<RunSettings> {
    let init = fields.get("init").and_then(Value::as_str).map(str::parse::<Init>).transpose()?;
    // The runs are scored on rows of the sweep's own, and trained to their end.
    let base =
        TrainConfig { validation_rows: 0, patience: 0, ..TrainConfig::suited_to(arch, init) };
    let config = base.with(fields)?;
    if config.init == Init::Spectral {
        // A stand-in for PCA: what is refused is the shape.
        let components = Matrix::from_fn(arch.latent(), arch.input(), |r, c| f32::from(r == c));
        let variances = vec![1.0; arch.latent()];
        Parameters::spectral(arch, &Pca { mean: None, components, variances }, 0)?;
    }
    Ok(RunSettings { arch: arch.clone(), config })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::values::Kind;
    use super::*;

    fn decimals(text: &str) -> Values {
        Values::parse(text, Kind::Decimal).unwrap()
    }

    fn whole(text: &str) -> Values {
        Values::parse(text, Kind::Whole).unwrap()
    }

    fn space() -> Space {
        Space {
            archs: vec!["12-9-6-9-12".parse().unwrap(), "12-14-6-14-12".parse().unwrap()],
            axes: vec![
                ("alignment_weight".into(), decimals("0.5,1")),
                ("epochs".into(), whole("2,3")),
            ],
            seeds: Some(whole("1..3")),
        }
    }

    #[test]
    fn a_grid_has_every_combination_once_in_order() {
        let runs = space().grid().unwrap();
        assert_eq!(runs.len(), 2 * 2 * 2 * 3);
        let seeds: Vec<u64> = runs.iter().take(4).map(|r| r.config.seed).collect();
        assert_eq!(seeds, [1, 2, 3, 1]);
        assert_eq!((runs[3].config.epochs, runs[6].config.alignment_weight), (3, 1.0));
        assert_eq!((runs[0].arch.widths()[1], runs[12].arch.widths()[1]), (9, 14));
        assert!(runs.iter().all(|r| r.config.validation_rows == 0));
        for (i, run) in runs.iter().enumerate() {
            assert!(!runs[..i].contains(run));
        }
        // What is not given suits the architecture.
        let suited = |run: &RunSettings| TrainConfig::suited_to(&run.arch, None).learning_rate;
        assert!(runs.iter().all(|run| run.config.learning_rate == suited(run)));
        let single = Space { archs: vec![space().archs[0].clone()], ..Space::default() };
        assert_eq!(single.grid().unwrap().len(), 1);
    }

    #[test]
    fn what_cannot_be_trained_is_refused_before_anything_is() {
        let refuse = |space: Space, words: &str| {
            let message = space.grid().unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        };
        let sn727 = Arch::family_b(256).unwrap().with_variant(Variant::Sn727).unwrap();
        let start = ("init".to_string(), Values::parse("random,spectral", Kind::Start).unwrap());
        refuse(Space { archs: vec![sn727], axes: vec![start], ..space() }, "--init random");
        let rate = ("learning_rate".into(), decimals("0.1,0"));
        refuse(Space { axes: vec![rate], ..space() }, "--learning-rate");
        let unknown = ("speed".into(), decimals("1"));
        refuse(Space { axes: vec![unknown], ..space() }, "--speed");
        let many = |n| ("seed".to_string(), whole(&format!("1..{n}")));
        refuse(
            Space { axes: vec![many(200), ("epochs".into(), whole("1..99"))], ..space() },
            "--random",
        );
        assert!(Space::family_b(&whole("0"), Activation::Gelu, Variant::Plain).is_err());
        assert!(Space::family_b(&whole("256,512"), Activation::Gelu, Variant::Plain).is_ok());
    }

    #[test]
    fn fields_name_what_varies() {
        let family =
            RunSettings { arch: Arch::family_b(256).unwrap(), config: TrainConfig::default() };
        let fields = family.fields();
        assert_eq!(fields[0], ("width".into(), 256.into()));
        assert_eq!(fields.last().unwrap().0, "seed");
        assert_eq!(space().grid().unwrap()[0].fields()[0].0, "arch");
        assert_eq!(family.with_seed(9).config.seed, 9);
    }

    proptest! {
        #[test]
        fn draws_are_of_the_space_and_repeat(seed in any::<u64>(), n in 1..12usize) {
            let space = Space {
                axes: vec![("learning_rate".into(), decimals("1e-4..1e-2:log"))],
                ..space()
            };
            let runs = space.random(n, seed).unwrap();
            prop_assert_eq!(&runs, &space.random(n, seed).unwrap());
            prop_assert!(runs.len() <= 3 * n && runs.len().is_multiple_of(3));
            for run in &runs {
                prop_assert!(space.archs.contains(&run.arch));
                prop_assert!((0.99e-4..=1.01e-2).contains(&run.config.learning_rate));
            }
        }
    }
}
