//! Rows of a table by their indices: the embeddings of tokens.

use crate::device::{Device, Dispatch, Gpu, Tensor, cut_rows, grid, only, par_rows, word};
use crate::error::Result;
use crate::kernels::pack::unpack_row;
use crate::kernels::weight::shader_variant;
use crate::kernels::{WeightRef, expect_shape};

/// `y_i = table[indices_i]` in f32: the table `rows × n` at any precision, indices `1 × m` words,
/// y `m × n`. Every index must be below the number of rows; the caller sees to that.
///
/// # Errors
/// [`crate::Error::Shape`], and what the device reports.
pub fn gather<'w>(
    device: &Device,
    table: impl Into<WeightRef<'w>>,
    indices: &Tensor,
    y: &mut Tensor,
) -> Result<()> {
    let table = table.into();
    let m = indices.cols();
    expect_shape("gather", "indices", indices, 1, m)?;
    expect_shape("gather", "y", y, m, table.inputs)?;
    match device {
        Device::Cpu(_) => {
            on_cpu(table, indices, y);
            Ok(())
        }
        Device::Gpu(gpu) => on_gpu(gpu, table, indices, y),
    }
}

fn on_gpu(gpu: &Gpu, table: WeightRef<'_>, indices: &Tensor, y: &mut Tensor) -> Result<()> {
    // A table in several buffers: each part writes the rows that it has.
    for part in cut_rows(&[table.words], usize::MAX) {
        let (words, words_at) = part.of(table.words);
        for rows in cut_rows(&[y], usize::MAX) {
            let (chunk, y_at) = rows.of(y);
            gpu.run(&Dispatch {
                shader: "gather",
                variant: shader_variant(table.precision),
                params: &[
                    word(rows.count),
                    word(table.inputs),
                    word(table.words.cols()),
                    words_at,
                    word(part.first),
                    word(part.count),
                    word(rows.first),
                    y_at,
                ],
                reads: &[words, table.scales.map_or(gpu.no_input(), only), only(indices)],
                writes: &[chunk],
                groups: grid(rows.count),
            })?;
        }
    }
    Ok(())
}

fn on_cpu(table: WeightRef<'_>, indices: &Tensor, y: &mut Tensor) {
    // Tensors stay out of the closure: in the browser they cannot be shared between threads.
    let (precision, per_row) = (table.precision, table.words.cols());
    let words = table.words.host_words();
    let scales = table.scales.map(Tensor::host);
    let indices = indices.host_words();
    par_rows(y.host_mut(), table.inputs, |first, y| {
        for (y, index) in y.chunks_exact_mut(table.inputs).zip(&indices[first..]) {
            let index = *index as usize;
            let scale = scales.map_or(1.0, |scales| scales[index]);
            unpack_row(precision, &words[index * per_row..(index + 1) * per_row], scale, y);
        }
    });
}
