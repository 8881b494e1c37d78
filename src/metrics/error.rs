//! Distances between vectors and their reconstructions.

use crate::error::{Error, Result};
use crate::linalg::{column_means, norm};
use crate::matrix::Matrix;

/// Cosine of each row of `a` with the same row of `b`, both n×d; 0 where either has no
/// direction.
///
/// # Errors
/// [`Error::Invalid`] if the shapes differ.
pub fn cosines(a: &Matrix, b: &Matrix) -> Result<Vec<f32>> {
    same_shape("cosine", a, b)?;
    let one = |(x, y): (&[f32], &[f32])| {
        let dot: f64 = x.iter().zip(y).map(|(p, q)| f64::from(*p) * f64::from(*q)).sum();
        let scale = norm(x) * norm(y);
        if scale > 0.0 && scale.is_finite() { (dot / scale) as f32 } else { 0.0 }
    };
    Ok(a.iter_rows().zip(b.iter_rows()).map(one).collect())
}

/// Mean over all values of `(a − b)²`.
///
/// # Errors
/// [`Error::Invalid`] if the shapes differ or there are no values.
pub fn mean_squared_error(a: &Matrix, b: &Matrix) -> Result<f64> {
    same_shape("mean squared error", a, b)?;
    if a.data().is_empty() {
        return Err(Error::invalid("mean squared error", "there are no values to average"));
    }
    Ok(squared_distance(a, b) / a.data().len() as f64)
}

/// `1 − Σ‖x − x̂‖² / Σ‖x − mean‖²` with the mean of `x` itself: 1 for a perfect
/// reconstruction, 0 for one no better than the mean. `None` if `x` does not vary.
///
/// # Errors
/// [`Error::Invalid`] if the shapes differ.
pub fn explained_variance(x: &Matrix, reconstructed: &Matrix) -> Result<Option<f64>> {
    same_shape("explained variance", x, reconstructed)?;
    let means = column_means(x);
    let total: f64 = x
        .iter_rows()
        .flat_map(|row| row.iter().zip(&means).map(|(v, m)| (f64::from(*v) - m).powi(2)))
        .sum();
    Ok((total > 0.0).then(|| 1.0 - squared_distance(x, reconstructed) / total))
}

fn squared_distance(a: &Matrix, b: &Matrix) -> f64 {
    a.data().iter().zip(b.data()).map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2)).sum()
}

fn same_shape(what: &str, a: &Matrix, b: &Matrix) -> Result<()> {
    if (a.rows(), a.cols()) == (b.rows(), b.cols()) {
        return Ok(());
    }
    Err(Error::invalid(
        what,
        format!(
            "{} rows of {} values cannot be compared with {} rows of {}",
            a.rows(),
            a.cols(),
            b.rows(),
            b.cols()
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: usize, data: &[f32]) -> Matrix {
        Matrix::new(rows, data.len() / rows, data.to_vec()).unwrap()
    }

    #[test]
    fn by_hand() {
        let x = matrix(3, &[1.0, 0.0, 0.0, 2.0, 0.0, 0.0]);
        let y = matrix(3, &[1.0, 1.0, 0.0, -3.0, 1.0, 1.0]);
        let cos = cosines(&x, &y).unwrap();
        assert!((cos[0] - 0.5f32.sqrt()).abs() < 1e-6);
        assert_eq!(cos[1..], [-1.0, 0.0]);
        // Differences: (0, 1), (0, 5), (1, 1).
        assert!((mean_squared_error(&x, &y).unwrap() - 28.0 / 6.0).abs() < 1e-12);
        // Means 1/3 and 2/3: total 6/9 + 24/9.
        let expected = 1.0 - 28.0 / (30.0 / 9.0);
        assert!((explained_variance(&x, &y).unwrap().unwrap() - expected).abs() < 1e-12);
        assert_eq!(explained_variance(&x, &x).unwrap(), Some(1.0));
    }

    #[test]
    fn what_cannot_be_compared() {
        let x = matrix(1, &[1.0, 2.0]);
        assert_eq!(explained_variance(&x, &x).unwrap(), None);
        let y = matrix(2, &[1.0, 2.0]);
        assert!(cosines(&x, &y).is_err());
        assert!(mean_squared_error(&x, &y).is_err());
        assert!(explained_variance(&x, &y).is_err());
        assert!(mean_squared_error(&Matrix::zeros(0, 3), &Matrix::zeros(0, 3)).is_err());
    }
}
