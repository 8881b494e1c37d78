//! Vectors in and out: round trips, foreign files, and everything that can be wrong with a file.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Cursor;

use lnsp::format::{
    self, Dtype, FileKind, Metadata, ReadOptions, VectorReader, VectorWriter, WriteOptions,
};
use lnsp::source::{BadRows, VectorSource, read_to_matrix};
use lnsp::{Error, Matrix};
use proptest::prelude::*;

/// Notes the largest single request of each thread, so that tests can tell whether a length in
/// a damaged header was believed.
struct Noting;

thread_local!(static LARGEST: Cell<usize> = const { Cell::new(0) });

// SAFETY: every call goes to the system's allocator as it came; a global allocator cannot be
// written without `unsafe`.
unsafe impl GlobalAlloc for Noting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = LARGEST.try_with(|l| l.set(l.get().max(layout.size())));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let _ = LARGEST.try_with(|l| l.set(l.get().max(layout.size())));
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = LARGEST.try_with(|l| l.set(l.get().max(size)));
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Noting = Noting;

/// The largest single allocation that `f` asks for, in bytes.
fn largest_allocation(f: impl FnOnce()) -> usize {
    LARGEST.with(|l| l.set(0));
    f();
    LARGEST.with(Cell::get)
}

#[cfg(feature = "parquet")]
const KINDS: &[FileKind] = &[FileKind::Npy, FileKind::Safetensors, FileKind::Parquet];
#[cfg(not(feature = "parquet"))]
const KINDS: &[FileKind] = &[FileKind::Npy, FileKind::Safetensors];

fn sample(rows: usize, width: usize) -> Matrix {
    Matrix::from_fn(rows, width, |r, c| ((r * 31 + c * 7) as f32 * 0.37).sin() + 0.01)
}

fn name_of(kind: FileKind) -> String {
    format!("v.{}", kind.extension())
}

/// The bytes of a file of `m`, written in batches of `batch` rows.
fn written(kind: FileKind, m: &Matrix, batch: usize, options: &WriteOptions) -> Vec<u8> {
    let mut stream = Cursor::new(Vec::new());
    let name = name_of(kind);
    let mut writer = format::create(kind, &name, &mut stream, m.cols(), options).unwrap();
    for start in (0..m.rows()).step_by(batch) {
        writer.write(&m.slice_rows(start, (start + batch).min(m.rows()))).unwrap();
    }
    assert_eq!(writer.finish().unwrap(), m.rows() as u64);
    stream.into_inner()
}

fn file(kind: FileKind, m: &Matrix) -> Vec<u8> {
    written(kind, m, 5, &WriteOptions::default())
}

/// An `.npy` file by hand, as numpy would write it.
fn npy(dict: &str, body: &[u8]) -> Vec<u8> {
    npy_version(1, dict, body)
}

fn npy_version(version: u8, dict: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY".to_vec();
    bytes.extend([version, 0]);
    let text = format!("{dict:<117}\n");
    match version {
        1 => bytes.extend((text.len() as u16).to_le_bytes()),
        _ => bytes.extend((text.len() as u32).to_le_bytes()),
    }
    bytes.extend(text.bytes());
    bytes.extend(body);
    bytes
}

fn dict(descr: &str, shape: &str) -> String {
    format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}")
}

fn safetensors(json: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
    bytes.extend(json.bytes());
    bytes.extend(body);
    bytes
}

fn read(name: &str, bytes: &[u8]) -> lnsp::Result<Matrix> {
    format::read_all(name, bytes, &ReadOptions::default())
}

/// The message of the error that reading `bytes` gives; it must name the file.
fn complaint(name: &str, bytes: &[u8]) -> String {
    let message = read(name, bytes).expect_err("must be refused").to_string();
    assert!(message.starts_with(name), "{message:?} does not name {name}");
    message
}

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

#[test]
fn every_flaw_of_a_file_has_its_own_message() {
    let m = sample(9, 4);
    let (n, s) = (file(FileKind::Npy, &m), file(FileKind::Safetensors, &m));
    let body = [0u8; 96];
    let header = |rest: &str| safetensors(rest, &body);
    let huge = {
        let mut bytes = u64::MAX.to_le_bytes().to_vec();
        bytes.extend(b"{\"a\":1}");
        bytes
    };
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("e.npy", vec![], "the file is empty"),
        ("e.safetensors", vec![], "the file is empty"),
        ("e.parquet", vec![], "the file is empty"),
        ("a.txt", b"hello".to_vec(), "\"txt\" is no vector format"),
        ("a", b"hello".to_vec(), "no extension"),
        ("a.npy", s.clone(), "rename it to .safetensors"),
        ("a.safetensors", n.clone(), "rename it to .npy"),
        ("a.npy", b"PK\x03\x04 and more".to_vec(), "numpy.save"),
        ("a.npy", b"version https://git-lfs.github.com/spec/v1".to_vec(), "git lfs pull"),
        ("a.npy", vec![7; 200], "not an npy file"),
        ("a.npy", b"\x93NUMPY\x01".to_vec(), "too few"),
        ("a.npy", b"\x93NUMPY\x01\x00\xff\x00{}".to_vec(), "claims 255 bytes, 2 follow"),
        ("a.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}".to_vec(), "claims 4294967295 bytes"),
        ("a.npy", npy_version(4, "{}", &[]), "version 4 is not known"),
        ("a.npy", npy("nonsense", &[]), "cannot be read"),
        ("a.npy", npy(&dict("<i8", "(3, 4)"), &body), "\"<i8\""),
        ("a.npy", npy(&dict(">f4", "(6, 4)"), &body), "astype('<f4')"),
        ("a.npy", npy(&dict("<f4", "(24,)"), &body), "1 dimension(s)"),
        ("a.npy", npy(&dict("<f4", "(2, 3, 4)"), &body), "3 dimension(s)"),
        ("a.npy", npy(&dict("<f4", "(6, 4)").replace("False", "True"), &body), "Fortran"),
        ("a.npy", npy(&dict("<f4", "(0, 4)"), &[]), "holds no rows"),
        ("a.npy", npy(&dict("<f4", "(4, 0)"), &[]), "width 0"),
        ("a.npy", npy(&dict("<f4", "(0, 99999999999)"), &[]), "99999999999 wide"),
        ("a.npy", npy(&dict("<f4", "(18446744073709551615, 9)"), &body), "2 whole rows are"),
        ("a.npy", npy(&dict("<f4", "(5, 4)"), &body), "16 bytes follow"),
        ("a.npy", n[..n.len() - 1].to_vec(), "promises 9 rows of 4 f32, 8 whole rows"),
        ("a.safetensors", b"abc".to_vec(), "3 bytes are too few"),
        ("a.safetensors", huge, "above the limit"),
        ("a.safetensors", vec![0xff; 300], "above the limit"),
        ("a.safetensors", header("{").to_vec(), "header is damaged"),
        ("a.safetensors", s[..40].to_vec(), "truncated"),
        ("a.safetensors", s[..s.len() - 17].to_vec(), "promises 9 rows of 4 f32, 7 whole rows"),
        ("a.safetensors", [&s[..], b"x"].concat(), "145 follow"),
        ("a.safetensors", safetensors("{}", &[]), "it has no tensors"),
        (
            "a.safetensors",
            header(r#"{"x":{"dtype":"F32","shape":[6,4],"data_offsets":[0,95]}}"#),
            "damaged",
        ),
        (
            "a.safetensors",
            header(r#"{"vectors":{"dtype":"I32","shape":[6,4],"data_offsets":[0,96]}}"#),
            "tensor of I32",
        ),
        (
            "a.safetensors",
            safetensors(r#"{"x":{"dtype":"F32","shape":[0,4],"data_offsets":[0,0]}}"#, &[]),
            "holds no rows",
        ),
        (
            "a.safetensors",
            header(
                r#"{"x":{"dtype":"F32","shape":[4611686018427387904,4,4],"data_offsets":[0,96]}}"#,
            ),
            "damaged",
        ),
    ];
    for (name, bytes, expected) in cases {
        let message = complaint(name, &bytes);
        assert!(message.contains(expected), "{message:?} lacks {expected:?}");
    }
    let tensor = ReadOptions { tensor: Some("x".into()), ..Default::default() };
    assert!(format::read_all("a.npy", &n, &tensor).unwrap_err().to_string().contains("tensor"));
    let column = ReadOptions { column: Some("x".into()), ..Default::default() };
    assert!(format::read_all("a.npy", &n, &column).unwrap_err().to_string().contains("column"));
}

#[test]
fn writers_refuse_what_they_cannot_hold() {
    for &kind in KINDS {
        let mut stream = Cursor::new(Vec::new());
        let name = name_of(kind);
        let options = WriteOptions::default();
        let mut writer = format::create(kind, &name, &mut stream, 4, &options).unwrap();
        assert!(writer.write(&sample(2, 5)).is_err());
        drop(writer);
        assert!(format::create(kind, &name, &mut stream, 0, &options).is_err());
        for dtype in [Dtype::U8, Dtype::F64, Dtype::Bf16] {
            let options = WriteOptions { dtype, ..Default::default() };
            assert!(format::create(kind, &name, &mut stream, 4, &options).is_err(), "{dtype:?}");
        }
    }
}

/// The source over `m`, kept in `bytes`.
fn source(bytes: &[u8], bad: BadRows) -> VectorSource<'_> {
    let reader = format::open_bytes("v.npy", bytes, &ReadOptions::default()).unwrap();
    VectorSource::new(reader, None, bad).unwrap()
}

#[test]
fn bad_rows_are_refused_by_name_or_skipped_and_counted() {
    let good = sample(12, 3);
    let flaws: [(usize, [f32; 3], &str); 7] = [
        (1, [0.1, f32::NAN, 0.2], "value 1 is NaN"),
        (2, [0.1, 0.2, f32::NEG_INFINITY], "value 2 is infinite"),
        (4, [0.0, -0.0, 0.0], "zero"),
        (5, [1e-30, 0.0, 1e-30], "too small"),
        (6, [1e-40, 0.0, 0.0], "too small"),
        (10, [3e19, 0.0, 1.0], "too large"),
        (11, [f32::INFINITY, f32::NAN, 0.0], "value 1 is NaN"),
    ];
    let mut all = good.clone();
    for (row, values, message) in &flaws {
        let mut one = good.clone();
        one.row_mut(*row).copy_from_slice(values);
        all.row_mut(*row).copy_from_slice(values);
        let bytes = file(FileKind::Npy, &one);
        let error = read_to_matrix(&mut source(&bytes, BadRows::Refuse), None).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with(&format!("v.npy, row {row}: ")), "{text}");
        assert!(text.contains(message) && text.contains("--skip-bad"), "{text}");
    }
    let bytes = file(FileKind::Npy, &all);
    let mut source_of_all = source(&bytes, BadRows::Skip);
    let kept = read_to_matrix(&mut source_of_all, None).unwrap();
    assert_eq!(kept, good.gather_rows(&[0, 3, 7, 8, 9]));
    assert_eq!(
        source_of_all.skipped().to_string(),
        "7 rows left out: 2 with NaN, 1 infinite, 1 zero, 2 too short to normalise, 1 too long \
         to normalise"
    );
    // in batches, too, some of which are all bad
    let mut in_twos = source(&bytes, BadRows::Skip);
    let (mut back, mut part) = (Matrix::zeros(0, 3), Matrix::default());
    while in_twos.read(2, &mut part).unwrap() > 0 {
        back.append(&part).unwrap();
    }
    assert_eq!((back, in_twos.skipped().total()), (kept, 7));
    // a row that is refused late has its number in the file, not in the batch
    let mut late = sample(5000, 2);
    late.row_mut(4321).fill(0.0);
    let bytes = file(FileKind::Npy, &late);
    let error = read_to_matrix(&mut source(&bytes, BadRows::Refuse), None).unwrap_err();
    assert!(matches!(error, Error::Row { row: 4321, .. }));
    // nothing left
    let bytes = file(FileKind::Npy, &Matrix::zeros(3, 2));
    let error = read_to_matrix(&mut source(&bytes, BadRows::Skip), None).unwrap_err();
    assert!(error.to_string().contains("no row can be used: 3 rows left out: 3 zero"), "{error}");
}

#[test]
fn constant_columns_are_fine_and_a_wrong_width_is_not() {
    let m = Matrix::from_fn(50, 4, |r, c| [0.0, 1.0, r as f32 + 1.0, -1e-9][c]);
    let bytes = file(FileKind::Npy, &m);
    assert_eq!(read_to_matrix(&mut source(&bytes, BadRows::Refuse), None).unwrap(), m);
    let reader = format::open_bytes("v.npy", &bytes, &ReadOptions::default()).unwrap();
    let error = VectorSource::new(reader, Some(384), BadRows::Skip).err().unwrap().to_string();
    assert!(error.contains("4 wide, 384 is wanted"), "{error}");
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

    #[test]
    fn damaged_files_are_told() {
        let whole = file(FileKind::Parquet, &sample(9, 4));
        assert!(complaint("a.parquet", b"PAR1").contains("too few"));
        assert!(complaint("a.parquet", &whole[..whole.len() - 1]).contains("truncated"));
        assert!(complaint("a.npy", &whole).contains("rename it to .parquet"));
        let none = file(FileKind::Parquet, &Matrix::zeros(0, 4));
        assert!(complaint("a.parquet", &none).contains("no rows"));
        let mut footer = whole.clone();
        let end = footer.len();
        footer[end - 8..end - 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(complaint("a.parquet", &footer).contains("damaged"));
    }
}

/// Reads `bytes` as each kind, to the end, and checks that no header was believed.
fn survive(bytes: &[u8], limit: usize) {
    for &kind in KINDS {
        let largest = largest_allocation(|| {
            if let Ok(m) = read(&name_of(kind), bytes) {
                assert!(m.cols() > 0 && m.rows() > 0);
            }
        });
        assert!(largest <= limit, "{largest} bytes were asked for, {kind:?}");
    }
}

/// Damage to a sound file: bytes overwritten, and the end cut off.
fn damage() -> impl Strategy<Value = (Vec<(prop::sample::Index, u8)>, prop::sample::Index, bool)> {
    (
        prop::collection::vec(any::<(prop::sample::Index, u8)>(), 0..6),
        any::<prop::sample::Index>(),
        any::<bool>(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..Default::default() })]

    #[test]
    fn byte_soup_is_survived(soup in prop::collection::vec(any::<u8>(), 0..400), mark in 0usize..4) {
        let start: &[u8] = [&b""[..], b"\x93NUMPY\x01\0", b"PAR1", b"\x40\0\0\0\0\0\0\0{"][mark];
        let mut bytes = [start, &soup].concat();
        if mark == 2 {
            bytes.extend(b"\x20\0\0\0PAR1");
        }
        survive(&bytes, 1 << 20);
    }

    #[test]
    fn damaged_files_are_survived((edits, cut, cuts) in damage(), which in 0usize..2) {
        let mut bytes = file([FileKind::Npy, FileKind::Safetensors][which], &sample(23, 5));
        for (at, value) in edits {
            // half of the damage goes into the header
            let range = if value % 2 == 0 { bytes.len() } else { 128 };
            let at = at.index(range);
            bytes[at] = value;
        }
        if cuts {
            bytes.truncate(cut.index(bytes.len()));
        }
        survive(&bytes, 1 << 20);
    }

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

#[cfg(feature = "parquet")]
proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..Default::default() })]

    #[test]
    fn damaged_parquet_is_survived((edits, cut, cuts) in damage()) {
        let mut bytes = file(FileKind::Parquet, &sample(23, 5));
        let length = bytes.len();
        for (at, value) in edits {
            bytes[at.index(length)] = value;
        }
        if cuts {
            bytes.truncate(cut.index(length));
            bytes.extend(b"PAR1");
        }
        survive(&bytes, 1 << 26);
    }
}
