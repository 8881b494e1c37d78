//! A small random teacher on the CPU against plain loops in f64, its files at every precision, and
//! what is said about files and tokens that cannot be used.

mod formulas;
mod small_bert;

use formulas::{Mat, compare};
use lnsp::device::Device;
use lnsp::teacher::{Teacher, quantize};
use lnsp::{Error, Matrix, Precision};
use pollster::block_on;
use proptest::prelude::*;
use small_bert::{
    HEADS, INNER, LAYERS, POSITIONS, VOCABULARY, WIDTH, changed_file, file, sequences,
};

fn open(bytes: &[u8], precision: Option<Precision>) -> lnsp::Result<Teacher> {
    Teacher::from_bytes(&Device::cpu(), "model", bytes, precision)
}

fn embed(teacher: &Teacher, sequences: &[Vec<u32>]) -> Matrix {
    block_on(teacher.embed(sequences, &mut |_| Ok(()))).unwrap()
}

fn wide(matrix: &Matrix) -> Mat {
    Mat::from_fn(matrix.rows(), matrix.cols(), |r, c| f64::from(matrix.row(r)[c]))
}

fn wanted(bytes: &[u8]) -> Mat {
    let rows: Vec<Vec<f64>> =
        sequences().iter().map(|tokens| small_bert::embed(bytes, tokens)).collect();
    Mat::from_fn(rows.len(), WIDTH, |r, c| rows[r][c])
}

#[test]
fn agrees_with_plain_loops_at_every_precision() {
    let full = file();
    for precision in Precision::ALL {
        let small = quantize("model", &full, precision).unwrap();
        let teacher = open(&small, None).unwrap();
        assert_eq!((teacher.precision(), teacher.width()), (precision, WIDTH));
        let shape = teacher.shape();
        assert_eq!((shape.layers, shape.heads, shape.inner), (LAYERS, HEADS, INNER));
        assert_eq!((shape.vocabulary, teacher.max_tokens()), (VOCABULARY, POSITIONS));
        let got = wide(&embed(&teacher, &sequences()));
        compare(&format!("{precision}"), &got, &wanted(&small), 2e-5).unwrap();
    }
}

#[test]
fn the_device_rounds_as_the_file_does() {
    let full = file();
    for precision in [Precision::F16, Precision::Int8] {
        let small = quantize("model", &full, precision).unwrap();
        assert!(small.len() < full.len());
        let direct = open(&full, Some(precision)).unwrap();
        let stored = open(&small, None).unwrap();
        assert_eq!(direct.bytes(), stored.bytes());
        assert!(direct.bytes() < open(&full, None).unwrap().bytes());
        // Only the rounding of the positions differs, which the device keeps in f32.
        let (a, b) = (embed(&direct, &sequences()), embed(&stored, &sequences()));
        compare("vectors", &wide(&a), &wide(&b), 3e-3).unwrap();
        assert_eq!(quantize("small", &small, precision).unwrap(), small, "a second time");
        // And widened again on the way to the device.
        let widened = open(&small, Some(Precision::F32)).unwrap();
        assert_eq!(widened.precision(), Precision::F32);
        compare("widened", &wide(&embed(&widened, &sequences())), &wide(&b), 1e-5).unwrap();
    }
    let int8 = quantize("model", &full, Precision::Int8).unwrap();
    let refused = quantize("small", &int8, Precision::F16).unwrap_err().to_string();
    assert!(refused.contains("stored at int8"), "{refused}");
}

#[test]
fn a_vector_does_not_depend_on_the_others() {
    let teacher = open(&file(), None).unwrap();
    let all = embed(&teacher, &sequences());
    for (i, sequence) in sequences().iter().enumerate() {
        let alone = embed(&teacher, std::slice::from_ref(sequence));
        for (a, b) in alone.row(0).iter().zip(all.row(i)) {
            assert!((a - b).abs() < 5e-6, "sequence {i}: {a} {b}");
        }
    }
    assert_eq!(embed(&teacher, &[]).rows(), 0);
}

#[test]
fn many_sequences_come_back_in_their_order() {
    let teacher = open(&file(), None).unwrap();
    let kinds = sequences();
    let many: Vec<Vec<u32>> = (0..900).map(|i| kinds[i * 7 % kinds.len()].clone()).collect();
    let mut calls = Vec::new();
    let got = block_on(teacher.embed(&many, &mut |done| {
        calls.push(done);
        Ok(())
    }));
    let (got, each) = (got.unwrap(), embed(&teacher, &kinds));
    assert!(calls.len() > 1 && calls.is_sorted() && calls.last() == Some(&900), "{calls:?}");
    for (i, row) in got.iter_rows().enumerate() {
        let want = each.row(i * 7 % kinds.len());
        assert!(row.iter().zip(want).all(|(a, b)| (a - b).abs() < 5e-6), "row {i}");
    }
    let ended = block_on(teacher.embed(&many, &mut |_| Err(Error::Cancelled)));
    assert!(matches!(ended, Err(Error::Cancelled)));
}

#[test]
fn files_that_cannot_be_used_are_refused_with_a_reason() {
    let whole = file();
    let message = |bytes: &[u8]| open(bytes, None).unwrap_err().to_string();
    assert!(message(&[]).contains("too few"));
    assert!(message(&whole[..whole.len() - 1]).contains("truncated"));
    assert!(message(b"PK\x03\x04 a zip, perhaps of the wheel").contains("no safetensors file"));
    let without = changed_file(|name, _, _| !name.contains("layer.1.output.dense.bias"));
    assert!(message(&without).contains("encoder.layer.1.output.dense.bias is missing"));
    let other = changed_file(|name, shape, values| {
        if name == "encoder.layer.0.attention.self.key.weight" {
            shape[0] -= 1;
            values.truncate(shape[0] * WIDTH);
        }
        true
    });
    let other = message(&other);
    assert!(other.contains("key.weight has shape [23, 24], [24, 24] goes with"), "{other}");
    let bad = changed_file(|name, _, values| {
        if name == "embeddings.position_embeddings.weight" {
            values[5] = f32::NAN;
        }
        true
    });
    assert!(message(&bad).contains("position_embeddings.weight holds NaN at 5"));
    let student = changed_file(|name, _, _| !name.contains("word"));
    assert!(message(&student).contains("not the weights of a BERT encoder"));
    let heads = String::from_utf8_lossy(&whole).find(r#"\"heads\":3"#).unwrap();
    let mut five = whole.clone();
    five[heads + 10] = b'5';
    assert!(message(&five).contains("5 heads do not divide the width 24"));
}

#[test]
fn tokens_that_cannot_be_used_are_refused_with_their_row() {
    let teacher = open(&file(), None).unwrap();
    let message = |sequence: Vec<u32>| {
        let all = [vec![1, 2], sequence];
        block_on(teacher.embed(&all, &mut |_| Ok(()))).unwrap_err().to_string()
    };
    assert!(message(vec![]).contains("row 1: has no tokens"));
    assert!(message(vec![1, 53]).contains("row 1: holds the token 53, the vocabulary ends at 52"));
    assert!(message(vec![0; 22]).contains("row 1: has 22 tokens, the model takes 21"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn damage_never_panics(at in 0usize..200_000, value: u8, cut in 0usize..200_000) {
        let mut bytes = quantize("model", &file(), Precision::Int8).unwrap();
        // Half of the damage goes to the header.
        let at = if at % 2 == 0 { at % 6000 } else { at } % bytes.len();
        bytes[at] = value;
        let _ = open(&bytes, None);
        let _ = open(&bytes[..cut.min(bytes.len())], Some(Precision::F16));
    }
}
