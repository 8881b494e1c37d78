//! Matrix products on the CPU: in f32 over panels, tile by tile; in f64 by the `gemm` crate.

use pulp::Simd;

use crate::device::{Words, cores};
use crate::linalg::panels::{Cut, OutRows, Values, multiply_panels, pack};
use crate::linalg::tile::ROWS;
use crate::matrix::Matrix;

/// A scalar that products are made of: `f32` or `f64`.
pub trait Scalar: Copy + Default + 'static + sealed::Sealed {}

mod sealed {
    use super::{Operand, Threads};

    pub trait Sealed: Sized {
        fn multiply(
            a: Operand<'_, Self>,
            b: Operand<'_, Self>,
            out: &mut [Self],
            accumulate: bool,
            threads: Threads,
        );
    }
}

impl Scalar for f32 {}
impl Scalar for f64 {}

/// How many threads a product may use. The result is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// The calling thread alone: for products inside a parallel loop.
    One,
    /// All of rayon's threads, where the feature is on; one inside of a block of a larger work.
    All,
}

impl Threads {
    /// How many there are.
    fn count(self) -> usize {
        match self {
            Threads::One => 1,
            Threads::All => cores(),
        }
    }
}

/// Calls `f` on every part, each on whatever core is free.
pub(crate) fn in_parts<T: Send>(parts: Vec<T>, threads: Threads, f: impl Fn(T) + Send + Sync) {
    #[cfg(feature = "rayon")]
    if threads.count() > 1 && parts.len() > 1 {
        use rayon::prelude::*;
        // One at a time: parts are few, and a core may be slower than another.
        parts.into_par_iter().with_max_len(1).for_each(f);
        return;
    }
    let _ = threads;
    parts.into_iter().for_each(f);
}

/// One side of a product: a dense row-major block, read as it is or transposed.
#[derive(Clone, Copy, Debug)]
pub struct Operand<'a, T> {
    pub(super) data: &'a [T],
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) row_stride: usize,
    pub(super) col_stride: usize,
}

impl<'a, T> Operand<'a, T> {
    /// `data` as `data.len() / cols` rows of `cols` values.
    ///
    /// # Panics
    /// If `data` does not fill whole rows.
    pub fn new(data: &'a [T], rows: usize, cols: usize) -> Self {
        assert_eq!(data.len(), rows * cols, "an operand of {rows}×{cols}");
        Self { data, rows, cols, row_stride: cols, col_stride: 1 }
    }

    /// The same values read as the transposed matrix; nothing is copied.
    pub fn transposed(self) -> Self {
        Self {
            data: self.data,
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
        }
    }

    /// Some of its rows.
    fn rows(self, first: usize, count: usize) -> Self {
        let data = self.data.get(first * self.row_stride..).unwrap_or_default();
        Self { data, rows: count, ..self }
    }

    /// Some of its columns.
    fn columns(self, first: usize, count: usize) -> Self {
        self.transposed().rows(first, count).transposed()
    }
}

impl<'a> From<&'a Matrix> for Operand<'a, f32> {
    fn from(matrix: &'a Matrix) -> Self {
        Self::new(matrix.data(), matrix.rows(), matrix.cols())
    }
}

/// `out = a · b`, or `out += a · b` if `accumulate`; `a` is m×k, `b` is k×n, `out` is m×n,
/// row after row.
///
/// # Panics
/// If the shapes do not fit together.
pub fn multiply<T: Scalar>(
    a: Operand<'_, T>,
    b: Operand<'_, T>,
    out: &mut [T],
    accumulate: bool,
    threads: Threads,
) {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    assert_eq!(k, b.rows, "{m}×{k} times {}×{n}", b.rows);
    assert_eq!(out.len(), m * n, "the product of {m}×{k} and {k}×{n} is {m}×{n}");
    if m == 0 || n == 0 {
        return;
    }
    if k == 0 {
        if !accumulate {
            out.fill(T::default());
        }
        return;
    }
    T::multiply(a, b, out, accumulate, threads);
}

impl sealed::Sealed for f64 {
    fn multiply(
        a: Operand<'_, Self>,
        b: Operand<'_, Self>,
        out: &mut [Self],
        accumulate: bool,
        threads: Threads,
    ) {
        let parallelism = match threads {
            #[cfg(feature = "rayon")]
            Threads::All if threads.count() > 1 => gemm::Parallelism::Rayon(0),
            _ => gemm::Parallelism::None,
        };
        // SAFETY: the three slices are as long as their shapes and strides say (checked by
        // `Operand::new` and `multiply`), `out` is borrowed mutably and so overlaps neither.
        unsafe {
            gemm::gemm(
                a.rows,
                b.cols,
                a.cols,
                out.as_mut_ptr(),
                1,
                b.cols as isize,
                accumulate,
                a.data.as_ptr(),
                a.col_stride as isize,
                a.row_stride as isize,
                b.data.as_ptr(),
                b.col_stride as isize,
                b.row_stride as isize,
                1.0,
                1.0,
                false,
                false,
                false,
                parallelism,
            );
        }
    }
}

impl sealed::Sealed for f32 {
    fn multiply(
        a: Operand<'_, Self>,
        b: Operand<'_, Self>,
        out: &mut [Self],
        accumulate: bool,
        threads: Threads,
    ) {
        multiply_then(a, b, Out { values: out, beside: &mut [], accumulate }, threads, Done);
    }
}

/// What a product writes: `m × n` values, row after row.
pub(crate) struct Out<'a> {
    /// The product, and then what [`Finish`] makes of it.
    pub(crate) values: &'a mut [f32],
    /// What [`Finish`] writes besides, of the same shape, or nothing.
    pub(crate) beside: &'a mut [f32],
    /// Whether the product is added to what is there.
    pub(crate) accumulate: bool,
}

/// What follows a product, on each piece of a row as soon as it is whole, while it is in the cache.
pub(crate) trait Finish: Copy + Sync {
    /// `values` start at the column `at` of the product; `beside` are the values written with
    /// them, or empty. It must be `#[inline(always)]`.
    fn finish<S: Simd>(self, simd: S, at: usize, values: &mut [f32], beside: &mut [f32]);
}

/// Nothing follows.
#[derive(Clone, Copy)]
struct Done;

impl Finish for Done {
    #[inline(always)]
    fn finish<S: Simd>(self, _: S, _: usize, _: &mut [f32], _: &mut [f32]) {}
}

/// Values of a right side that are packed at a time.
const PACKED: usize = 1 << 20;
/// Multiplications from which on a second core pays.
pub(crate) const WORTH_SHARING: usize = 1 << 20;

thread_local! {
    /// Room for panels. Taken while in use: a core that waits may begin another product.
    static PANELS: std::cell::Cell<Words> = std::cell::Cell::default();
}

/// As [`multiply`] in f32, with what follows.
pub(crate) fn multiply_then(
    a: Operand<'_, f32>,
    b: Operand<'_, f32>,
    out: Out<'_>,
    threads: Threads,
    finish: impl Finish,
) {
    let (n, k) = (b.cols, b.rows);
    let Out { values, beside, accumulate } = out;
    let panel = Cut::new(k, n).panel_columns();
    let step = (PACKED / k.max(1)).max(1).next_multiple_of(panel);
    let mut packed = PANELS.take();
    for first in (0..n).step_by(step) {
        let part = b.columns(first, step.min(n - first));
        let cut = Cut::new(k, part.cols);
        let threads = if a.rows * k * part.cols >= WORTH_SHARING { threads } else { Threads::One };
        pack(part, cut, packed.resize(cut.len()), threads);
        let out = OutRows { values, beside, stride: n, first, accumulate };
        multiply_packed(a, cut, Values::F32(&packed), out, threads, finish);
    }
    PANELS.set(packed);
}

/// Every row of `a` times panels, the rows shared between the cores; as [`multiply_then`].
pub(crate) fn multiply_packed(
    a: Operand<'_, f32>,
    cut: Cut,
    right: Values<'_>,
    out: OutRows<'_>,
    threads: Threads,
    finish: impl Finish,
) {
    let OutRows { mut values, mut beside, stride, first, accumulate } = out;
    // Each part widens its panels anew, hence one a core then; else more, for cores that differ.
    let cores = threads.count();
    let wanted = if cores == 1 || right.narrow() { cores } else { 4 * cores };
    let tiles = a.rows.div_ceil(ROWS);
    let count = wanted.min(tiles / 2).max(1);
    let mut parts = Vec::with_capacity(count);
    let mut row = 0;
    for part in 1..=count {
        // Whole tiles, as many for one core as for another.
        let end = a.rows.min(part * tiles / count * ROWS);
        let len = (end - row) * stride;
        let (here, below) = values.split_at_mut(len);
        let (beside_here, beside_below) = beside.split_at_mut(len.min(beside.len()));
        parts.push((row, here, beside_here));
        (values, beside, row) = (below, beside_below, end);
    }
    in_parts(parts, threads, |(row, values, beside): (usize, &mut [f32], &mut [f32])| {
        let left = a.rows(row, values.len() / stride);
        let out = OutRows { values, beside, stride, first, accumulate };
        multiply_panels(left, cut, right, out, finish);
    });
}

fn product(a: Operand<'_, f32>, b: Operand<'_, f32>) -> Matrix {
    let mut out = Matrix::zeros(a.rows, b.cols);
    multiply(a, b, out.data_mut(), false, Threads::All);
    out
}

/// `a · b`: m×k times k×n.
///
/// # Panics
/// If the shapes do not fit together.
pub fn matmul(a: &Matrix, b: &Matrix) -> Matrix {
    product(a.into(), b.into())
}

/// `a · bᵀ`: m×k times n×k, every row of `a` with every row of `b`.
///
/// # Panics
/// If the widths differ.
pub fn matmul_nt(a: &Matrix, b: &Matrix) -> Matrix {
    product(a.into(), Operand::from(b).transposed())
}

/// `aᵀ · b`: k×m times k×n.
///
/// # Panics
/// If the numbers of rows differ.
pub fn matmul_tn(a: &Matrix, b: &Matrix) -> Matrix {
    product(Operand::from(a).transposed(), b.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(rows: usize, cols: usize, phase: f32) -> Matrix {
        Matrix::from_fn(rows, cols, |r, c| ((r * 31 + c * 7) as f32 * 0.13 + phase).sin())
    }

    fn naive(a: &Matrix, b: &Matrix) -> Matrix {
        Matrix::from_fn(a.rows(), b.cols(), |r, c| {
            (0..a.cols()).map(|k| f64::from(a.row(r)[k]) * f64::from(b.row(k)[c])).sum::<f64>()
                as f32
        })
    }

    fn assert_close(a: &Matrix, b: &Matrix) {
        assert_eq!((a.rows(), a.cols()), (b.rows(), b.cols()));
        for (x, y) in a.data().iter().zip(b.data()) {
            assert!((x - y).abs() < 1e-4, "{x} {y}");
        }
    }

    #[test]
    fn products_against_three_loops_on_odd_shapes() {
        for (m, k, n) in [(1, 1, 1), (1, 5, 3), (7, 3, 1), (13, 29, 17), (65, 33, 9), (2, 0, 3)] {
            let (a, b) = (wave(m, k, 0.1), wave(k, n, 0.7));
            let expected = naive(&a, &b);
            assert_close(&matmul(&a, &b), &expected);
            assert_close(&matmul_nt(&a, &b.transposed()), &expected);
            assert_close(&matmul_tn(&a.transposed(), &b), &expected);
        }
    }

    #[test]
    fn accumulates_in_both_precisions_and_thread_counts() {
        let (a, b) = (wave(5, 11, 0.3), wave(11, 3, 0.2));
        let expected = naive(&a, &b);
        for threads in [Threads::One, Threads::All] {
            let mut single = vec![1.0f32; 15];
            multiply((&a).into(), (&b).into(), &mut single, true, threads);
            let wide = |m: &Matrix| m.data().iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
            let (a64, b64) = (wide(&a), wide(&b));
            let mut double = vec![1.0f64; 15];
            let operands = (Operand::new(&a64, 5, 11), Operand::new(&b64, 11, 3));
            multiply(operands.0, operands.1, &mut double, true, threads);
            for ((s, d), e) in single.iter().zip(&double).zip(expected.data()) {
                assert!((s - 1.0 - e).abs() < 1e-4);
                assert!((d - 1.0 - f64::from(*e)).abs() < 1e-5);
            }
        }
    }
}
