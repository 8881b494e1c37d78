// gelu in its exact erf form and relu, with their slopes: the same rational fit of erf as the
// CPU twin, so that both devices agree to a few units in the last place.
const NO_ACTIVATION: u32 = 0u;
const GELU: u32 = 1u;

// The error function: x · P(x²) / Q(x²) on |x| ≤ 4.
fn erf(value: f32) -> f32 {
    let x = clamp(value, -4.0, 4.0);
    let t = x * x;
    let p = ((((1.9749112e-6 * t + 0.00028802387) * t + 0.0040029814) * t + 0.05346543) * t
        + 0.19623377) * t + 1.128379;
    let q = ((((3.748079e-5 * t + 0.0012161938) * t + 0.015443098) * t + 0.1164701) * t
        + 0.5072388) * t + 1.0;
    return clamp(x * p / q, -1.0, 1.0);
}

// The activation at x, and its slope there.
fn activate(kind: u32, x: f32) -> vec2<f32> {
    if kind == NO_ACTIVATION {
        return vec2(x, 1.0);
    }
    if kind == GELU {
        let phi = 0.5 * (1.0 + erf(x * 0.70710678));
        // Beyond ±13 the density is zero in f32; the clamp keeps x · 0 finite.
        let near = clamp(x, -14.0, 14.0);
        let density = 0.3989423 * exp(-0.5 * near * near);
        return vec2(x * phi, phi + near * density);
    }
    return vec2(max(x, 0.0), select(0.0, 1.0, x > 0.0));
}
