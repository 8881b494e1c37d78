//! Search over documents that lie as codes: queries in full precision, documents as they are
//! stored.

use super::{TrellisCode, expect_whole, expect_width};
use crate::device::{Device, Tensor};
use crate::error::Result;
use crate::kernels::code_scores::{CodePlan, STATES, TABLES, code_scores};
use crate::linalg::unit_rows;
use crate::matrix::Matrix;

/// A code made ready to be searched on a device.
#[derive(Debug)]
pub struct CodeSearch {
    device: Device,
    plan: CodePlan,
    /// The latents that have bits, in the order of the code.
    latents: Vec<usize>,
    /// What every document has alike: the means of the latents without bits, 0 for the others.
    alike: Vec<f32>,
}

/// Queries on the device.
#[derive(Debug)]
pub struct Queries {
    tensor: Tensor,
    count: usize,
}

impl CodeSearch {
    /// For codes of `code`, on `device`.
    ///
    /// # Errors
    /// What the device reports.
    pub fn new(device: &Device, code: &TrellisCode) -> Result<Self> {
        let layout = code.layout();
        let latents: Vec<usize> = layout.latents.iter().map(|i| *i as usize).collect();
        let mut alike = layout.means.clone();
        latents.iter().for_each(|i| alike[*i] = 0.0);
        let words: Vec<u32> = (0..latents.len())
            .flat_map(|i| {
                let mean = layout.means[latents[i]];
                [layout.ends[i], layout.tables[i], layout.scales[i].to_bits(), mean.to_bits()]
            })
            .collect();
        let mut steps = device.zeros(1, words.len())?;
        device.write_words(&mut steps, &words)?;
        let values = device.upload(1, TABLES * STATES, &layout.values)?;
        let rest = alike.iter().map(|v| v * v).sum();
        let plan = CodePlan { bytes: layout.bytes, steps, values, rest };
        Ok(Self { device: device.clone(), plan, latents, alike })
    }

    /// Bytes of a document.
    pub fn bytes(&self) -> usize {
        self.plan.bytes
    }

    /// Latents of queries (m×k) in the form that [`Self::scores`] takes.
    ///
    /// # Errors
    /// [`crate::Error::Invalid`] for another width, and what the device reports.
    pub fn queries(&self, latents: &Matrix) -> Result<Queries> {
        expect_width("search", latents, self.alike.len())?;
        let unit = unit_rows(latents);
        let mut values = Vec::with_capacity(unit.rows() * (self.latents.len() + 1));
        for row in unit.iter_rows() {
            values.extend(self.latents.iter().map(|latent| row[*latent]));
            values.push(row.iter().zip(&self.alike).map(|(a, b)| a * b).sum());
        }
        let tensor = self.device.upload(1, values.len(), &values)?;
        Ok(Queries { tensor, count: unit.rows() })
    }

    /// Cosines of the documents `codes` with the queries: documents × queries.
    ///
    /// # Errors
    /// [`crate::Error::Format`] if the bytes are no whole documents, and what the device reports.
    pub async fn scores(&self, queries: &Queries, codes: &[u8]) -> Result<Matrix> {
        let documents = expect_whole("search", codes, self.bytes())?;
        let row_words = self.bytes().div_ceil(4);
        let mut words = vec![0u32; documents * row_words];
        let rows = bytemuck::cast_slice_mut::<u32, u8>(&mut words).chunks_exact_mut(4 * row_words);
        for (row, code) in rows.zip(codes.chunks_exact(self.bytes())) {
            row[..code.len()].copy_from_slice(code);
        }
        let mut stored = self.device.zeros(documents, row_words)?;
        self.device.write_words(&mut stored, &words)?;
        let mut scores = self.device.zeros(documents, queries.count)?;
        code_scores(&self.device, &self.plan, &queries.tensor, &stored, &mut scores)?;
        self.device.read_matrix(&scores).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_cosines_with_what_is_unpacked() {
        let rows = Matrix::from_fn(70, 13, |r, c| {
            0.1 + ((r * 31 + c * 17) as f32 * 0.7).sin() / (1.0 + c as f32).powi(2)
        });
        for bytes in [1, 5, 9] {
            let code = TrellisCode::fit(&rows, bytes).unwrap();
            let packed = code.pack(&rows).unwrap();
            let search = CodeSearch::new(&Device::cpu(), &code).unwrap();
            let queries = rows.slice_rows(3, 14);
            let prepared = search.queries(&queries).unwrap();
            let scores = pollster::block_on(search.scores(&prepared, &packed)).unwrap();
            let (unit, documents) =
                (unit_rows(&queries), unit_rows(&code.unpack(&packed).unwrap()));
            for (document, scores) in documents.iter_rows().zip(scores.iter_rows()) {
                for (query, score) in unit.iter_rows().zip(scores) {
                    let want: f32 = query.iter().zip(document).map(|(a, b)| a * b).sum();
                    assert!((want - score).abs() < 1e-5, "{bytes}: {want} {score}");
                }
            }
            assert!(search.queries(&Matrix::zeros(1, 4)).is_err());
            let cut = &packed[..packed.len() - 1];
            assert!(bytes == 1 || pollster::block_on(search.scores(&prepared, cut)).is_err());
        }
    }
}
