//! Claims that arithmetic settles, and those that nothing here can settle.

use super::{Finding, Method, Standing, method};
use crate::arch::{Activation, Arch, Precision, TEACHER_WIDTH, Variant};
use crate::note::{self, Claim, Family};
use crate::number::{count, decimal, megabytes, percent, signed_percent};
use crate::sizes::{Check, Checks, DEFAULT_BATCH, Sizes, THRESHOLD, Verdict};

/// Parameters of one layer of a transformer of this width: q, k, v and output, two layers of the
/// feed-forward part four times as wide, all with biases, and two LayerNorms.
const fn layer(width: u64) -> u64 {
    12 * width * width + 13 * width
}

/// Parameters of the teacher, all-MiniLM-L6-v2: words, positions and segments with a LayerNorm,
/// six layers, the pooler.
const TEACHER: u64 = (30_522 + 512 + 2) * 384 + 2 * 384 + 6 * layer(384) + (384 * 384 + 384);
/// GPT (2018): words and positions, twelve layers.
const GPT_1: u64 = (40_478 + 512) * 768 + 12 * layer(768);
/// The smallest GPT-2 (2019): words and positions, twelve layers, a LayerNorm.
const GPT_2: u64 = (50_257 + 1_024) * 768 + 12 * layer(768) + 2 * 768;

/// What comes of a claim without measuring; none if [`method`] says to measure. `cache` is the
/// bytes of the processor's last cache, if the user gives them.
pub fn counted(claim: &Claim, cache: Option<u64>) -> Option<Finding> {
    match method(claim) {
        Method::Measure | Method::Train => return None,
        Method::None => {
            let why = unsettled(claim.id).into();
            return Some(Finding::new(claim, Standing::CannotCompare, None, why));
        }
        Method::Count | Method::Cache => {}
    }
    let (plain, sn727) = (student(256, Variant::Plain)?, student(256, Variant::Sn727)?);
    Some(match claim.id {
        "parameters-512" | "next-step-512" => twice(claim, &plain)?,
        "transformer-layer" => transformer_layer(claim, &plain, &sn727),
        "gpt" => gpt(claim, &plain, &sn727),
        "sn727-size" => size(claim, &plain, &sn727),
        "law-memory" => law_of_memory(claim)?,
        "parameters-tables" | "parameters-sizes" | "law-memory-tables" => tables(claim)?,
        "parameters-formula" => formula(claim)?,
        _ => in_cache(claim, &plain, &sn727, cache),
    })
}

fn student(s: usize, variant: Variant) -> Option<Arch> {
    Arch::family_b(s).and_then(|arch| arch.with_variant(variant)).ok()
}

fn standing(holds: bool) -> Standing {
    if holds { Standing::Holds } else { Standing::Fails }
}

fn ratio(a: u64, b: u64) -> f64 {
    a as f64 / b as f64
}

fn twice(claim: &Claim, plain: &Arch) -> Option<Finding> {
    let large = student(512, Variant::Plain)?.parameter_count();
    let small = plain.parameter_count();
    let times = ratio(large, small);
    let mut words = format!(
        "S = 512 has {} parameters, S = 256 has {}: {} times as many.",
        count(large),
        count(small),
        decimal(times, 2)
    );
    if claim.id == "next-step-512" {
        words += " Whether it is the natural next step is a matter of what it keeps: train both \
                  and compare.";
    }
    let right = Check::new(2.0, times).verdict == Verdict::Ok;
    Some(Finding::new(claim, standing(right), Some(times), words))
}

fn transformer_layer(claim: &Claim, plain: &Arch, sn727: &Arch) -> Finding {
    let layer = layer(TEACHER_WIDTH as u64);
    let times = ratio(layer, plain.parameter_count());
    let inferred = ratio(layer, sn727.parameter_count());
    let words = format!(
        "One layer of the teacher has {} parameters, the plain student at S = 256 has {}: {} \
         times smaller. By the sn727 reading (an inference from the note's 545K) it is only {} \
         times.",
        count(layer),
        count(plain.parameter_count()),
        decimal(times, 2),
        decimal(inferred, 2)
    );
    Finding::new(claim, standing(times >= 4.0), Some(times), words)
}

fn gpt(claim: &Claim, plain: &Arch, sn727: &Arch) -> Finding {
    let smallest = GPT_1.min(GPT_2);
    let (own, inferred) = (plain.parameter_count(), sn727.parameter_count());
    let words = format!(
        "GPT (2018) has {} parameters and the smallest GPT-2 {}: {} and {} times the plain \
         student's {}; {} times at least by the sn727 reading, an inference. But a student takes \
         vectors, not text: with the teacher that makes them ({} parameters) the two are {} times \
         smaller than GPT.",
        count(GPT_1),
        count(GPT_2),
        decimal(ratio(GPT_1, own), 0),
        decimal(ratio(GPT_2, own), 0),
        count(own),
        decimal(ratio(smallest, inferred), 0),
        count(TEACHER),
        decimal(ratio(smallest, TEACHER + own), 1)
    );
    let times = ratio(smallest, own);
    Finding::new(claim, standing(ratio(smallest, inferred) >= 100.0), Some(times), words)
}

fn size(claim: &Claim, plain: &Arch, sn727: &Arch) -> Finding {
    let bytes = |arch: &Arch, precision| megabytes(arch.bytes(precision));
    let ours = sn727.bytes(Precision::F32) as f64 / 1e6;
    let words = format!(
        "By the sn727 reading (an inference) it has {} parameters, {} MB in f32; the plain layers \
         that the note lists come to {} MB, in f16 {} MB, in int8 {} MB.",
        count(sn727.parameter_count()),
        bytes(sn727, Precision::F32),
        bytes(plain, Precision::F32),
        bytes(plain, Precision::F16),
        bytes(plain, Precision::Int8)
    );
    let right = Check::new(claim.figure.unwrap_or(0.0), ours).verdict == Verdict::Ok;
    Finding::new(claim, standing(right), Some(ours), words)
}

fn law_of_memory(claim: &Claim) -> Option<Finding> {
    let both = [Family::A, Family::B];
    let sizes = Sizes::new(&both, Variant::Plain, Activation::Gelu, &[], DEFAULT_BATCH).ok()?;
    let times = sizes.rows.iter().map(|row| ratio(row.training.total, row.bytes.f32));
    let (low, high) = times.fold((f64::MAX, 0.0f64), |(l, h), t| (l.min(t), h.max(t)));
    let words = format!(
        "Training in f32 with AdamW holds the parameters, their gradients and two moments, 4 times \
         the size, and the values of the batch. At a batch of {DEFAULT_BATCH} that is {} to {} \
         times the size, from the largest of the 17 rows to the smallest: no common factor.",
        decimal(low, 1),
        decimal(high, 1)
    );
    let right = Check::new(11.0, low).verdict == Verdict::Ok
        && Check::new(11.0, high).verdict == Verdict::Ok;
    Some(Finding::new(claim, standing(right), Some(low), words))
}

/// One column of both of the note's tables, figure by figure.
fn tables(claim: &Claim) -> Option<Finding> {
    let both = [Family::A, Family::B];
    let sizes = Sizes::new(&both, Variant::Plain, Activation::Gelu, &[], DEFAULT_BATCH).ok()?;
    let column = |checks: &Checks| match claim.id {
        "parameters-tables" => checks.parameters,
        "parameters-sizes" => checks.size,
        _ => checks.memory,
    };
    let all: Vec<Check> =
        sizes.rows.iter().filter_map(|row| row.checks.as_ref()).map(column).collect();
    let right = all.iter().filter(|check| check.verdict == Verdict::Ok).count();
    let off = all.iter().map(|check| check.deviation);
    let (low, high) = off.fold((f64::MAX, f64::MIN), |(l, h), d| (l.min(d), h.max(d)));
    let exact = match claim.id {
        "parameters-tables" => "the layer lists' counts",
        "parameters-sizes" => "four bytes a parameter of the layer lists",
        _ => "what a training step in f32 with AdamW holds at a batch of 256",
    };
    let (within, others) = match right {
        0 => ("None".to_string(), "they"),
        right => (right.to_string(), "the others"),
    };
    let words = format!(
        "{within} of its {} figures is within {} of {exact}: {others} are off by {} to {}. Row by row \
         they stand in the tables of sizes.",
        all.len(),
        percent(THRESHOLD),
        signed_percent(low),
        signed_percent(high)
    );
    let finding = Finding::new(claim, standing(right == all.len()), Some(right as f64), words);
    Some(Finding { note: Some(all.len() as f64), unit: "figures".into(), ..finding })
}

fn formula(claim: &Claim) -> Option<Finding> {
    let (ours, noted) = (student(256, Variant::Plain)?.parameter_count(), note::formula(256));
    let words = format!(
        "It gives {} at S = 256, where the layers that the note lists have {}: it drops one of the \
         two 192·S products, {} parameters of them. Its own table has 545K. The layer list comes to \
         1154·S + 576.",
        count(noted),
        count(ours),
        count(ours - noted)
    );
    let finding = Finding::new(claim, standing(noted == ours), Some(ours as f64), words);
    Some(Finding { note: Some(noted as f64), unit: "parameters".into(), ..finding })
}

fn in_cache(claim: &Claim, plain: &Arch, sn727: &Arch, cache: Option<u64>) -> Finding {
    let needed = sn727.bytes(Precision::F32);
    let sizes = format!(
        "The weights take {} MB (plain) or {} MB (the sn727 reading, an inference) in f32",
        megabytes(plain.bytes(Precision::F32)),
        megabytes(needed)
    );
    match cache {
        None => {
            let words = format!(
                "{sizes}. Apple publishes no size for a cache that the M4's cores share; say how \
                 large the last cache of your processor is."
            );
            Finding::new(claim, Standing::CannotCompare, None, words)
        }
        Some(bytes) => {
            let fits = needed <= bytes;
            let verb = if fits { "fit" } else { "do not fit" };
            let words = format!(
                "{sizes}; both {verb} in the {} MB that you gave. Beside them come the vectors \
                 and whatever else the machine is doing.",
                megabytes(bytes)
            );
            let words = if fits { words } else { words.replace("both do not", "they do not both") };
            Finding {
                ours: Some(needed as f64 / 1e6),
                unit: "MB".into(),
                ..Finding::new(claim, standing(fits), None, words)
            }
        }
    }
}

/// Why nothing here settles a claim.
fn unsettled(id: &str) -> &'static str {
    match id {
        "sn727-score" => {
            "The note gives 0.414 without saying what is scored; no figure of ours can stand \
             beside it."
        }
        "goldilocks" => {
            "Too compressed or too large shows in the gap between training and held-out quality, \
             width by width: `lnsp note` trains students of every width and compares; one device \
             in one visit does not settle it."
        }
        "ceiling-256" | "sweet-spot-256" => {
            "An expectation, not a figure. What S = 256 keeps beside wider students is measured by \
             training them all, which `lnsp note` does; PCA at the same latent is the line to \
             watch."
        }
        "sweet-spot-768" | "maximum-1024" | "maximum-beyond" | "next-step-320"
        | "next-step-quality" => {
            "A recommendation. Whether a wider student keeps more is measured by training both on \
             the same vectors, which `lnsp note` does; its cost stands in the table of sizes."
        }
        "specialised-768" => {
            "The bundled vectors are of no special domain. `lnsp note --vectors` trains students \
             of every width on vectors of yours and compares them."
        }
        "inference-ratings-a" | "inference-ratings-b" => {
            "Words, not figures: all that can be tested is whether rows that are rated slower take \
             longer. `lnsp note` times every row of both tables."
        }
        "tune-first" => {
            "A strategy. `lnsp phases` tests it: a sweep over losses and epochs at S = 256 beside \
             wider students on more vectors."
        }
        "tune-20k" => {
            "Whether settings that are best on 20,000 vectors are best on 220,000 is settled by \
             training on both: `lnsp phases`."
        }
        _ => "A plan, not a figure: `lnsp phases` carries it out.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::claim;

    fn of(id: &str) -> Finding {
        counted(claim(id).unwrap(), None).unwrap()
    }

    /// The published counts of the models, typed in and not computed here.
    #[test]
    fn models_by_their_published_counts() {
        assert_eq!(layer(384), 1_774_464);
        assert_eq!(TEACHER, 22_713_216);
        assert_eq!(GPT_1, 116_534_784);
        assert_eq!(GPT_2, 124_439_808);
    }

    #[test]
    fn ratios_by_hand() {
        let one = of("parameters-512");
        assert_eq!(one.standing, Standing::Holds);
        assert!((one.ours.unwrap() - 591_424.0 / 296_000.0).abs() < 1e-12);
        let one = of("transformer-layer");
        assert_eq!(one.standing, Standing::Holds);
        assert!(one.words.contains("5.99") && one.words.contains("3.25"), "{}", one.words);
        assert!(one.words.contains("inference"));
        let one = of("gpt");
        assert!((one.ours.unwrap() - 116_534_784.0 / 296_000.0).abs() < 1e-9);
        assert!(one.words.contains("5.1 times smaller"), "{}", one.words);
        let one = of("sn727-size");
        assert_eq!((one.standing, one.ours), (Standing::Holds, Some(4.0 * 0.545856)));
        assert_eq!(of("law-memory").standing, Standing::Fails);
    }

    #[test]
    fn columns_of_the_tables_and_the_formula() {
        let one = of("parameters-formula");
        assert_eq!(
            (one.standing, one.note, one.ours),
            (Standing::Fails, Some(246_848.0), Some(296_000.0))
        );
        assert!(one.words.contains("49,152"), "{}", one.words);
        for id in ["parameters-tables", "parameters-sizes", "law-memory-tables"] {
            let one = of(id);
            assert_eq!((one.standing, one.note), (Standing::Fails, Some(17.0)), "{}", one.words);
        }
    }

    #[test]
    fn the_cache_is_the_users_word() {
        let l3 = claim("l3-cache").unwrap();
        assert_eq!(counted(l3, None).unwrap().standing, Standing::CannotCompare);
        assert_eq!(counted(l3, Some(16 << 20)).unwrap().standing, Standing::Holds);
        let small = counted(l3, Some(2 << 20)).unwrap();
        assert_eq!(small.standing, Standing::Fails);
        assert!(small.words.contains("do not both fit"), "{}", small.words);
    }
}
