//! The note "LNSP Model Size Analysis" (T. Carter, 2025-07-23) as typed data: its two tables, its
//! formula and its claims.
//!
//! Every figure in this file is the note's own and none is ours. Nothing here is to be shown
//! without the exact or measured figure beside it.

use std::fmt;

use serde::Serialize;

use crate::arch::{Arch, NOTE_LATENT, TEACHER_WIDTH};
use crate::error::Result;

/// Title, author and date, for whoever quotes the note.
pub const SOURCE: &str = "LNSP Model Size Analysis, T. Carter, 2025-07-23";

/// Which of the note's two tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// "Student dim" N: `N → N → N/2 → N → N`.
    A,
    /// Hidden width S: `384 → S → 192 → S → 384`.
    B,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Family::A => "A",
            Family::B => "B",
        })
    }
}

/// One cell of the note's tables: its own words and the number they stand for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// As the note writes it, such as `~545K`.
    pub text: &'static str,
    /// The number, in the unit of its column.
    pub value: f64,
}

/// One row of the note's tables.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Which table.
    pub family: Family,
    /// N in family A, S in family B.
    pub width: usize,
    /// The architecture as the note writes it.
    pub architecture: &'static str,
    /// Number of parameters.
    pub parameters: Figure,
    /// Size of the model in MB.
    pub size_mb: Figure,
    /// Memory in training in MB.
    pub ram_mb: Figure,
    /// The note's rating of inference speed.
    pub speed: &'static str,
    /// The note's use case.
    pub use_case: &'static str,
}

impl Row {
    /// The architecture that the row names, plain with gelu.
    ///
    /// # Errors
    /// None for the rows of this file; see [`Arch::new`].
    pub fn arch(&self) -> Result<Arch> {
        match self.family {
            Family::A => Arch::family_a(self.width),
            Family::B => Arch::family_b(self.width),
        }
    }
}

const fn figure(text: &'static str, value: f64) -> Figure {
    Figure { text, value }
}

/// The note's first table, smallest first.
#[rustfmt::skip]
pub const FAMILY_A: [Row; 10] = {
    const fn a(width: usize, architecture: &'static str, parameters: Figure, size_mb: Figure,
               ram_mb: Figure, speed: &'static str, use_case: &'static str) -> Row {
        Row { family: Family::A, width, architecture, parameters, size_mb, ram_mb, speed, use_case }
    }
    [
        a(384, "384→384→192→384→384", figure("~591K", 591e3), figure("~2.4", 2.4),
          figure("~26", 26.0), "Very Fast", "Baseline semantic tasks"),
        a(512, "512→512→256→512→512", figure("~1.1M", 1.1e6), figure("~4.2", 4.2),
          figure("~46", 46.0), "Fast", "General-purpose analogies"),
        a(768, "768→768→384→768→768", figure("~2.4M", 2.4e6), figure("~9.4", 9.4),
          figure("~104", 104.0), "Medium", "High-quality compression"),
        a(1024, "1024→1024→512→1024→1024", figure("~4.2M", 4.2e6), figure("~16.8", 16.8),
          figure("~185", 185.0), "Medium", "Premium relational reasoning"),
        a(2048, "2048→2048→1024→2048→2048", figure("~16.8M", 16.8e6), figure("~67.1", 67.1),
          figure("~739", 739.0), "Slower", "Research/experimental diversity"),
        a(3072, "3072→3072→1536→3072→3072", figure("~37.8M", 37.8e6), figure("~151.2", 151.2),
          figure("~1,663", 1663.0), "Slow", "Large-scale semantic capture"),
        a(4096, "4096→4096→2048→4096→4096", figure("~67.1M", 67.1e6), figure("~268.5", 268.5),
          figure("~2,954", 2954.0), "Slow", "Advanced generalization"),
        a(5120, "5120→5120→2560→5120→5120", figure("~104.9M", 104.9e6), figure("~419.5", 419.5),
          figure("~4,614", 4614.0), "Very Slow", "Frontier-level tasks"),
        a(6144, "6144→6144→3072→6144→6144", figure("~151.0M", 151.0e6), figure("~604.1", 604.1),
          figure("~6,645", 6645.0), "Very Slow", "Complex multi-domain processing"),
        a(8192, "8192→8192→4096→8192→8192", figure("~268.5M", 268.5e6), figure("~1,073.9", 1073.9),
          figure("~11,813", 11813.0), "Extremely Slow", "Ultra-scale latent exploration"),
    ]
};

/// The note's second table, smallest first.
#[rustfmt::skip]
pub const FAMILY_B: [Row; 7] = {
    const fn b(width: usize, architecture: &'static str, parameters: Figure, size_mb: Figure,
               ram_mb: Figure, speed: &'static str, use_case: &'static str) -> Row {
        Row { family: Family::B, width, architecture, parameters, size_mb, ram_mb, speed, use_case }
    }
    [
        b(256, "384→256→192→256→384", figure("~545K", 545e3), figure("2.2 MB", 2.2),
          figure("~25 MB", 25.0), "Very Fast", "Current Winner (SN727)"),
        b(320, "384→320→192→320→384", figure("~680K", 680e3), figure("2.7 MB", 2.7),
          figure("~30 MB", 30.0), "Fast", "Slight quality boost?"),
        b(512, "384→512→192→512→384", figure("~1.1M", 1.1e6), figure("4.4 MB", 4.4),
          figure("~50 MB", 50.0), "Fast", "Better semantic capture"),
        b(768, "384→768→192→768→384", figure("~1.6M", 1.6e6), figure("6.4 MB", 6.4),
          figure("~75 MB", 75.0), "Medium", "High-quality compression"),
        b(1024, "384→1024→192→1024→384", figure("~2.1M", 2.1e6), figure("8.4 MB", 8.4),
          figure("~100 MB", 100.0), "Medium", "Premium quality"),
        b(2048, "384→2048→192→2048→384", figure("~4.2M", 4.2e6), figure("16.8 MB", 16.8),
          figure("~200 MB", 200.0), "Slower", "Research/Experimentation"),
        b(4096, "384→4096→192→4096→384", figure("~8.4M", 8.4e6), figure("33.6 MB", 33.6),
          figure("~400 MB", 400.0), "Slow", "Large-scale applications"),
    ]
};

/// The note's formula for family B, `(384 + 192 + 384)·S + (2·S + 576) = 962·S + 576`. It drops
/// one of the two `192·S` products; the layer list has `1154·S + 576`.
pub fn formula(s: usize) -> u64 {
    let (t, l, s) = (TEACHER_WIDTH as u64, NOTE_LATENT as u64, s as u64);
    (t + l + t) * s + (2 * s + l + t)
}

/// The row of the note with exactly these widths, if any. `384→384→192→384→384` is family A's.
pub fn row_of(arch: &Arch) -> Option<&'static Row> {
    FAMILY_A
        .iter()
        .chain(&FAMILY_B)
        .find(|row| row.arch().is_ok_and(|noted| noted.widths() == arch.widths()))
}

/// Where the note says, or lets one infer, that it measured a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// A MacBook M4, its GPU through PyTorch's MPS.
    MacBookM4Mps,
    /// A MacBook M4, processor or GPU not said.
    MacBookM4,
    /// Arithmetic: holds on every machine or on none.
    Arithmetic,
    /// The note does not say where.
    Unstated,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Place::MacBookM4Mps => "MacBook M4, MPS",
            Place::MacBookM4 => "MacBook M4",
            Place::Arithmetic => "arithmetic",
            Place::Unstated => "not stated",
        })
    }
}

/// A claim of the note that a run can confirm or not.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Claim {
    /// A stable name, such as `inference-256`.
    pub id: &'static str,
    /// What is claimed, in the note's words or close to them.
    pub statement: &'static str,
    /// The hidden width S that it is about, where it is about one.
    pub width: Option<usize>,
    /// The note's figure, where it gives one.
    pub figure: Option<f64>,
    /// The unit of the figure, empty where there is none.
    pub unit: &'static str,
    /// Where it was measured.
    pub place: Place,
    /// How we read it where the note leaves room, else empty. A reading is ours, an inference.
    pub reading: &'static str,
}

/// Milliseconds for one vector at this S, where the note's list of speeds has it; the claims hold
/// the same.
pub fn inference_ms(s: usize) -> Option<f64> {
    [(256, 0.1), (512, 0.2), (1024, 0.4), (2048, 0.8), (4096, 1.6)]
        .into_iter()
        .find(|(listed, _)| *listed == s)
        .map(|(_, ms)| ms)
}

/// The claim named `id`, if the note has it.
pub fn claim(id: &str) -> Option<&'static Claim> {
    CLAIMS.iter().find(|claim| claim.id == id)
}

const fn measured(
    id: &'static str,
    width: usize,
    value: f64,
    unit: &'static str,
    place: Place,
    statement: &'static str,
) -> Claim {
    Claim { id, statement, width: Some(width), figure: Some(value), unit, place, reading: "" }
}

const fn ratio(
    id: &'static str,
    width: usize,
    value: f64,
    place: Place,
    statement: &'static str,
    reading: &'static str,
) -> Claim {
    Claim { id, statement, width: Some(width), figure: Some(value), unit: "×", place, reading }
}

const fn words(
    id: &'static str,
    width: Option<usize>,
    statement: &'static str,
    reading: &'static str,
) -> Claim {
    Claim { id, statement, width, figure: None, unit: "", place: Place::Unstated, reading }
}

/// Every claim of the note, in its order; those of its tables come as one a column.
#[rustfmt::skip]
pub const CLAIMS: &[Claim] = {
    use Place::{Arithmetic, MacBookM4, MacBookM4Mps, Unstated};
    &[
    measured("training-memory-256", 256, 25.0, "MB", MacBookM4, "Ultra-efficient"),
    measured("training-memory-512", 512, 50.0, "MB", MacBookM4, "Still very efficient"),
    measured("training-memory-1024", 1024, 100.0, "MB", MacBookM4, "Reasonable for M4"),
    measured("training-memory-2048", 2048, 200.0, "MB", MacBookM4, "Getting heavy"),
    measured("training-memory-4096", 4096, 400.0, "MB", MacBookM4, "Probably too much"),
    measured("inference-256", 256, 0.1, "ms", MacBookM4Mps, "per vector: Real-time"),
    measured("inference-512", 512, 0.2, "ms", MacBookM4Mps, "per vector: Real-time"),
    measured("inference-1024", 1024, 0.4, "ms", MacBookM4Mps, "per vector: Fast"),
    measured("inference-2048", 2048, 0.8, "ms", MacBookM4Mps, "per vector: Slower"),
    measured("inference-4096", 4096, 1.6, "ms", MacBookM4Mps, "per vector: Too slow"),
    Claim {
        id: "inference-ratings-a", width: None, figure: None, unit: "", place: Unstated,
        statement: "Very Fast … Extremely Slow: the ratings of family A",
        reading: "words can only be tested as an order: what is rated slower takes longer",
    },
    Claim {
        id: "inference-ratings-b", width: None, figure: None, unit: "", place: Unstated,
        statement: "Very Fast … Slow: the ratings of family B",
        reading: "words can only be tested as an order: what is rated slower takes longer",
    },
    Claim {
        id: "training-time-20k", statement: "6.5min vs 25min: perfect trade-off",
        width: Some(256), figure: Some(6.5), unit: "min", place: Unstated,
        reading: "6.5 min is read as the 20K dataset; the note names neither side",
    },
    Claim {
        id: "training-time-220k", statement: "6.5min vs 25min: perfect trade-off",
        width: Some(256), figure: Some(25.0), unit: "min", place: Unstated,
        reading: "25 min is read as the 220K dataset: eleven times the data in under four times \
                  the time",
    },
    words("tune-20k", Some(256), "20K dataset: absolutely fine for hyperparameter tuning", ""),
    words("next-step-320", Some(320), "Slight quality boost?", ""),
    words("next-step-512", Some(512), "Natural next step (2x parameters, still efficient)", ""),
    ratio("parameters-512", 512, 2.0, Arithmetic, "2x parameters",
          "of the 256-D student, by the plain layer lists"),
    words("sweet-spot-768", Some(768), "Sweet spot for quality vs efficiency", ""),
    words("maximum-1024", Some(1024), "Maximum practical size for your use case", ""),
    words("maximum-beyond", None,
          "1024D+: research purposes or when memory/speed isn't constrained", ""),
    words("next-step-quality", None,
          "Better semantic capture (512), High-quality compression (768), Premium quality (1024)",
          "the wider, the more it keeps"),
    words("parameters-tables", None, "Parameters of the 17 rows of the tables", ""),
    words("parameters-sizes", None, "Model size of the 17 rows of the tables", ""),
    words("law-memory-tables", None, "RAM in training of the 17 rows of the tables", ""),
    words("parameters-formula", None, "Total parameters = 962 × S + 576", ""),
    words("phase-1", Some(256), "Alignment sweep with 256D + 20K (fast)", ""),
    words("phase-2", Some(512), "Best alignment + 512D + 220K (quality test)", ""),
    words("phase-3", Some(768), "Best alignment + 768D + 220K (premium model)", ""),
    ratio("transformer-layer", 256, 4.0, Arithmetic,
          "4x smaller than typical transformer layers",
          "against one layer of the teacher, 1,774,464 parameters"),
    ratio("full-attention", 256, 10.0, Unstated, "10x faster than full attention mechanisms", ""),
    ratio("gpt", 256, 100.0, Arithmetic, "100x smaller than comparable GPT models",
          "which GPT models are comparable is not said"),
    words("l3-cache", Some(256), "Fits entirely in L3 cache on M4 chips",
          "the maker publishes no such figure: comparable only with a size given by the user"),
    words("goldilocks", Some(256),
          "Not too compressed (information loss) or too large (overfitting)",
          "shown by the gap between training and held-out quality for each width"),
    words("mobile", Some(256), "Enables real-time processing on mobile devices", ""),
    words("ceiling-256", Some(256), "Semantic ceiling unlikely given current performance", ""),
    words("specialised-768", Some(768),
          "For specialized domains requiring higher semantic precision", ""),
    Claim {
        id: "sn727-score", statement: "Excellent performance", width: Some(256),
        figure: Some(0.414), unit: "score", place: Unstated,
        reading: "the note does not define its score",
    },
    Claim {
        id: "sn727-stability", statement: "Proven stable", width: Some(256),
        figure: Some(0.029), unit: "CV", place: Unstated,
        reading: "coefficient of variation over runs",
    },
    measured("sn727-size", 256, 2.2, "MB", Unstated, "Ultra-efficient (2.2MB, 25MB RAM)"),
    measured("sn727-memory", 256, 25.0, "MB", Unstated, "Ultra-efficient (2.2MB, 25MB RAM)"),
    words("sweet-spot-256", Some(256),
          "SN727's 256D architecture is likely optimal for your use case", ""),
    words("tune-first", None,
          "Focus on hyperparameter optimization (alignment weights, epochs) before scaling \
           architecture", ""),
    Claim {
        id: "law-memory", statement: "training memory against model size, from the tables",
        width: None, figure: Some(11.0), unit: "× size", place: Arithmetic,
        reading: "implied by both tables, not stated",
    },
    Claim {
        id: "law-latency", statement: "time for one vector against S, from the list of speeds",
        width: None, figure: Some(0.1 / 256.0), unit: "ms per unit of S", place: MacBookM4Mps,
        reading: "implied: each doubling of S doubles the time",
    },
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    /// `~545K` → 545000, `~1,073.9` → 1073.9, `2.2 MB` → 2.2.
    fn read(text: &str) -> f64 {
        let text = text.trim_start_matches('~').trim_end_matches(" MB").replace(',', "");
        match (text.strip_suffix('K'), text.strip_suffix('M')) {
            (Some(k), _) => k.parse::<f64>().unwrap() * 1e3,
            (_, Some(m)) => m.parse::<f64>().unwrap() * 1e6,
            _ => text.parse().unwrap(),
        }
    }

    #[test]
    fn words_and_numbers_agree() {
        for row in FAMILY_A.iter().chain(&FAMILY_B) {
            for figure in [row.parameters, row.size_mb, row.ram_mb] {
                let value = read(figure.text);
                assert!((value - figure.value).abs() <= 1e-9 * value, "{figure:?}");
            }
            let arch: Arch = row.architecture.parse().unwrap();
            assert_eq!(arch, row.arch().unwrap(), "{}", row.width);
            assert_eq!(row_of(&arch), Some(row));
        }
    }

    #[test]
    fn family_a_is_four_square_layers() {
        for row in &FAMILY_A {
            let square = 4.0 * (row.width as f64).powi(2);
            assert!((row.parameters.value / square - 1.0).abs() < 0.05, "{row:?}");
        }
    }

    #[test]
    fn formula_is_the_notes() {
        for (s, value) in [(256, 246_848), (320, 308_416), (512, 493_120), (4096, 3_940_928)] {
            assert_eq!(formula(s), value);
            assert_eq!(formula(s), 962 * s as u64 + 576);
        }
    }

    #[test]
    fn claims_have_their_own_names_and_agree_with_the_tables() {
        for (i, one) in CLAIMS.iter().enumerate() {
            assert!(CLAIMS[..i].iter().all(|other| other.id != one.id), "{}", one.id);
        }
        for s in [256, 512, 1024, 2048, 4096] {
            let memory = claim(&format!("training-memory-{s}")).unwrap().figure;
            let row = FAMILY_B.iter().find(|row| row.width == s).unwrap();
            assert_eq!(memory, Some(row.ram_mb.value));
            let ms = claim(&format!("inference-{s}")).unwrap().figure.unwrap();
            assert_eq!(inference_ms(s), Some(ms));
            let law = claim("law-latency").unwrap().figure.unwrap();
            assert!((ms - law * s as f64).abs() < 1e-12);
        }
    }
}
