//! How the codes of a trellis are read: for each latent where its window lies and what its values
//! are, in the form that kernels take.

use super::TrellisCode;
use crate::kernels::code_scores::{STATES, window};

/// Everything that reading a code needs.
#[derive(Clone, Debug, PartialEq)]
pub struct TrellisLayout {
    /// Bytes of a code.
    pub bytes: usize,
    /// The latents that have bits, in the order of the code.
    pub latents: Vec<u32>,
    /// For each of them the bits of the code up to its own last one: its window is the eight bits
    /// before that, the oldest lowest; before the code's beginning lie zeros.
    pub ends: Vec<u32>,
    /// For each of them its row of [`Self::values`].
    pub tables: Vec<u32>,
    /// For each of them its deviation.
    pub scales: Vec<f32>,
    /// Mean of every latent.
    pub means: Vec<f32>,
    /// [`TrellisCode::TABLE`] values by window.
    pub values: Vec<f32>,
}

impl TrellisLayout {
    pub(super) fn new(code: &TrellisCode, order: &[usize]) -> Self {
        let mut end = 0;
        let ends = order.iter().map(|i| {
            end += u32::from(code.bits[*i]);
            end
        });
        // Codes hold the oldest bit lowest, since bytes are filled from their lowest bit.
        let values = code.values.chunks_exact(STATES).flat_map(|row| {
            (0..STATES).map(|window| row[usize::from((window as u8).reverse_bits())])
        });
        Self {
            bytes: code.bytes(),
            ends: ends.collect(),
            latents: order.iter().map(|i| *i as u32).collect(),
            tables: order.iter().map(|i| u32::from(code.bits[*i]) - 1).collect(),
            scales: order.iter().map(|i| code.deviations[*i]).collect(),
            means: code.means.clone(),
            values: values.collect(),
        }
    }

    /// The row that a code stands for, as wide as [`Self::means`].
    pub fn unpack(&self, code: &[u8], row: &mut [f32]) {
        row.copy_from_slice(&self.means);
        let latents = self.latents.iter().zip(&self.ends).zip(&self.tables).zip(&self.scales);
        for (((latent, end), table), scale) in latents {
            let window = usize::from(window(code, *end as usize));
            row[*latent as usize] += scale * self.values[*table as usize * STATES + window];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_by_hand() {
        let code = [0b1010_0110, 0b0011_0101];
        assert_eq!(window(&code, 3), 0b1100_0000);
        assert_eq!(window(&code, 8), 0b1010_0110);
        assert_eq!(window(&code, 11), 0b1011_0100);
        assert_eq!(window(&code, 16), 0b0011_0101);
    }
}
