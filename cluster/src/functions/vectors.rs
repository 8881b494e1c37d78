//! Columns of vectors: lists of floats to the rows of a matrix and back.

use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Float32Array, ListArray, OffsetSizeTrait,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::datatypes::{DataType, Field, Float16Type, Float32Type, Float64Type};
use datafusion::common::{Result, exec_datafusion_err, exec_err, plan_err};
use lnsp::Matrix;

/// The rows of a column that are not null, as a matrix.
#[derive(Debug)]
pub struct Vectors {
    /// A row for each that is not null.
    pub rows: Matrix,
    /// Which rows of the column are not null; none if all are.
    pub valid: Option<NullBuffer>,
    /// Rows of the column.
    pub len: usize,
}

/// The type of a column of vectors that a function returns: a list of `f32`.
pub fn vector_type() -> DataType {
    DataType::List(element())
}

/// The elements of such a list: no value is null.
fn element() -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Float32, false))
}

/// Checks, while a query is planned, that `of` is a list of floats.
///
/// # Errors
/// One that names the function, the argument and its type.
pub fn expect_vectors(function: &str, argument: &str, of: &DataType) -> Result<()> {
    let list = match of {
        DataType::List(f) | DataType::LargeList(f) | DataType::FixedSizeList(f, _) => f,
        DataType::Null => return Ok(()),
        _ => return plan_err!("{function}: {argument} is {of}, not a list of f16, f32 or f64"),
    };
    match list.data_type() {
        DataType::Float16 | DataType::Float32 | DataType::Float64 | DataType::Null => Ok(()),
        other => plan_err!(
            "{function}: {argument} is a list of {other}, not of f16, f32 or f64; cast it, for \
             instance with arrow_cast({argument}, 'List(Float32)')"
        ),
    }
}

/// Reads the vectors of `column`, each of `width` values, or of as many as the first has.
///
/// # Errors
/// A row of another width, a null or a value that is not finite in a row; each with the row's place in
/// the batch. `function` is for messages.
pub fn read(function: &str, column: &ArrayRef, width: Option<usize>) -> Result<Vectors> {
    let len = column.len();
    let valid = column.logical_nulls().filter(|nulls| nulls.null_count() > 0);
    let (elements, spans) = match column.data_type() {
        DataType::Null => {
            let rows = Matrix::zeros(0, width.unwrap_or(0));
            return Ok(Vectors { rows, valid: Some(NullBuffer::new_null(len)), len });
        }
        DataType::List(_) => spans(column.as_list::<i32>().offsets(), column.as_list::<i32>()),
        DataType::LargeList(_) => spans(column.as_list::<i64>().offsets(), column.as_list::<i64>()),
        DataType::FixedSizeList(_, size) => {
            let list = column.as_fixed_size_list();
            let size = *size as usize;
            let first = list.value_offset(0) as usize;
            let spans = (0..len).map(|i| first + i * size..first + (i + 1) * size).collect();
            (list.values().clone(), spans)
        }
        other => return exec_err!("{function}: a column of {other} holds no vectors"),
    };
    let is_valid = |row: usize| valid.as_ref().is_none_or(|nulls| nulls.is_valid(row));
    let there: Vec<(usize, Range<usize>)> =
        spans.into_iter().enumerate().filter(|(row, _)| is_valid(*row)).collect();
    let width = width.or(there.first().map(|(_, span)| span.len())).unwrap_or(0);
    if let Some((row, span)) = there.iter().find(|(_, span)| span.len() != width) {
        return exec_err!(
            "{function}: row {row} of the batch has {} values, {width} are wanted",
            span.len()
        );
    }
    let mut values = Vec::with_capacity(there.len() * width);
    for run in runs(&there) {
        append(&elements, run, &mut values);
    }
    check(function, &elements, &there, &values, width)?;
    let rows = Matrix::new(there.len(), width, values).map_err(|e| exec_datafusion_err!("{e}"))?;
    Ok(Vectors { rows, valid, len })
}

fn spans<O: OffsetSizeTrait>(
    offsets: &OffsetBuffer<O>,
    list: &datafusion::arrow::array::GenericListArray<O>,
) -> (ArrayRef, Vec<Range<usize>>) {
    let spans = offsets.windows(2).map(|w| w[0].as_usize()..w[1].as_usize()).collect();
    (list.values().clone(), spans)
}

/// Spans that follow on each other, as one: mostly there is one for the whole batch.
fn runs(there: &[(usize, Range<usize>)]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (_, span) in there {
        match runs.last_mut() {
            Some(last) if last.end == span.start => last.end = span.end,
            _ => runs.push(span.clone()),
        }
    }
    runs
}

fn append(elements: &ArrayRef, span: Range<usize>, into: &mut Vec<f32>) {
    match elements.data_type() {
        DataType::Float16 => {
            let values = &elements.as_primitive::<Float16Type>().values()[span];
            into.extend(values.iter().map(|v| v.to_f32()));
        }
        DataType::Float64 => {
            let values = &elements.as_primitive::<Float64Type>().values()[span];
            into.extend(values.iter().map(|&v| v as f32));
        }
        DataType::Float32 => {
            into.extend_from_slice(&elements.as_primitive::<Float32Type>().values()[span]);
        }
        // A list of nulls, which `check` refuses unless it is empty.
        _ => into.extend(span.map(|_| f32::NAN)),
    }
}

/// Refuses null and values that are not finite.
fn check(
    function: &str,
    elements: &ArrayRef,
    there: &[(usize, Range<usize>)],
    values: &[f32],
    width: usize,
) -> Result<()> {
    let advice = "leave such rows out with WHERE";
    if elements.null_count() > 0 {
        for (row, span) in there {
            if let Some(at) = span.clone().find(|i| elements.is_null(*i)) {
                let at = at - span.start;
                return exec_err!(
                    "{function}: row {row} of the batch holds null at position {at}; {advice}"
                );
            }
        }
    }
    if let Some(i) = values.iter().position(|v| !v.is_finite()) {
        let (row, at) = (there[i / width].0, i % width);
        return exec_err!(
            "{function}: row {row} of the batch holds {} at position {at}; {advice}",
            values[i]
        );
    }
    Ok(())
}

impl Vectors {
    /// The rows of `result`, one for each of these that is not null, as a column of lists.
    ///
    /// # Errors
    /// More values in a batch than lists can count.
    pub fn lists(&self, result: Matrix) -> Result<ArrayRef> {
        let width = result.cols();
        let lengths = (0..self.len).map(|i| if self.is_valid(i) { width } else { 0 });
        let offsets = OffsetBuffer::<i32>::from_lengths(lengths);
        let values = Arc::new(Float32Array::from(result.into_data()));
        Ok(Arc::new(ListArray::try_new(element(), offsets, values, self.valid.clone())?))
    }

    /// The codes in `bytes`, one for each row that is not null, as a column of binary values.
    ///
    /// # Errors
    /// As [`Self::lists`].
    pub fn codes(&self, bytes: Vec<u8>) -> Result<ArrayRef> {
        let width = bytes.len() / self.rows.rows().max(1);
        let lengths = (0..self.len).map(|i| if self.is_valid(i) { width } else { 0 });
        let offsets = OffsetBuffer::<i32>::from_lengths(lengths);
        Ok(Arc::new(BinaryArray::try_new(offsets, bytes.into(), self.valid.clone())?))
    }

    fn is_valid(&self, row: usize) -> bool {
        self.valid.as_ref().is_none_or(|nulls| nulls.is_valid(row))
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{FixedSizeListArray, Float64Array, LargeListArray};
    use half::f16;

    use super::*;

    fn lists() -> ArrayRef {
        let rows = vec![
            Some(vec![Some(1.0f32), Some(2.0)]),
            None,
            Some(vec![Some(3.0), Some(4.0)]),
            Some(vec![Some(5.0), Some(6.0)]),
        ];
        Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(rows))
    }

    #[test]
    fn nulls_are_left_out_and_come_back() {
        let vectors = read("f", &lists(), Some(2)).unwrap();
        assert_eq!(vectors.rows.data(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let back = vectors.lists(vectors.rows.clone()).unwrap();
        assert_eq!(back.len(), 4);
        assert!(back.is_null(1) && back.is_valid(2));
        let again = read("f", &back, None).unwrap();
        assert_eq!(again.rows, vectors.rows);
        let codes = vectors.codes(vec![7, 8, 9]).unwrap();
        let codes = codes.as_binary::<i32>();
        assert_eq!((codes.value(0), codes.value(3)), (&[7u8][..], &[9u8][..]));
        assert!(codes.is_null(1));
    }

    #[test]
    fn every_kind_of_list_and_of_float_is_read_and_slices_are() {
        let want = [3.0, 4.0, 5.0, 6.0];
        let sliced = lists().slice(2, 2);
        assert_eq!(read("f", &sliced, None).unwrap().rows.data(), want);
        let half = |v: f32| Some(f16::from_f32(v));
        let large = LargeListArray::from_iter_primitive::<Float16Type, _, _>([
            Some([half(3.0), half(4.0)]),
            Some([half(5.0), half(6.0)]),
        ]);
        assert_eq!(read("f", &(Arc::new(large) as ArrayRef), None).unwrap().rows.data(), want);
        let values = Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
        let field = Arc::new(Field::new("item", DataType::Float64, true));
        let fixed = FixedSizeListArray::try_new(field, 2, values, None).unwrap();
        let fixed: ArrayRef = Arc::new(fixed.slice(1, 2));
        assert_eq!(read("f", &fixed, None).unwrap().rows.data(), want);
    }

    #[test]
    fn what_is_no_vector_is_refused_with_its_row() {
        let message = |rows: Vec<Option<Vec<Option<f32>>>>, width| {
            let lists = ListArray::from_iter_primitive::<Float32Type, _, _>(rows);
            read("f", &(Arc::new(lists) as ArrayRef), width).unwrap_err().to_string()
        };
        let two = Some(vec![Some(1.0), Some(2.0)]);
        let short = message(vec![two.clone(), None, Some(vec![Some(1.0)])], Some(2));
        assert!(short.contains("row 2 of the batch has 1 values, 2 are wanted"), "{short}");
        let nan = message(vec![None, two.clone(), Some(vec![Some(0.0), Some(f32::NAN)])], None);
        assert!(nan.contains("row 2 of the batch holds NaN at position 1"), "{nan}");
        let null = message(vec![two, Some(vec![None, Some(1.0)])], None);
        assert!(null.contains("row 1 of the batch holds null at position 0"), "{null}");
    }
}
