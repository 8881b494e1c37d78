//! What the processor's vector units need: sums in sixteen parts, in a fixed order, and words that
//! start on a cache line.

use std::ops::{Deref, DerefMut};

use pulp::Simd;

/// Partial sums of [`sums`]; also the `f32` values of a cache line, and of the widest vectors.
pub(crate) const LANES: usize = 16;

/// Vector registers that a loop may fill. pulp says 32 for WASM, which has as many names as one
/// likes; the processors behind it have 16.
pub(crate) const fn vector_registers<S: Simd>() -> usize {
    if cfg!(target_arch = "wasm32") { 16 } else { S::REGISTER_COUNT }
}

/// Rows of a tile of sums. A browser's compiler keeps fewer sums in registers than there are: with
/// six rows by two vectors it moves them about, and unrolls the loop no more.
pub(crate) const TILE_ROWS: usize = if cfg!(target_arch = "wasm32") { 4 } else { 6 };

/// 32-bit words that start on a cache line: a wide vector that straddles two takes twice as long to
/// load. Memory that nothing has been written to yet may not be taken from the system yet.
#[derive(Debug, Default)]
pub(crate) struct Words {
    storage: Vec<f32>,
    /// Where the first cache line starts.
    start: usize,
    len: usize,
}

/// Bytes of a cache line.
const LINE: usize = 4 * LANES;

impl Words {
    /// So many zeros; `None` where there is no room for them.
    pub(crate) fn zeros(len: usize) -> Option<Self> {
        // A line more than needed, of which the first words are left out. The system gives pages of
        // zeros for it, each when it is first written to.
        let storage: Box<[f32]> = bytemuck::try_zeroed_slice_box(len.checked_add(LANES)?).ok()?;
        let storage = storage.into_vec();
        let start = storage.as_ptr().align_offset(LINE);
        Some(Self { storage, start, len })
    }

    /// Words that it can hold as it is.
    pub(crate) fn room(&self) -> usize {
        self.storage.len().saturating_sub(self.start)
    }

    /// Makes room for `len` words; what they hold is left from before, or zero.
    pub(crate) fn resize(&mut self, len: usize) -> &mut [f32] {
        if self.start + len > self.storage.len() {
            let mut grown = Self::zeros(len).expect("memory for a few panels");
            grown[..self.len].copy_from_slice(self);
            *self = grown;
        }
        self.len = len;
        self
    }
}

impl Deref for Words {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.storage[self.start..self.start + self.len]
    }
}

impl DerefMut for Words {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.storage[self.start..self.start + self.len]
    }
}

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
    fn words_start_on_a_cache_line() {
        let mut words = Words::zeros(17).unwrap();
        assert_eq!((words.len(), words.as_ptr() as usize % 64), (17, 0));
        words[16] = 3.0;
        assert_eq!(words.resize(40)[16], 3.0);
        assert_eq!((words.len(), words[39]), (40, 0.0));
    }

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
