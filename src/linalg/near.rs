//! Which rows are nearly equal to a row of another set.

use super::product::matmul_nt;
use super::rows::unit_rows;
use crate::matrix::Matrix;

/// Rows of `others` that are compared at a time.
const BLOCK: usize = 4096;

/// For each row of `rows` (n×w) whether its cosine with any row of `others` (m×w) is `least` or
/// more.
///
/// # Panics
/// If the widths differ.
pub fn near_rows(rows: &Matrix, others: &Matrix, least: f32) -> Vec<bool> {
    let units = unit_rows(rows);
    let mut near = vec![false; rows.rows()];
    for start in (0..others.rows()).step_by(BLOCK) {
        let end = (start + BLOCK).min(others.rows());
        let block = unit_rows(&others.slice_rows(start, end));
        let cosines = matmul_nt(&units, &block);
        for (near, row) in near.iter_mut().zip(cosines.data().chunks_exact(end - start)) {
            *near |= row.iter().any(|c| *c >= least);
        }
    }
    near
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_cosine_and_not_by_length() {
        let others =
            Matrix::from_fn(5001, 2, |r, c| if r == 5000 { [3.0, 4.0][c] } else { [-1.0, 0.0][c] });
        // Cosines with (3, 4)/5: 1, 0.96, −1; with (−1, 0): −0.6, −0.8, 0.6.
        let rows = Matrix::new(4, 2, vec![0.06, 0.08, 4.0, 3.0, -3.0, -4.0, 0.0, 0.0]).unwrap();
        assert_eq!(near_rows(&rows, &others, 0.999), [true, false, false, false]);
        assert_eq!(near_rows(&rows, &others, 0.95), [true, true, false, false]);
        assert_eq!(near_rows(&rows, &others, 0.55), [true, true, true, false]);
        assert_eq!(near_rows(&rows, &Matrix::zeros(0, 2), 0.0), [false; 4]);
    }
}
