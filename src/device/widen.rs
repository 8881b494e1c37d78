//! Values of fewer bits as `f32`, sixteen at a time.

use super::lanes::LANES;

/// A value that a weight is stored as.
pub(crate) trait Widen: Copy + Default {
    /// As many values as the widest vectors hold, as `f32`.
    fn widen(line: &[Self; LANES]) -> [f32; LANES];
}

impl Widen for f32 {
    #[inline(always)]
    fn widen(line: &[Self; LANES]) -> [f32; LANES] {
        *line
    }
}

/// Bits of finite f16.
impl Widen for u16 {
    #[inline(always)]
    fn widen(line: &[Self; LANES]) -> [f32; LANES] {
        #[cfg(target_arch = "wasm32")]
        return browser::widen_f16(*line);
        #[cfg(not(target_arch = "wasm32"))]
        line.map(widen_f16)
    }
}

impl Widen for i8 {
    #[inline(always)]
    fn widen(line: &[Self; LANES]) -> [f32; LANES] {
        #[cfg(target_arch = "wasm32")]
        return browser::widen_i8(*line);
        #[cfg(not(target_arch = "wasm32"))]
        line.map(f32::from)
    }
}

/// What clears the copies of the sign between it and the exponent.
const SIGN_AND_VALUE: u32 = 0x8fff_e000;
/// 2¹¹², by which the exponents' biases differ.
const BIAS: f32 = f32::from_bits(0x7780_0000);

/// A finite f16 as f32, by arithmetic that a loop of it can be vectorised with: the bits are shifted
/// into place, the copies of the sign between it and the exponent masked out, and the exponent's
/// bias made up for by a power of two (subnormal values, too).
#[inline(always)]
pub(crate) fn widen_f16(bits: u16) -> f32 {
    let shifted = (i32::from(bits.cast_signed()) << 13) as u32;
    f32::from_bits(shifted & SIGN_AND_VALUE) * BIAS
}

/// By name, since the page is compiled for size: no loop of it becomes vectors by itself.
#[cfg(target_arch = "wasm32")]
mod browser {
    use std::arch::wasm32::{
        f32x4_convert_i32x4, f32x4_mul, f32x4_splat, i16x8_extend_high_i8x16,
        i16x8_extend_low_i8x16, i32x4_extend_high_i16x8, i32x4_extend_low_i16x8, i32x4_shl,
        u32x4_splat, v128, v128_and,
    };

    use super::{BIAS, LANES, SIGN_AND_VALUE};

    #[inline(always)]
    pub(super) fn widen_i8(line: [i8; LANES]) -> [f32; LANES] {
        let all: v128 = bytemuck::cast(line);
        let [low, high] = [i16x8_extend_low_i8x16(all), i16x8_extend_high_i8x16(all)];
        bytemuck::cast(wide(low, high).map(
            #[inline(always)]
            |integers| f32x4_convert_i32x4(integers),
        ))
    }

    #[inline(always)]
    pub(super) fn widen_f16(line: [u16; LANES]) -> [f32; LANES] {
        let [low, high]: [v128; 2] = bytemuck::cast(line);
        bytemuck::cast(wide(low, high).map(
            #[inline(always)]
            |bits| {
                let value = v128_and(i32x4_shl(bits, 13), u32x4_splat(SIGN_AND_VALUE));
                f32x4_mul(value, f32x4_splat(BIAS))
            },
        ))
    }

    /// Sixteen signed integers of 16 bits in 32.
    #[inline(always)]
    fn wide(low: v128, high: v128) -> [v128; 4] {
        [
            i32x4_extend_low_i16x8(low),
            i32x4_extend_high_i16x8(low),
            i32x4_extend_low_i16x8(high),
            i32x4_extend_high_i16x8(high),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finite_f16_widens_exactly() {
        for bits in (0..=u16::MAX).filter(|b| half::f16::from_bits(*b).is_finite()) {
            let want = half::f16::from_bits(bits).to_f32();
            assert_eq!(widen_f16(bits).to_bits(), want.to_bits(), "{bits:#x}");
            assert!(u16::widen(&[bits; LANES]).iter().all(|v| v.to_bits() == want.to_bits()));
        }
    }

    #[test]
    fn integers_keep_their_places() {
        let line: [i8; LANES] = std::array::from_fn(|i| (i as i8 - 8) * 16);
        assert_eq!(i8::widen(&line), line.map(f32::from));
    }
}
