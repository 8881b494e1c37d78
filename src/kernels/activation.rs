//! gelu (exact erf form) and relu, with their slopes.

use pulp::{Simd, WithSimd};

use crate::arch::Activation;
use crate::device::{
    Device, Dispatch, Gpu, LANES, Tensor, cut_rows, grid, par_rows, par_rows2, word,
};
use crate::error::Result;
use crate::kernels::expect_shape;

/// `y = act(x)`, and `slope = act'(x)` if wanted; all `m × n`.
///
/// # Errors
/// [`crate::Error::Shape`], and what the device reports.
pub fn activation(
    device: &Device,
    x: &Tensor,
    kind: Activation,
    y: &mut Tensor,
    slope: Option<&mut Tensor>,
) -> Result<()> {
    expect_shape("activation", "y", y, x.rows(), x.cols())?;
    if let Some(slope) = &slope {
        expect_shape("activation", "slope", slope, x.rows(), x.cols())?;
    }
    match device {
        Device::Cpu(_) => {
            y.host_mut().copy_from_slice(x.host());
            apply_in_place(kind, y.host_mut(), slope.map(|s| s.host_mut()));
            Ok(())
        }
        Device::Gpu(gpu) => on_gpu(gpu, x, kind, y, slope),
    }
}

fn on_gpu(
    gpu: &Gpu,
    x: &Tensor,
    kind: Activation,
    y: &mut Tensor,
    slope: Option<&mut Tensor>,
) -> Result<()> {
    let slope = slope.as_deref();
    for rows in cut_rows(&[x, y], usize::MAX) {
        let count = rows.count * x.cols();
        let ((x, at), (y, _)) = (rows.of(x), rows.of(y));
        gpu.run(&Dispatch {
            shader: "activation",
            variant: 0,
            params: &[word(count), at, shader_code(Some(kind)), u32::from(slope.is_some())],
            reads: &[x],
            writes: &[y, slope.map_or(gpu.no_output(), |slope| rows.of(slope).0)],
            groups: grid(count.div_ceil(256)),
        })?;
    }
    Ok(())
}

/// The activation as the shaders know it.
pub(crate) fn shader_code(kind: Option<Activation>) -> u32 {
    match kind {
        None => 0,
        Some(Activation::Gelu) => 1,
        Some(Activation::Relu) => 2,
    }
}

impl Activation {
    /// The activation of one value.
    pub fn of(self, x: f32) -> f32 {
        match self {
            Activation::Gelu => gelu(x),
            Activation::Relu => x.max(0.0),
        }
    }
}

/// Replaces values by their activation and writes the slope at each, on all cores.
pub(crate) fn apply_in_place(kind: Activation, y: &mut [f32], slope: Option<&mut [f32]>) {
    match slope {
        Some(slope) => par_rows2((y, 1), (slope, 1), |_, y, slope| apply_block(kind, y, slope)),
        None => par_rows(y, 1, |_, y| apply_block(kind, y, &mut [])),
    }
}

/// As [`apply_in_place`], on this core; the slope is empty if it is not wanted.
pub(crate) fn apply_block(kind: Activation, y: &mut [f32], slope: &mut [f32]) {
    pulp::Arch::new().dispatch(Apply { kind, y, slope });
}

struct Apply<'a> {
    kind: Activation,
    y: &'a mut [f32],
    slope: &'a mut [f32],
}

impl WithSimd for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        apply(simd, self.kind, self.y, self.slope);
    }
}

/// As [`apply_block`], inside of what is vectorised.
#[inline(always)]
pub(crate) fn apply<S: Simd>(simd: S, kind: Activation, y: &mut [f32], slope: &mut [f32]) {
    let with_slope = slope.iter_mut().zip(&*y);
    match kind {
        Activation::Gelu => {
            with_slope.for_each(|(s, x)| *s = x_density(*x));
            gelu_of_all(simd, y, slope);
        }
        Activation::Relu => {
            with_slope.for_each(|(s, x)| *s = if *x > 0.0 { 1.0 } else { 0.0 });
            y.iter_mut().for_each(|y| *y = y.max(0.0));
        }
    }
}

#[allow(clippy::approx_constant, reason = "coefficients of a fit; 2/√π is only near the first")]
/// Numerator of erf(x)/x over x², low power first: a rational fit on |x| ≤ 4 (least squares,
/// reweighted towards the largest absolute error), 2.1e-8 off in exact arithmetic.
const ERF_P: [f32; 6] =
    [1.128_379, 0.196_233_77, 0.053_465_43, 0.004_002_981_4, 0.000_288_023_87, 1.974_911_2e-6];
/// Denominator of the same fit.
const ERF_Q: [f32; 6] =
    [1.0, 0.507_238_8, 0.116_470_1, 0.015_443_098, 0.001_216_193_8, 3.748_079e-5];

/// The error function, within 4e-7.
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    let x = x.clamp(-4.0, 4.0);
    let t = x * x;
    let horner = |c: &[f32; 6]| {
        let mut sum = c[5];
        for i in (0..5).rev() {
            sum = sum * t + c[i];
        }
        sum
    };
    (x * horner(&ERF_P) / horner(&ERF_Q)).clamp(-1.0, 1.0)
}

/// `x · Φ(x)`.
#[inline(always)]
pub fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
}

/// [`gelu`] of many values, by the processor's fused products where it has them: a plain loop is
/// not compiled to these. `slopes` are empty, or hold `x · φ(x)` and are given `Φ(x)` besides.
#[inline(always)]
fn gelu_of_all<S: Simd>(simd: S, values: &mut [f32], slopes: &mut [f32]) {
    let mut slopes = slopes.chunks_mut(LANES);
    for values in values.chunks_mut(LANES) {
        let slopes = slopes.next().unwrap_or_default();
        let (mut line, mut slope_line) = ([0.0; LANES], [0.0; LANES]);
        let whole = values.len().is_multiple_of(S::F32_LANES);
        if !whole {
            line[..values.len()].copy_from_slice(values);
            slope_line[..slopes.len()].copy_from_slice(slopes);
        }
        // One call, since each is inlined.
        let (vectors, with_them): (&mut [f32], &mut [f32]) = match whole {
            true => (&mut *values, &mut *slopes),
            false => (&mut line, &mut slope_line),
        };
        gelu_of_vectors(simd, vectors, with_them);
        if !whole {
            values.copy_from_slice(&line[..values.len()]);
            slopes.copy_from_slice(&slope_line[..slopes.len()]);
        }
    }
}

/// As [`gelu_of_all`], of whole vectors.
#[inline(always)]
fn gelu_of_vectors<S: Simd>(simd: S, values: &mut [f32], slopes: &mut [f32]) {
    let all = |value: f32| simd.splat_f32s(value);
    let within = |x, bound: f32| simd.min_f32s(simd.max_f32s(x, all(-bound)), all(bound));
    let mut slopes = S::as_mut_simd_f32s(slopes).0.iter_mut();
    for value in S::as_mut_simd_f32s(values).0 {
        let x = within(simd.mul_f32s(*value, all(std::f32::consts::FRAC_1_SQRT_2)), 4.0);
        let t = simd.mul_f32s(x, x);
        let horner = |c: &[f32; 6]| {
            let mut sum = all(c[5]);
            for c in c[..5].iter().rev() {
                sum = simd.mul_add_e_f32s(sum, t, all(*c));
            }
            sum
        };
        let erf = simd.div_f32s(simd.mul_f32s(x, horner(&ERF_P)), horner(&ERF_Q));
        let phi = simd.mul_add_e_f32s(within(erf, 1.0), all(0.5), all(0.5));
        *value = simd.mul_f32s(*value, phi);
        if let Some(slope) = slopes.next() {
            *slope = simd.add_f32s(*slope, phi);
        }
    }
}

/// `x · φ(x)`: what the derivative of gelu has besides `Φ(x)`.
#[inline(always)]
fn x_density(x: f32) -> f32 {
    const INV_SQRT_TAU: f32 = 0.398_942_3;
    // Beyond 16 the density is nothing; without the bound x² would overflow.
    let near = x.clamp(-16.0, 16.0);
    near * INV_SQRT_TAU * exp_negative(-0.5 * near * near)
}

/// `e^x` for `x ≤ 0`, within three units in the last place, without a call that would keep the
/// loop around it from being vectorised; zero below -87.
#[inline(always)]
pub(crate) fn exp_negative(x: f32) -> f32 {
    // Adding 1.5 · 2^23 rounds to an integer and leaves it in the low bits of the mantissa.
    const ROUND: f32 = 12_582_912.0;
    let x = x.max(-87.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let mut p = 1.0 / 720.0;
    for c in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = p * r + c;
    }
    let scale = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    p * scale
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a tensor's values are treated.
    fn gelu_and_slope(x: f32) -> (f32, f32) {
        let (mut y, mut slope) = ([x], [f32::NAN]);
        apply_block(Activation::Gelu, &mut y, &mut slope);
        (y[0], slope[0])
    }

    /// erf by its Taylor series in f64, good for |x| < 5.
    fn erf_series(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / n as f64;
            sum += term / (2 * n + 1) as f64;
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    }

    #[test]
    fn erf_and_gelu_match_the_series() {
        for i in -4600..=4600 {
            let x = i as f32 * 1e-3;
            let want = erf_series(x as f64);
            assert!((erf(x) as f64 - want).abs() < 5e-7, "erf({x})");
            let x64 = x as f64;
            let phi = 0.5 * (1.0 + erf_series(x64 / 2f64.sqrt()));
            let density = (-0.5 * x64 * x64).exp() / std::f64::consts::TAU.sqrt();
            assert!((gelu(x) as f64 - x64 * phi).abs() < 2e-6, "gelu({x})");
            let (y, slope) = gelu_and_slope(x);
            assert!((y as f64 - x64 * phi).abs() < 2e-6, "gelu({x})");
            assert!((slope as f64 - (phi + x64 * density)).abs() < 2e-6, "gelu'({x})");
        }
    }

    #[test]
    fn many_values_at_once_are_those_of_one() {
        for n in [1, 3, 16, 37] {
            let x: Vec<f32> = (0..n).map(|i| (i as f32 - 17.0) * 0.37).chain([1e30]).collect();
            let mut y = x.clone();
            apply_block(Activation::Gelu, &mut y, &mut []);
            for (x, y) in x.iter().zip(y) {
                assert!((y - gelu(*x)).abs() <= 1e-6 * x.abs().max(1.0), "gelu({x}) = {y}");
            }
        }
        let mut nan = [f32::NAN; 17];
        apply_block(Activation::Gelu, &mut nan, &mut []);
        assert!(nan.iter().all(|y| y.is_nan()));
    }

    #[test]
    fn gelu_minus_its_mirror_is_the_identity() {
        for x in [-7.5f32, -1.0, -0.01, 0.0, 1e-20, 0.3, 2.0, 50.0] {
            assert!((gelu(x) - gelu(-x) - x).abs() <= 1e-6 * x.abs());
        }
    }

    #[test]
    fn far_values_stay_finite() {
        for x in [-1e30f32, -300.0, 300.0, 1e30] {
            let (y, slope) = gelu_and_slope(x);
            assert!(y.is_finite() && slope.is_finite(), "{x}");
            assert!((slope - if x > 0.0 { 1.0 } else { 0.0 }).abs() < 1e-30, "{x}");
        }
        assert!(gelu(f32::NAN).is_nan());
    }
}
