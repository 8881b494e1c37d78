//! The formula of every kernel in f64, as plain loops from the definition: gradients through
//! whole Jacobians, no running statistics, no order of sums in common with the kernels.
#![allow(dead_code, reason = "each test program uses its part")]

use lnsp::arch::Activation;
use lnsp::device::{Device, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A matrix in f64, row after row.
#[derive(Clone, Debug, PartialEq)]
pub struct Mat {
    pub rows: usize,
    pub cols: usize,
    pub data: Vec<f64>,
}

impl Mat {
    pub fn from_fn(rows: usize, cols: usize, mut f: impl FnMut(usize, usize) -> f64) -> Self {
        let data = (0..rows * cols).map(|i| f(i / cols, i % cols)).collect();
        Self { rows, cols, data }
    }

    pub fn zeros(rows: usize, cols: usize) -> Self {
        Self::from_fn(rows, cols, |_, _| 0.0)
    }

    /// Repeatable values in ±1 that an f32 holds exactly.
    pub fn random(rows: usize, cols: usize, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Self::from_fn(rows, cols, |_, _| f64::from(rng.random_range(-1.0f32..1.0)))
    }

    pub fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Self::from_fn(self.rows, self.cols, |r, c| f(self.at(r, c)))
    }

    /// Each value with the one of `other` at its place.
    pub fn zip(&self, other: &Self, f: impl Fn(f64, f64) -> f64) -> Self {
        assert_eq!((self.rows, self.cols), (other.rows, other.cols));
        Self::from_fn(self.rows, self.cols, |r, c| f(self.at(r, c), other.at(r, c)))
    }

    pub fn at(&self, row: usize, col: usize) -> f64 {
        self.data[row * self.cols + col]
    }

    pub fn row(&self, row: usize) -> &[f64] {
        &self.data[row * self.cols..(row + 1) * self.cols]
    }

    pub fn row_mut(&mut self, row: usize) -> &mut [f64] {
        &mut self.data[row * self.cols..(row + 1) * self.cols]
    }

    /// On the CPU device, in f32.
    pub fn tensor(&self) -> Tensor {
        let values: Vec<f32> = self.data.iter().map(|v| *v as f32).collect();
        Device::cpu().upload(self.rows, self.cols, &values).unwrap()
    }

    pub fn of(tensor: &Tensor) -> Self {
        let values = pollster::block_on(Device::cpu().read(tensor)).unwrap();
        Self {
            rows: tensor.rows(),
            cols: tensor.cols(),
            data: values.into_iter().map(f64::from).collect(),
        }
    }
}

/// The first value that is further from the wanted one than `tolerance` times the largest wanted
/// magnitude, or one that is no number, in words.
pub fn compare(what: &str, got: &Mat, want: &Mat, tolerance: f64) -> Result<(), String> {
    if (got.rows, got.cols) != (want.rows, want.cols) {
        return Err(format!("{what} is {}×{} of {}×{}", got.rows, got.cols, want.rows, want.cols));
    }
    let largest = want.data.iter().fold(1e-3f64, |a, v| a.max(v.abs()));
    for (i, (g, w)) in got.data.iter().zip(&want.data).enumerate() {
        // Written so that NaN is refused, too.
        let near = (g - w).abs() <= tolerance * largest;
        if !near {
            let (row, col) = (i / want.cols, i % want.cols);
            return Err(format!("{what}[{row}, {col}] is {g}, not {w} (largest {largest})"));
        }
    }
    Ok(())
}

pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn one_if(equal: bool) -> f64 {
    if equal { 1.0 } else { 0.0 }
}

pub fn transposed(a: &Mat) -> Mat {
    Mat::from_fn(a.cols, a.rows, |r, c| a.at(c, r))
}

/// `a · b`.
pub fn product(a: &Mat, b: &Mat) -> Mat {
    let b = transposed(b);
    Mat::from_fn(a.rows, b.rows, |r, c| dot(a.row(r), b.row(c)))
}

/// `x · wᵀ + bias`, before the activation.
pub fn linear(x: &Mat, w: &Mat, bias: Option<&Mat>) -> Mat {
    Mat::from_fn(x.rows, w.rows, |r, c| {
        dot(x.row(r), w.row(c)) + bias.map_or(0.0, |bias| bias.at(0, c))
    })
}

/// `2/√π · e^(−x²) · Σ 2ⁿ x^(2n+1) / (2n+1)!!`: all terms of one sign, nothing cancels.
pub fn erf(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..400 {
        term *= 2.0 * x * x / (2 * n + 1) as f64;
        sum += term;
        if term.abs() <= 1e-18 * sum.abs() {
            break;
        }
    }
    2.0 / std::f64::consts::PI.sqrt() * (-x * x).exp() * sum
}

fn normal_distribution(x: f64) -> f64 {
    0.5 * (1.0 + erf(x / 2f64.sqrt()))
}

pub fn act(kind: Activation, x: f64) -> f64 {
    match kind {
        Activation::Gelu => x * normal_distribution(x),
        Activation::Relu => x.max(0.0),
    }
}

pub fn slope(kind: Activation, x: f64) -> f64 {
    let density = (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
    match kind {
        Activation::Gelu => normal_distribution(x) + x * density,
        Activation::Relu => one_if(x > 0.0),
    }
}

/// Mean and 1/√(variance + 1e-5) of a row.
fn moments(x: &[f64]) -> (f64, f64) {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let variance = x.iter().map(|v| v * v).sum::<f64>() / n - mean * mean;
    (mean, 1.0 / (variance.max(0.0) + 1e-5).sqrt())
}

/// Mean and 1/√(variance + 1e-5) of every row.
pub fn statistics(x: &Mat) -> Mat {
    Mat::from_fn(x.rows, 2, |r, c| {
        let (mean, inverse) = moments(x.row(r));
        if c == 0 { mean } else { inverse }
    })
}

/// LayerNorm without scale and shift.
pub fn standardised(x: &Mat) -> Mat {
    Mat::from_fn(x.rows, x.cols, |r, c| {
        let (mean, inverse) = moments(x.row(r));
        (x.at(r, c) - mean) * inverse
    })
}

pub fn layer_norm(x: &Mat, weight: &Mat, bias: &Mat) -> Mat {
    let unit = standardised(x);
    Mat::from_fn(x.rows, x.cols, |r, c| unit.at(r, c) * weight.at(0, c) + bias.at(0, c))
}

/// `dx_j = Σ_k dy_k w_k ∂x̂_k/∂x_j` with `∂x̂_k/∂x_j = inverse · (δ_kj − 1/n − x̂_k x̂_j / n)`.
pub fn layer_norm_grad(x: &Mat, weight: &Mat, dy: &Mat) -> Mat {
    let (unit, n) = (standardised(x), x.cols as f64);
    Mat::from_fn(x.rows, x.cols, |r, j| {
        let (_, inverse) = moments(x.row(r));
        let term = |k: usize| {
            let jacobian = one_if(k == j) - (1.0 + unit.at(r, k) * unit.at(r, j)) / n;
            dy.at(r, k) * weight.at(0, k) * inverse * jacobian
        };
        (0..x.cols).map(term).sum()
    })
}

/// q, k or v (0, 1, 2) of a token and a head.
fn part(qkv: &Mat, token: usize, which: usize, head: usize, size: usize) -> &[f64] {
    let at = which * qkv.cols / 3 + head * size;
    &qkv.row(token)[at..at + size]
}

/// Softmax of the scores, `tokens × heads·sequence`.
pub fn probabilities(qkv: &Mat, heads: usize, sequence: usize) -> Mat {
    let size = qkv.cols / 3 / heads;
    Mat::from_fn(qkv.rows, heads * sequence, |token, column| {
        let (head, start) = (column / sequence, token / sequence * sequence);
        let score = |t: usize| {
            let (q, k) = (part(qkv, token, 0, head, size), part(qkv, start + t, 1, head, size));
            (dot(q, k) / (size as f64).sqrt()).exp()
        };
        score(column % sequence) / (0..sequence).map(score).sum::<f64>()
    })
}

pub fn attention(qkv: &Mat, heads: usize, sequence: usize) -> Mat {
    let (width, p) = (qkv.cols / 3, probabilities(qkv, heads, sequence));
    let size = width / heads;
    Mat::from_fn(qkv.rows, width, |token, column| {
        let (head, start) = (column / size, token / sequence * sequence);
        let v = |t: usize| part(qkv, start + t, 2, head, size)[column % size];
        (0..sequence).map(|t| p.at(token, head * sequence + t) * v(t)).sum()
    })
}

/// Through the Jacobian of the softmax, `∂p_t/∂s_u = p_t (δ_tu − p_u)`.
pub fn attention_grad(qkv: &Mat, dout: &Mat, heads: usize, sequence: usize) -> Mat {
    let (width, p) = (qkv.cols / 3, probabilities(qkv, heads, sequence));
    let size = width / heads;
    let mut all = Mat::zeros(qkv.rows, qkv.cols);
    for token in 0..qkv.rows {
        let start = token / sequence * sequence;
        for head in 0..heads {
            let p = &p.row(token)[head * sequence..(head + 1) * sequence];
            let dout = &dout.row(token)[head * size..(head + 1) * size];
            for u in 0..sequence {
                let share = |t| {
                    dot(dout, part(qkv, start + t, 2, head, size)) * p[t] * (one_if(t == u) - p[u])
                };
                let ds = (0..sequence).map(share).sum::<f64>() / (size as f64).sqrt();
                for (i, dout) in dout.iter().enumerate() {
                    let column = |which: usize| which * width + head * size + i;
                    all.row_mut(token)[column(0)] += ds * part(qkv, start + u, 1, head, size)[i];
                    all.row_mut(start + u)[column(1)] += ds * part(qkv, token, 0, head, size)[i];
                    all.row_mut(start + u)[column(2)] += p[u] * dout;
                }
            }
        }
    }
    all
}

/// `m × 1` lengths of the rows.
pub fn norms(x: &Mat) -> Mat {
    Mat::from_fn(x.rows, 1, |r, _| dot(x.row(r), x.row(r)).sqrt())
}

/// Rows of unit length; a zero row stays.
pub fn normalized(x: &Mat) -> Mat {
    let norms = norms(x);
    Mat::from_fn(x.rows, x.cols, |r, c| match norms.at(r, 0) {
        0.0 => 0.0,
        norm => x.at(r, c) / norm,
    })
}

/// `dx_j = Σ_k dy_k ∂y_k/∂x_j` with `∂y_k/∂x_j = δ_kj / ‖x‖ − x_k x_j / ‖x‖³`.
pub fn normalized_grad(x: &Mat, dy: &Mat) -> Mat {
    let norms = norms(x);
    Mat::from_fn(x.rows, x.cols, |r, j| match norms.at(r, 0) {
        0.0 => 0.0,
        norm => (0..x.cols)
            .map(|k| {
                let jacobian = one_if(k == j) / norm - x.at(r, k) * x.at(r, j) / norm.powi(3);
                dy.at(r, k) * jacobian
            })
            .sum(),
    })
}

/// `m × 1` of 1 − cosine; a zero row has cosine zero.
pub fn cosine_losses(out: &Mat, target: &Mat) -> Mat {
    let (u, t) = (normalized(out), normalized(target));
    Mat::from_fn(out.rows, 1, |r, _| 1.0 - dot(u.row(r), t.row(r)))
}

/// `−∂cos/∂u_j = (u·t) u_j / (‖u‖³‖t‖) − t_j / (‖u‖‖t‖)`.
pub fn cosine_grad(out: &Mat, target: &Mat) -> Mat {
    let (u, t) = (norms(out), norms(target));
    Mat::from_fn(out.rows, out.cols, |r, j| {
        let (nu, nt) = (u.at(r, 0), t.at(r, 0));
        if nu == 0.0 || nt == 0.0 {
            return 0.0;
        }
        let along = dot(out.row(r), target.row(r));
        along * out.at(r, j) / (nu.powi(3) * nt) - target.at(r, j) / (nu * nt)
    })
}

/// `m × 1` means of the squared differences.
pub fn squared_errors(out: &Mat, target: &Mat) -> Mat {
    let squares = out.zip(target, |u, t| (u - t).powi(2));
    Mat::from_fn(out.rows, 1, |r, _| squares.row(r).iter().sum::<f64>() / out.cols as f64)
}

/// Shares of the pairs of row `r`: the softmax of `sharpness · values` over the others.
fn gram_shares(values: &Mat, r: usize, sharpness: f64) -> Vec<f64> {
    let power = |c: usize| one_if(r != c) * (sharpness * values.at(r, c)).exp();
    let total: f64 = (0..values.rows).map(power).sum();
    (0..values.rows).map(|c| if total > 0.0 { power(c) / total } else { 0.0 }).collect()
}

/// Each row's share of the geometry loss, 2 τ² times the divergence of the shares (without a
/// sharpness the mean squared difference), and of the diversity loss, times the rows: `m × 2`.
pub fn gram_losses(cosines: &Mat, teacher: &Mat, sharpness: f64) -> Mat {
    let m = cosines.rows;
    Mat::from_fn(m, 2, |r, which| {
        if which == 1 {
            let square = |c: usize| one_if(r != c) * cosines.at(r, c).powi(2);
            return (0..m).map(square).sum::<f64>() / m as f64;
        }
        let wanted = gram_shares(teacher, r, sharpness);
        let found = gram_shares(cosines, r, sharpness);
        let others = (0..m).filter(|c| *c != r);
        if sharpness > 0.0 {
            let term = |c: usize| wanted[c] * (wanted[c] / found[c]).ln();
            2.0 / sharpness.powi(2) * others.map(term).sum::<f64>()
        } else {
            others.map(|c| wanted[c] * (cosines.at(r, c) - teacher.at(r, c)).powi(2)).sum()
        }
    })
}

/// The gradient of the weighted mean of [`gram_losses`] with respect to the cosines, the divergence
/// through the whole Jacobian of its softmax.
pub fn gram_grad(cosines: &Mat, teacher: &Mat, weights: [f64; 2], sharpness: f64) -> Mat {
    let m = cosines.rows;
    let geometry = |r: usize, c: usize| {
        let wanted = gram_shares(teacher, r, sharpness);
        if sharpness == 0.0 {
            return wanted[c] * 2.0 * (cosines.at(r, c) - teacher.at(r, c));
        }
        let found = gram_shares(cosines, r, sharpness);
        let through = |k: usize| {
            let jacobian = sharpness * found[k] * (one_if(k == c) - found[c]);
            -wanted[k] / found[k] * jacobian
        };
        let others = (0..m).filter(|k| *k != r);
        one_if(r != c) * 2.0 / sharpness.powi(2) * others.map(through).sum::<f64>()
    };
    Mat::from_fn(m, m, |r, c| {
        let of_diversity = one_if(r != c) * weights[1] * 2.0 * cosines.at(r, c) / m as f64;
        (weights[0] * geometry(r, c) + of_diversity) / m as f64
    })
}
