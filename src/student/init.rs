//! Where training starts: from random numbers, or from PCA (docs/start.md).

use std::fmt;
use std::str::FromStr;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, Normal, Uniform};
use serde::{Deserialize, Serialize};

use crate::arch::{Activation, Arch, Variant};
use crate::error::{Error, Result};
use crate::linalg::Pca;
use crate::linalg::product::matmul;
use crate::matrix::Matrix;
use crate::student::Parameters;

/// How parameters start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Init {
    /// From uncentred PCA; for `plain` with every hidden at least as wide as the latent.
    #[default]
    Spectral,
    /// Uniform in ±1/√inputs, as PyTorch's linear layers; LayerNorm as the identity.
    Random,
}

impl fmt::Display for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Init::Spectral => "spectral",
            Init::Random => "random",
        })
    }
}

impl FromStr for Init {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "spectral" => Ok(Init::Spectral),
            "random" => Ok(Init::Random),
            _ => Err(Error::invalid("init", format!("{text:?} is not spectral or random"))),
        }
    }
}

/// Shift that puts a unit where gelu is linear to the last bit of an f32, for coordinates of
/// unit vectors.
const LINEAR_SHIFT: f32 = 5.0;
/// Deviation of the incoming weights of units that the copy of PCA does not need.
const SPARE_DEVIATION: f32 = 0.02;

// The norm coordinate, for coordinates of length r (root mean square): the last latent is
// r · (LEVEL + SLOPE · (Σ z² / r² − 1)). All three figures were chosen on 3,000-row samples of the
// bundled training vectors; docs/start.md has them.
const NORM_LEVEL: f32 = 0.18;
const NORM_SLOPE: f32 = 0.7;
/// Power of its mean square by which a coordinate is scaled down: the trailing ones, which also
/// tell how much is left out, count a little more than PCA has them.
const SCALE_POWER: f64 = 0.015;
/// gelu(z) + gelu(−z) is √(2/π) · z² up to a few percent for coordinates of vectors up to so long.
const LONGEST: f64 = 1.5;

impl Parameters {
    /// Uniform in ±1/√inputs for weights and biases alike.
    pub fn random(arch: &Arch, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut all = Self::zeros(arch);
        let mut bound = 1.0;
        for shape in arch.parameters() {
            let values = all.get_mut(&shape.name).expect("its own parameter").data_mut();
            if shape.name.contains("norm") {
                values.fill(if shape.name.ends_with("weight") { 1.0 } else { 0.0 });
                continue;
            }
            if shape.matrix {
                bound = 1.0 / (shape.cols as f32).sqrt();
            }
            let uniform = Uniform::new_inclusive(-bound, bound).expect("a finite bound");
            values.iter_mut().for_each(|v| *v = uniform.sample(&mut rng));
        }
        all
    }

    /// From `pca`: the latent is `components · x`, the output its best reconstruction.
    ///
    /// gelu(x) − gelu(−x) = x, so a hidden of twice the latent's width carries the coordinates
    /// exactly, one unit for each sign; relu likewise. Below that, the leading coordinates have
    /// two units and the others one, shifted to where the activation is linear. Spare units
    /// start with small random incoming weights and no outgoing ones.
    ///
    /// Where gelu carries every coordinate by two units, their sum is nearly z², and the last
    /// latent holds the squared length of the others instead of the least component. Cosines of
    /// the coordinates alone favour vectors of which PCA leaves much out; the norm coordinate
    /// makes up for that.
    ///
    /// # Errors
    /// [`Error::Arch`] if the architecture cannot carry it, [`Error::Invalid`] if `pca` is
    /// centred or of other widths.
    pub fn spectral(arch: &Arch, pca: &Pca, seed: u64) -> Result<Self> {
        let latent = arch.latent();
        let refuse =
            |message: &str| Error::Arch { given: arch.to_string(), message: message.into() };
        if arch.variant() != Variant::Plain {
            return Err(refuse("spectral initialisation is for plain only; use --init random"));
        }
        if arch.widths()[1..arch.layers()].iter().any(|w| *w < latent)
            || arch.input() != arch.output()
        {
            return Err(refuse(
                "spectral initialisation needs hidden widths of at least the latent and an \
                 output as wide as the input; use --init random",
            ));
        }
        let components = &pca.components;
        if pca.mean.is_some() || (components.rows(), components.cols()) != (latent, arch.input()) {
            return Err(Error::invalid(
                "pca",
                format!("must be uncentred with {latent} components of {} values", arch.input()),
            ));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let spare = Normal::new(0.0, SPARE_DEVIATION).expect("a finite deviation");
        let mut all = Self::zeros(arch);
        // What the layer before offers: coordinates = read · values + offset.
        let mut read = components.clone();
        let mut offset = vec![0.0; latent];
        for layer in 0..arch.layers() {
            let name = arch.layer_name(layer);
            let width = arch.widths()[layer + 1];
            let (weight, bias, next) = if layer + 1 == arch.latent_index() {
                let mut code =
                    Code { weight: read.clone(), bias: offset.clone(), back: identity(latent) };
                // With all of a vector in the latent there is nothing left out to make up for.
                let carried =
                    layer > 0 && arch.widths()[layer] >= 2 * latent && latent < arch.input();
                if carried && arch.activation() == Activation::Gelu {
                    code.add_norm(&pca.variances);
                }
                (code.weight, code.bias, (code.back, vec![0.0; latent]))
            } else if layer + 1 == arch.layers() {
                let up = components.transposed();
                (matmul(&up, &read), times_vector(&up, &offset), (Matrix::default(), vec![]))
            } else {
                let carrier = Carrier::new(latent, width);
                let mut weight = matmul(&carrier.lift, &read);
                for unit in carrier.used..width {
                    weight.row_mut(unit).iter_mut().for_each(|w| *w = spare.sample(&mut rng));
                }
                let lifted = times_vector(&carrier.lift, &offset);
                let bias = lifted.iter().zip(&carrier.shift).map(|(a, b)| a + b).collect();
                (weight, bias, (carrier.read, carrier.offset))
            };
            *all.get_mut(&format!("{name}.weight")).expect("a layer's weight") = weight;
            all.get_mut(&format!("{name}.bias"))
                .expect("a layer's bias")
                .data_mut()
                .copy_from_slice(&bias);
            (read, offset) = next;
        }
        Ok(all)
    }
}

/// The layer that writes the latent, and the way back.
struct Code {
    /// `latent × hidden`
    weight: Matrix,
    bias: Vec<f32>,
    /// `latent × latent`: coordinates from the latent.
    back: Matrix,
}

impl Code {
    /// Scales the coordinates and puts the norm in the place of the last one; `variances` are
    /// their mean squares. Leaves all as it is where vectors are too long for that, or there is
    /// nothing but the one coordinate.
    fn add_norm(&mut self, variances: &[f64]) {
        let latent = self.bias.len();
        let energy: f64 = variances.iter().sum();
        let length = energy.sqrt();
        if latent < 2 || !(f64::MIN_POSITIVE..=LONGEST).contains(&length) {
            return;
        }
        // Coordinates without any energy would be scaled without end.
        let least = variances[0] * 1e-6;
        for (i, variance) in variances[..latent - 1].iter().enumerate() {
            let scale = (variance.max(least) / variances[0]).powf(-SCALE_POWER) as f32;
            self.weight.row_mut(i).iter_mut().for_each(|w| *w *= scale);
            self.bias[i] *= scale;
            self.back.row_mut(i)[i] = 1.0 / scale;
        }
        let length = length as f32;
        let square = std::f32::consts::FRAC_PI_2.sqrt();
        let row = self.weight.row_mut(latent - 1);
        row.fill(0.0);
        row[..2 * latent].fill(NORM_SLOPE / length * square);
        self.bias[latent - 1] = length * (NORM_LEVEL - NORM_SLOPE);
        self.back.row_mut(latent - 1)[latent - 1] = 0.0;
    }
}

/// A hidden layer that carries coordinates through its activation.
struct Carrier {
    /// `width × latent`: unit pre-activations from coordinates.
    lift: Matrix,
    /// Added to the pre-activations.
    shift: Vec<f32>,
    /// `latent × width`: coordinates from activations.
    read: Matrix,
    /// Added to them.
    offset: Vec<f32>,
    /// Units that carry something; the rest are spare.
    used: usize,
}

impl Carrier {
    fn new(latent: usize, width: usize) -> Self {
        let pairs = (width - latent).min(latent);
        let mut all = Self {
            lift: Matrix::zeros(width, latent),
            shift: vec![0.0; width],
            read: Matrix::zeros(latent, width),
            offset: vec![0.0; latent],
            used: latent + pairs,
        };
        for c in 0..latent {
            all.lift.row_mut(c)[c] = 1.0;
            all.read.row_mut(c)[c] = 1.0;
            if c < pairs {
                all.lift.row_mut(latent + c)[c] = -1.0;
                all.read.row_mut(c)[latent + c] = -1.0;
            } else {
                all.shift[c] = LINEAR_SHIFT;
                all.offset[c] = -LINEAR_SHIFT;
            }
        }
        all
    }
}

fn identity(n: usize) -> Matrix {
    Matrix::from_fn(n, n, |r, c| if r == c { 1.0 } else { 0.0 })
}

fn times_vector(a: &Matrix, x: &[f32]) -> Vec<f32> {
    a.iter_rows().map(|row| row.iter().zip(x).map(|(a, b)| a * b).sum()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Device;
    use crate::student::Student;
    use crate::{Precision, linalg};

    /// Rows of unit length.
    fn sample() -> Matrix {
        let x = Matrix::from_fn(200, 30, |r, c| ((r * 41 + c * 17) as f32).sin() / (1 + c) as f32);
        linalg::unit_rows(&x)
    }

    fn start(width: usize, activation: Activation, x: &Matrix) -> (Pca, Student) {
        let pca = Pca::fit(x, false).unwrap().truncated(6).unwrap();
        let arch = Arch::new(vec![30, width, 6, width, 30], activation, Variant::Plain).unwrap();
        let parameters = Parameters::spectral(&arch, &pca, 1).unwrap();
        (pca, Student::new(&Device::cpu(), &parameters, Precision::F32).unwrap())
    }

    #[test]
    fn the_last_latent_of_a_gelu_start_is_the_norm() {
        let x = sample();
        let (pca, student) = start(13, Activation::Gelu, &x);
        let latents = pollster::block_on(student.encode(&x)).unwrap();
        let energy: f64 = pca.variances.iter().sum();
        let length = energy.sqrt() as f32;
        for (z, latent) in pca.project(&x).unwrap().iter_rows().zip(latents.iter_rows()) {
            let squares: f32 = z.iter().map(|z| z * z).sum();
            let want = length * (NORM_LEVEL + NORM_SLOPE * (squares / (length * length) - 1.0));
            // gelu(z) + gelu(−z) falls short of the square where one coordinate is nearly all.
            assert!(latent[5] <= want + 1e-4 && latent[5] > want - 0.2, "{} {want}", latent[5]);
            let scale = (pca.variances[3] / pca.variances[0]).powf(-SCALE_POWER) as f32;
            assert!((latent[3] - scale * z[3]).abs() < 1e-5);
        }
        // What comes out is PCA without its last component.
        let output = pollster::block_on(student.reconstruct(&x)).unwrap();
        let shorter = pca.truncated(5).unwrap();
        let want = shorter.reconstruct(&shorter.project(&x).unwrap()).unwrap();
        for (got, want) in output.data().iter().zip(want.data()) {
            assert!((got - want).abs() < 1e-5, "{got} {want}");
        }
    }

    #[test]
    fn others_start_as_pca() {
        let unit = sample();
        let long = Matrix::from_fn(unit.rows(), 30, |r, c| 3.0 * unit.row(r)[c]);
        for (width, activation, x) in [
            (13, Activation::Relu, &unit),
            (11, Activation::Gelu, &unit),
            (13, Activation::Gelu, &long),
        ] {
            let (pca, student) = start(width, activation, x);
            let latents = pollster::block_on(student.encode(x)).unwrap();
            let want = pca.project(x).unwrap();
            for (got, want) in latents.data().iter().zip(want.data()) {
                assert!((got - want).abs() < 1e-5, "{width}: {got} {want}");
            }
        }
    }
}
