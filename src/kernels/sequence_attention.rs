//! Multi-head self-attention over sequences of different lengths, forward only.

use pulp::{Simd, WithSimd};

use crate::device::{
    Device, Dispatch, Gpu, LANES, Tensor, Words, grid, only, par_parts, sums, word,
};
use crate::error::{Error, Result};
use crate::kernels::activation::exp_negative;
use crate::kernels::attention::{check_heads, whole};
use crate::kernels::{Sequences, expect_shape};

/// Tokens of the longest sequence that the GPU's side takes: its scores stand in the memory of a
/// workgroup.
pub const LONGEST: usize = 1024;

/// Scaled dot-product attention, `out = softmax(q · kᵀ / √head) · v` for every head, each token
/// with the tokens of its own sequence.
///
/// `qkv` is `tokens × 3·width`: q, then k, then v, each head after head; `out` is
/// `tokens × width`. Nothing is kept for a backward pass.
///
/// # Errors
/// [`Error::Shape`] if the heads do not divide the width, a tensor has another shape, a sequence
/// is longer than [`LONGEST`] or the tokens take more than one buffer of the GPU; and what the
/// device reports.
pub fn sequence_attention(
    device: &Device,
    qkv: &Tensor,
    heads: usize,
    sequences: &Sequences,
    out: &mut Tensor,
) -> Result<()> {
    let width = check_heads("sequence_attention", qkv, heads, 1)?;
    let tokens = sequences.tokens();
    expect_shape("sequence_attention", "qkv", qkv, tokens, 3 * width)?;
    expect_shape("sequence_attention", "out", out, tokens, width)?;
    if sequences.longest() > LONGEST {
        let message = format!("{} tokens in a sequence, {LONGEST} at most", sequences.longest());
        return Err(Error::Shape { kernel: "sequence_attention", message });
    }
    match device {
        Device::Cpu(_) => {
            on_cpu(qkv, heads, sequences, out);
            Ok(())
        }
        Device::Gpu(gpu) => on_gpu(gpu, qkv, heads, sequences, out),
    }
}

fn on_gpu(
    gpu: &Gpu,
    qkv: &Tensor,
    heads: usize,
    sequences: &Sequences,
    out: &mut Tensor,
) -> Result<()> {
    let width = out.cols();
    let head = width / heads;
    let whole = whole("sequence_attention", &[qkv, out])?;
    gpu.run(&Dispatch {
        shader: "sequence_attention",
        variant: 0,
        params: &[
            word(qkv.rows()),
            word(width),
            word(heads),
            word(head),
            (1.0 / (head as f32).sqrt()).to_bits(),
        ],
        reads: &[whole.of(qkv).0, only(sequences.starts()), only(sequences.members())],
        writes: &[whole.of(out).0],
        groups: grid(qkv.rows() * heads),
    })
}

/// Tokens whose outputs one core computes at a time. For each such piece the keys and values of
/// the sequence are laid out anew.
const PIECE: usize = 64;
/// Tokens whose scores are computed together: each key and value is loaded once for all of them.
const ROWS: usize = 6;

/// Some tokens of one sequence.
#[derive(Clone, Copy)]
struct Piece {
    /// The first token of the sequence.
    start: usize,
    /// Tokens of the sequence.
    length: usize,
    /// The first token of the piece.
    first: usize,
}

fn on_cpu(qkv: &Tensor, heads: usize, sequences: &Sequences, out: &mut Tensor) {
    let width = out.cols();
    let (mut pieces, mut sizes) = (Vec::new(), Vec::new());
    for ends in sequences.offsets().windows(2) {
        for first in (ends[0]..ends[1]).step_by(PIECE) {
            pieces.push(Piece { start: ends[0], length: ends[1] - ends[0], first });
            sizes.push(PIECE.min(ends[1] - first) * width);
        }
    }
    let shape = Shape::new(width, heads, sequences.longest());
    let qkv = qkv.host();
    par_parts(
        out.host_mut(),
        &sizes,
        || shape.room(),
        |room, i, out| {
            let piece = pieces[i];
            pulp::Arch::new().dispatch(Attend { shape, qkv, piece, room, out });
        },
    );
}

/// What the loops are over. Heads and sequences are filled up to whole [`LANES`] with zeros.
#[derive(Clone, Copy)]
struct Shape {
    width: usize,
    heads: usize,
    head: usize,
    head_lanes: usize,
    scale: f32,
    longest: usize,
}

/// One head's keys (a row for each value of the head), values (a row a token), and the scores of
/// [`ROWS`] tokens.
struct Room {
    keys: Words,
    values: Words,
    scores: Words,
}

impl Shape {
    fn new(width: usize, heads: usize, longest: usize) -> Self {
        let head = width / heads;
        let scale = 1.0 / (head as f32).sqrt();
        Self { width, heads, head, head_lanes: head.next_multiple_of(LANES), scale, longest }
    }

    fn room(&self) -> Room {
        let lanes = self.longest.next_multiple_of(LANES);
        let zeros = |len: usize| {
            let mut words = Words::default();
            words.resize(len);
            words
        };
        Room {
            keys: zeros(self.head * lanes),
            values: zeros(self.longest * self.head_lanes),
            scores: zeros(ROWS * lanes),
        }
    }
}

/// Every head of the tokens of a piece.
struct Attend<'a> {
    shape: Shape,
    qkv: &'a [f32],
    piece: Piece,
    room: &'a mut Room,
    out: &'a mut [f32],
}

impl WithSimd for Attend<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Attend { shape, qkv, piece, room, out } = self;
        let Shape { width, heads, head, .. } = shape;
        let count = out.len() / width;
        for h in 0..heads {
            let part = |token: usize, which: usize| {
                let at = token * 3 * width + which * width + h * head;
                &qkv[at..at + head]
            };
            lay_out(&shape, piece, room, part);
            for row in (0..count).step_by(ROWS) {
                // The last query stands in for those that are missing.
                let q = |r: usize| part(piece.first + (row + r).min(count - 1), 0);
                let out = &mut out[row * width..];
                let q = std::array::from_fn(q);
                attend_rows(simd, &shape, piece.length, room, q, h, out);
            }
        }
    }
}

/// Copies a head's keys, transposed, and values of all tokens of the sequence.
#[inline(always)]
fn lay_out<'a>(
    shape: &Shape,
    piece: Piece,
    room: &mut Room,
    part: impl Fn(usize, usize) -> &'a [f32],
) {
    let lanes = piece.length.next_multiple_of(LANES);
    for t in 0..piece.length {
        for (i, k) in part(piece.start + t, 1).iter().enumerate() {
            room.keys[i * lanes + t] = *k;
        }
        let at = t * shape.head_lanes;
        room.values[at..at + shape.head].copy_from_slice(part(piece.start + t, 2));
    }
    // What an earlier, longer sequence left there would be harmless but for NaN and infinity.
    for row in room.keys[..shape.head * lanes].chunks_exact_mut(lanes) {
        row[piece.length..].fill(0.0);
    }
}

/// The outputs of one head for the queries `q`, as far as `out` has rows.
#[inline(always)]
fn attend_rows<S: Simd>(
    simd: S,
    shape: &Shape,
    length: usize,
    room: &mut Room,
    q: [&[f32]; ROWS],
    h: usize,
    out: &mut [f32],
) {
    let lanes = length.next_multiple_of(LANES);
    let scores = &mut room.scores[..ROWS * lanes];
    score(simd, shape, &room.keys[..shape.head * lanes], q, scores);
    let mut shares = [0.0; ROWS];
    for (row, share) in scores.chunks_exact_mut(lanes).zip(&mut shares) {
        *share = 1.0 / soften(simd, row, length);
    }
    let scores: [&[f32]; ROWS] = std::array::from_fn(|r| &scores[r * lanes..][..length]);
    let (values, _) = S::as_simd_f32s(&room.values[..length * shape.head_lanes]);
    let vectors = shape.head_lanes / S::F32_LANES;
    for v in 0..shape.head.div_ceil(S::F32_LANES) {
        let mut sums = [simd.splat_f32s(0.0); ROWS];
        for t in 0..length {
            let values = values[t * vectors + v];
            for (sum, p) in sums.iter_mut().zip(scores) {
                *sum = simd.mul_add_e_f32s(simd.splat_f32s(p[t]), values, *sum);
            }
        }
        let (first, end) = (v * S::F32_LANES, shape.head.min((v + 1) * S::F32_LANES));
        let places = h * shape.head + first..h * shape.head + end;
        for ((out, sum), share) in out.chunks_mut(shape.width).zip(sums).zip(shares) {
            let sum = simd.mul_f32s(simd.splat_f32s(share), sum);
            store(simd, sum, &mut out[places.clone()]);
        }
    }
}

/// The scaled products of queries with all keys.
#[inline(always)]
fn score<S: Simd>(simd: S, shape: &Shape, keys: &[f32], q: [&[f32]; ROWS], scores: &mut [f32]) {
    let q = q.map(|q| &q[..shape.head]);
    let ((keys, _), (scores, _)) = (S::as_simd_f32s(keys), S::as_mut_simd_f32s(scores));
    let vectors = scores.len() / ROWS;
    for v in 0..vectors {
        let mut sums = [simd.splat_f32s(0.0); ROWS];
        for i in 0..shape.head {
            let keys = keys[i * vectors + v];
            for (sum, q) in sums.iter_mut().zip(q) {
                *sum = simd.mul_add_e_f32s(simd.splat_f32s(q[i]), keys, *sum);
            }
        }
        for (scores, sum) in scores.chunks_exact_mut(vectors).zip(sums) {
            scores[v] = simd.mul_f32s(simd.splat_f32s(shape.scale), sum);
        }
    }
}

/// Writes the values of a vector, as many as `out` takes.
#[inline(always)]
fn store<S: Simd>(_: S, vector: S::f32s, out: &mut [f32]) {
    match S::as_mut_simd_f32s(out).0 {
        [whole] => *whole = vector,
        _ => {
            let mut values = [0.0; LANES];
            S::as_mut_simd_f32s(&mut values).0[0] = vector;
            out.copy_from_slice(&values[..out.len()]);
        }
    }
}

/// Replaces scores by `e^(score − largest)`, those beyond `length` by zero, and returns their sum.
#[inline(always)]
fn soften<S: Simd>(simd: S, scores: &mut [f32], length: usize) -> f32 {
    scores[length..].fill(f32::NEG_INFINITY);
    let (vectors, _) = S::as_simd_f32s(scores);
    let none = simd.splat_f32s(f32::NEG_INFINITY);
    let largest = vectors.iter().fold(none, |largest, v| simd.max_f32s(largest, *v));
    let largest = simd.reduce_max_f32s(largest);
    scores.iter_mut().for_each(|s| *s = exp_negative(*s - largest));
    scores[length..].fill(0.0);
    sums(
        scores,
        scores,
        #[inline(always)]
        |s, _| [s],
    )[0]
}
