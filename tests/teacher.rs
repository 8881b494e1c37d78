//! The real all-MiniLM-L6-v2 on the CPU against vectors that another program made with it.

mod teacher_support;

use lnsp::device::Device;
use lnsp::teacher::{Teacher, quantize};
use lnsp::{Error, Precision};
use pollster::block_on;
use teacher_support::{lowest_cosine, model, tokens, vectors, wanted_cosine};

#[test]
fn agrees_with_the_reference_at_every_precision() {
    let Some(model) = model() else { return };
    let (tokens, wanted) = (tokens(), vectors());
    assert_eq!((tokens.len(), wanted.rows()), (200, 200));
    for precision in Precision::ALL {
        let teacher = Teacher::from_bytes(&Device::cpu(), "model", model, Some(precision)).unwrap();
        assert_eq!((teacher.width(), teacher.max_tokens()), (384, 512));
        let mut calls = Vec::new();
        let got = block_on(teacher.embed(&tokens, &mut |done| {
            calls.push(done);
            Ok(())
        }));
        let got = got.unwrap();
        assert!(calls.is_sorted() && calls.last() == Some(&200), "{calls:?}");
        let lowest = lowest_cosine(&got, &wanted);
        println!("{precision}: lowest cosine {lowest:.7}, {} bytes", teacher.bytes());
        assert!(lowest >= wanted_cosine(precision), "{precision}: {lowest}");
        for row in got.iter_rows() {
            let norm: f64 = row.iter().map(|v| f64::from(*v).powi(2)).sum();
            assert!((norm - 1.0).abs() < 1e-5);
        }
    }
}

#[test]
fn smaller_files_give_the_same_vectors_as_smaller_weights() {
    let Some(model) = model() else { return };
    let tokens = &tokens()[..20];
    for (precision, most) in [(Precision::F16, 46_000_000), (Precision::Int8, 23_500_000)] {
        let small = quantize("model", model, precision).unwrap();
        assert!(small.len() < most, "{precision}: {} bytes", small.len());
        let open = |bytes, at| Teacher::from_bytes(&Device::cpu(), "model", bytes, at).unwrap();
        let (direct, read) = (open(model, Some(precision)), open(&small, None));
        assert_eq!(read.precision(), precision);
        // The positions in the small file are rounded, those beside it are not.
        let embed = |teacher: &Teacher| block_on(teacher.embed(tokens, &mut |_| Ok(()))).unwrap();
        let lowest = lowest_cosine(&embed(&direct), &embed(&read));
        assert!(lowest > 0.9999, "{precision}: {lowest}");
    }
}

#[test]
fn a_call_of_progress_can_end_the_work() {
    let Some(model) = model() else { return };
    let teacher = Teacher::from_bytes(&Device::cpu(), "model", model, None).unwrap();
    let ended = block_on(teacher.embed(&tokens(), &mut |_| Err(Error::Cancelled)));
    assert!(matches!(ended, Err(Error::Cancelled)));
}
