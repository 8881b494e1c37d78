//! The real all-MiniLM-L6-v2 on the GPU: eight lines of the reference, as software devices are
//! slow. And a small random teacher against plain loops in f64.

mod formulas;
mod gpu_support;
mod small_bert;
mod teacher_support;

use lnsp::Precision;
use lnsp::teacher::{Teacher, quantize};
use pollster::block_on;
use teacher_support::{lowest_cosine, model, tokens, vectors, wanted_cosine};

#[test]
fn agrees_with_the_reference_at_every_precision() {
    let Some(model) = model() else { return };
    let Some(device) = gpu_support::gpu() else { return };
    let (tokens, wanted) = (tokens(), vectors());
    let every: Vec<usize> = (0..8).map(|i| i * 27).collect();
    let some: Vec<Vec<u32>> = every.iter().map(|i| tokens[*i].clone()).collect();
    for precision in Precision::ALL {
        let teacher = Teacher::from_bytes(&device, "model", model, Some(precision)).unwrap();
        let got = block_on(teacher.embed(&some, &mut |_| Ok(()))).unwrap();
        let lowest = lowest_cosine(&got, &wanted.gather_rows(&every));
        println!("{precision} on {}: lowest cosine {lowest:.7}", device.name());
        assert!(lowest >= wanted_cosine(precision), "{precision}: {lowest}");
    }
}

#[test]
fn a_small_teacher_agrees_with_plain_loops_at_every_precision() {
    let Some(device) = gpu_support::gpu() else { return };
    for precision in Precision::ALL {
        let bytes = quantize("model", &small_bert::file(), precision).unwrap();
        let teacher = Teacher::from_bytes(&device, "model", &bytes, None).unwrap();
        let sequences = small_bert::sequences();
        let got = block_on(teacher.embed(&sequences, &mut |_| Ok(()))).unwrap();
        for (sequence, got) in sequences.iter().zip(got.iter_rows()) {
            for (got, want) in got.iter().zip(small_bert::embed(&bytes, sequence)) {
                assert!((f64::from(*got) - want).abs() < 1e-4, "{precision}: {got} not {want}");
            }
        }
    }
}
