//! Multi-head self-attention over sequences of different lengths, forward only.

use crate::device::{
    Device, Dispatch, Gpu, LANES, Tensor, Words, grid, only, par_parts, sums, vectorised, word,
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
const ROWS: usize = 4;

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
            vectorised(
                #[inline(always)]
                || attend(&shape, qkv, pieces[i], room, out),
            )
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
#[inline(always)]
fn attend(shape: &Shape, qkv: &[f32], piece: Piece, room: &mut Room, out: &mut [f32]) {
    let Shape { width, heads, head, .. } = *shape;
    let triple = 3 * width;
    let count = out.len() / width;
    for h in 0..heads {
        let part = |token: usize, which: usize| {
            let at = token * triple + which * width + h * head;
            &qkv[at..at + head]
        };
        lay_out(shape, piece, room, part);
        let mut row = 0;
        while row < count {
            let q = |r: usize| part(piece.first + row + r, 0);
            let out = &mut out[row * width..];
            if row + ROWS <= count {
                let q: [&[f32]; ROWS] = std::array::from_fn(q);
                attend_rows(shape, piece.length, room, q, h, out);
                row += ROWS;
            } else {
                attend_rows(shape, piece.length, room, [q(0)], h, out);
                row += 1;
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

/// The outputs of one head for `R` tokens with the queries `q`.
#[inline(always)]
fn attend_rows<const R: usize>(
    shape: &Shape,
    length: usize,
    room: &mut Room,
    q: [&[f32]; R],
    h: usize,
    out: &mut [f32],
) {
    let lanes = length.next_multiple_of(LANES);
    let scores = &mut room.scores[..R * lanes];
    for at in (0..lanes).step_by(LANES) {
        let mut sums = [[0.0f32; LANES]; R];
        for i in 0..shape.head {
            let keys = room.keys[i * lanes + at..].first_chunk::<LANES>().expect("whole lanes");
            for (sum, q) in sums.iter_mut().zip(q) {
                let q = q[i];
                for (s, k) in sum.iter_mut().zip(keys) {
                    *s += q * k;
                }
            }
        }
        for (r, sum) in sums.iter().enumerate() {
            for (score, s) in scores[r * lanes + at..].iter_mut().zip(sum) {
                *score = shape.scale * s;
            }
        }
    }
    let mut shares = [0.0; R];
    for (row, share) in scores.chunks_exact_mut(lanes).zip(&mut shares) {
        *share = 1.0 / soften(row, length);
    }
    for at in (0..shape.head_lanes).step_by(LANES) {
        let mut sums = [[0.0f32; LANES]; R];
        for t in 0..length {
            let values = room.values[t * shape.head_lanes + at..].first_chunk::<LANES>();
            let values = values.expect("whole lanes");
            for (r, sum) in sums.iter_mut().enumerate() {
                let p = scores[r * lanes + t];
                for (s, v) in sum.iter_mut().zip(values) {
                    *s += p * v;
                }
            }
        }
        let here = LANES.min(shape.head - at);
        for (r, (sum, share)) in sums.iter().zip(shares).enumerate() {
            let start = r * shape.width + h * shape.head + at;
            for (out, s) in out[start..start + here].iter_mut().zip(sum) {
                *out = s * share;
            }
        }
    }
}

/// Replaces scores by `e^(score − largest)`, those beyond `length` by zero, and returns their sum.
#[inline(always)]
fn soften(scores: &mut [f32], length: usize) -> f32 {
    let largest = scores[..length].iter().fold(f32::NEG_INFINITY, |a, s| a.max(*s));
    for s in scores.iter_mut() {
        // A score beyond the length is zero, which may be the larger.
        *s = exp_negative((*s - largest).min(0.0));
    }
    scores[length..].fill(0.0);
    sums(
        scores,
        scores,
        #[inline(always)]
        |s, _| [s],
    )[0]
}
