//! Where training starts: from random numbers, or as a copy of PCA.

use std::fmt;
use std::str::FromStr;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, Normal, Uniform};
use serde::{Deserialize, Serialize};

use crate::arch::{Arch, Variant};
use crate::error::{Error, Result};
use crate::linalg::Pca;
use crate::linalg::product::matmul;
use crate::matrix::Matrix;
use crate::student::Parameters;

/// How parameters start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Init {
    /// As a copy of uncentred PCA; for `plain` with every hidden at least as wide as the latent.
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

    /// A copy of `pca`: the latent is `components · x`, the output its best reconstruction.
    ///
    /// gelu(x) − gelu(−x) = x, so a hidden of twice the latent's width carries the coordinates
    /// exactly, one unit for each sign; relu likewise. Below that, the leading coordinates have
    /// two units and the others one, shifted to where the activation is linear. Spare units
    /// start with small random incoming weights and no outgoing ones.
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
                (read.clone(), offset.clone(), (identity(latent), vec![0.0; latent]))
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
