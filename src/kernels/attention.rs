//! Multi-head self-attention over short sequences, forward.

use crate::device::{Device, Dispatch, Gpu, Rows, Tensor, cut_rows, grid, par_rows2, word};
use crate::error::{Error, Result};
use crate::kernels::expect_shape;

/// Scaled dot-product attention, `out = softmax(q · kᵀ / √head) · v` for every head.
///
/// `qkv` is `tokens × 3·width`: q, then k, then v, each head after head. Consecutive runs of
/// `sequence` tokens attend to one another. `out` is `tokens × width`; `probabilities`
/// (`tokens × heads·sequence`) keeps the softmax for the backward pass.
///
/// # Errors
/// [`Error::Shape`] if the heads do not divide the width, the sequence does not divide the
/// tokens, or a tensor has another shape; and what the device reports.
pub fn attention(
    device: &Device,
    qkv: &Tensor,
    heads: usize,
    sequence: usize,
    probabilities: &mut Tensor,
    out: &mut Tensor,
) -> Result<()> {
    let width = check_heads("attention", qkv, heads, sequence)?;
    let tokens = qkv.rows();
    expect_shape("attention", "probabilities", probabilities, tokens, heads * sequence)?;
    expect_shape("attention", "out", out, tokens, width)?;
    match device {
        Device::Cpu(_) => {
            on_cpu(qkv, heads, sequence, probabilities, out);
            Ok(())
        }
        Device::Gpu(gpu) => on_gpu(gpu, qkv, heads, sequence, probabilities, out),
    }
}

/// The width of one of q, k and v.
pub(crate) fn check_heads(
    kernel: &'static str,
    qkv: &Tensor,
    heads: usize,
    sequence: usize,
) -> Result<usize> {
    let (tokens, triple) = qkv.shape();
    if heads == 0
        || sequence == 0
        || !triple.is_multiple_of(3 * heads)
        || !tokens.is_multiple_of(sequence)
    {
        return Err(Error::Shape {
            kernel,
            message: format!(
                "qkv is {tokens} × {triple}, which {heads} heads and sequences of {sequence} \
                 tokens do not divide"
            ),
        });
    }
    Ok(triple / 3)
}

fn on_gpu(
    gpu: &Gpu,
    qkv: &Tensor,
    heads: usize,
    sequence: usize,
    probabilities: &mut Tensor,
    out: &mut Tensor,
) -> Result<()> {
    let width = out.cols();
    let head = width / heads;
    let whole = whole("attention", &[qkv, probabilities, out])?;
    gpu.run(&Dispatch {
        shader: "attention",
        variant: 0,
        params: &[
            word(qkv.rows()),
            word(width),
            word(heads),
            word(head),
            word(sequence),
            (1.0 / (head as f32).sqrt()).to_bits(),
        ],
        reads: &[whole.of(qkv).0],
        writes: &[whole.of(probabilities).0, whole.of(out).0],
        groups: grid(qkv.rows() * heads),
    })
}

/// All rows at once: attention needs its sequences whole, and a batch that must be split over
/// several buffers would cut them.
pub(crate) fn whole(kernel: &'static str, tensors: &[&Tensor]) -> Result<Rows> {
    match cut_rows(tensors, usize::MAX)[..] {
        [] => Ok(Rows { first: 0, count: 0 }),
        [rows] => Ok(rows),
        _ => Err(Error::Shape {
            kernel,
            message: format!(
                "{} tokens take more than one buffer of this GPU; give fewer at a time",
                tensors[0].rows()
            ),
        }),
    }
}

fn on_cpu(
    qkv: &Tensor,
    heads: usize,
    sequence: usize,
    probabilities: &mut Tensor,
    out: &mut Tensor,
) {
    let (triple, width) = (qkv.cols(), out.cols());
    let head = width / heads;
    let scale = 1.0 / (head as f32).sqrt();
    let qkv = qkv.host();
    let part = |token: usize, which: usize, h: usize| {
        let at = token * triple + which * width + h * head;
        &qkv[at..at + head]
    };
    let columns = heads * sequence;
    par_rows2((out.host_mut(), width), (probabilities.host_mut(), columns), |first, out, p| {
        let tokens = out.chunks_exact_mut(width).zip(p.chunks_exact_mut(columns)).enumerate();
        for (i, (out, p)) in tokens {
            let token = first + i;
            let start = token / sequence * sequence;
            for h in 0..heads {
                let p = &mut p[h * sequence..(h + 1) * sequence];
                for (t, p) in p.iter_mut().enumerate() {
                    let (q, k) = (part(token, 0, h), part(start + t, 1, h));
                    *p = scale * q.iter().zip(k).map(|(a, b)| a * b).sum::<f32>();
                }
                softmax(p);
                let out = &mut out[h * head..(h + 1) * head];
                out.fill(0.0);
                for (t, p) in p.iter().enumerate() {
                    let v = part(start + t, 2, h);
                    out.iter_mut().zip(v).for_each(|(o, v)| *o += p * v);
                }
            }
        }
    });
}

fn softmax(values: &mut [f32]) {
    let largest = values.iter().fold(f32::NEG_INFINITY, |a, v| a.max(*v));
    let mut sum = 0.0;
    for v in values.iter_mut() {
        *v = (*v - largest).exp();
        sum += *v;
    }
    values.iter_mut().for_each(|v| *v /= sum);
}
