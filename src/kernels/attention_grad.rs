//! Gradient of multi-head self-attention.

use crate::device::{Device, Dispatch, Gpu, Tensor, grid, word};
use crate::error::{Error, Result};
use crate::kernels::attention::{check_heads, whole};
use crate::kernels::expect_shape;

/// Gradients of q, k and v from the gradient of
/// [`attention`](crate::kernels::attention::attention)'s output:
/// dv = Pᵀ · dout; dP = dout · vᵀ; dS = P ⊙ (dP − rowsum(P ⊙ dP)) / √head; dq = dS · k;
/// dk = dSᵀ · q. Shapes as there; `dqkv` is `tokens × 3·width`.
///
/// # Errors
/// As `attention`.
pub fn attention_grad(
    device: &Device,
    qkv: &Tensor,
    probabilities: &Tensor,
    dout: &Tensor,
    heads: usize,
    sequence: usize,
    dqkv: &mut Tensor,
) -> Result<()> {
    let width = check_heads("attention_grad", qkv, heads, sequence)?;
    let tokens = qkv.rows();
    expect_shape("attention_grad", "probabilities", probabilities, tokens, heads * sequence)?;
    expect_shape("attention_grad", "dout", dout, tokens, width)?;
    expect_shape("attention_grad", "dqkv", dqkv, tokens, 3 * width)?;
    match device {
        Device::Cpu(_) => {
            on_cpu(qkv, probabilities, dout, heads, sequence, dqkv);
            Ok(())
        }
        Device::Gpu(gpu) => on_gpu(gpu, qkv, probabilities, dout, heads, sequence, dqkv),
    }
}

/// Tokens of a sequence that the shader has room for in workgroup memory.
const MAX_SEQUENCE: usize = 512;

fn on_gpu(
    gpu: &Gpu,
    qkv: &Tensor,
    probabilities: &Tensor,
    dout: &Tensor,
    heads: usize,
    sequence: usize,
    dqkv: &mut Tensor,
) -> Result<()> {
    if sequence > MAX_SEQUENCE {
        return Err(Error::Shape {
            kernel: "attention_grad",
            message: format!("sequences of {sequence} tokens, at most {MAX_SEQUENCE} on a GPU"),
        });
    }
    let width = dout.cols();
    let head = width / heads;
    let whole = whole("attention_grad", &[qkv, probabilities, dout, dqkv])?;
    let runs = qkv.rows() / sequence;
    gpu.run(&Dispatch {
        shader: "attention_grad",
        variant: 0,
        params: &[
            word(runs),
            word(width),
            word(heads),
            word(head),
            word(sequence),
            (1.0 / (head as f32).sqrt()).to_bits(),
        ],
        reads: &[whole.of(qkv).0, whole.of(probabilities).0, whole.of(dout).0],
        writes: &[whole.of(dqkv).0],
        groups: grid(runs * heads),
    })
}

fn on_cpu(
    qkv: &Tensor,
    probabilities: &Tensor,
    dout: &Tensor,
    heads: usize,
    sequence: usize,
    dqkv: &mut Tensor,
) {
    let (triple, width) = (qkv.cols(), dout.cols());
    let head = width / heads;
    let scale = 1.0 / (head as f32).sqrt();
    let (qkv, p, dout) = (qkv.host(), probabilities.host(), dout.host());
    let dqkv = dqkv.host_mut();
    dqkv.fill(0.0);
    for token in 0..dout.len() / width {
        let start = token / sequence * sequence;
        for h in 0..heads {
            let p = &p[(token * heads + h) * sequence..][..sequence];
            let dout = &dout[token * width + h * head..][..head];
            let at = |t: usize, which: usize| (start + t) * triple + which * width + h * head;
            let dp: Vec<f32> = (0..sequence)
                .map(|t| dout.iter().zip(&qkv[at(t, 2)..]).map(|(d, v)| d * v).sum())
                .collect();
            let mean: f32 = p.iter().zip(&dp).map(|(p, d)| p * d).sum();
            let own = token * triple + h * head;
            for t in 0..sequence {
                let ds = p[t] * (dp[t] - mean) * scale;
                for i in 0..head {
                    dqkv[own + i] += ds * qkv[at(t, 1) + i];
                    dqkv[at(t, 1) + i] += ds * qkv[own + i];
                    dqkv[at(t, 2) + i] += p[t] * dout[i];
                }
            }
        }
    }
}
