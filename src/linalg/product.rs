//! Matrix products on the CPU, all through the `gemm` crate and all in this file.

use crate::matrix::Matrix;

/// A scalar that products are made of: `f32` or `f64`.
pub trait Scalar: Copy + 'static + sealed::Sealed {
    /// Nought.
    const ZERO: Self;
    /// One.
    const ONE: Self;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

impl Scalar for f32 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
}

impl Scalar for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
}

/// How many threads a product may use. The result is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// The calling thread alone: for products inside a parallel loop.
    One,
    /// All of rayon's threads, where the feature is on.
    All,
}

impl Threads {
    fn parallelism(self) -> gemm::Parallelism {
        match self {
            #[cfg(feature = "rayon")]
            Threads::All => gemm::Parallelism::Rayon(0),
            _ => gemm::Parallelism::None,
        }
    }
}

/// One side of a product: a dense row-major block, read as it is or transposed.
#[derive(Clone, Copy, Debug)]
pub struct Operand<'a, T> {
    data: &'a [T],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
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
            out.fill(T::ZERO);
        }
        return;
    }
    // SAFETY: the three slices are as long as their shapes and strides say (checked by
    // `Operand::new` and above), `out` is borrowed mutably and so overlaps neither operand.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            accumulate,
            a.data.as_ptr(),
            a.col_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.col_stride as isize,
            b.row_stride as isize,
            T::ONE,
            T::ONE,
            false,
            false,
            false,
            threads.parallelism(),
        );
    }
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
