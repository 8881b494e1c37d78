//! Made vectors in Parquet files, a student for them, and what a column of latents comes to.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListArray, Float32Array, Int64Array, RecordBatch,
};
use datafusion::arrow::datatypes::{DataType, Field, Float32Type, Int64Type, Schema};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use datafusion::parquet::file::properties::{EnabledStatistics, WriterProperties};
use lnsp::codes::TrellisCode;
use lnsp::device::Device;
use lnsp::student::{Parameters, Student, StudentFile, StudentInfo};
use lnsp::{Arch, Matrix, Precision};

/// Width of the vectors.
pub const WIDTH: usize = 384;
/// Files that they are in.
pub const FILES: usize = 16;
/// Rows of a row group: so few that a file of 100,000 rows in all holds a full one, as one of more does.
pub const GROUP: usize = 4096;

/// Numbers from a seed, the same everywhere: a linear congruential generator with an output mix
/// (PCG-XSH-RR).
pub struct Numbers(u64);

impl Numbers {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u32 {
        let old = self.0;
        self.0 =
            old.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((((old >> 18) ^ old) >> 27) as u32).rotate_right((old >> 59) as u32)
    }

    /// Of -0.1 to 0.1, about as large as the values of a unit vector.
    pub fn value(&mut self) -> f32 {
        (self.next() as f32 / u32::MAX as f32 - 0.5) * 0.2
    }
}

/// Writes `rows` vectors into [`FILES`] files of `folder` with a column `id` that counts them, unless
/// they are there.
pub fn vectors(folder: &Path, rows: usize) -> Vec<PathBuf> {
    vectors_in_groups(folder, rows, GROUP)
}

/// As [`vectors`], in row groups of so many at most.
pub fn vectors_in_groups(folder: &Path, rows: usize, group: usize) -> Vec<PathBuf> {
    std::fs::create_dir_all(folder).unwrap();
    let each = rows.div_ceil(FILES);
    let file = |i: usize| {
        let path = folder.join(format!("v{i:02}.parquet"));
        let (first, last) = ((i * each).min(rows), ((i + 1) * each).min(rows));
        if !path.exists() {
            // Of its own name: tests may make the same file at the same time.
            let part = path.with_extension(format!("{}.part", std::process::id()));
            write(&part, first, last, group);
            std::fs::rename(part, &path).unwrap();
        }
        path
    };
    (0..FILES).map(file).collect()
}

fn write(path: &Path, first: usize, last: usize, group: usize) {
    let element = Arc::new(Field::new("item", DataType::Float32, false));
    let list = DataType::FixedSizeList(Arc::clone(&element), WIDTH as i32);
    let schema = Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("embedding", list, false),
    ]));
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_max_row_group_row_count(Some(group))
        .build();
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties)).unwrap();
    for start in (first..last).step_by(1024) {
        let rows = 1024.min(last - start);
        let mut numbers = Numbers::new(start as u64 + 1);
        let values: Vec<f32> = (0..rows * WIDTH).map(|_| numbers.value()).collect();
        let ids = Int64Array::from_iter_values((start..start + rows).map(|id| id as i64));
        let values: ArrayRef = Arc::new(Float32Array::from(values));
        let lists =
            FixedSizeListArray::try_new(Arc::clone(&element), WIDTH as i32, values, None).unwrap();
        let columns: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(lists)];
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), columns).unwrap()).unwrap();
    }
    writer.close().unwrap();
}

/// Writes a student of family B with random parameters.
pub fn student(path: &Path, width: usize) {
    let arch = Arch::family_b(width).unwrap();
    let file = StudentFile {
        info: StudentInfo::new(&arch),
        parameters: Parameters::random(&arch, 727),
        code: None,
    };
    std::fs::write(path, file.to_bytes().unwrap()).unwrap();
}

/// Bytes of a code of [`coded_student`]: two bits a latent.
pub const CODE_BYTES: usize = 48;

/// Writes a student of family B with random parameters and a code fitted on its latents of some made
/// vectors.
pub fn coded_student(path: &Path, width: usize) {
    let arch = Arch::family_b(width).unwrap();
    let parameters = Parameters::random(&arch, 728);
    let student = Student::new(&Device::cpu(), &parameters, Precision::F32).unwrap();
    let mut numbers = Numbers::new(5);
    let vectors = Matrix::from_fn(256, WIDTH, |_, _| numbers.value());
    let latents = pollster::block_on(student.encode_rows(&vectors)).unwrap();
    let code = TrellisCode::gaussian(&latents, CODE_BYTES).unwrap();
    let file = StudentFile { info: StudentInfo::new(&arch), parameters, code: Some(code) };
    std::fs::write(path, file.to_bytes().unwrap()).unwrap();
}

/// What rows of latents come to, in any order: their number, and a sum over every bit and its id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    pub rows: u64,
    sum: u64,
    ids: u64,
}

impl Sum {
    fn add(&mut self, id: u64, values: impl Iterator<Item = u32>) {
        let start = (id + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // FNV-1a over words.
        let hash =
            values.fold(start, |hash, v| (hash ^ u64::from(v)).wrapping_mul(0x0100_0000_01b3));
        self.rows += 1;
        self.sum = self.sum.wrapping_add(hash ^ (hash >> 29));
        self.ids = self.ids.wrapping_add(start);
    }

    /// Adds codes of so many bytes each, numbered from `first`.
    pub fn add_codes(&mut self, codes: &[u8], each: usize, first: u64) {
        for (code, id) in codes.chunks_exact(each).zip(first..) {
            self.add(id, code.iter().map(|byte| u32::from(*byte)));
        }
    }

    /// Adds the rows of a Parquet file: its last column, of lists or of codes, under its column `id`, or
    /// numbered from `first` if it has none.
    pub fn add_file(&mut self, path: &Path, first: u64) {
        self.add_bytes(std::fs::read(path).unwrap().into(), first);
    }

    /// As [`Self::add_file`], of the bytes of such a file.
    pub fn add_bytes(&mut self, file: Bytes, first: u64) {
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let mut next = first;
        for batch in reader.build().unwrap() {
            let batch = batch.unwrap();
            let ids = batch.column_by_name("id").map(|c| c.as_primitive::<Int64Type>().clone());
            let lists = batch.columns().last().unwrap();
            for row in 0..batch.num_rows() {
                let id = ids.as_ref().map_or(next, |ids| ids.value(row) as u64);
                next += 1;
                let values = match lists.data_type() {
                    DataType::FixedSizeList(..) => lists.as_fixed_size_list().value(row),
                    DataType::Binary => {
                        let code = lists.as_binary::<i32>().value(row);
                        self.add_codes(code, code.len(), id);
                        continue;
                    }
                    _ => lists.as_list::<i32>().value(row),
                };
                let values = values.as_primitive::<Float32Type>();
                self.add(id, values.values().iter().map(|v| v.to_bits()));
            }
        }
    }

    /// Of all files of a folder.
    pub fn of_folder(folder: &Path) -> Self {
        let mut sum = Self::default();
        for entry in std::fs::read_dir(folder).unwrap() {
            sum.add_file(&entry.unwrap().path(), 0);
        }
        sum
    }
}
