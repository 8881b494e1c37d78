//! The CPU side of a linear layer for one vector: bound by reading the weights, so these are read
//! once, as they are packed.

use pulp::{Simd, WithSimd};

use crate::device::{LANES, Widen};
use crate::linalg::panels::{Cut, DEPTH, Panel, Values};
use crate::linalg::product::{Finish, Threads, in_parts};

/// Weights above which the panels are shared between the cores.
const SHARED: usize = 1 << 21;
/// Vectors of sums that are under way at a time: an addition takes several cycles, and a core
/// begins two of them a cycle.
const SUMS: usize = 8;
/// Vectors in a row of a panel at most.
const WIDEST: usize = 4;

/// `y = W · x` with the weight in panels, with what follows.
pub(crate) fn linear_vector(
    x: &[f32],
    (cut, values): (Cut, Values<'_>),
    y: &mut [f32],
    beside: &mut [f32],
    finish: impl Finish,
) {
    let threads = if x.len() * y.len() >= SHARED { Threads::All } else { Threads::One };
    let columns = match threads {
        Threads::All => cut.panel_columns(),
        Threads::One => cut.columns.next_multiple_of(cut.panel_columns()),
    };
    let mut besides = beside.chunks_mut(columns);
    let parts = y
        .chunks_mut(columns)
        .enumerate()
        .map(|(i, y)| (i * columns, y, besides.next().unwrap_or_default()))
        .collect();
    in_parts(parts, threads, |(first, y, beside): (usize, &mut [f32], &mut [f32])| {
        pulp::Arch::new().dispatch(Product { x, cut, values, first, y, beside, finish });
    });
}

struct Product<'a, F> {
    x: &'a [f32],
    cut: Cut,
    values: Values<'a>,
    first: usize,
    y: &'a mut [f32],
    beside: &'a mut [f32],
    finish: F,
}

impl<F: Finish> WithSimd for Product<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Product { x, cut, values, first, y, beside, finish } = self;
        if x.is_empty() {
            y.fill(0.0);
        }
        // Of a narrower panel, whole vectors of sums would go beyond the row.
        let mut apart = [0.0; WIDEST * LANES];
        for panel in cut.panels(first..first + y.len()) {
            let at = panel.first - first;
            let y = &mut y[at..at + panel.count];
            let in_place = panel.count == panel.width;
            let sums = if in_place { &mut *y } else { &mut apart[..panel.width] };
            match values {
                Values::F32(values) => dot(simd, x, panel, panel.of(values, 0..x.len()), sums),
                Values::F16(bits) => dot(simd, x, panel, panel.of(bits, 0..x.len()), sums),
                Values::Int8(integers, scales) => {
                    dot(simd, x, panel, panel.of(integers, 0..x.len()), sums);
                    sums.iter_mut().zip(&scales[panel.first..]).for_each(|(s, scale)| *s *= scale);
                }
            }
            if !in_place {
                y.copy_from_slice(&apart[..panel.count]);
            }
        }
        finish.finish(simd, first, y, beside);
    }
}

#[inline(always)]
fn dot<S: Simd, T: Widen>(simd: S, x: &[f32], panel: Panel, values: &[T], sums: &mut [f32]) {
    let parts = x.chunks(DEPTH).zip(values.chunks(DEPTH * panel.width));
    for (i, (x, values)) in parts.enumerate() {
        let again = i > 0;
        match panel.width / S::F32_LANES {
            1 => dot_by::<S, T, 1, SUMS>(simd, x, values, sums, again),
            2 => dot_by::<S, T, 2, { SUMS / 2 }>(simd, x, values, sums, again),
            3 => dot_by::<S, T, 3, { SUMS / 3 }>(simd, x, values, sums, again),
            4 => dot_by::<S, T, 4, { SUMS / 4 }>(simd, x, values, sums, again),
            vectors => unreachable!("a panel of {vectors} vectors"),
        }
    }
}

/// A panel of `V` vectors, `P` of its rows at a time; added to the sums that are there if `again`.
#[inline(always)]
fn dot_by<S: Simd, T: Widen, const V: usize, const P: usize>(
    simd: S,
    x: &[f32],
    values: &[T],
    sums: &mut [f32],
    again: bool,
) {
    let width = V * S::F32_LANES;
    let mut total = [[simd.splat_f32s(0.0); V]; P];
    let (x_parts, x_rest) = x.as_chunks::<P>();
    let (parts, rest) = values.split_at(x_parts.len() * P * width);
    for (x, rows) in x_parts.iter().zip(parts.chunks_exact(P * width)) {
        for (i, line) in rows.as_chunks::<LANES>().0.iter().enumerate() {
            let wide = T::widen(line);
            for (j, values) in S::as_simd_f32s(&wide).0.iter().enumerate() {
                let at = i * (LANES / S::F32_LANES) + j;
                let (x, total) = (simd.splat_f32s(x[at / V]), &mut total[at / V][at % V]);
                *total = simd.mul_add_e_f32s(x, *values, *total);
            }
        }
    }
    for ((x, row), total) in x_rest.iter().zip(rest.chunks_exact(width)).zip(&mut total) {
        for (total, values) in total.iter_mut().zip(row.chunks_exact(S::F32_LANES)) {
            let mut line = [T::default(); LANES];
            line[..S::F32_LANES].copy_from_slice(values);
            let wide = T::widen(&line);
            let x = simd.splat_f32s(*x);
            *total = simd.mul_add_e_f32s(x, S::as_simd_f32s(&wide).0[0], *total);
        }
    }
    let (sums, _) = S::as_mut_simd_f32s(sums);
    for (v, sum) in sums[..V].iter_mut().enumerate() {
        let before = if again { *sum } else { simd.splat_f32s(0.0) };
        *sum = total.iter().fold(before, |sum, total| simd.add_f32s(sum, total[v]));
    }
}
