//! Apache Parquet: vectors as a column of lists of floats, read and written by the crates of the
//! Arrow project, one batch of rows at a time.

use std::io::Write;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ::parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use ::parquet::arrow::{ArrowWriter, ProjectionMask};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use ::parquet::file::reader::ChunkReader;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, FixedSizeListArray, Float32Array, RecordBatch};
use arrow_schema::{ArrowError, DataType, Field, Schema};

use super::raw::check_batch;
use super::{
    Dtype, Metadata, Misfit, VECTORS, VectorReader, VectorWriter, WriteOptions, check_rows,
    check_width,
};
use crate::error::{Error, Result};
use crate::matrix::Matrix;

/// Rows that are decoded at a time.
const BATCH: usize = 1024;

/// A row group is closed at about this size, since the writer keeps it in memory.
const GROUP_BYTES: usize = 16 << 20;

/// Vectors from a column of a Parquet file.
pub struct ParquetReader {
    name: String,
    column: String,
    width: usize,
    rows: u64,
    next: u64,
    metadata: Metadata,
    batches: ParquetRecordBatchReader,
    /// The batch at hand and its rows that were not handed out yet.
    pending: Option<(ArrayRef, Range<usize>)>,
    misfits: Vec<Misfit>,
}

impl ParquetReader {
    /// Opens the column `wanted`, else `vectors`, else the only one of lists of floats, of a
    /// `std::fs::File` or `bytes::Bytes`. The first list sets the width.
    ///
    /// # Errors
    /// [`Error::Format`] if the file is damaged or no column can be chosen: the message names
    /// those there are.
    pub fn new<R: ChunkReader + 'static>(
        name: &str,
        chunks: R,
        wanted: Option<&str>,
    ) -> Result<Self> {
        check_end(name, &chunks)?;
        let builder = guarded(name, || ParquetRecordBatchReaderBuilder::try_new(chunks))?;
        let schema = builder.schema().clone();
        let column = select(name, &schema, wanted)?;
        if let DataType::FixedSizeList(_, width) = schema.field(column).data_type() {
            check_width(name, u64::try_from(*width).unwrap_or(0))?;
        }
        let file = builder.metadata().file_metadata();
        let rows = check_rows(name, u64::try_from(file.num_rows()).unwrap_or(0))?;
        let pairs = file.key_value_metadata().into_iter().flatten();
        let metadata = pairs
            .filter(|kv| kv.key != "ARROW:schema")
            .filter_map(|kv| Some((kv.key.clone(), kv.value.clone()?)))
            .collect();
        let mask = ProjectionMask::roots(builder.parquet_schema(), [column]);
        let builder = builder.with_projection(mask).with_batch_size(BATCH);
        let mut reader = Self {
            name: name.to_owned(),
            column: schema.field(column).name().clone(),
            width: 0,
            rows,
            next: 0,
            metadata,
            batches: guarded(name, || builder.build())?,
            pending: None,
            misfits: Vec::new(),
        };
        reader.width = reader.first_width()?;
        Ok(reader)
    }

    /// The width of the first row that is a list with something in it.
    fn first_width(&mut self) -> Result<usize> {
        self.advance()?;
        let lists = self.pending.as_ref().map(|(lists, rows)| (lists, rows.clone()));
        let widths = lists.into_iter().flat_map(|(lists, mut rows)| {
            rows.find_map(|i| span(lists, i).map(|s| s.len()).filter(|&n| n > 0))
        });
        match widths.last() {
            Some(width) => check_width(&self.name, width as u64),
            None => Err(Error::format(
                &self.name,
                format!("column {:?} starts with {BATCH} rows without values", self.column),
            )),
        }
    }

    /// Makes the next batch the one at hand; `pending` is `None` at the end.
    fn advance(&mut self) -> Result<()> {
        let batches = &mut self.batches;
        let batch = guarded(&self.name, || batches.next().transpose())?;
        self.pending = batch.map(|b| (b.column(0).clone(), 0..b.num_rows()));
        if self.pending.is_none() && self.next != self.rows {
            return Err(Error::format(
                &self.name,
                format!(
                    "truncated: its footer promises {} rows, {} are there; copy or download it \
                     again",
                    self.rows, self.next
                ),
            ));
        }
        Ok(())
    }
}

impl VectorReader for ParquetReader {
    fn name(&self) -> &str {
        &self.name
    }

    fn width(&self) -> usize {
        self.width
    }

    fn rows(&self) -> Option<u64> {
        Some(self.rows)
    }

    fn read(&mut self, max_rows: usize, into: &mut Matrix) -> Result<usize> {
        self.misfits.clear();
        let mut values = std::mem::take(into).into_data();
        values.clear();
        let mut n = 0;
        while n < max_rows {
            let Some((lists, left)) = &mut self.pending else { break };
            if left.start == left.end {
                self.advance()?;
                continue;
            }
            let take = left.start..left.end.min(left.start + max_rows - n);
            left.start = take.end;
            for i in take {
                let message = match span(lists, i) {
                    Some(span) if span.len() == self.width => {
                        push_values(elements(lists), span, &mut values);
                        None
                    }
                    Some(span) => {
                        Some(format!("{} values where {} are wanted", span.len(), self.width))
                    }
                    None => Some("null where a vector is wanted".to_owned()),
                };
                if let Some(message) = message {
                    values.resize(values.len() + self.width, f32::NAN);
                    self.misfits.push(Misfit { row: n, message });
                }
                n += 1;
                self.next += 1;
            }
        }
        *into = Matrix::new(n, self.width, values)?;
        Ok(n)
    }

    fn misfits(&self) -> &[Misfit] {
        &self.misfits
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

/// Runs `read` and turns its error into ours, and a panic, too: the Parquet crate checks most
/// damage, but not all that a broken page can claim.
fn guarded<T, E: std::fmt::Display>(
    name: &str,
    read: impl FnOnce() -> std::result::Result<T, E>,
) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(value)) => Ok(value),
        // The crate has no error of its own kind for a codec that was not compiled in.
        Ok(Err(e)) if e.to_string().contains("Disabled feature") => Err(Error::format(
            name,
            format!("compressed in a way that is not read here ({e}); use zstd, snappy or lz4"),
        )),
        Ok(Err(e)) => Err(Error::format(name, format!("the Parquet file is damaged: {e}"))),
        Err(_) => Err(Error::format(name, "the Parquet file is damaged beyond reading")),
    }
}

/// Checks for the mark at the end, which a truncated file lacks.
fn check_end(name: &str, chunks: &impl ChunkReader) -> Result<()> {
    let length = chunks.len();
    if length < 12 {
        let message = format!("{length} bytes are too few for a Parquet file");
        return Err(Error::format(name, message));
    }
    let end = guarded(name, || chunks.get_bytes(length - 4, 4))?;
    if end.as_ref() != b"PAR1" && end.as_ref() != b"PARE" {
        return Err(Error::format(
            name,
            "truncated: the Parquet footer at its end, which says how many rows there are, is \
             missing; copy or download it again",
        ));
    }
    Ok(())
}

/// The type of the list elements if `of` is a list of floats.
fn float_list(of: &DataType) -> bool {
    matches!(of, DataType::List(f) | DataType::LargeList(f) | DataType::FixedSizeList(f, _)
        if matches!(f.data_type(), DataType::Float16 | DataType::Float32 | DataType::Float64))
}

fn select(name: &str, schema: &Schema, wanted: Option<&str>) -> Result<usize> {
    let fields = schema.fields();
    let all = || fields.iter().map(|f| f.name().as_str()).take(24).collect::<Vec<_>>().join(", ");
    let candidates: Vec<_> =
        (0..fields.len()).filter(|&i| float_list(fields[i].data_type())).collect();
    if let Some(wanted) = wanted {
        let message = match fields.iter().position(|f| f.name() == wanted) {
            Some(found) if candidates.contains(&found) => return Ok(found),
            Some(found) => {
                let of = fields[found].data_type();
                format!("column {wanted:?} is of type {of}, not a list of floats")
            }
            None => format!("it has no column {wanted:?}; it has {}", all()),
        };
        return Err(Error::format(name, message));
    }
    if let Some(&found) = candidates.iter().find(|&&i| fields[i].name() == VECTORS) {
        return Ok(found);
    }
    match candidates.as_slice() {
        [only] => Ok(*only),
        [] => Err(Error::format(
            name,
            format!("no column is a list of f16, f32 or f64; it has {}", all()),
        )),
        several => {
            let names: Vec<_> = several.iter().map(|&i| fields[i].name().as_str()).collect();
            Err(Error::format(
                name,
                format!("choose a column with --column NAME; it has {}", names.join(", ")),
            ))
        }
    }
}

/// The range of elements that are row `i` of an array of lists; `None` for null.
fn span(lists: &ArrayRef, i: usize) -> Option<Range<usize>> {
    if lists.is_null(i) {
        return None;
    }
    match lists.data_type() {
        DataType::FixedSizeList(_, width) => {
            let start = lists.as_fixed_size_list().value_offset_at(i);
            Some(start..start + *width as usize)
        }
        DataType::LargeList(_) => {
            let offsets = lists.as_list::<i64>().value_offsets();
            Some(offsets[i] as usize..offsets[i + 1] as usize)
        }
        _ => {
            let offsets = lists.as_list::<i32>().value_offsets();
            Some(offsets[i] as usize..offsets[i + 1] as usize)
        }
    }
}

/// The elements of all lists of an array of lists, one after the other.
fn elements(lists: &ArrayRef) -> &ArrayRef {
    match lists.data_type() {
        DataType::FixedSizeList(..) => lists.as_fixed_size_list().values(),
        DataType::LargeList(_) => lists.as_list::<i64>().values(),
        _ => lists.as_list::<i32>().values(),
    }
}

/// Appends `span` of `elements` as `f32`; null becomes NaN.
fn push_values(elements: &ArrayRef, span: Range<usize>, into: &mut Vec<f32>) {
    let start = into.len();
    match elements.data_type() {
        DataType::Float16 => {
            let values = &elements.as_primitive::<Float16Type>().values()[span.clone()];
            into.extend(values.iter().map(|v| v.to_f32()));
        }
        DataType::Float64 => {
            let values = &elements.as_primitive::<Float64Type>().values()[span.clone()];
            into.extend(values.iter().map(|&v| v as f32));
        }
        _ => {
            let values = &elements.as_primitive::<Float32Type>().values()[span.clone()];
            into.extend_from_slice(values);
        }
    }
    if elements.null_count() > 0 {
        for (value, i) in into[start..].iter_mut().zip(span) {
            if elements.is_null(i) {
                *value = f32::NAN;
            }
        }
    }
}

/// A writer of one column of fixed-size lists of `f32`.
pub struct ParquetWriter<W: Write + Send> {
    name: String,
    writer: ArrowWriter<W>,
    schema: Arc<Schema>,
    width: usize,
    rows: u64,
}

impl<W: Write + Send> ParquetWriter<W> {
    /// Starts a file of vectors of `width` values; the column is called `options.tensor`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a type other than `F32` or a width of 0; [`Error::Io`] if writing
    /// fails.
    pub fn new(name: &str, stream: W, width: usize, options: &WriteOptions) -> Result<Self> {
        if options.dtype != Dtype::F32 {
            let message = format!(
                "Parquet is written as f32, not {}; for f16 use .npy or .safetensors",
                options.dtype.name()
            );
            return Err(Error::invalid("dtype", message));
        }
        let width = check_width(name, width as u64)?;
        let list = DataType::FixedSizeList(element(), width as i32);
        let schema = Arc::new(Schema::new(vec![Field::new(&options.tensor, list, false)]));
        let pairs = options.metadata.iter().map(|(k, v)| KeyValue::new(k.clone(), v.clone()));
        // Floats of embeddings hardly repeat: a dictionary and statistics would only cost.
        let properties = WriterProperties::builder()
            .set_dictionary_enabled(false)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_max_row_group_row_count(Some((GROUP_BYTES / (4 * width)).max(1)))
            .set_key_value_metadata(Some(pairs.collect()).filter(|v: &Vec<_>| !v.is_empty()))
            .build();
        let writer = ArrowWriter::try_new(stream, schema.clone(), Some(properties))
            .map_err(|e| write_error(name, e))?;
        Ok(Self { name: name.to_owned(), writer, schema, width, rows: 0 })
    }
}

/// The type of a list's elements, under the name that the Parquet standard gives them.
fn element() -> Arc<Field> {
    Arc::new(Field::new("element", DataType::Float32, false))
}

impl<W: Write + Send> VectorWriter for ParquetWriter<W> {
    fn write(&mut self, rows: &Matrix) -> Result<()> {
        check_batch(rows, self.width)?;
        if rows.rows() == 0 {
            return Ok(());
        }
        let values: ArrayRef = Arc::new(Float32Array::from(rows.data().to_vec()));
        let lists = FixedSizeListArray::try_new(element(), self.width as i32, values, None);
        let batch =
            lists.and_then(|l| RecordBatch::try_new(self.schema.clone(), vec![Arc::new(l)]));
        let batch = batch.map_err(|e: ArrowError| write_error(&self.name, e.into()))?;
        self.writer.write(&batch).map_err(|e| write_error(&self.name, e))?;
        self.rows += rows.rows() as u64;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<u64> {
        let mut stream = self.writer.into_inner().map_err(|e| write_error(&self.name, e))?;
        stream.flush().map_err(|e| Error::io(&self.name, e))?;
        Ok(self.rows)
    }
}

/// What the Parquet crate says when writing fails: the system's refusal, mostly.
fn write_error(name: &str, error: ParquetError) -> Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(io) => Error::io(name, *io),
            Err(other) => Error::format(name, format!("cannot be written: {other}")),
        },
        other => Error::format(name, format!("cannot be written: {other}")),
    }
}
