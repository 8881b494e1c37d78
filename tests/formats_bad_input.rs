//! Everything that can be wrong with a file of vectors: each flaw is named, none is believed.

mod format_support;

use std::io::Cursor;

use format_support::*;
use lnsp::format::{self, Dtype, FileKind, ReadOptions, VectorReader, WriteOptions};
use lnsp::source::{BadRows, VectorSource, read_to_matrix};
use lnsp::{Error, Matrix};
use proptest::prelude::*;

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

#[cfg(feature = "parquet")]
#[test]
fn damaged_parquet_files_are_told() {
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
