//! Sums that the processor's vector units can take: sixteen partial sums, in a fixed order.

/// Partial sums of [`sums`].
pub(crate) const LANES: usize = 16;

/// Runs `f` compiled for the widest vectors of this processor. The closure, and what it calls,
/// must be `#[inline(always)]`.
#[inline(always)]
pub(crate) fn vectorised<R>(f: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(f)
}

/// Sums of `N` terms `f(a_i, b_i)` over two slices of one length.
#[inline(always)]
pub(crate) fn sums<const N: usize>(
    a: &[f32],
    b: &[f32],
    f: impl Fn(f32, f32) -> [f32; N],
) -> [f32; N] {
    let mut lanes = [[0.0f32; LANES]; N];
    let (a_parts, a_rest) = a.as_chunks::<LANES>();
    let (b_parts, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_parts.iter().zip(b_parts) {
        for lane in 0..LANES {
            let terms = f(a[lane], b[lane]);
            for (sum, term) in lanes.iter_mut().zip(terms) {
                sum[lane] += term;
            }
        }
    }
    for (lane, (a, b)) in a_rest.iter().zip(b_rest).enumerate() {
        for (sum, term) in lanes.iter_mut().zip(f(*a, *b)) {
            sum[lane] += term;
        }
    }
    lanes.map(|sum| sum.iter().sum())
}

/// `Σ a_i · b_i`.
#[inline(always)]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    sums(
        a,
        b,
        #[inline(always)]
        |a, b| [a * b],
    )[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_match_f64_at_every_length() {
        for n in [0, 1, 15, 16, 17, 100] {
            let a: Vec<f32> = (0..n).map(|i| (i as f32).sin()).collect();
            let b: Vec<f32> = (0..n).map(|i| (i as f32 * 0.3).cos()).collect();
            let want: f64 = a.iter().zip(&b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            assert!((f64::from(vectorised(|| dot(&a, &b))) - want).abs() < 1e-5, "{n}");
        }
    }
}
