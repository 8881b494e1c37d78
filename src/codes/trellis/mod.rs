//! Trellis-coded quantisation (Marcellin and Fischer 1990) of latents: a fixed number of bytes for
//! a row, with less error than a level of its own for each value could have.
//!
//! A coordinate of k bits appends them to the code, and its value depends on the last eight bits
//! of the code then, not on its own k alone: each coordinate has 256 levels, of which its bits and
//! those before choose one. Packing finds the best path through all of these
//! (`path.rs`); unpacking reads a window of eight bits a coordinate and looks its value up, each
//! coordinate on its own, so that codes are scored as they lie (the bits of a window overlapping
//! with those of the one before is how Tseng et al. 2024, QTIP, do it for weights).

mod layout;
mod path;
mod tables;

pub use layout::TrellisLayout;

use std::fmt;

use super::bits::BitWriter;
use super::transform::allocate;
use super::{expect_whole, expect_width};
use crate::error::{Error, Result};
use crate::kernels::code_scores::STATES;
use crate::linalg::{column_deviations, column_means, map_blocks};
use crate::matrix::Matrix;
use path::{Paths, Stage};
use tables::{MAX_BITS, unit_tables};

/// Rows of one thread at a time.
const BLOCK: usize = 16;

/// Power of a coordinate's deviation by which bits are shared out. With 1 they would go where they
/// remove most squared error; neighbours are better kept when the leading coordinates get a little
/// more. Chosen on samples of the bundled training vectors (docs/codes.md).
const EMPHASIS: f32 = 1.5;

/// Rows, at most about so many, on which values are refined, and rounds of it.
const SAMPLE: usize = 8000;
const ROUNDS: usize = 3;

/// A code of rows of latents, fitted on such rows.
#[derive(Clone, PartialEq)]
pub struct TrellisCode {
    means: Vec<f32>,
    deviations: Vec<f32>,
    bits: Vec<u8>,
    /// `MAX_BITS × STATES` values of a unit Gaussian; the newest bit of a window is its lowest.
    values: Vec<f32>,
}

impl fmt::Debug for TrellisCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrellisCode of {} latents in {} bytes", self.width(), self.bytes())
    }
}

impl TrellisCode {
    /// Rows of a table of values, and values in a row.
    pub const TABLE: [usize; 2] = [MAX_BITS as usize, STATES];

    /// A code of exactly `bytes` bytes for rows like `latents` (n×k): means and deviations are
    /// theirs, bits go to the coordinates by their deviations.
    ///
    /// # Errors
    /// [`Error::Invalid`] without rows, with values that are not finite, or if `bytes` is 0 or
    /// more than eight bits for each coordinate.
    pub fn fit(latents: &Matrix, bytes: usize) -> Result<Self> {
        let mut code = Self::gaussian(latents, bytes)?;
        let step = latents.rows().div_ceil(SAMPLE);
        let sample: Vec<usize> = (0..latents.rows()).step_by(step).collect();
        for _ in 0..ROUNDS {
            code.refine(latents, &sample);
        }
        Ok(code)
    }

    /// As [`Self::fit`], with the values of a Gaussian as they are: sooner done.
    ///
    /// # Errors
    /// As [`Self::fit`].
    pub fn gaussian(latents: &Matrix, bytes: usize) -> Result<Self> {
        let (rows, width) = (latents.rows(), latents.cols());
        if rows == 0 || latents.data().iter().any(|v| !v.is_finite()) {
            return Err(Error::invalid(
                "trellis code",
                "needs at least one training row, and finite values only",
            ));
        }
        if bytes == 0 || bytes > width * usize::from(MAX_BITS) / 8 {
            return Err(Error::invalid(
                "trellis code",
                format!("{bytes} bytes for {width} latents are not possible; choose 1 to {width}"),
            ));
        }
        let means = column_means(latents);
        let deviations = column_deviations(latents, &means);
        let tables = unit_tables();
        let emphasised: Vec<f32> = deviations.iter().map(|d| d.powf(EMPHASIS)).collect();
        let bits = allocate(&emphasised, 8 * bytes, &tables.distortions);
        let means = means.iter().map(|m| *m as f32).collect();
        Ok(Self { means, deviations, bits, values: tables.values.clone() })
    }

    /// Moves each value to the mean of what it stands for in the given rows, each coordinate
    /// weighed by its variance: Lloyd's iteration, from the values of a Gaussian to those of these
    /// latents.
    fn refine(&mut self, latents: &Matrix, rows: &[usize]) {
        let order = self.order();
        let stages: Vec<Stage<'_>> = order.iter().map(|i| self.stage(*i)).collect();
        let parts = map_blocks(rows.len(), 16 * BLOCK, |block| {
            let mut sums = vec![[0.0f64; 2]; self.values.len()];
            self.each_path(&order, &stages, latents, &rows[block], |row, windows| {
                for ((stage, x), window) in stages.iter().zip(row).zip(windows) {
                    let at = (usize::from(stage.bits) - 1) * STATES + usize::from(*window);
                    let [sum, weight] = &mut sums[at];
                    *sum += f64::from(stage.scale) * f64::from(x - stage.mean);
                    *weight += f64::from(stage.scale).powi(2);
                }
            });
            sums
        });
        for (i, value) in self.values.iter_mut().enumerate() {
            let [sum, weight] = parts.iter().fold([0.0; 2], |[s, w], part| {
                let [sum, weight] = part[i];
                [s + sum, w + weight]
            });
            // What no row uses, or only coordinates without any deviation, stays as it is.
            if weight > 0.0 && (sum / weight).is_finite() {
                *value = (sum / weight) as f32;
            }
        }
    }

    /// Tells `f` the best path of each of the given rows: its values in the order of the code, and
    /// their windows.
    fn each_path(
        &self,
        order: &[usize],
        stages: &[Stage<'_>],
        latents: &Matrix,
        rows: &[usize],
        mut f: impl FnMut(&[f32], &[u8]),
    ) {
        let (mut paths, mut windows) = (Paths::default(), vec![0; stages.len()]);
        let mut ordered = vec![0.0; stages.len()];
        for row in rows {
            let row = latents.row(*row);
            ordered.iter_mut().zip(order).for_each(|(v, i)| *v = row[*i]);
            paths.best(stages, &ordered, &mut windows);
            f(&ordered, &windows);
        }
    }

    /// A code from its parts, as a file holds them: mean, deviation and bits of each latent, and
    /// the values of the windows ([`Self::TABLE`]).
    ///
    /// # Errors
    /// [`Error::Invalid`] if they do not fit together, are not finite, or the bits are no whole
    /// bytes.
    pub fn from_parts(
        means: Vec<f32>,
        deviations: Vec<f32>,
        bits: Vec<u8>,
        values: Vec<f32>,
    ) -> Result<Self> {
        let refuse = |message: &str| Err(Error::invalid("trellis code", message));
        if means.len() != bits.len() || deviations.len() != bits.len() {
            return refuse("means, deviations and bits are not of the same number");
        }
        if values.len() != Self::TABLE[0] * Self::TABLE[1] {
            return refuse("its table of values is of another size");
        }
        if means.iter().chain(&deviations).chain(&values).any(|v| !v.is_finite()) {
            return refuse("holds values that are not finite");
        }
        let total: usize = bits.iter().map(|b| usize::from(*b)).sum();
        if bits.iter().any(|b| *b > MAX_BITS) || total == 0 || !total.is_multiple_of(8) {
            return refuse("its bits are no whole bytes, or more than eight for a latent");
        }
        Ok(Self { means, deviations, bits, values })
    }

    /// Latents in a row.
    pub fn width(&self) -> usize {
        self.bits.len()
    }

    /// Bytes of a row.
    pub fn bytes(&self) -> usize {
        self.bits.iter().map(|b| usize::from(*b)).sum::<usize>() / 8
    }

    /// Mean of each latent.
    pub fn means(&self) -> &[f32] {
        &self.means
    }

    /// Deviation of each latent.
    pub fn deviations(&self) -> &[f32] {
        &self.deviations
    }

    /// Bits of each latent.
    pub fn bits(&self) -> &[u8] {
        &self.bits
    }

    /// The values of the windows, [`Self::TABLE`].
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Bytes of the numbers that packing and unpacking need.
    pub fn model_bytes(&self) -> u64 {
        4 * (self.means.len() + self.deviations.len() + self.values.len()) as u64
            + self.bits.len() as u64
    }

    /// For each latent the mean squared error of its deviation that is left on a unit Gaussian.
    pub fn distortions(&self) -> Vec<f64> {
        self.bits.iter().map(|b| unit_tables().distortions[usize::from(*b)]).collect()
    }

    /// The rows of `latents` as codes, one after the other. One row alone gets the same bytes as
    /// among others.
    ///
    /// # Errors
    /// [`Error::Invalid`] if they have another width.
    pub fn pack(&self, latents: &Matrix) -> Result<Vec<u8>> {
        expect_width("trellis code", latents, self.width())?;
        let order = self.order();
        let stages: Vec<Stage<'_>> = order.iter().map(|i| self.stage(*i)).collect();
        let parts = map_blocks(latents.rows(), BLOCK, |rows| {
            let mut writer = BitWriter::with_capacity(rows.len() * self.bytes());
            let rows: Vec<usize> = rows.collect();
            self.each_path(&order, &stages, latents, &rows, |_, windows| {
                for (stage, window) in stages.iter().zip(windows) {
                    // Oldest bit first, which is the lowest of what is written.
                    writer.write(window.reverse_bits() >> (8 - stage.bits), stage.bits);
                }
            });
            writer.into_bytes()
        });
        Ok(parts.concat())
    }

    /// The rows that codes stand for.
    ///
    /// # Errors
    /// [`Error::Format`] if the bytes are not whole rows.
    pub fn unpack(&self, codes: &[u8]) -> Result<Matrix> {
        let rows = expect_whole("trellis code", codes, self.bytes())?;
        let layout = self.layout();
        let mut latents = Matrix::zeros(rows, self.width());
        for (row, code) in codes.chunks_exact(self.bytes()).enumerate() {
            layout.unpack(code, latents.row_mut(row));
        }
        Ok(latents)
    }

    /// How codes are read without knowing the path.
    pub fn layout(&self) -> TrellisLayout {
        TrellisLayout::new(self, &self.order())
    }

    /// The latents that have bits, in the order of the code: the least deviation first, so that
    /// the few branches at the beginning of a path cost little; of equals the first.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.width()).filter(|i| self.bits[*i] > 0).collect();
        order.sort_by(|a, b| self.deviations[*a].total_cmp(&self.deviations[*b]));
        order
    }

    fn stage(&self, latent: usize) -> Stage<'_> {
        let bits = self.bits[latent];
        let table = usize::from(bits) - 1;
        Stage {
            bits,
            scale: self.deviations[latent],
            mean: self.means[latent],
            values: &self.values[table * STATES..(table + 1) * STATES],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(rows: usize, width: usize) -> Matrix {
        Matrix::from_fn(rows, width, |r, c| {
            let noise = ((r * 7919 + c * 104_729) as f32 * 0.618).sin();
            0.2 + (noise + 0.3 * (r as f32).cos()) / (1.0 + c as f32)
        })
    }

    #[test]
    fn keeps_to_its_bytes_and_beats_one_level_for_each_value() {
        let rows = sample(300, 24);
        for bytes in [1, 3, 6, 12, 24] {
            let code = TrellisCode::fit(&rows, bytes).unwrap();
            assert_eq!(code.bytes(), bytes);
            let packed = code.pack(&rows).unwrap();
            assert_eq!(packed.len(), 300 * bytes);
            let back = code.unpack(&packed).unwrap();
            let error: f32 =
                rows.data().iter().zip(back.data()).map(|(a, b)| (a - b).powi(2)).sum();
            let spread: f32 = code.deviations().iter().map(|d| 300.0 * d * d).sum();
            assert!(error < spread * 0.8, "{bytes} bytes: {error} of {spread}");
            // A row alone, and what was unpacked: the same codes.
            let one = rows.slice_rows(7, 8);
            assert_eq!(code.pack(&one).unwrap(), packed[7 * bytes..8 * bytes]);
        }
    }

    #[test]
    fn bad_input() {
        let rows = sample(10, 6);
        assert!(TrellisCode::fit(&rows, 0).is_err());
        assert!(TrellisCode::fit(&rows, 7).is_err());
        assert!(TrellisCode::fit(&Matrix::zeros(0, 6), 2).is_err());
        let mut wild = rows.clone();
        wild.data_mut()[3] = f32::NAN;
        assert!(TrellisCode::fit(&wild, 2).is_err());
        let code = TrellisCode::fit(&rows, 2).unwrap();
        assert!(code.pack(&sample(2, 5)).is_err());
        assert!(code.unpack(&[0; 3]).is_err());
        // Values that are not finite get some code, and do no harm to other rows.
        let packed = code.pack(&wild).unwrap();
        assert_eq!(packed[2..], code.pack(&rows).unwrap()[2..]);
        let parts = |bits: Vec<u8>| {
            TrellisCode::from_parts(vec![0.0; 2], vec![1.0; 2], bits, code.values().to_vec())
        };
        assert!(parts(vec![4, 4]).is_ok());
        for bits in [vec![4, 3], vec![0, 0], vec![9, 7], vec![8]] {
            assert!(parts(bits).is_err());
        }
    }

    #[test]
    fn constant_coordinates_get_no_harm() {
        let rows = Matrix::from_fn(40, 5, |r, c| if c == 2 { 0.7 } else { (r * c) as f32 });
        let code = TrellisCode::fit(&rows, 5).unwrap();
        let back = code.unpack(&code.pack(&rows).unwrap()).unwrap();
        assert!(back.iter_rows().all(|row| row[2] == 0.7 && row[0] == 0.0));
    }

    proptest! {
        #[test]
        fn any_bytes_unpack_to_finite_rows(codes in prop::collection::vec(any::<u8>(), 0..40)) {
            let code = TrellisCode::fit(&sample(30, 9), 4).unwrap();
            let whole = codes.len() / 4 * 4;
            let rows = code.unpack(&codes[..whole]).unwrap();
            prop_assert!(rows.data().iter().all(|v| v.is_finite()));
        }
    }
}
