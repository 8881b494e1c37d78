//! Norms of rows and means of columns.

use crate::matrix::Matrix;

/// Euclidean norm of a row, summed in `f64`.
pub fn norm(row: &[f32]) -> f64 {
    row.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>().sqrt()
}

/// Every row divided by its norm. A row without a direction (all zeros, or a value that is not
/// finite) becomes zeros, so that its cosine with anything is 0.
pub fn unit_rows(matrix: &Matrix) -> Matrix {
    let mut out = matrix.clone();
    if out.cols() == 0 {
        return out;
    }
    let cols = out.cols();
    for row in out.data_mut().chunks_exact_mut(cols) {
        let length = norm(row);
        if length > 0.0 && length.is_finite() {
            row.iter_mut().for_each(|v| *v = (f64::from(*v) / length) as f32);
        } else {
            row.fill(0.0);
        }
    }
    out
}

/// Mean of every column, in `f64`; zeros if there are no rows.
pub fn column_means(matrix: &Matrix) -> Vec<f64> {
    let mut sums = vec![0.0f64; matrix.cols()];
    for row in matrix.iter_rows() {
        sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += f64::from(*v));
    }
    let count = matrix.rows().max(1) as f64;
    sums.iter_mut().for_each(|sum| *sum /= count);
    sums
}

/// Deviation of every column from its mean among `means`; zeros if there are no rows.
pub fn column_deviations(matrix: &Matrix, means: &[f64]) -> Vec<f32> {
    let mut squares = vec![0.0f64; matrix.cols()];
    for row in matrix.iter_rows() {
        for ((square, v), mean) in squares.iter_mut().zip(row).zip(means) {
            *square += (f64::from(*v) - mean).powi(2);
        }
    }
    let count = matrix.rows().max(1) as f64;
    squares.iter().map(|square| (square / count).sqrt() as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_without_a_direction_become_zeros() {
        let rows = vec![3.0, 4.0, 0.0, 0.0, f32::NAN, 1.0, f32::INFINITY, 1.0, 1e-40, 0.0];
        let unit = unit_rows(&Matrix::new(5, 2, rows).unwrap());
        assert_eq!(unit.data(), [0.6, 0.8, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        assert_eq!(column_means(&unit)[1], f64::from(0.8f32) / 5.0);
    }
}
