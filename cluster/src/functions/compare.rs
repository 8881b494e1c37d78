//! `cosine` and `lnsp_score`: how near two vectors are, or a query and a code.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float32Array};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::logical_expr::ColumnarValue;
use lnsp::Matrix;
use lnsp::metrics::cosines;

use super::code::{self, BitCodes, Latents};
use super::vectors::{self, Vectors};
use crate::students::{Loaded, StudentRef};

/// Cosines of the queries with the codes, row by row. With a student, a query as wide as its vectors
/// is encoded first, and stays in f32; codes of few bits are read as they lie.
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
    let student = student.map(StudentRef::load).transpose()?;
    let student = student.as_deref();
    let (constant, column) = argument(codes, rows)?;
    let codes = code::read(function, &column, student)?;
    let codes_at = Places::of(codes.valid(), codes.len(), constant);
    let (constant, column) = argument(queries, rows)?;
    let queries = vectors::read(function, &column, None)?;
    let queries_at = Places::of(queries.valid.as_ref(), queries.len, constant);
    let (queries, queries_at) = distinct(&queries, queries_at);
    let queries = match student {
        Some(student) if queries.cols() == student.input() => student.encode(&queries)?,
        _ => queries,
    };

    let valid = NullBuffer::union(queries_at.valid(rows).as_ref(), codes_at.valid(rows).as_ref());
    let there: Vec<usize> =
        (0..rows).filter(|row| valid.as_ref().is_none_or(|nulls| nulls.is_valid(*row))).collect();
    if there.is_empty() {
        return Ok(Arc::new(Float32Array::new_null(rows)));
    }
    let pairs: Vec<(usize, usize)> =
        there.iter().map(|row| (queries_at.at(*row), codes_at.at(*row))).collect();
    let wide = |codes| expect_width(function, queries.cols(), codes, student.is_some());
    let found = match codes {
        Latents::Bits(codes) => {
            // Without a student, bytes are never taken for such codes.
            let Some(student) = student else { return exec_err!("{function}: takes a student") };
            wide(student.latent())?;
            of_bits(student, &queries, &codes, &pairs)?
        }
        Latents::Values(Vectors { rows: codes, .. }) => {
            wide(codes.cols())?;
            let (a, b): (Vec<usize>, Vec<usize>) = pairs.into_iter().unzip();
            cosines(&queries.gather_rows(&a), &codes.gather_rows(&b))
                .map_err(|e| exec_datafusion_err!("{function}: {e}"))?
        }
    };
    let mut values = vec![0.0; rows];
    there.iter().zip(found).for_each(|(row, value)| values[*row] = value);
    Ok(Arc::new(Float32Array::new(values.into(), valid)))
}

/// A column, or one value for all rows, which is read once.
fn argument(value: &ColumnarValue, rows: usize) -> Result<(bool, ArrayRef)> {
    let constant = matches!(value, ColumnarValue::Scalar(_));
    Ok((constant, value.to_array(if constant { 1 } else { rows })?))
}

fn expect_width(function: &str, queries: usize, codes: usize, student: bool) -> Result<()> {
    if queries == codes {
        return Ok(());
    }
    let advice = match (function, student) {
        ("lnsp_score", false) => {
            "; name the student as the third argument, and the query is encoded"
        }
        _ => "",
    };
    exec_err!("{function}: vectors of {queries} and of {codes} values cannot be compared{advice}")
}

/// Cosines of pairs of a query and a code of few bits; those that follow on each other with the same
/// query in one go.
fn of_bits(
    student: &Loaded,
    queries: &Matrix,
    codes: &BitCodes,
    pairs: &[(usize, usize)],
) -> Result<Vec<f32>> {
    let mut scores = Vec::with_capacity(pairs.len());
    for run in pairs.chunk_by(|(a, _), (b, _)| a == b) {
        let query = run[0].0;
        let documents: Vec<u8> =
            run.iter().flat_map(|(_, document)| codes.of(*document)).copied().collect();
        let query = queries.slice_rows(query, query + 1);
        scores.extend_from_slice(student.scores(&query, &documents)?.data());
    }
    Ok(scores)
}

/// Where the rows of a column are among those that are not null.
struct Places {
    valid: Option<NullBuffer>,
    /// For each row; of one that is null, any.
    places: Vec<usize>,
    /// Whether the one row stands for all.
    constant: bool,
}

impl Places {
    fn of(valid: Option<&NullBuffer>, len: usize, constant: bool) -> Self {
        let mut next = 0;
        let places = (0..len).map(|row| {
            let place = next;
            next += usize::from(valid.is_none_or(|nulls| nulls.is_valid(row)));
            place
        });
        Self { places: places.collect(), valid: valid.cloned(), constant }
    }

    fn valid(&self, rows: usize) -> Option<NullBuffer> {
        match (self.constant, &self.valid) {
            (true, Some(_)) => Some(NullBuffer::new_null(rows)),
            (_, valid) => valid.clone(),
        }
    }

    fn at(&self, row: usize) -> usize {
        self.places[if self.constant { 0 } else { row }]
    }
}

/// Queries without those that repeat the one before: a query that was joined with many documents comes
/// once for each of them, and need not be encoded as often.
fn distinct(queries: &Vectors, mut at: Places) -> (Matrix, Places) {
    let same = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits());
    let (mut kept, mut of) = (Vec::new(), Vec::with_capacity(queries.rows.rows()));
    for (i, row) in queries.rows.iter_rows().enumerate() {
        if kept.last().is_none_or(|last| !same(queries.rows.row(*last), row)) {
            kept.push(i);
        }
        of.push(kept.len() - 1);
    }
    for place in &mut at.places {
        *place = of.get(*place).copied().unwrap_or(0);
    }
    (queries.rows.gather_rows(&kept), at)
}
