//! The CPU side of a linear layer for one vector: bound by reading the weights, so these are read
//! once, as they are packed, four rows at a time.

use pulp::{Simd, WithSimd};

use crate::arch::Precision;
use crate::device::{LANES, Tensor, par_rows};
use crate::kernels::WeightRef;

/// Weights above which the rows are shared between the cores.
const SHARED: usize = 1 << 21;
/// Rows taken together: each value of the vector is loaded once for all of them.
const ROWS: usize = 4;

/// `y = W · x + b`: x of `inputs` values, y of `outputs`.
pub(crate) fn linear_vector(x: &[f32], weight: WeightRef<'_>, bias: Option<&[f32]>, y: &mut [f32]) {
    let per_row = weight.words.cols();
    let words = weight.words.host();
    let precision = weight.precision;
    let scales = weight.scales.map(Tensor::host);
    let block = |first: usize, y: &mut [f32]| {
        let words = &words[first * per_row..(first + y.len()) * per_row];
        pulp::Arch::new().dispatch(Product { words, per_row, precision, x, y });
        if let Some(scales) = scales {
            y.iter_mut().zip(&scales[first..]).for_each(|(y, s)| *y *= s);
        }
        if let Some(bias) = bias {
            y.iter_mut().zip(&bias[first..]).for_each(|(y, b)| *y += b);
        }
    };
    if weight.outputs * weight.inputs >= SHARED {
        par_rows(y, 1, block);
    } else {
        block(0, y);
    }
}

/// Every packed row times the vector, without scales.
struct Product<'a> {
    words: &'a [f32],
    per_row: usize,
    precision: Precision,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let row = |i: usize| &self.words[i * self.per_row..(i + 1) * self.per_row];
        let count = self.y.len();
        for first in (0..count).step_by(ROWS) {
            // At the end the last rows are taken again rather than fewer at a time.
            let first = first.min(count.saturating_sub(ROWS));
            let rows: [&[f32]; ROWS] = std::array::from_fn(|k| row((first + k).min(count - 1)));
            let sums = match self.precision {
                Precision::F32 => dots_f32(simd, rows, self.x),
                Precision::F16 => {
                    dots::<S, u16>(simd, rows.map(bytemuck::cast_slice), self.x, widen_f16)
                }
                Precision::Int8 => {
                    dots::<S, i8>(simd, rows.map(bytemuck::cast_slice), self.x, f32::from)
                }
            };
            for (y, sum) in self.y[first..].iter_mut().zip(sums) {
                *y = sum;
            }
        }
    }
}

#[inline(always)]
fn dots_f32<S: Simd>(simd: S, rows: [&[f32]; ROWS], x: &[f32]) -> [f32; ROWS] {
    let (x_parts, x_rest) = S::as_simd_f32s(x);
    let parts = rows.map(|row| S::as_simd_f32s(&row[..x.len()]));
    let [a, b, c, d] = parts.map(|(parts, _)| parts);
    let mut sums = [simd.splat_f32s(0.0); ROWS];
    for ((((x, a), b), c), d) in x_parts.iter().zip(a).zip(b).zip(c).zip(d) {
        sums[0] = simd.mul_add_e_f32s(*a, *x, sums[0]);
        sums[1] = simd.mul_add_e_f32s(*b, *x, sums[1]);
        sums[2] = simd.mul_add_e_f32s(*c, *x, sums[2]);
        sums[3] = simd.mul_add_e_f32s(*d, *x, sums[3]);
    }
    std::array::from_fn(|k| {
        let rest: f32 = parts[k].1.iter().zip(x_rest).map(|(w, x)| w * x).sum();
        simd.reduce_sum_f32s(sums[k]) + rest
    })
}

/// As [`dots_f32`] over packed rows, each value widened on the way; rows may be longer than `x`.
#[inline(always)]
fn dots<S: Simd, T: Copy>(
    simd: S,
    rows: [&[T]; ROWS],
    x: &[f32],
    widen: impl Fn(T) -> f32 + Copy,
) -> [f32; ROWS] {
    let (x_parts, x_rest) = x.as_chunks::<LANES>();
    let parts = rows.map(|row| row[..x.len()].as_chunks::<LANES>());
    let mut sums = [simd.splat_f32s(0.0); ROWS];
    for (i, x) in x_parts.iter().enumerate() {
        let (x, _) = S::as_simd_f32s(x);
        for (sum, (part, _)) in sums.iter_mut().zip(parts) {
            let wide: [f32; LANES] = part[i].map(widen);
            let (wide, _) = S::as_simd_f32s(&wide);
            for (w, x) in wide.iter().zip(x) {
                *sum = simd.mul_add_e_f32s(*w, *x, *sum);
            }
        }
    }
    std::array::from_fn(|k| {
        let rest: f32 = parts[k].1.iter().zip(x_rest).map(|(w, x)| widen(*w) * x).sum();
        simd.reduce_sum_f32s(sums[k]) + rest
    })
}

/// A finite f16 as f32, by arithmetic that a loop of it can be vectorised with: the bits shifted
/// into place, and the exponent's bias made up for by a power of two (subnormal values, too).
#[inline(always)]
fn widen_f16(bits: u16) -> f32 {
    let magnitude = f32::from_bits(u32::from(bits & 0x7fff) << 13) * f32::from_bits(0x7780_0000);
    f32::from_bits(magnitude.to_bits() | (u32::from(bits & 0x8000) << 16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finite_f16_widens_exactly() {
        for bits in (0..=u16::MAX).filter(|b| half::f16::from_bits(*b).is_finite()) {
            let want = half::f16::from_bits(bits).to_f32();
            assert_eq!(widen_f16(bits).to_bits(), want.to_bits(), "{bits:#x}");
        }
    }
}
