//! Cosines of queries with documents that lie as codes of a trellis, which are not unpacked to
//! memory.

use crate::device::{
    Device, Dispatch, Gpu, Tensor, cut_rows, dot, grid, only, par_rows, vectorised, word,
};
use crate::error::Result;
use crate::kernels::expect_shape;

/// Windows of eight bits, and tables of values for them.
pub const STATES: usize = 256;
/// One table for each number of bits of a coordinate.
pub const TABLES: usize = 8;
/// Queries of one dispatch.
const QUERIES: usize = 8;

/// How codes are read.
#[derive(Debug)]
pub struct CodePlan {
    /// Bytes of a code.
    pub bytes: usize,
    /// `1 × 4 coordinates` words: the bits of the code up to the coordinate's own last one, the table,
    /// and as `f32` the scale and the mean.
    pub steps: Tensor,
    /// `1 × TABLES · STATES` values.
    pub values: Tensor,
    /// Squared length of what every document has alike.
    pub rest: f32,
}

impl CodePlan {
    /// Coordinates that have bits.
    pub fn coordinates(&self) -> usize {
        self.steps.cols() / 4
    }
}

/// `scores` (documents × queries) of `codes` (documents × words, four bytes a word, the first byte
/// lowest) against `queries` (1 × queries · (coordinates + 1), each of unit length over all latents: their
/// values in the order of the plan, then the product with what every document has alike): the
/// cosine of each query with `mean + scale · values[window]` of each document, where the window is
/// the eight bits of the code before a coordinate's end.
///
/// # Errors
/// [`crate::Error::Shape`], and what the device reports.
pub fn code_scores(
    device: &Device,
    plan: &CodePlan,
    queries: &Tensor,
    codes: &Tensor,
    scores: &mut Tensor,
) -> Result<()> {
    let (coordinates, count) = (plan.coordinates(), scores.cols());
    expect_shape("code_scores", "steps", &plan.steps, 1, 4 * coordinates)?;
    expect_shape("code_scores", "values", &plan.values, 1, TABLES * STATES)?;
    expect_shape("code_scores", "queries", queries, 1, count * (coordinates + 1))?;
    expect_shape("code_scores", "codes", codes, codes.rows(), plan.bytes.div_ceil(4))?;
    expect_shape("code_scores", "scores", scores, codes.rows(), count)?;
    match device {
        Device::Cpu(_) => {
            on_cpu(plan, queries, codes, scores);
            Ok(())
        }
        Device::Gpu(gpu) => on_gpu(gpu, plan, queries, codes, scores),
    }
}

fn on_cpu(plan: &CodePlan, queries: &Tensor, codes: &Tensor, scores: &mut Tensor) {
    let (count, words) = (scores.cols(), codes.cols());
    let (coordinates, all) = (plan.coordinates(), queries.host());
    let (steps, values) = (plan.steps.host(), plan.values.host());
    // Not the plan itself: tensors of a browser cannot be shared by threads.
    let (bytes, rest) = (plan.bytes, plan.rest);
    let codes: &[u8] = bytemuck::cast_slice(codes.host());
    par_rows(scores.host_mut(), count, |first, scores| {
        let mut document = vec![0.0f32; coordinates + 1];
        document[coordinates] = 1.0;
        for (i, scores) in scores.chunks_exact_mut(count).enumerate() {
            let code = &codes[4 * words * (first + i)..][..bytes];
            read(steps, values, code, &mut document[..coordinates]);
            vectorised(
                #[inline(always)]
                || {
                    let own = &document[..coordinates];
                    let square = dot(own, own) + rest;
                    let scale = if square == 0.0 { 0.0 } else { 1.0 / square.sqrt() };
                    let queries = all.chunks_exact(coordinates + 1);
                    for (score, query) in scores.iter_mut().zip(queries) {
                        *score = scale * dot(query, &document);
                    }
                },
            );
        }
    });
}

/// The values of one document.
fn read(steps: &[f32], values: &[f32], code: &[u8], into: &mut [f32]) {
    for (value, step) in into.iter_mut().zip(steps.as_chunks::<4>().0) {
        let [end, table] = [step[0].to_bits() as usize, step[1].to_bits() as usize];
        let window = usize::from(window(code, end));
        *value = step[3] + step[2] * values[table * STATES + window];
    }
}

/// The eight bits of a code before bit `end`, the oldest lowest; before its beginning lie zeros.
pub(crate) fn window(code: &[u8], end: usize) -> u8 {
    let at = end / 8;
    let before = if at == 0 { 0 } else { code[at - 1] };
    let after = code.get(at).copied().unwrap_or(0);
    ((u16::from(after) << 8 | u16::from(before)) >> (end % 8)) as u8
}

fn on_gpu(
    gpu: &Gpu,
    plan: &CodePlan,
    queries: &Tensor,
    codes: &Tensor,
    scores: &mut Tensor,
) -> Result<()> {
    for rows in cut_rows(&[codes, scores], usize::MAX) {
        let ((codes_part, codes_at), (scores_part, scores_at)) = (rows.of(codes), rows.of(scores));
        for first in (0..scores.cols()).step_by(QUERIES) {
            gpu.run(&Dispatch {
                shader: "code_scores",
                variant: 0,
                params: &[
                    word(rows.count),
                    word(codes.cols()),
                    word(plan.bytes),
                    codes_at,
                    word(plan.coordinates()),
                    word(scores.cols()),
                    word(first),
                    scores_at,
                    plan.rest.to_bits(),
                ],
                reads: &[codes_part, only(&plan.steps), only(&plan.values), only(queries)],
                writes: &[scores_part],
                groups: grid(rows.count.div_ceil(64)),
            })?;
        }
    }
    Ok(())
}
