//! The WGSL kernels of the teacher against their CPU twins, over ragged sequences and odd shapes.

mod gpu_support;

use gpu_support::{agree, agree_on, gpu, random, values, zeros};
use lnsp::arch::Precision;
use lnsp::device::{Device, Tensor};
use lnsp::kernels::gather::gather;
use lnsp::kernels::mean_pool::mean_pool;
use lnsp::kernels::pack::pack;
use lnsp::kernels::residual_norm::{Norm, residual_norm};
use lnsp::kernels::sequence_attention::sequence_attention;
use lnsp::kernels::{Sequences, Weight};

/// Heads, values of a head, lengths of the sequences.
fn batches() -> Vec<(usize, usize, Vec<usize>)> {
    vec![
        (1, 1, vec![1]),
        (3, 8, vec![1, 2, 3, 4, 5, 6, 7]),
        (2, 17, vec![16, 70, 5]),
        (2, 65, vec![3, 2]),
        (4, 32, vec![9, 1, 33]),
    ]
}

fn words(device: &Device, words: &[u32]) -> Tensor {
    let mut tensor = device.zeros(1, words.len()).unwrap();
    device.write_words(&mut tensor, words).unwrap();
    tensor
}

#[test]
fn attention_over_ragged_sequences() {
    let Some(gpu) = gpu() else { return };
    for (heads, head, lengths) in batches() {
        agree_on(&gpu, &format!("{heads} heads of {head}, {lengths:?}"), |device| {
            let tokens = lengths.iter().sum();
            let qkv: Vec<f32> =
                values(tokens * 3 * heads * head, 1).iter().map(|v| 3.0 * v).collect();
            let qkv = device.upload(tokens, 3 * heads * head, &qkv).unwrap();
            let sequences = Sequences::new(device, &lengths).unwrap();
            let mut out = random(device, tokens, heads * head, 2);
            sequence_attention(device, &qkv, heads, &sequences, &mut out).unwrap();
            vec![out]
        });
    }
}

#[test]
fn means_over_ragged_sequences() {
    let Some(gpu) = gpu() else { return };
    for (n, lengths) in [(1, vec![1]), (130, vec![3, 1, 64, 7]), (64, vec![2; 9])] {
        agree_on(&gpu, &format!("{n} wide, {lengths:?}"), |device| {
            let x = random(device, lengths.iter().sum(), n, 3);
            let sequences = Sequences::new(device, &lengths).unwrap();
            let mut y = random(device, lengths.len(), n, 4);
            mean_pool(device, &x, &sequences, &mut y).unwrap();
            vec![y]
        });
    }
}

#[test]
fn normalised_sums() {
    for (m, n) in [(1, 1), (1, 5), (3, 130), (65, 7), (33, 384)] {
        agree(&format!("residual_norm {m} {n}"), |device| {
            let (x, residual) = (random(device, m, n, 5), random(device, m, n, 6));
            let (weight, bias) = (random(device, 1, n, 7), random(device, 1, n, 8));
            let mut y = zeros(device, m, n);
            let norm = Norm { weight: &weight, bias: &bias, epsilon: 0.01 };
            residual_norm(device, &x, &residual, norm, &mut y).unwrap();
            vec![y]
        });
    }
}

#[test]
fn gathered_rows_at_every_precision() {
    for (table_rows, n, m) in [(1, 1, 1), (7, 5, 3), (65, 130, 90), (300, 7, 40)] {
        for precision in Precision::ALL {
            agree(&format!("gather {m} of {table_rows} × {n} {precision}"), |device| {
                let table = random(device, table_rows, n, 9);
                let mut weight = Weight::zeros(device, precision, table_rows, n).unwrap();
                pack(device, &table, &mut weight).unwrap();
                let indices: Vec<u32> = (0..m).map(|i| (i * 89 % table_rows) as u32).collect();
                let mut y = random(device, m, n, 10);
                gather(device, &weight, &words(device, &indices), &mut y).unwrap();
                vec![y]
            });
        }
    }
}
