//! Matrix products on the CPU, by the `gemm` crate.

/// A row-major matrix as an operand of [`product`].
#[derive(Clone, Copy)]
pub(crate) struct Transposed<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    transposed: bool,
}

impl<'a> Transposed<'a> {
    /// The `rows × cols` matrix as it is.
    pub(crate) fn no(data: &'a [f32], rows: usize, cols: usize) -> Self {
        assert_eq!(data.len(), rows * cols);
        Self { data, rows, cols, transposed: false }
    }

    /// The transposed of the stored `rows × cols` matrix.
    pub(crate) fn yes(data: &'a [f32], rows: usize, cols: usize) -> Self {
        assert_eq!(data.len(), rows * cols);
        Self { data, rows, cols, transposed: true }
    }

    /// Shape as an operand.
    fn shape(self) -> (usize, usize) {
        if self.transposed { (self.cols, self.rows) } else { (self.rows, self.cols) }
    }

    /// Strides between columns and between rows, as an operand.
    fn strides(self) -> (isize, isize) {
        let width = self.cols as isize;
        if self.transposed { (width, 1) } else { (1, width) }
    }
}

/// `c = a · b`, or `c += a · b` if `accumulate`; `c` is row-major. On all cores if `parallel`.
pub(crate) fn product(
    c: &mut [f32],
    a: Transposed<'_>,
    b: Transposed<'_>,
    accumulate: bool,
    parallel: bool,
) {
    let (m, k) = a.shape();
    let (k2, n) = b.shape();
    assert_eq!(k, k2, "inner sizes of a product");
    assert_eq!(c.len(), m * n, "size of a product");
    let ((a_cs, a_rs), (b_cs, b_rs)) = (a.strides(), b.strides());
    // SAFETY: the three slices hold exactly the rows and columns that the sizes and strides
    // name (asserted above and in the constructors), and `c` is borrowed mutably, so it
    // overlaps neither operand.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            n as isize,
            accumulate,
            a.data.as_ptr(),
            a_cs,
            a_rs,
            b.data.as_ptr(),
            b_cs,
            b_rs,
            1.0,
            1.0,
            false,
            false,
            false,
            parallelism(parallel),
        );
    }
}

#[cfg(feature = "rayon")]
fn parallelism(parallel: bool) -> gemm::Parallelism {
    if parallel { gemm::Parallelism::Rayon(0) } else { gemm::Parallelism::None }
}

#[cfg(not(feature = "rayon"))]
fn parallelism(_: bool) -> gemm::Parallelism {
    gemm::Parallelism::None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layout_matches_the_sum() {
        let (m, n, k) = (5, 7, 3);
        let a: Vec<f32> = (0..m * k).map(|i| (i as f32 * 0.7).sin()).collect();
        let b: Vec<f32> = (0..k * n).map(|i| (i as f32 * 0.3).cos()).collect();
        let flip = |x: &[f32], r: usize, c: usize| -> Vec<f32> {
            (0..r * c).map(|i| x[(i % r) * c + i / r]).collect()
        };
        let (at, bt) = (flip(&a, m, k), flip(&b, k, n));
        let expected: Vec<f32> = (0..m * n)
            .map(|i| (0..k).map(|t| a[(i / n) * k + t] * b[t * n + i % n]).sum())
            .collect();
        let lhs = [Transposed::no(&a, m, k), Transposed::yes(&at, k, m)];
        let rhs = [Transposed::no(&b, k, n), Transposed::yes(&bt, n, k)];
        for x in lhs {
            for y in rhs {
                let mut c = vec![1.0; m * n];
                product(&mut c, x, y, true, true);
                for (got, want) in c.iter().zip(&expected) {
                    assert!((got - want - 1.0).abs() < 1e-5);
                }
                product(&mut c, x, y, false, false);
                for (got, want) in c.iter().zip(&expected) {
                    assert!((got - want).abs() < 1e-5);
                }
            }
        }
    }
}
