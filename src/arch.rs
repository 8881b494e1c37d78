//! The architecture of a student: widths, activation and variant, and what follows from them
//! alone: exact parameters, bytes, FLOPs and training memory.
//!
//! Shapes: a vector of `widths[0]` values goes in, `widths[latent_index]` values are the latent,
//! the last width comes out. Weights are stored as `out × in`, row after row.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Width of the teacher's vectors (all-MiniLM-L6-v2).
pub const TEACHER_WIDTH: usize = 384;
/// Width of the note's latent in family B.
pub const NOTE_LATENT: usize = 192;
/// Heads of the self-attention in the `sn727` variant.
pub const SN727_HEADS: usize = 3;
/// The largest width that is accepted: two of them multiplied, and a few layers of that in bytes,
/// stay within 64 bits, and one alone within the 32-bit `usize` of a browser.
pub const MAX_WIDTH: usize = 1 << 31;

/// The non-linearity after every hidden layer but the latent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// `x · Φ(x)` with the exact normal distribution function (the erf form).
    #[default]
    Gelu,
    /// `max(x, 0)`.
    Relu,
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Activation::Gelu => "gelu",
            Activation::Relu => "relu",
        })
    }
}

impl FromStr for Activation {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "gelu" => Ok(Activation::Gelu),
            "relu" => Ok(Activation::Relu),
            _ => Err(Error::invalid("activation", format!("{text:?} is not gelu or relu"))),
        }
    }
}

/// Which graph the widths stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// Linear layers with biases, an activation after each but the latent and the output.
    #[default]
    Plain,
    /// Our reading of the note's 545,856 parameters at S = 256 (an inference, not documented by
    /// the note): LayerNorm before each linear layer and on the output, self-attention on the
    /// latent, and one more alignment head on the encoder's hidden that serves the loss only.
    Sn727,
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Variant::Plain => "plain",
            Variant::Sn727 => "sn727",
        })
    }
}

impl FromStr for Variant {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "plain" => Ok(Variant::Plain),
            "sn727" => Ok(Variant::Sn727),
            _ => Err(Error::invalid("variant", format!("{text:?} is not plain or sn727"))),
        }
    }
}

/// How weights are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    F32,
    /// 16-bit floats.
    F16,
    /// 8-bit integers with one f32 scale a row.
    Int8,
}

impl Precision {
    /// All of them, widest first.
    pub const ALL: [Precision; 3] = [Precision::F32, Precision::F16, Precision::Int8];

    /// Bits of one weight, scales left out.
    pub fn bits(self) -> u64 {
        match self {
            Precision::F32 => 32,
            Precision::F16 => 16,
            Precision::Int8 => 8,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Precision::F32 => "f32",
            Precision::F16 => "f16",
            Precision::Int8 => "int8",
        })
    }
}

impl FromStr for Precision {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "f32" => Ok(Precision::F32),
            "f16" => Ok(Precision::F16),
            "int8" | "i8" => Ok(Precision::Int8),
            _ => Err(Error::invalid("precision", format!("{text:?} is not f32, f16 or int8"))),
        }
    }
}

/// One weight matrix or vector of a student.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterShape {
    /// Its name in the safetensors file, such as `input_proj.weight`.
    pub name: String,
    /// `out` for a matrix, 1 for a vector.
    pub rows: usize,
    /// `in` for a matrix, the length for a vector.
    pub cols: usize,
    /// Whether it is a matrix, stored as a 2-D tensor (and quantised in int8 files).
    pub matrix: bool,
    /// Whether inference needs it; the alignment head of `sn727` serves the loss only.
    pub inference: bool,
}

impl ParameterShape {
    /// Number of values.
    pub fn len(&self) -> u64 {
        self.rows as u64 * self.cols as u64
    }

    /// Whether there are none (never, for a valid architecture).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Widths, activation and variant of a student.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "ArchText", into = "ArchText")]
pub struct Arch {
    widths: Vec<usize>,
    activation: Activation,
    variant: Variant,
}

/// The serialised form of [`Arch`].
#[derive(Clone, Debug, Serialize, Deserialize)]
struct ArchText {
    widths: Vec<usize>,
    #[serde(default)]
    activation: Activation,
    #[serde(default)]
    variant: Variant,
}

impl TryFrom<ArchText> for Arch {
    type Error = Error;
    fn try_from(text: ArchText) -> Result<Self> {
        Arch::new(text.widths, text.activation, text.variant)
    }
}

impl From<Arch> for ArchText {
    fn from(arch: Arch) -> Self {
        Self { widths: arch.widths, activation: arch.activation, variant: arch.variant }
    }
}

impl Arch {
    /// An architecture from its widths, input first.
    ///
    /// # Errors
    /// [`Error::Arch`] for fewer than three widths, a width of zero or above [`MAX_WIDTH`], or a
    /// variant that the widths cannot carry (`sn727` has five widths and a latent that its
    /// heads divide).
    pub fn new(widths: Vec<usize>, activation: Activation, variant: Variant) -> Result<Self> {
        let refuse = |message: String| Error::Arch { given: join(&widths), message };
        if widths.len() < 3 {
            return Err(refuse(
                "needs at least three widths, input, latent and output, such as 384-192-384".into(),
            ));
        }
        if widths.contains(&0) {
            return Err(refuse("every width must be at least 1".into()));
        }
        if let Some(width) = widths.iter().find(|w| **w > MAX_WIDTH) {
            return Err(refuse(format!("a width of {width} is beyond the limit of {MAX_WIDTH}")));
        }
        if variant == Variant::Sn727 {
            if widths.len() != 5 {
                return Err(refuse(
                    "the sn727 variant has five widths, such as 384-256-192-256-384".into(),
                ));
            }
            if !widths[2].is_multiple_of(SN727_HEADS) {
                return Err(refuse(format!(
                    "the latent of sn727 must be divisible by its {SN727_HEADS} heads"
                )));
            }
            if widths[1] / 1_000_000 > widths[2] {
                return Err(refuse("the hidden is out of all proportion to the latent".into()));
            }
        }
        Ok(Self { widths, activation, variant })
    }

    /// The note's family A: `N → N → N/2 → N → N`.
    pub fn family_a(n: usize) -> Result<Self> {
        Self::new(vec![n, n, n / 2, n, n], Activation::Gelu, Variant::Plain)
    }

    /// The note's family B: `384 → S → 192 → S → 384`.
    pub fn family_b(s: usize) -> Result<Self> {
        Self::new(
            vec![TEACHER_WIDTH, s, NOTE_LATENT, s, TEACHER_WIDTH],
            Activation::Gelu,
            Variant::Plain,
        )
    }

    /// The same widths as another variant.
    pub fn with_variant(&self, variant: Variant) -> Result<Self> {
        Self::new(self.widths.clone(), self.activation, variant)
    }

    /// The same widths with another activation.
    pub fn with_activation(&self, activation: Activation) -> Self {
        Self { activation, ..self.clone() }
    }

    /// All widths, input first.
    pub fn widths(&self) -> &[usize] {
        &self.widths
    }

    /// The non-linearity.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// The graph.
    pub fn variant(&self) -> Variant {
        self.variant
    }

    /// Width of the vectors that go in.
    pub fn input(&self) -> usize {
        self.widths[0]
    }

    /// Width of the vectors that come out.
    pub fn output(&self) -> usize {
        self.widths[self.widths.len() - 1]
    }

    /// Width of the latent.
    pub fn latent(&self) -> usize {
        self.widths[self.latent_index()]
    }

    /// Where in [`Self::widths`] the latent stands: the narrowest inner width, the one nearest
    /// to the middle if several are as narrow (the earlier one of two).
    pub fn latent_index(&self) -> usize {
        let last = self.widths.len() - 1;
        (1..last).min_by_key(|&i| (self.widths[i], (2 * i).abs_diff(last))).unwrap_or(1)
    }

    /// Name of linear layer `index` (0 is the one after the input), the note's names where the
    /// note has one: `input_proj`, `compression`, `expansion`, `teacher_align`; further layers
    /// are `encoder_1`, … and `decoder_1`, ….
    pub fn layer_name(&self, index: usize) -> String {
        let compression = self.latent_index() - 1;
        let last = self.widths.len() - 2;
        match index {
            i if i == compression => "compression".into(),
            i if i == last => "teacher_align".into(),
            0 => "input_proj".into(),
            i if i == compression + 1 => "expansion".into(),
            i if i < compression => format!("encoder_{i}"),
            i => format!("decoder_{}", i - compression - 1),
        }
    }

    /// Number of linear layers on the way from input to output.
    pub fn layers(&self) -> usize {
        self.widths.len() - 1
    }

    /// Every parameter in the order in which it is used, with its name and shape.
    pub fn parameters(&self) -> Vec<ParameterShape> {
        let mut all = Vec::new();
        let matrix = |name: &str, rows, cols, inference| {
            [
                ParameterShape {
                    name: format!("{name}.weight"),
                    rows,
                    cols,
                    matrix: true,
                    inference,
                },
                ParameterShape {
                    name: format!("{name}.bias"),
                    rows: 1,
                    cols: rows,
                    matrix: false,
                    inference,
                },
            ]
        };
        let norm = |name: &str, width| {
            ["weight", "bias"].map(|part| ParameterShape {
                name: format!("{name}.{part}"),
                rows: 1,
                cols: width,
                matrix: false,
                inference: true,
            })
        };
        let sn727 = self.variant == Variant::Sn727;
        for layer in 0..self.layers() {
            let name = self.layer_name(layer);
            let (from, to) = (self.widths[layer], self.widths[layer + 1]);
            if sn727 {
                all.extend(norm(&format!("{name}_norm"), from));
            }
            all.extend(matrix(&name, to, from, true));
            if sn727 && layer + 1 == self.latent_index() {
                all.extend(matrix("attention.qkv", 3 * to, to, true));
                all.extend(matrix("attention.out", to, to, true));
            }
        }
        if sn727 {
            all.extend(norm("output_norm", self.output()));
            all.extend(matrix("alignment_head", self.output(), self.widths[1], false));
        }
        all
    }

    /// Exact number of parameters, training-only ones included.
    pub fn parameter_count(&self) -> u64 {
        self.parameters().iter().map(ParameterShape::len).sum()
    }

    /// Exact number of parameters that inference needs.
    pub fn inference_parameter_count(&self) -> u64 {
        self.parameters().iter().filter(|p| p.inference).map(ParameterShape::len).sum()
    }

    /// Bytes of all parameters at a precision. In f16 everything is 16 bits; in int8 the
    /// matrices are 8 bits with one f32 scale a row, and the vectors stay in f32.
    pub fn bytes(&self, precision: Precision) -> u64 {
        let one = |p: &ParameterShape| match (precision, p.matrix) {
            (Precision::F32, _) | (Precision::Int8, false) => 4 * p.len(),
            (Precision::F16, _) => 2 * p.len(),
            (Precision::Int8, true) => p.len() + 4 * p.rows as u64,
        };
        self.parameters().iter().map(one).sum()
    }

    /// FLOPs of one vector from input to output: two for every weight of every matrix on the
    /// way, one for every bias; LayerNorm counts eight and gelu ten a value. The attention of
    /// `sn727` at sequence length one is its two products.
    pub fn flops_per_vector(&self) -> u64 {
        let products: u64 = self
            .parameters()
            .iter()
            .filter(|p| p.inference && !p.name.contains("norm"))
            .map(|p| if p.matrix { 2 * p.len() } else { p.len() })
            .sum();
        let hidden: u64 = (1..self.widths.len() - 1)
            .filter(|&i| i != self.latent_index())
            .map(|i| self.widths[i] as u64)
            .sum();
        let activation = match self.activation {
            Activation::Gelu => 10,
            Activation::Relu => 1,
        };
        let norms: u64 = match self.variant {
            Variant::Plain => 0,
            Variant::Sn727 => self.widths.iter().map(|w| 8 * *w as u64).sum(),
        };
        products + activation * hidden + norms
    }
}

/// `384→256→192→256→384`.
impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&join(&self.widths))
    }
}

fn join(widths: &[usize]) -> String {
    widths.iter().map(usize::to_string).collect::<Vec<_>>().join("→")
}

/// Parses `384-256-192-256-384`, `384→256→…`, `384->256`, or widths parted by commas, colons or
/// spaces; plain with gelu.
impl FromStr for Arch {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let widths = text
            .replace("->", "-")
            .split(['-', '→', ',', ':', ' ', '\t'])
            .filter(|part| !part.is_empty())
            .map(|part| {
                part.parse::<usize>().map_err(|_| Error::Arch {
                    given: text.into(),
                    message: format!("{part:?} is not a width; write 384-256-192-256-384"),
                })
            })
            .collect::<Result<Vec<_>>>()?;
        Arch::new(widths, Activation::Gelu, Variant::Plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_the_note_to_the_unit() {
        for (s, plain) in [(256, 296_000), (320, 369_856), (512, 591_424), (4096, 4_727_360)] {
            let arch = Arch::family_b(s).unwrap();
            assert_eq!(arch.parameter_count(), plain);
            assert_eq!(arch.parameter_count(), 1154 * s as u64 + 576);
            let sn727 = arch.with_variant(Variant::Sn727).unwrap();
            assert_eq!(sn727.parameter_count(), 1542 * s as u64 + 151_104);
        }
        let sn727 = Arch::family_b(256).unwrap().with_variant(Variant::Sn727).unwrap();
        assert_eq!(sn727.parameter_count(), 545_856);
        assert_eq!(sn727.inference_parameter_count(), 545_856 - 98_688);
        for (n, exact) in [(384, 443_712), (512, 788_224), (8192, 201_355_264)] {
            assert_eq!(Arch::family_a(n).unwrap().parameter_count(), exact);
        }
    }

    #[test]
    fn names_of_the_note() {
        let arch = Arch::family_b(256).unwrap();
        let names: Vec<_> = (0..4).map(|i| arch.layer_name(i)).collect();
        assert_eq!(names, ["input_proj", "compression", "expansion", "teacher_align"]);
        let deep: Arch = "384-300-250-96-250-300-384".parse().unwrap();
        let names: Vec<_> = (0..6).map(|i| deep.layer_name(i)).collect();
        assert_eq!(
            names,
            ["input_proj", "encoder_1", "compression", "expansion", "decoder_1", "teacher_align"]
        );
        let linear: Arch = "384-192-384".parse().unwrap();
        assert_eq!(linear.layer_name(0), "compression");
        assert_eq!(linear.layer_name(1), "teacher_align");
    }

    #[test]
    fn parses_what_people_write() {
        for text in ["384-256-192-256-384", "384→256→192→256→384", "384->256->192->256->384"]
        {
            assert_eq!(text.parse::<Arch>().unwrap(), Arch::family_b(256).unwrap(), "{text}");
        }
        for bad in ["", "384", "384-0-384", "384-x-384", "384--", "99999999999999-2-3"] {
            assert!(bad.parse::<Arch>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn latent_is_the_narrowest_nearest_the_middle() {
        assert_eq!("8-4-4-4-8".parse::<Arch>().unwrap().latent_index(), 2);
        assert_eq!("8-2-4-6-8".parse::<Arch>().unwrap().latent_index(), 1);
        assert_eq!("8-4-4-8".parse::<Arch>().unwrap().latent_index(), 1);
    }
}
