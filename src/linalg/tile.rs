//! The inner loop of every product in f32: a few rows of the left side times one panel of the
//! right, with all sums in registers.

use pulp::{Simd, WithSimd};

use crate::device::{LANES, TILE_ROWS, vector_registers};

/// Rows of a tile.
pub(super) const ROWS: usize = TILE_ROWS;
/// Vectors of a tile's row at most: six times four sums, four values of the right side and one of
/// the left fill most of 32 registers; where there are 16, six times two fill those, in a browser
/// four times two.
const VECTORS: usize = 4;
/// Columns of a tile at most.
pub(super) const COLUMNS: usize = VECTORS * LANES;

/// Columns of a full panel for vectors of this kind.
pub(super) const fn panel_columns<S: Simd>() -> usize {
    S::F32_LANES * if vector_registers::<S>() >= 32 { VECTORS } else { VECTORS / 2 }
}

/// Up to [`ROWS`] rows of a left side.
#[derive(Clone, Copy)]
pub(super) struct LeftRows<'a> {
    /// From the first value of the first row on.
    pub(super) values: &'a [f32],
    /// Rows.
    pub(super) rows: usize,
    /// From a value to the one below.
    pub(super) row_stride: usize,
    /// From a value to the next of its row.
    pub(super) col_stride: usize,
}

/// Where a tile's sums go.
pub(super) struct SumRows<'a> {
    /// From the first value of the first row on.
    pub(super) values: &'a mut [f32],
    /// From a value to the one below.
    pub(super) stride: usize,
}

/// `sums[r][c] = Σ_k left[r][k] · panel[k][c]`; the panel has rows of `columns` values, a multiple
/// of the vector's, and so many values of each row of sums are written. Run by [`Simd::vectorize`],
/// which is a call: what is inlined in every product would be as many copies of the loops.
///
/// # Panics
/// If the left side is shorter than the panel is deep, or the sums do not fit.
pub(super) struct Tile<'a> {
    pub(super) left: LeftRows<'a>,
    pub(super) panel: &'a [f32],
    pub(super) columns: usize,
    pub(super) sums: SumRows<'a>,
}

impl WithSimd for Tile<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Tile { left, panel, columns, sums } = self;
        let vectors = columns / S::F32_LANES;
        let full = panel_columns::<S>() / S::F32_LANES;
        match vectors {
            1 => rows::<S, 1>(simd, left, panel, sums),
            2 => rows::<S, 2>(simd, left, panel, sums),
            3 if full > 2 => rows::<S, 3>(simd, left, panel, sums),
            4 if full > 2 => rows::<S, 4>(simd, left, panel, sums),
            _ => unreachable!("a panel of {columns} columns"),
        }
    }
}

#[inline(always)]
fn rows<S: Simd, const V: usize>(simd: S, left: LeftRows<'_>, panel: &[f32], sums: SumRows<'_>) {
    match left.rows {
        6 if ROWS > 4 => accumulate::<S, 6, V>(simd, left, panel, sums),
        5 if ROWS > 4 => accumulate::<S, 5, V>(simd, left, panel, sums),
        4 => accumulate::<S, 4, V>(simd, left, panel, sums),
        3 => accumulate::<S, 3, V>(simd, left, panel, sums),
        2 => accumulate::<S, 2, V>(simd, left, panel, sums),
        1 => accumulate::<S, 1, V>(simd, left, panel, sums),
        _ => unreachable!("a tile of {} rows", left.rows),
    }
}

#[inline(always)]
fn accumulate<S: Simd, const R: usize, const V: usize>(
    simd: S,
    left: LeftRows<'_>,
    panel: &[f32],
    sums: SumRows<'_>,
) {
    let (vectors, rest) = S::as_simd_f32s(panel);
    debug_assert!(rest.is_empty());
    let (steps, _) = vectors.as_chunks::<V>();
    let (row, col) = (left.row_stride, left.col_stride);
    if let Some(last) = steps.len().checked_sub(1) {
        assert!((R - 1) * row + last * col < left.values.len());
    }
    let mut total = [[simd.splat_f32s(0.0); V]; R];
    for (k, step) in steps.iter().enumerate() {
        for (r, total) in total.iter_mut().enumerate() {
            // SAFETY: at most the index that was checked above; a check here would take as long
            // as the product itself.
            let value = simd.splat_f32s(unsafe { *left.values.get_unchecked(r * row + k * col) });
            for (total, step) in total.iter_mut().zip(step) {
                *total = simd.mul_add_e_f32s(value, *step, *total);
            }
        }
    }
    for (r, total) in total.iter().enumerate() {
        let row = &mut sums.values[r * sums.stride..][..V * S::F32_LANES];
        S::as_mut_simd_f32s(row).0.copy_from_slice(total);
    }
}
