//! `cosine` and `lnsp_score`: how near two vectors are, or a query and a code.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float32Array};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::logical_expr::ColumnarValue;
use lnsp::metrics::cosines;

use super::code;
use super::vectors::{self, Vectors};
use crate::students::StudentRef;

/// Cosines of the queries with the codes, row by row. With a student, a query as wide as its vectors
/// is encoded first, and stays in f32.
///
/// # Errors
/// A student that is not to be had; rows that are no vectors, or not as wide as each other.
pub fn score(
    function: &str,
    queries: &ColumnarValue,
    codes: &ColumnarValue,
    student: Option<&StudentRef>,
    rows: usize,
) -> Result<ArrayRef> {
    let codes = side(codes, rows, |column| code::read(function, column, None))?;
    let queries = side(queries, rows, |column| {
        let mut queries = vectors::read(function, column, None)?;
        if let Some(student) = student {
            let student = student.load()?;
            if queries.rows.cols() == student.input() {
                queries.rows = student.encode(&queries.rows)?;
            }
        }
        Ok(queries)
    })?;
    let (query_width, code_width) = (queries.vectors.rows.cols(), codes.vectors.rows.cols());
    let valid = NullBuffer::union(queries.valid(rows).as_ref(), codes.valid(rows).as_ref());
    if queries.vectors.rows.rows() == 0 || codes.vectors.rows.rows() == 0 {
        return Ok(Arc::new(Float32Array::new_null(rows)));
    }
    if query_width != code_width {
        let advice = match student {
            None if function == "lnsp_score" => {
                "; name the student as the third argument, and the query is encoded"
            }
            _ => "",
        };
        return exec_err!(
            "{function}: vectors of {query_width} and of {code_width} values cannot be compared{advice}"
        );
    }
    let there: Vec<usize> =
        (0..rows).filter(|row| valid.as_ref().is_none_or(|nulls| nulls.is_valid(*row))).collect();
    let (a, b) = (queries.gather(&there), codes.gather(&there));
    let found = cosines(&a, &b).map_err(|e| exec_datafusion_err!("{function}: {e}"))?;
    let mut values = vec![0.0; rows];
    there.iter().zip(found).for_each(|(row, value)| values[*row] = value);
    Ok(Arc::new(Float32Array::new(values.into(), valid)))
}

/// One side of a comparison: a column, or one vector for all rows, which is read once.
struct Side {
    vectors: Vectors,
    constant: bool,
}

fn side(
    value: &ColumnarValue,
    rows: usize,
    read: impl FnOnce(&ArrayRef) -> Result<Vectors>,
) -> Result<Side> {
    let constant = matches!(value, ColumnarValue::Scalar(_));
    let column = value.to_array(if constant { 1 } else { rows })?;
    Ok(Side { vectors: read(&column)?, constant })
}

impl Side {
    fn valid(&self, rows: usize) -> Option<NullBuffer> {
        match (self.constant, &self.vectors.valid) {
            (true, Some(_)) => Some(NullBuffer::new_null(rows)),
            (true, None) => None,
            (false, valid) => valid.clone(),
        }
    }

    /// The vectors of rows that are not null.
    fn gather(&self, rows: &[usize]) -> lnsp::Matrix {
        if self.constant {
            return self.vectors.rows.gather_rows(&vec![0; rows.len()]);
        }
        let Some(valid) = &self.vectors.valid else { return self.vectors.rows.gather_rows(rows) };
        // Where each row is among those that are not null.
        let mut place = 0;
        let places: Vec<usize> = (0..self.vectors.len)
            .map(|row| {
                place += usize::from(valid.is_valid(row));
                place.saturating_sub(1)
            })
            .collect();
        self.vectors.rows.gather_rows(&rows.iter().map(|row| places[*row]).collect::<Vec<_>>())
    }
}
