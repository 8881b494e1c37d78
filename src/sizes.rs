//! The note's tables recomputed: for each row the note's figures, the exact counts beside them
//! and the verdict, and the same for any other architecture. Arithmetic only, no device.

use serde::Serialize;

use crate::arch::{Activation, Arch, NOTE_LATENT, Precision, SN727_HEADS, TEACHER_WIDTH, Variant};
use crate::error::{Error, Result};
use crate::note::{self, Family, Row};
use crate::number::{count, megabytes, percent};

/// A figure of the note within this share of ours counts as right.
pub const THRESHOLD: f64 = 0.05;
/// The batch that training bytes are given for unless the user says otherwise.
pub const DEFAULT_BATCH: usize = 256;
/// The largest batch that is accepted.
pub const MAX_BATCH: usize = 1 << 20;
/// What is said wherever the `sn727` count is shown.
pub const SN727_IS_INFERRED: &str =
    "sn727 is an inference from the note's 545K, not documented by the note";

/// How a figure of the note stands to ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Within [`THRESHOLD`] of ours.
    Ok,
    /// The note's figure is smaller.
    Understated,
    /// The note's figure is larger.
    Overstated,
    /// Of a whole row: some columns understate, others overstate.
    Mixed,
}

/// A figure of the note beside ours.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Check {
    /// The note's figure, in bytes or parameters.
    pub note: f64,
    /// Ours.
    pub exact: f64,
    /// `note / exact − 1`: 0.33 where the note overstates by 33 %.
    pub deviation: f64,
    /// What follows.
    pub verdict: Verdict,
}

impl Check {
    /// Compares the note's figure with ours.
    pub fn new(note: f64, exact: f64) -> Self {
        let deviation = note / exact - 1.0;
        let verdict = match deviation {
            d if d > THRESHOLD => Verdict::Overstated,
            d if d < -THRESHOLD => Verdict::Understated,
            _ => Verdict::Ok,
        };
        Self { note, exact, deviation, verdict }
    }

    /// `ok`, `overstated by 33 %`, `understated by 8.1 %`.
    pub fn words(&self) -> String {
        match self.verdict {
            Verdict::Ok => "ok".into(),
            Verdict::Understated => format!("understated by {}", percent(self.deviation)),
            Verdict::Overstated | Verdict::Mixed => {
                format!("overstated by {}", percent(self.deviation))
            }
        }
    }
}

/// The checks of one row of the note, a column each.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Checks {
    /// Parameters against the exact count.
    pub parameters: Check,
    /// Size against the f32 bytes.
    pub size: Check,
    /// Training memory against the predicted training bytes.
    pub memory: Check,
    /// The row as a whole.
    pub row: Verdict,
}

impl Checks {
    fn new(row: &Row, parameters: u64, f32_bytes: u64, training: u64) -> Self {
        let parameters = Check::new(row.parameters.value, parameters as f64);
        let size = Check::new(row.size_mb.value * 1e6, f32_bytes as f64);
        let memory = Check::new(row.ram_mb.value * 1e6, training as f64);
        let any = |v| [parameters, size, memory].iter().any(|check| check.verdict == v);
        let row = match (any(Verdict::Understated), any(Verdict::Overstated)) {
            (false, false) => Verdict::Ok,
            (true, false) => Verdict::Understated,
            (false, true) => Verdict::Overstated,
            (true, true) => Verdict::Mixed,
        };
        Self { parameters, size, memory, row }
    }
}

/// The count of the `sn727` reading, never without its label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Inferred {
    /// Parameters.
    pub parameters: u64,
    /// Says that it is an inference.
    pub label: &'static str,
}

/// Bytes of all parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bytes {
    /// 4 bytes a parameter.
    pub f32: u64,
    /// 2 bytes a parameter.
    pub f16: u64,
    /// Matrices 1 byte a weight and an f32 scale a row, vectors f32.
    pub int8: u64,
}

/// Parameters of one layer of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LayerCount {
    /// Its name in the file, such as `input_proj`.
    pub name: String,
    /// Weights and biases.
    pub parameters: u64,
}

/// Predicted bytes of tensors in training, by what they hold; see [`training_bytes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TrainingBytes {
    /// Vectors in a step.
    pub batch: usize,
    /// The parameters themselves, f32.
    pub parameters: u64,
    /// One gradient a parameter.
    pub gradients: u64,
    /// AdamW's two moments.
    pub moments: u64,
    /// Values kept from the forward for the backward pass.
    pub activations: u64,
    /// Gradients with respect to the activations.
    pub activation_gradients: u64,
    /// The batch of vectors and its normalised copy.
    pub inputs: u64,
    /// Cosines of the batch with itself, teacher's and latent's.
    pub gram: u64,
    /// All of it.
    pub total: u64,
}

/// One architecture: the note's figures where it has some, ours, and what to think of them.
#[derive(Clone, Debug, Serialize)]
pub struct SizeRow {
    /// The family it belongs to by its widths; none for other architectures.
    pub family: Option<Family>,
    /// `384→256→192→256→384`.
    pub architecture: String,
    /// Widths, activation, variant.
    pub arch: Arch,
    /// The note's own row.
    pub note: Option<&'static Row>,
    /// Exact count of the layer list, parameters that serve the loss only included.
    pub parameters: u64,
    /// Of these, what inference needs.
    pub inference_parameters: u64,
    /// The layers they are in.
    pub layers: Vec<LayerCount>,
    /// The note's formula, `962·S + 576` (family B).
    pub note_formula: Option<u64>,
    /// `4·N²`, which explains the note's count (family A).
    pub four_squares: Option<u64>,
    /// The count of the `sn727` reading (family B).
    pub sn727: Option<Inferred>,
    /// Bytes in a file, without its header.
    pub bytes: Bytes,
    /// Floating-point operations of one vector from input to output.
    pub flops_per_vector: u64,
    /// Predicted bytes in training.
    pub training: TrainingBytes,
    /// The note's columns against ours.
    pub checks: Option<Checks>,
    /// One line in plain words.
    pub explanation: String,
}

impl SizeRow {
    /// Recomputes one architecture.
    ///
    /// # Errors
    /// [`Error::Arch`] if its counts do not fit in 64 bits, [`Error::Invalid`] for a batch of
    /// zero or beyond [`MAX_BATCH`].
    pub fn new(arch: Arch, batch: usize) -> Result<Self> {
        check_range(&arch)?;
        let training = training_bytes(&arch, batch)?;
        let family = family_of(&arch);
        let note = note::row_of(&arch);
        let parameters = arch.parameter_count();
        let bytes = Bytes {
            f32: arch.bytes(Precision::F32),
            f16: arch.bytes(Precision::F16),
            int8: arch.bytes(Precision::Int8),
        };
        let hidden = arch.widths()[1];
        let b_shaped = family == Some(Family::B);
        // Beyond what the variant carries there is no such count.
        let sn727 = b_shaped.then(|| arch.with_variant(Variant::Sn727).ok()).flatten();
        let mut row = Self {
            family,
            architecture: arch.to_string(),
            note,
            parameters,
            inference_parameters: arch.inference_parameter_count(),
            layers: layer_counts(&arch),
            note_formula: b_shaped.then(|| note::formula(hidden)),
            four_squares: (family == Some(Family::A)).then(|| 4 * (hidden as u64).pow(2)),
            sn727: sn727.map(|arch| Inferred {
                parameters: arch.parameter_count(),
                label: SN727_IS_INFERRED,
            }),
            checks: note.map(|row| Checks::new(row, parameters, bytes.f32, training.total)),
            bytes,
            flops_per_vector: arch.flops_per_vector(),
            training,
            explanation: String::new(),
            arch,
        };
        row.explanation = explain(&row);
        Ok(row)
    }
}

/// The note's tables recomputed, with other architectures beside them.
#[derive(Clone, Debug, Serialize)]
pub struct Sizes {
    /// Where the note's figures come from.
    pub source: &'static str,
    /// Vectors in a training step.
    pub batch: usize,
    /// Share within which a figure of the note counts as right.
    pub threshold: f64,
    /// The note's rows that were asked for, then the user's architectures.
    pub rows: Vec<SizeRow>,
}

impl Sizes {
    /// Recomputes the rows of `families` with `variant` (family B only: family A's latent
    /// is not always divisible by its heads) and `activation`, then `others` in their order.
    ///
    /// # Errors
    /// As [`SizeRow::new`].
    pub fn new(
        families: &[Family],
        variant: Variant,
        activation: Activation,
        others: &[Arch],
        batch: usize,
    ) -> Result<Self> {
        let noted = note::FAMILY_A.iter().chain(&note::FAMILY_B);
        let noted = noted.filter(|row| families.contains(&row.family)).map(|row| {
            let arch = row.arch()?.with_activation(activation);
            match row.family {
                Family::A => Ok(arch),
                Family::B => arch.with_variant(variant),
            }
        });
        let rows = noted
            .chain(others.iter().cloned().map(Ok))
            .map(|arch| SizeRow::new(arch?, batch))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self { source: note::SOURCE, batch, threshold: THRESHOLD, rows })
    }
}

/// Predicted bytes of the tensors that training `arch` holds at `batch` vectors a step, all f32,
/// the dataset itself left out: four values a parameter (itself, gradient, two moments), what
/// the forward pass keeps, a gradient for each of its values, the batch twice, two Gram matrices, and
/// the unit latents with their gradients.
///
/// # Errors
/// As [`SizeRow::new`].
pub fn training_bytes(arch: &Arch, batch: usize) -> Result<TrainingBytes> {
    check_range(arch)?;
    if batch == 0 || batch > MAX_BATCH {
        return Err(Error::invalid("batch", format!("{batch} is not in 1..={MAX_BATCH}")));
    }
    let widths: Vec<u64> = arch.widths().iter().map(|&w| w as u64).collect();
    let (last, latent) = (widths.len() - 1, arch.latent_index());
    // The batch is the first layer's input; each layer's output is the next one's.
    let outputs: u64 = widths[1..].iter().sum();
    // The activation's derivative, kept instead of its input.
    let slopes: u64 = (1..last).filter(|&i| i != latent).map(|i| widths[i]).sum();
    let (more_outputs, kept, more_gradients): (u64, u64, u64) = match arch.variant() {
        Variant::Plain => (0, 0, 0),
        // Five normalised values and the latent after attention; mean and deviation of each
        // norm, q, k, v, the softmax and the heads' output; the gradients of the latter and of
        // the alignment head, with its output.
        Variant::Sn727 => {
            let norms: u64 = widths.iter().sum();
            let attention = 4 * widths[latent];
            (
                norms + widths[latent],
                2 * widths.len() as u64 + attention + SN727_HEADS as u64,
                attention + 2 * widths[last],
            )
        }
    };
    let values = 4 * batch as u64;
    let parameters = 4 * arch.parameter_count();
    let mut bytes = TrainingBytes {
        batch,
        parameters,
        gradients: parameters,
        moments: 2 * parameters,
        activations: values * (outputs + slopes + more_outputs + kept),
        activation_gradients: values * (outputs + more_outputs + more_gradients),
        inputs: values * 2 * widths[0],
        gram: values * (2 * batch as u64 + 3 * widths[latent]),
        total: 0,
    };
    bytes.total = bytes.parameters
        + bytes.gradients
        + bytes.moments
        + bytes.activations
        + bytes.activation_gradients
        + bytes.inputs
        + bytes.gram;
    Ok(bytes)
}

/// Refuses architectures whose counts or bytes would leave 64 bits.
fn check_range(arch: &Arch) -> Result<()> {
    let widths = arch.widths();
    let squares: u128 = widths.windows(2).map(|w| w[0] as u128 * w[1] as u128).sum();
    // Six covers the attention and the alignment head of sn727 and every vector.
    let bound = 6 * squares + widths.iter().map(|&w| 64 * w as u128).sum::<u128>();
    if bound > 1 << 58 {
        return Err(Error::Arch {
            given: arch.to_string(),
            message: format!("{squares} weights are beyond what can be counted in 64 bits"),
        });
    }
    Ok(())
}

/// Family A is looked at first: `384→384→192→384→384` stands in its table.
fn family_of(arch: &Arch) -> Option<Family> {
    let (t, l) = (TEACHER_WIDTH, NOTE_LATENT);
    match *arch.widths() {
        [a, b, m, c, d] if a == b && b == c && c == d && m == a / 2 && a > 1 => Some(Family::A),
        [a, s, m, z, d] if a == t && m == l && d == t && s == z => Some(Family::B),
        _ => None,
    }
}

/// Parameters by layer, in the order of first use.
fn layer_counts(arch: &Arch) -> Vec<LayerCount> {
    let mut layers: Vec<LayerCount> = Vec::new();
    for shape in arch.parameters() {
        let name = shape.name.rsplit_once('.').map_or(shape.name.as_str(), |(layer, _)| layer);
        match layers.last_mut().filter(|layer| layer.name == name) {
            Some(layer) => layer.parameters += shape.len(),
            None => layers.push(LayerCount { name: name.into(), parameters: shape.len() }),
        }
    }
    layers
}

fn explain(row: &SizeRow) -> String {
    let exact = count(row.parameters);
    let training = format!("{} MB", megabytes(row.training.total));
    match (row.note, row.checks, row.family) {
        (Some(note), Some(checks), Some(Family::A)) => format!(
            "{} is 4·N² = {}, four square layers; the layer list has 3·N² weights and {} biases, \
             {exact} in all: {}. Training at batch {} takes {training}, not {} MB.",
            note.parameters.text,
            count(row.four_squares.unwrap_or(0)),
            count(row.parameters - 3 * (note.width as u64).pow(2)),
            checks.parameters.words(),
            row.training.batch,
            note.ram_mb.text,
        ),
        (Some(note), Some(checks), _) => {
            let inferred = row.sn727.map_or(0, |one| one.parameters);
            let near = Check::new(note.parameters.value, inferred as f64);
            let fit = match near.verdict {
                Verdict::Ok => "which the note's figure fits".to_string(),
                _ => format!("against which it is {}", near.words()),
            };
            format!(
                "{} against {exact} by the layer list: {}. The note's formula drops a 192·S \
                 product and gives {}; the sn727 reading (an inference) has {}, {fit}. Training \
                 at batch {} takes {training}, not {}.",
                note.parameters.text,
                checks.parameters.words(),
                count(row.note_formula.unwrap_or(0)),
                count(inferred),
                row.training.batch,
                note.ram_mb.text,
            )
        }
        _ => format!(
            "The note has no figure for this architecture: {exact} parameters, {} MB in f32, \
             {training} in training at batch {}.",
            megabytes(row.bytes.f32),
            row.training.batch
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::MAX_WIDTH;

    fn all(batch: usize) -> Sizes {
        Sizes::new(&[Family::A, Family::B], Variant::Plain, Activation::Gelu, &[], batch).unwrap()
    }

    /// The "exact" columns of the note's reading, typed in from it and not computed here.
    #[test]
    fn counts_of_every_row_to_the_unit() {
        let a = [
            443_712u64,
            788_224,
            1_772_160,
            3_149_312,
            12_590_080,
            28_322_304,
            50_345_984,
            78_661_120,
            113_267_712,
            201_355_264,
        ];
        let b = [296_000u64, 369_856, 591_424, 886_848, 1_182_272, 2_363_968, 4_727_360];
        let formula = [246_848u64, 308_416, 493_120, 739_392, 985_664, 1_970_752, 3_940_928];
        let rows = all(256).rows;
        assert_eq!(rows.len(), 17);
        for (row, exact) in rows.iter().zip(a.iter().chain(&b)) {
            assert_eq!(row.parameters, *exact, "{}", row.architecture);
            assert_eq!(row.layers.iter().map(|l| l.parameters).sum::<u64>(), *exact);
            assert_eq!(row.bytes.f32, 4 * exact);
            assert_eq!(row.bytes.f16, 2 * exact);
        }
        for (row, formula) in rows[10..].iter().zip(formula) {
            assert_eq!(row.note_formula, Some(formula));
            assert_eq!(row.four_squares, None);
        }
        assert_eq!(rows[10].sn727.unwrap().parameters, 545_856);
        assert!(rows[10].sn727.unwrap().label.contains("inference"));
        assert_eq!(rows[0].four_squares, Some(589_824));
    }

    #[test]
    fn verdicts_of_the_note() {
        for row in &all(256).rows {
            let checks = row.checks.unwrap();
            assert_eq!(checks.parameters.verdict, Verdict::Overstated, "{}", row.architecture);
            assert!(row.explanation.contains("overstated"), "{}", row.explanation);
            if row.family == Some(Family::A) {
                assert!((checks.parameters.deviation - 1.0 / 3.0).abs() < 0.07);
            }
        }
        let sn727 =
            Sizes::new(&[Family::B], Variant::Sn727, Activation::Gelu, &[], 256).unwrap().rows;
        assert_eq!(sn727[0].checks.unwrap().parameters.verdict, Verdict::Ok);
        assert_eq!(sn727[0].checks.unwrap().size.verdict, Verdict::Ok);
    }

    #[test]
    fn threshold_is_five_percent_either_way() {
        assert_eq!(Check::new(104.9, 100.0).verdict, Verdict::Ok);
        assert_eq!(Check::new(95.1, 100.0).verdict, Verdict::Ok);
        assert_eq!(Check::new(105.2, 100.0).words(), "overstated by 5.2 %");
        assert_eq!(Check::new(50.0, 100.0).words(), "understated by 50 %");
    }

    /// By hand for 5→7→3→7→5 at a batch of 2: 42 + 24 + 28 + 40 = 134 parameters; outputs
    /// 7 + 3 + 7 + 5 = 22, slopes 14 values a vector; the batch 5 wide, twice; 2×2 twice
    /// and the latent's 3 three times a vector.
    #[test]
    fn training_bytes_by_hand() {
        let arch: Arch = "5-7-3-7-5".parse().unwrap();
        let bytes = training_bytes(&arch, 2).unwrap();
        assert_eq!(bytes.parameters, 4 * 134);
        assert_eq!(bytes.activations, 4 * 2 * (22 + 14));
        assert_eq!(bytes.activation_gradients, 4 * 2 * 22);
        assert_eq!(bytes.inputs, 4 * 2 * 10);
        assert_eq!(bytes.gram, 4 * (8 + 18));
        assert_eq!(bytes.total, 16 * 134 + 288 + 176 + 80 + 104);
        assert!(training_bytes(&arch, 0).is_err());
        assert!(training_bytes(&arch, MAX_BATCH + 1).is_err());
    }

    #[test]
    fn huge_widths_are_counted_or_refused() {
        let huge = Arch::family_b(100_000_000).unwrap();
        let row = SizeRow::new(huge, 256).unwrap();
        assert_eq!(row.parameters, 1154 * 100_000_000 + 576);
        assert_eq!(row.sn727.unwrap().parameters, 1542 * 100_000_000 + 151_104);
        let square = Arch::family_a(MAX_WIDTH).unwrap();
        assert!(SizeRow::new(square.clone(), 256).is_err());
        assert!(training_bytes(&square, 1).is_err());
        assert!(SizeRow::new(Arch::family_b(MAX_WIDTH).unwrap(), MAX_BATCH).is_ok());
    }

    #[test]
    fn other_architectures_stand_last_and_may_be_rows_of_the_note() {
        let others: Vec<Arch> =
            ["768-300-64-768", "384-512-192-512-384"].map(|t| t.parse().unwrap()).to_vec();
        let sizes = Sizes::new(&[], Variant::Plain, Activation::Relu, &others, 32).unwrap();
        assert_eq!(sizes.rows.len(), 2);
        assert!(sizes.rows[0].note.is_none() && sizes.rows[0].checks.is_none());
        assert_eq!(sizes.rows[0].family, None);
        assert_eq!(sizes.rows[1].note.unwrap().width, 512);
        let json = serde_json::to_value(&sizes).unwrap();
        assert_eq!(json["rows"][1]["note"]["parameters"]["text"], "~1.1M");
        assert_eq!(json["rows"][0]["arch"]["widths"][1], 300);
    }
}
