//! The right side of a product, cut into panels: as many columns as a tile of sums takes, row after
//! row, so that the inner loop reads it from front to end.

use std::cell::Cell;
use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::device::{LANES, Words, vectorised, widen_f16};
use crate::linalg::product::{Finish, Operand, Threads, in_parts};
use crate::linalg::tile::{COLUMNS, LeftRows, ROWS, SumRows, Tile, panel_columns};

/// Rows of the right side that a core goes through at a time: long sums are kinder to f32 in parts,
/// and a tile's share of the left side stays in the nearest cache.
pub(crate) const DEPTH: usize = 384;
/// Columns that a core goes through at a time: that much of the right side stays in its own cache.
const BLOCK_COLUMNS: usize = 384;

/// How a right side of `depth × columns` is cut. The last panel has as many columns as are left,
/// rounded up to whole vectors; what is beyond is zero.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub(crate) depth: usize,
    pub(crate) columns: usize,
    lanes: usize,
    panel: usize,
}

/// One panel of a [`Cut`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Panel {
    /// Its first column.
    pub(crate) first: usize,
    /// Columns of the right side in it.
    pub(crate) count: usize,
    /// Values in each of its rows.
    pub(crate) width: usize,
    /// Where it starts among the values.
    start: usize,
}

struct Geometry;

impl WithSimd for Geometry {
    type Output = (usize, usize);

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> (usize, usize) {
        (S::F32_LANES, panel_columns::<S>())
    }
}

impl Cut {
    /// For the vectors of this processor.
    pub(crate) fn new(depth: usize, columns: usize) -> Self {
        let (lanes, panel) = pulp::Arch::new().dispatch(Geometry);
        Self { depth, columns, lanes, panel }
    }

    /// Values of all panels together.
    pub(crate) fn len(&self) -> usize {
        self.depth * self.columns.next_multiple_of(self.lanes)
    }

    /// Columns of a full panel.
    pub(crate) fn panel_columns(&self) -> usize {
        self.panel
    }

    /// The panel whose first column is `first`.
    fn panel(&self, first: usize) -> Panel {
        let count = self.panel.min(self.columns - first);
        let width = count.next_multiple_of(self.lanes);
        Panel { first, count, width, start: first * self.depth }
    }

    /// The panels that hold `columns`, which start with a panel.
    pub(crate) fn panels(self, columns: Range<usize>) -> impl Iterator<Item = Panel> {
        columns.step_by(self.panel).map(move |first| self.panel(first))
    }
}

impl Panel {
    /// Its values in those rows.
    pub(crate) fn of<'v, T>(&self, values: &'v [T], rows: Range<usize>) -> &'v [T] {
        &values[self.start + rows.start * self.width..self.start + rows.end * self.width]
    }
}

/// Writes `right` into panels.
///
/// # Panics
/// If `into` has not [`Cut::len`] values.
pub(crate) fn pack<T: Copy + Default + Send + Sync>(
    right: Operand<'_, T>,
    cut: Cut,
    into: &mut [T],
    threads: Threads,
) {
    assert_eq!((right.rows, right.cols, into.len()), (cut.depth, cut.columns, cut.len()));
    if into.is_empty() {
        return;
    }
    let parts = into.chunks_mut(cut.panel * cut.depth).zip(cut.panels(0..cut.columns)).collect();
    in_parts(parts, threads, |(into, panel): (&mut [T], Panel)| {
        vectorised(
            #[inline(always)]
            || pack_panel(right, panel, into),
        );
    });
}

#[inline(always)]
fn pack_panel<T: Copy + Default>(right: Operand<'_, T>, panel: Panel, into: &mut [T]) {
    let (first, count) = (panel.first, panel.count);
    if right.col_stride == 1 {
        for (k, into) in into.chunks_exact_mut(panel.width).enumerate() {
            let at = k * right.row_stride + first;
            into[..count].copy_from_slice(&right.data[at..at + count]);
            into[count..].fill(T::default());
        }
        return;
    }
    // Each column is contiguous: a few rows of the panel at a time, so that they stay in the cache
    // until every column has been there.
    for (i, into) in into.chunks_mut(LANES * panel.width).enumerate() {
        let rows = into.len() / panel.width;
        let column = |c: usize| &right.data[(first + c) * right.col_stride + i * LANES..][..rows];
        let mut c = 0;
        while rows == LANES && c + LANES <= count {
            turn(std::array::from_fn(|j| column(c + j)), &mut into[c..], panel.width);
            c += LANES;
        }
        for c in c..count {
            for (into, value) in into[c..].iter_mut().step_by(panel.width).zip(column(c)) {
                *into = *value;
            }
        }
        if count < panel.width {
            into.chunks_exact_mut(panel.width).for_each(|row| row[count..].fill(T::default()));
        }
    }
}

/// Writes sixteen columns of sixteen values as rows, `stride` values apart.
#[inline(always)]
fn turn<T: Copy>(columns: [&[T]; LANES], into: &mut [T], stride: usize) {
    let columns = columns.map(|c| c.first_chunk::<LANES>().expect("sixteen values"));
    for (r, into) in into.chunks_mut(stride).enumerate().take(LANES) {
        let row: [T; LANES] = std::array::from_fn(|j| columns[j][r]);
        into[..LANES].copy_from_slice(&row);
    }
}

/// The values of panels.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Values<'a> {
    F32(&'a [f32]),
    /// Bits.
    F16(&'a [u16]),
    /// Integers, and the scale of each column.
    Int8(&'a [i8], &'a [f32]),
}

impl Values<'_> {
    /// Whether they must be widened before a product.
    pub(crate) fn narrow(&self) -> bool {
        !matches!(self, Values::F32(_))
    }
}

/// The rows that a product writes.
pub(crate) struct OutRows<'a> {
    pub(crate) values: &'a mut [f32],
    /// What else is written with them, of the same shape, or nothing.
    pub(crate) beside: &'a mut [f32],
    /// Values in a row.
    pub(crate) stride: usize,
    /// Column that the first of the right side's goes to.
    pub(crate) first: usize,
    /// Whether the product is added to what is there.
    pub(crate) accumulate: bool,
}

/// Every row of `left` times every panel, on this core, with what follows.
pub(crate) fn multiply_panels(
    left: Operand<'_, f32>,
    cut: Cut,
    right: Values<'_>,
    out: OutRows<'_>,
    finish: impl Finish,
) {
    assert_eq!((left.cols, out.values.len()), (cut.depth, left.rows * out.stride));
    let mut wide = WIDE.take();
    pulp::Arch::new().dispatch(Product { left, cut, right, out, finish, wide: &mut wide });
    WIDE.set(wide);
}

thread_local! {
    /// Room for widened panels. Taken while in use: a core that waits may begin another product.
    static WIDE: Cell<Words> = Cell::default();
}

struct Product<'a, F> {
    left: Operand<'a, f32>,
    cut: Cut,
    right: Values<'a>,
    out: OutRows<'a>,
    finish: F,
    wide: &'a mut Words,
}

impl<F: Finish> WithSimd for Product<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Product { left, cut, right, mut out, finish, wide } = self;
        let step = BLOCK_COLUMNS.next_multiple_of(cut.panel);
        // Once even for a depth of nought, which is a product, too.
        for top in (0..cut.depth.max(1)).step_by(DEPTH) {
            let depth = top..(top + DEPTH).min(cut.depth);
            for first in (0..cut.columns).step_by(step) {
                let columns = first..(first + step).min(cut.columns);
                if right.narrow() {
                    widen(right, cut, columns.clone(), depth.clone(), wide);
                }
                let values = match right {
                    Values::F32(values) => Block::Whole(values),
                    _ => Block::Cut(wide),
                };
                block(simd, left, cut, values, (columns, depth.clone()), &mut out, finish);
            }
        }
    }
}

/// Where the values of a block of panels are.
#[derive(Clone, Copy)]
enum Block<'a> {
    /// Among all.
    Whole(&'a [f32]),
    /// Alone, panel after panel.
    Cut(&'a [f32]),
}

/// One block of the depth and the columns, for all rows.
#[inline(always)]
fn block<S: Simd>(
    simd: S,
    left: Operand<'_, f32>,
    cut: Cut,
    right: Block<'_>,
    (columns, depth): (Range<usize>, Range<usize>),
    out: &mut OutRows<'_>,
    finish: impl Finish,
) {
    let (from_zero, last) = (depth.start == 0 && !out.accumulate, depth.end == cut.depth);
    let mut gathered = [0.0; ROWS * DEPTH];
    let mut apart = [0.0; ROWS * COLUMNS];
    for row in (0..left.rows).step_by(ROWS) {
        let rows = ROWS.min(left.rows - row);
        let tile_left = left_rows(left, row, rows, depth.clone(), &mut gathered);
        let mut at = 0;
        for panel in cut.panels(columns.clone()) {
            let values = match right {
                Block::Whole(values) => panel.of(values, depth.clone()),
                Block::Cut(values) => {
                    let start = at;
                    at += panel.width * depth.len();
                    &values[start..at]
                }
            };
            let first = row * out.stride + out.first + panel.first;
            let places = (0..rows).map(|r| first + r * out.stride);
            // Of a narrower panel, whole vectors of sums would go beyond the row.
            let in_place = from_zero && panel.count == panel.width;
            let sums = match in_place {
                true => SumRows { values: &mut out.values[first..], stride: out.stride },
                false => SumRows { values: &mut apart, stride: COLUMNS },
            };
            let columns = panel.width;
            simd.vectorize(Tile { left: tile_left, panel: values, columns, sums });
            if !in_place {
                for (sums, at) in apart.chunks_exact(COLUMNS).zip(places.clone()) {
                    let values = out.values[at..at + panel.count].iter_mut().zip(sums);
                    values.for_each(|(v, s)| *v = if from_zero { *s } else { *v + s });
                }
            }
            if last {
                for at in places {
                    let beside = match out.beside.is_empty() {
                        true => &mut [],
                        false => &mut out.beside[at..at + panel.count],
                    };
                    let values = &mut out.values[at..at + panel.count];
                    finish.finish(simd, out.first + panel.first, values, beside);
                }
            }
        }
    }
}

/// Some rows of the left side; of a transposed one they are gathered, since each of its values
/// would come from another cache line.
#[inline(always)]
fn left_rows<'a>(
    left: Operand<'a, f32>,
    first: usize,
    rows: usize,
    depth: Range<usize>,
    gathered: &'a mut [f32],
) -> LeftRows<'a> {
    let start = first * left.row_stride + depth.start * left.col_stride;
    if left.col_stride == 1 || depth.is_empty() {
        let values = left.data.get(start..).unwrap_or_default();
        return LeftRows { values, rows, row_stride: left.row_stride, col_stride: 1 };
    }
    for (k, into) in gathered.chunks_exact_mut(rows).take(depth.len()).enumerate() {
        // What is not contiguous along its rows is along its columns.
        let at = start + k * left.col_stride;
        match <&mut [f32; ROWS]>::try_from(&mut *into) {
            Ok(into) => into.copy_from_slice(&left.data[at..at + ROWS]),
            Err(_) => into.copy_from_slice(&left.data[at..at + rows]),
        }
    }
    LeftRows { values: gathered, rows, row_stride: 1, col_stride: rows }
}

/// Panels of 16 or 8 bits as `f32`, panel after panel.
#[inline(always)]
fn widen(
    right: Values<'_>,
    cut: Cut,
    columns: Range<usize>,
    depth: Range<usize>,
    wide: &mut Words,
) {
    let mut rest = wide
        .resize(depth.len() * cut.panels(columns.clone()).map(|panel| panel.width).sum::<usize>());
    for panel in cut.panels(columns) {
        let (into, after) = rest.split_at_mut(panel.width * depth.len());
        rest = after;
        match right {
            Values::F32(values) => into.copy_from_slice(panel.of(values, depth.clone())),
            Values::F16(bits) => {
                let bits = panel.of(bits, depth.clone());
                into.iter_mut().zip(bits).for_each(|(wide, bits)| *wide = widen_f16(*bits));
            }
            Values::Int8(integers, scales) => {
                let integers = panel.of(integers, depth.clone());
                let scales = &scales[panel.first..panel.first + panel.count];
                let rows = into.chunks_exact_mut(panel.width);
                for (into, integers) in rows.zip(integers.chunks_exact(panel.width)) {
                    for ((wide, integer), scale) in into.iter_mut().zip(integers).zip(scales) {
                        *wide = f32::from(*integer) * scale;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_hold_every_value_once_and_zeros_beyond() {
        for (depth, columns) in [(1, 1), (3, 17), (37, 200), (5, 64)] {
            let by_rows: Vec<f32> = (1..=depth * columns).map(|v| v as f32).collect();
            let right = Operand::new(&by_rows, depth, columns);
            let by_columns: Vec<f32> =
                (0..depth * columns).map(|i| by_rows[i % depth * columns + i / depth]).collect();
            let turned = Operand::new(&by_columns, columns, depth).transposed();
            let cut = Cut::new(depth, columns);
            let mut packed = vec![f32::NAN; cut.len()];
            pack(right, cut, &mut packed, Threads::All);
            let mut again = vec![f32::NAN; cut.len()];
            pack(turned, cut, &mut again, Threads::One);
            assert_eq!(packed, again);
            let mut zeros = packed.iter().filter(|v| **v == 0.0).count();
            for panel in cut.panels(0..columns) {
                let rows = panel.of(&packed, 0..depth).chunks_exact(panel.width);
                for (k, row) in rows.enumerate() {
                    let at = k * columns + panel.first;
                    assert_eq!(row[..panel.count], by_rows[at..at + panel.count]);
                    zeros -= panel.width - panel.count;
                }
            }
            assert_eq!(zeros, 0);
        }
    }
}
