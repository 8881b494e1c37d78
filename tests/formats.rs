//! Vectors in and out: round trips and foreign files.

mod format_support;

use std::io::Cursor;

use format_support::*;
use lnsp::format::{
    self, Dtype, FileKind, Metadata, ReadOptions, VectorReader, VectorWriter, WriteOptions,
};
use lnsp::source::{BadRows, VectorSource, read_to_matrix};
use lnsp::{Error, Matrix};
use proptest::prelude::*;

#[test]
fn round_trips_in_every_format_over_odd_shapes() {
    for &kind in KINDS {
        for (rows, width, batch) in
            [(1, 1, 1), (1, 385, 1), (7, 3, 2), (130, 33, 64), (2500, 5, 999)]
        {
            let m = sample(rows, width);
            let bytes = written(kind, &m, batch, &WriteOptions::default());
            let options = ReadOptions::default();
            let mut reader = format::open_bytes(&name_of(kind), &bytes, &options).unwrap();
            assert_eq!((reader.rows(), reader.width()), (Some(rows as u64), width));
            let (mut all, mut part) = (Matrix::default(), Matrix::default());
            loop {
                let n = reader.read(13, &mut part).unwrap();
                assert_eq!((n, n <= 13), (part.rows(), true));
                if n == 0 {
                    break;
                }
                all.append(&part).unwrap();
            }
            assert_eq!(all, m, "{kind:?} {rows}×{width}");
        }
    }
}

#[test]
fn half_precision_loses_half_a_unit_in_the_last_place_and_no_more() {
    let m = sample(9, 17);
    let options = WriteOptions { dtype: Dtype::F16, ..Default::default() };
    for kind in [FileKind::Npy, FileKind::Safetensors] {
        let back = read(&name_of(kind), &written(kind, &m, 4, &options)).unwrap();
        for (a, b) in m.data().iter().zip(back.data()) {
            assert!((a - b).abs() <= a.abs() * 2f32.powi(-11), "{a} {b}");
        }
    }
    let mut stream = Cursor::new(Vec::new());
    let mut writer = format::create(FileKind::Npy, "v.npy", &mut stream, 2, &options).unwrap();
    writer.write(&Matrix::new(1, 2, vec![1.0, 2.0]).unwrap()).unwrap();
    let beyond = Matrix::new(2, 2, vec![1.0, 2.0, 3.0, 70_000.0]).unwrap();
    let error = writer.write(&beyond).unwrap_err();
    assert!(matches!(&error, Error::Row { row: 2, .. }), "{error}");
}

#[test]
fn metadata_comes_back_and_the_same_input_gives_the_same_bytes() {
    let metadata: Metadata =
        [("teacher", "MiniLM"), ("note", "an \"odd\" one\n✓"), ("a", "b"), ("z", "")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into();
    let options = WriteOptions { metadata: metadata.clone(), ..Default::default() };
    for &kind in &KINDS[1..] {
        let bytes = written(kind, &sample(4, 3), 3, &options);
        assert_eq!(bytes, written(kind, &sample(4, 3), 3, &options));
        let reader = format::open_bytes(&name_of(kind), &bytes, &ReadOptions::default()).unwrap();
        assert_eq!(reader.metadata(), &metadata);
    }
}

#[test]
fn the_safetensors_crate_reads_what_is_written() {
    let m = sample(11, 6);
    let bytes = file(FileKind::Safetensors, &m);
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tensor = tensors.tensor("vectors").unwrap();
    assert_eq!(tensor.shape(), [11, 6]);
    let expected: Vec<u8> = m.data().iter().flat_map(|v| v.to_le_bytes()).collect();
    assert_eq!(tensor.data(), expected);
    let start = bytes.len() - expected.len();
    assert_eq!(start % 8, 0, "values are aligned");
}

#[test]
fn npy_is_written_as_numpy_writes_it() {
    let m = sample(3, 2);
    let body: Vec<u8> = m.data().iter().flat_map(|v| v.to_le_bytes()).collect();
    assert_eq!(file(FileKind::Npy, &m), npy(&dict("<f4", "(3, 2)"), &body));
}

#[test]
fn numpy_files_of_every_type_and_version_are_read() {
    let expected = Matrix::new(2, 3, vec![1.0, -2.5, 0.5, 0.0, 1024.0, -0.125]).unwrap();
    let f16 = [0x3c00u16, 0xc100, 0x3800, 0x0000, 0x6400, 0xb000].map(u16::to_le_bytes).concat();
    let f32 = [1.0f32, -2.5, 0.5, 0.0, 1024.0, -0.125].map(f32::to_le_bytes).concat();
    let f64 = [1.0f64, -2.5, 0.5, 0.0, 1024.0, -0.125].map(f64::to_le_bytes).concat();
    for (descr, body) in [("<f2", &f16), ("<f4", &f32), ("<f8", &f64)] {
        for version in 1..=3 {
            let bytes = npy_version(version, &dict(descr, "(2, 3)"), body);
            assert_eq!(read("a.npy", &bytes).unwrap(), expected, "{descr} version {version}");
        }
    }
    // Python 2 wrote other spacing and long integers.
    let old = "{'shape': (2L, 3L),'fortran_order':False ,'descr': '<f4'}";
    assert_eq!(read("a.npy", &npy(old, &f32)).unwrap(), expected);
}

#[test]
fn safetensors_of_every_type_are_read_and_tensors_chosen() {
    let body = |v: &[u16]| v.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    // bf16 is the upper half of an f32: 1.0, −2.0, 0.5
    let bytes = safetensors(
        r#"{"x":{"dtype":"BF16","shape":[3,1],"data_offsets":[0,6]}}"#,
        &body(&[0x3f80, 0xc000, 0x3f00]),
    );
    assert_eq!(read("a.safetensors", &bytes).unwrap().data(), [1.0, -2.0, 0.5]);

    let two = r#"{"b":{"dtype":"F16","shape":[2,1],"data_offsets":[4,8]},
                  "bias":{"dtype":"F16","shape":[2],"data_offsets":[8,12]},
                  "a":{"dtype":"F16","shape":[1,2],"data_offsets":[0,4]}}"#;
    let bytes = safetensors(two, &body(&[0x3c00, 0x4000, 0x4200, 0x4400, 0, 0]));
    let message = complaint("a.safetensors", &bytes);
    assert!(message.contains("--tensor") && message.contains("a (F16 1×2), b (F16 2×1)"));
    let choose = |tensor: &str| {
        let options = ReadOptions { tensor: Some(tensor.into()), ..Default::default() };
        format::read_all("a.safetensors", &bytes, &options)
    };
    assert_eq!(choose("a").unwrap(), Matrix::new(1, 2, vec![1.0, 2.0]).unwrap());
    assert_eq!(choose("b").unwrap(), Matrix::new(2, 1, vec![3.0, 4.0]).unwrap());
    assert!(choose("bias").unwrap_err().to_string().contains("1 dimension(s)"));
    assert!(choose("c").unwrap_err().to_string().contains("no tensor \"c\"; it has a (F16 1×2)"));

    // `vectors` is preferred to others
    let preferred = two.replace("\"b\"", "\"vectors\"");
    let bytes = safetensors(&preferred, &body(&[0x3c00, 0x4000, 0x4200, 0x4400, 0, 0]));
    assert_eq!(read("a.safetensors", &bytes).unwrap().data(), [3.0, 4.0]);
}

#[test]
fn the_bundled_vectors_are_read_and_sound() {
    let bytes = std::fs::read("data/vectors_heldout_3k.safetensors").unwrap();
    let reader =
        format::open_bytes("heldout.safetensors", &bytes, &ReadOptions::default()).unwrap();
    assert_eq!(reader.metadata()["teacher"], "sentence-transformers/all-MiniLM-L6-v2");
    let mut source = VectorSource::new(reader, Some(384), BadRows::Refuse).unwrap();
    let m = read_to_matrix(&mut source, None).unwrap();
    assert_eq!((m.rows(), m.cols()), (3000, 384));
    // the file says that they are L2-normalised, and they are, within half precision
    for row in m.iter_rows() {
        let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt();
        assert!((norm - 1.0).abs() < 1e-3, "{norm}");
    }
    // against the crate's own view of one value in the middle
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let raw = tensors.tensor("vectors").unwrap().data();
    let at = (1234 * 384 + 56) * 2;
    let value = half::f16::from_le_bytes([raw[at], raw[at + 1]]).to_f32();
    assert_eq!(m.row(1234)[56], value);
    let reader =
        format::open_bytes("heldout.safetensors", &bytes, &ReadOptions::default()).unwrap();
    let mut source = VectorSource::new(reader, None, BadRows::Refuse).unwrap();
    assert_eq!(read_to_matrix(&mut source, Some(17)).unwrap(), m.slice_rows(0, 17));
}

/// An `.npy` file of 10¹⁰ rows of 8 ones, made up while it is read.
struct Endless {
    header: Vec<u8>,
    at: u64,
}

impl Endless {
    const ROWS: u64 = 10_000_000_000;

    fn end(&self) -> u64 {
        self.header.len() as u64 + Self::ROWS * 32
    }
}

impl std::io::Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let n = into.len().min((self.end() - self.at) as usize);
        for byte in &mut into[..n] {
            let i = self.at as usize;
            // the header is 128 bytes, so values start at multiples of four
            *byte = self.header.get(i).copied().unwrap_or(1f32.to_le_bytes()[i % 4]);
            self.at += 1;
        }
        Ok(n)
    }
}

impl std::io::Seek for Endless {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        self.at = match to {
            std::io::SeekFrom::Start(at) => at,
            std::io::SeekFrom::Current(by) => self.at.saturating_add_signed(by),
            std::io::SeekFrom::End(by) => self.end().saturating_add_signed(by),
        };
        Ok(self.at)
    }
}

#[test]
fn a_file_of_any_size_needs_memory_for_one_batch() {
    let header = npy(&dict("<f4", "(10000000000, 8)"), &[]);
    let largest = largest_allocation(|| {
        let reader = format::npy::open("v.npy", Endless { header, at: 0 }).unwrap();
        let mut source = VectorSource::new(Box::new(reader), Some(8), BadRows::Skip).unwrap();
        assert_eq!(source.rows(), Some(Endless::ROWS));
        let mut batch = Matrix::default();
        for _ in 0..50 {
            assert_eq!(source.read(1000, &mut batch).unwrap(), 1000);
            assert!(batch.data().iter().all(|&v| v == 1.0));
        }
    });
    assert!(largest <= 2 * 32 * 1000, "{largest}");
}

#[test]
fn codes_are_bytes_and_no_vectors() {
    let codes: Vec<u8> = (0..35).collect();
    for kind in [FileKind::Npy, FileKind::Safetensors] {
        let options = WriteOptions {
            dtype: Dtype::U8,
            tensor: format::CODES.into(),
            metadata: Metadata::new(),
        };
        let mut stream = Cursor::new(Vec::new());
        let name = name_of(kind);
        let mut writer = format::create_raw(kind, &name, &mut stream, 7, &options).unwrap();
        writer.write_codes(&codes[..14]).unwrap();
        writer.write_codes(&codes[14..]).unwrap();
        assert!(writer.write_codes(&codes[..6]).is_err());
        assert!(writer.write(&sample(1, 7)).is_err());
        assert_eq!(Box::new(writer).finish().unwrap(), 5);
        let bytes = stream.into_inner();
        let options = ReadOptions::default();
        let mut reader =
            format::open_raw(kind, &name, Cursor::new(&bytes), &options, format::CODES).unwrap();
        let (mut back, mut part) = (Vec::new(), Vec::new());
        while reader.read_codes(2, &mut part).unwrap() > 0 {
            back.extend_from_slice(&part);
        }
        assert_eq!(back, codes);
        assert!(complaint(&name, &bytes).contains("codes"));
    }
    let floats = file(FileKind::Npy, &sample(2, 2));
    let mut reader = lnsp::format::npy::open("v.npy", Cursor::new(&floats)).unwrap();
    assert!(reader.read_codes(1, &mut Vec::new()).unwrap_err().to_string().contains("f32"));
}

#[cfg(feature = "cli")]
mod files {
    use lnsp::format::files;

    use super::*;

    fn names(folder: &std::path::Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn output_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        for &kind in KINDS {
            let path = folder.path().join(name_of(kind));
            std::fs::write(&path, "older").unwrap();
            let mut writer = files::create(&path, 3, &WriteOptions::default()).unwrap();
            writer.write(&sample(70, 3)).unwrap();
            drop(writer);
            assert_eq!(std::fs::read(&path).unwrap(), b"older");
            let mut writer = files::create(&path, 3, &WriteOptions::default()).unwrap();
            writer.write(&sample(70, 3)).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), b"older");
            assert_eq!(writer.finish().unwrap(), 70);
            let mut reader = files::open(&path, &ReadOptions::default()).unwrap();
            assert_eq!(read_to_matrix(&mut *reader, None).unwrap(), sample(70, 3));
        }
        assert_eq!(names(folder.path()).len(), KINDS.len(), "no temporary file stays");
    }

    #[test]
    fn paths_that_cannot_be_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let options = WriteOptions::default();
        let missing = folder.path().join("none").join("v.npy");
        assert!(matches!(files::create(&missing, 3, &options), Err(Error::Io { .. })));
        assert!(matches!(files::open(&missing, &ReadOptions::default()), Err(Error::Io { .. })));
        let sub = folder.path().join("sub.npy");
        std::fs::create_dir(&sub).unwrap();
        assert!(matches!(files::create(&sub, 3, &options), Err(Error::Invalid { .. })));
        assert!(files::open(&sub, &ReadOptions::default()).is_err());
        assert!(files::create(&folder.path().join("v.xyz"), 3, &options).is_err());
        assert_eq!(names(folder.path()), ["sub.npy"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_followed_and_others_may_read_the_output() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        files::write_whole(&real, b"1").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        files::write_whole(&link, b"2").unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read(&real).unwrap(), b"2");
        // the same mode as a file made the plain way
        let plain = folder.path().join("plain");
        std::fs::write(&plain, "").unwrap();
        let mode = |p| std::fs::metadata(p).unwrap().permissions().mode();
        assert_eq!(mode(&real), mode(&plain));
    }
}

#[cfg(feature = "parquet")]
mod parquet_columns {
    use std::sync::Arc;

    use arrow_array::builder::{FixedSizeListBuilder, Float64Builder, ListBuilder};
    use arrow_array::types::{Float16Type, Float32Type};
    use arrow_array::{
        ArrayRef, FixedSizeListArray, LargeListArray, ListArray, RecordBatch, StringArray,
    };
    use parquet::arrow::ArrowWriter;

    use super::*;

    fn parquet_file(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
        let batch = RecordBatch::try_from_iter_with_nullable(
            columns.into_iter().map(|(name, array)| (name, array, true)),
        );
        let batch = batch.unwrap();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        bytes
    }

    fn list(rows: &[Option<&[Option<f32>]>]) -> ArrayRef {
        let rows = rows.iter().map(|r| r.map(<[_]>::to_vec));
        Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(rows))
    }

    #[test]
    fn lists_of_every_kind_are_read() {
        let expected = Matrix::new(2, 2, vec![1.0, -2.5, 0.5, 8.0]).unwrap();
        let rows = [Some(vec![Some(1.0), Some(-2.5)]), Some(vec![Some(0.5), Some(8.0)])];
        let halves = rows.clone().map(|r| {
            r.map(|v| {
                v.into_iter().map(|x: Option<f32>| x.map(half::f16::from_f32)).collect::<Vec<_>>()
            })
        });
        let mut doubles = ListBuilder::new(Float64Builder::new());
        let mut fixed = FixedSizeListBuilder::new(Float64Builder::new(), 2);
        for row in expected.iter_rows() {
            for &v in row {
                doubles.values().append_value(v.into());
                fixed.values().append_value(v.into());
            }
            doubles.append(true);
            fixed.append(true);
        }
        let columns: [ArrayRef; 5] = [
            Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(rows.clone())),
            Arc::new(LargeListArray::from_iter_primitive::<Float32Type, _, _>(rows.clone())),
            Arc::new(FixedSizeListArray::from_iter_primitive::<Float16Type, _, _>(halves, 2)),
            Arc::new(doubles.finish()),
            Arc::new(fixed.finish()),
        ];
        for column in columns {
            let of = column.data_type().clone();
            let text: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
            let bytes = parquet_file(vec![("text", text), ("embedding", column)]);
            assert_eq!(read("a.parquet", &bytes).unwrap(), expected, "{of}");
        }
    }

    #[test]
    fn columns_are_chosen_or_listed() {
        let one = list(&[Some(&[Some(1.0)])]);
        let two = list(&[Some(&[Some(2.0)])]);
        let text: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
        let bytes = parquet_file(vec![("t", text.clone()), ("x", one.clone()), ("y", two.clone())]);
        let message = complaint("a.parquet", &bytes);
        assert!(message.contains("--column NAME; it has x, y"), "{message}");
        let choose = |column: &str| {
            let options = ReadOptions { column: Some(column.into()), ..Default::default() };
            format::read_all("a.parquet", &bytes, &options)
        };
        assert_eq!(choose("y").unwrap().data(), [2.0]);
        assert!(choose("t").unwrap_err().to_string().contains("not a list of floats"));
        assert!(choose("z").unwrap_err().to_string().contains("it has t, x, y"));
        let bytes = parquet_file(vec![("x", one), ("vectors", two)]);
        assert_eq!(read("a.parquet", &bytes).unwrap().data(), [2.0]);
        let bytes = parquet_file(vec![("t", text)]);
        assert!(complaint("a.parquet", &bytes).contains("no column is a list"));
    }

    #[test]
    fn nulls_and_ragged_rows_are_bad_rows() {
        let bytes = parquet_file(vec![(
            "v",
            list(&[
                None,
                Some(&[Some(1.0), Some(2.0)]),
                Some(&[Some(1.0)]),
                Some(&[Some(1.0), None]),
                Some(&[Some(3.0), Some(4.0)]),
                Some(&[]),
            ]),
        )]);
        let open = |bad| {
            let reader = format::open_bytes("a.parquet", &bytes, &ReadOptions::default());
            VectorSource::new(reader.unwrap(), Some(2), bad).unwrap()
        };
        let mut source = open(BadRows::Skip);
        assert_eq!(read_to_matrix(&mut source, None).unwrap().data(), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!((source.skipped().misfit, source.skipped().nan), (3, 1));
        let error = read_to_matrix(&mut open(BadRows::Refuse), None).unwrap_err().to_string();
        assert!(error.starts_with("a.parquet, row 0: null") && error.contains("--skip-bad"));
        assert!(complaint("a.parquet", &bytes).contains("row 0: null"));
        let ragged = parquet_file(vec![("v", list(&[Some(&[Some(1.0)]), Some(&[None, None])]))]);
        assert!(complaint("a.parquet", &ragged).contains("row 1: 2 values where 1 are wanted"));
        let empty = parquet_file(vec![("v", list(&[None, Some(&[])]))]);
        assert!(complaint("a.parquet", &empty).contains("without values"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_shape_round_trips(rows in 1usize..40, width in 1usize..20, batch in 1usize..50, seed: u32) {
        let m = Matrix::from_fn(rows, width, |r, c| {
            f32::from_bits((seed ^ (r * 71 + c) as u32).wrapping_mul(2_654_435_761))
        });
        for &kind in KINDS {
            let bytes = written(kind, &m, batch, &WriteOptions::default());
            let back = read(&name_of(kind), &bytes).unwrap();
            // bit for bit, NaN included
            let bits = |m: &Matrix| m.data().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&back), bits(&m));
        }
    }
}

#[test]
fn halves_of_our_own_as_any_reader_has_them() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/www/examples/examples.safetensors");
    let bytes = std::fs::read(path).unwrap();
    let halves = |bytes: &[u8]| format::safetensors::halves("examples", bytes, "vectors");
    let mut reader =
        format::open_bytes("examples.safetensors", &bytes, &ReadOptions::default()).unwrap();
    let mut rows = Matrix::default();
    reader.read(1000, &mut rows).unwrap();
    assert_eq!(halves(&bytes).unwrap(), rows);
    for end in [0, 7, 8, 40, bytes.len() - 1] {
        assert!(halves(&bytes[..end]).is_err(), "{end}");
    }
    assert!(halves(&[255; 64]).is_err());
}
