//! The CPU kernels of the teacher against their formulas in f64: rows of tables, attention over
//! sequences of different lengths, sums normalised, means over tokens.

mod formulas;

use formulas::{Mat, compare};
use lnsp::arch::Precision;
use lnsp::device::{Device, Tensor};
use lnsp::kernels::gather::gather;
use lnsp::kernels::mean_pool::mean_pool;
use lnsp::kernels::pack::{pack, unpack};
use lnsp::kernels::residual_norm::{Norm, residual_norm};
use lnsp::kernels::sequence_attention::{LONGEST, sequence_attention};
use lnsp::kernels::{Sequences, Weight};

/// Heads, values of a head, and the lengths of the sequences: one token, uneven numbers, more than
/// a piece of the CPU's work, many at once.
fn batches() -> Vec<(usize, usize, Vec<usize>)> {
    vec![
        (1, 1, vec![1]),
        (3, 8, vec![1, 2, 3, 4, 5, 6, 7]),
        (2, 17, vec![16, 31, 5]),
        (12, 32, vec![9, 64, 65, 2]),
        (1, 33, vec![131, 1, 200]),
    ]
}

fn cpu() -> Device {
    Device::cpu()
}

fn rubbish(rows: usize, cols: usize) -> Tensor {
    Mat::random(rows, cols, 99).map(|v| 1e3 * v).tensor()
}

fn words(words: &[u32]) -> Tensor {
    let mut tensor = cpu().zeros(1, words.len()).unwrap();
    cpu().write_words(&mut tensor, words).unwrap();
    tensor
}

/// Runs `f` with two threads, so that where work is cut does not depend on the machine.
fn on_two_threads(f: impl FnOnce() + Send) {
    #[cfg(feature = "rayon")]
    rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap().install(f);
    #[cfg(not(feature = "rayon"))]
    f();
}

/// The rows of one sequence.
fn rows(of: &Mat, first: usize, count: usize) -> Mat {
    Mat::from_fn(count, of.cols, |r, c| of.at(first + r, c))
}

#[test]
fn attention_is_that_of_each_sequence_alone() {
    on_two_threads(|| {
        for (heads, head, lengths) in batches() {
            // Scores beyond ±1, so that the softmax is far from even.
            let tokens = lengths.iter().sum();
            let qkv = Mat::random(tokens, 3 * heads * head, 1).map(|v| 3.0 * v);
            let sequences = Sequences::new(&cpu(), &lengths).unwrap();
            assert_eq!((sequences.count(), sequences.tokens()), (lengths.len(), tokens));
            let mut out = rubbish(tokens, heads * head);
            sequence_attention(&cpu(), &qkv.tensor(), heads, &sequences, &mut out).unwrap();
            let (got, mut first) = (Mat::of(&out), 0);
            for length in lengths {
                let want = formulas::attention(&rows(&qkv, first, length), heads, length);
                let what = format!("{heads} heads of {head}, {length} tokens from {first}");
                compare(&what, &rows(&got, first, length), &want, 1e-5).unwrap();
                first += length;
            }
        }
    });
}

#[test]
fn large_scores_stay_finite() {
    let qkv = Mat::from_fn(3, 6, |r, c| if c < 4 { 1e4 * (r as f64 - 1.0) } else { r as f64 });
    let sequences = Sequences::new(&cpu(), &[3]).unwrap();
    let mut out = rubbish(3, 2);
    sequence_attention(&cpu(), &qkv.tensor(), 1, &sequences, &mut out).unwrap();
    // The first token points against the last, the last with itself, the middle nowhere.
    let want = Mat::from_fn(3, 2, |r, _| r as f64);
    compare("out", &Mat::of(&out), &want, 1e-6).unwrap();
}

#[test]
fn sums_are_normalised() {
    on_two_threads(|| {
        for (m, n) in [(1, 1), (1, 5), (7, 130), (65, 384), (301, 3)] {
            let (x, residual) = (Mat::random(m, n, 1), Mat::random(m, n, 2).map(|v| v + 3.0));
            let (weight, bias) = (Mat::random(1, n, 3), Mat::random(1, n, 4));
            let mut y = rubbish(m, n);
            let (w, b) = (weight.tensor(), bias.tensor());
            // Such an ε shows in the result.
            let norm = Norm { weight: &w, bias: &b, epsilon: 0.25 };
            residual_norm(&cpu(), &x.tensor(), &residual.tensor(), norm, &mut y).unwrap();
            let s = x.zip(&residual, |a, b| a + b);
            let want = Mat::from_fn(m, n, |r, c| {
                let mean = s.row(r).iter().sum::<f64>() / n as f64;
                let variance = s.row(r).iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64;
                (s.at(r, c) - mean) / (variance + 0.25).sqrt() * weight.at(0, c) + bias.at(0, c)
            });
            compare(&format!("{m} × {n}"), &Mat::of(&y), &want, 1e-5).unwrap();
        }
    });
}

#[test]
fn means_are_over_the_tokens_of_a_sequence() {
    on_two_threads(|| {
        for (n, lengths) in [(1, vec![1]), (384, vec![3, 1, 64, 7]), (5, vec![2; 5000])] {
            let x = Mat::random(lengths.iter().sum(), n, 5);
            let sequences = Sequences::new(&cpu(), &lengths).unwrap();
            let mut y = rubbish(lengths.len(), n);
            mean_pool(&cpu(), &x.tensor(), &sequences, &mut y).unwrap();
            let first = |s: usize| lengths[..s].iter().sum::<usize>();
            let want = Mat::from_fn(lengths.len(), n, |s, c| {
                let tokens = first(s)..first(s) + lengths[s];
                tokens.map(|t| x.at(t, c)).sum::<f64>() / lengths[s] as f64
            });
            compare(&format!("{n} wide"), &Mat::of(&y), &want, 1e-5).unwrap();
        }
    });
}

#[test]
fn rows_are_gathered_at_every_precision() {
    on_two_threads(|| {
        for (table_rows, n, m) in [(1, 1, 1), (7, 5, 3), (13, 130, 300)] {
            let table = Mat::random(table_rows, n, 6).tensor();
            let indices: Vec<u32> = (0..m).map(|i| (i * 5 % table_rows) as u32).collect();
            for precision in Precision::ALL {
                let mut weight = Weight::zeros(&cpu(), precision, table_rows, n).unwrap();
                pack(&cpu(), &table, &mut weight).unwrap();
                let mut whole = rubbish(table_rows, n);
                unpack(&cpu(), &weight, &mut whole).unwrap();
                let mut y = rubbish(m, n);
                gather(&cpu(), &weight, &words(&indices), &mut y).unwrap();
                let (whole, got) = (Mat::of(&whole), Mat::of(&y));
                let want = Mat::from_fn(m, n, |r, c| whole.at(indices[r] as usize, c));
                assert_eq!(got, want, "{m} of {table_rows} × {n} at {precision}");
            }
        }
    });
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let refused = |lengths: &[usize], tokens: usize, cols: usize, heads: usize| {
        let sequences = Sequences::new(&cpu(), lengths).unwrap();
        let (qkv, mut out) = (rubbish(tokens, cols), rubbish(tokens, cols / 3));
        sequence_attention(&cpu(), &qkv, heads, &sequences, &mut out).unwrap_err().to_string()
    };
    assert!(refused(&[2, 2], 5, 12, 2).contains("qkv is 5 × 12, expected 4 × 12"));
    assert!(refused(&[2], 2, 12, 3).contains("3 heads"));
    assert!(refused(&[LONGEST + 1], LONGEST + 1, 3, 1).contains("1025 tokens in a sequence"));
    assert!(Sequences::new(&cpu(), &[]).is_err());
    assert!(Sequences::new(&cpu(), &[3, 0]).unwrap_err().to_string().contains("empty"));
    let sequences = Sequences::new(&cpu(), &[2, 3]).unwrap();
    let pooled = mean_pool(&cpu(), &rubbish(5, 4), &sequences, &mut rubbish(3, 4));
    assert!(pooled.unwrap_err().to_string().contains("y is 3 × 4, expected 2 × 4"));
    let gathered = gather(&cpu(), &rubbish(4, 3), &words(&[1, 2]), &mut rubbish(2, 4));
    assert!(gathered.unwrap_err().to_string().contains("y is 2 × 4, expected 2 × 3"));
}
