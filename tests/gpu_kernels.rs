//! Every WGSL kernel against its CPU twin, over odd and asymmetric shapes, with tensors in one
//! buffer and split over several.

mod gpu_support;

use gpu_support::{agree, agree_on, gpu, random, values, zeros};
use lnsp::arch::{Activation, Precision};
use lnsp::device::Device;
use lnsp::kernels::Weight;
use lnsp::kernels::activation::activation;
use lnsp::kernels::adamw::{AdamW, adamw};
use lnsp::kernels::add_scaled::add_scaled;
use lnsp::kernels::attention::attention;
use lnsp::kernels::attention_grad::attention_grad;
use lnsp::kernels::code_scores::{CodePlan, STATES, TABLES, code_scores};
use lnsp::kernels::column_sum::column_sum;
use lnsp::kernels::cosine_loss::cosine_loss;
use lnsp::kernels::gram_loss::{GramLoss, gram_loss};
use lnsp::kernels::latent_noise::latent_noise;
use lnsp::kernels::layer_norm::layer_norm;
use lnsp::kernels::layer_norm_grad::layer_norm_grad;
use lnsp::kernels::layer_norm_grad_parameters::layer_norm_grad_parameters;
use lnsp::kernels::linear::{Epilogue, linear};
use lnsp::kernels::linear_grad_input::linear_grad_input;
use lnsp::kernels::linear_grad_weight::linear_grad_weight;
use lnsp::kernels::mse_loss::mse_loss;
use lnsp::kernels::multiply::multiply;
use lnsp::kernels::normalize_rows::normalize_rows;
use lnsp::kernels::normalize_rows_grad::normalize_rows_grad;
use lnsp::kernels::pack::{pack, unpack};
use lnsp::kernels::squared_norm::squared_norm;

/// Rows, inputs and outputs: below, at and beyond a tile, and no two alike.
const PRODUCTS: [(usize, usize, usize); 8] = [
    (1, 5, 3),
    (1, 384, 65),
    (3, 130, 9),
    (4, 33, 70),
    (7, 129, 65),
    (33, 64, 17),
    (65, 31, 64),
    (130, 17, 129),
];

/// Rows and columns.
const SHAPES: [(usize, usize); 6] = [(1, 1), (1, 5), (3, 130), (65, 7), (33, 384), (300, 3)];

#[test]
fn linear_at_every_precision() {
    for (m, inputs, outputs) in PRODUCTS {
        for precision in Precision::ALL {
            agree(&format!("linear {m} {inputs} {outputs} {precision}"), |device| {
                let x = random(device, m, inputs, 1);
                let w = random(device, outputs, inputs, 2);
                let bias = random(device, 1, outputs, 3);
                let mut weight = Weight::zeros(device, precision, outputs, inputs).unwrap();
                pack(device, &w, &mut weight).unwrap();
                let mut y = zeros(device, m, outputs);
                let mut slope = zeros(device, m, outputs);
                let epilogue = Epilogue::ActivationAndSlope(Activation::Gelu, &mut slope);
                linear(device, &x, &weight, Some(&bias), epilogue, &mut y).unwrap();
                vec![y, slope]
            });
        }
    }
}

#[test]
fn linear_with_every_epilogue() {
    for (m, inputs, outputs) in [(2, 19, 11), (9, 19, 67)] {
        for with_bias in [false, true] {
            for kind in [None, Some(Activation::Gelu), Some(Activation::Relu)] {
                agree(&format!("linear {m} {kind:?} {with_bias}"), |device| {
                    let x = random(device, m, inputs, 4);
                    let w = random(device, outputs, inputs, 5);
                    let bias = random(device, 1, outputs, 6);
                    let mut y = zeros(device, m, outputs);
                    let epilogue = kind.map_or(Epilogue::Linear, Epilogue::Activation);
                    linear(device, &x, &w, with_bias.then_some(&bias), epilogue, &mut y).unwrap();
                    vec![y]
                });
            }
        }
    }
}

#[test]
fn linear_of_a_tensor_with_itself() {
    agree("x · xᵀ", |device| {
        let x = random(device, 66, 35, 7);
        let mut y = zeros(device, 66, 66);
        linear(device, &x, &x, None, Epilogue::Linear, &mut y).unwrap();
        vec![y]
    });
}

#[test]
fn gradients_of_linear() {
    for (m, inputs, outputs) in PRODUCTS {
        for accumulate in [false, true] {
            agree(&format!("linear_grad_input {m} {inputs} {outputs} {accumulate}"), |device| {
                let dy = random(device, m, outputs, 8);
                let w = random(device, outputs, inputs, 9);
                let mut dx = random(device, m, inputs, 10);
                linear_grad_input(device, &dy, &w, accumulate, &mut dx).unwrap();
                vec![dx]
            });
        }
        agree(&format!("linear_grad_weight {m} {inputs} {outputs}"), |device| {
            let dy = random(device, m, outputs, 11);
            let x = random(device, m, inputs, 12);
            let mut dw = random(device, outputs, inputs, 13);
            linear_grad_weight(device, &dy, &x, &mut dw).unwrap();
            vec![dw]
        });
    }
}

#[test]
fn noise_on_latents() {
    for (m, cols) in [(1, 1), (3, 130), (65, 7), (300, 3)] {
        agree(&format!("latent_noise {m} {cols}"), |device| {
            let x = random(device, m, cols, 71);
            let channel = random(device, 1, 3 * cols, 72);
            let mut y = zeros(device, m, cols);
            latent_noise(device, &x, &channel, 73, &mut y).unwrap();
            vec![y]
        });
    }
}

#[test]
fn scores_of_codes() {
    // The table of values lies in one row, which buffers of 4,096 bytes cannot hold.
    let Some(gpu) = gpu() else { return };
    for (documents, queries, coordinates, bytes) in
        [(1, 1, 1, 1), (70, 3, 5, 4), (130, 9, 17, 7), (65, 17, 24, 24)]
    {
        agree_on(
            &gpu,
            &format!("code_scores {documents} {queries} {coordinates} {bytes}"),
            |device| {
                let mut steps = zeros(device, 1, 4 * coordinates);
                let words: Vec<u32> = (0..coordinates)
                    .flat_map(|i| {
                        let end = (i + 1) * 8 * bytes / coordinates;
                        let [scale, mean] = [1.0 + i as f32, 0.1 * i as f32];
                        [end as u32, (i % TABLES) as u32, scale.to_bits(), mean.to_bits()]
                    })
                    .collect();
                device.write_words(&mut steps, &words).unwrap();
                let values = random(device, 1, TABLES * STATES, 81);
                let plan = CodePlan { bytes, steps, values, rest: 0.3 };
                let row = bytes.div_ceil(4);
                let mut codes = zeros(device, documents, row);
                let words: Vec<u32> =
                    (0..(documents * row) as u32).map(|i| i.wrapping_mul(2_654_435_761)).collect();
                device.write_words(&mut codes, &words).unwrap();
                let rows = random(device, 1, queries * (coordinates + 1), 82);
                let mut scores = zeros(device, documents, queries);
                code_scores(device, &plan, &rows, &codes, &mut scores).unwrap();
                vec![scores]
            },
        );
    }
}

#[test]
fn packing_and_back() {
    for (outputs, inputs) in [(1, 1), (3, 5), (65, 130), (7, 384)] {
        for precision in Precision::ALL {
            agree(&format!("pack {outputs} {inputs} {precision}"), |device| {
                let mut x = values(outputs * inputs, 14);
                x[0] = 0.0;
                // The smallest f16, below it, a tie between two f16, and a large one.
                for (x, special) in x.iter_mut().zip([0.0, 5.96e-8, 2e-8, 1.000_488_3, 300.0]) {
                    *x = special;
                }
                if outputs > 1 {
                    x[inputs..2 * inputs].fill(0.0);
                }
                let x = device.upload(outputs, inputs, &x).unwrap();
                let mut weight = Weight::zeros(device, precision, outputs, inputs).unwrap();
                pack(device, &x, &mut weight).unwrap();
                let mut y = zeros(device, outputs, inputs);
                unpack(device, &weight, &mut y).unwrap();
                vec![y]
            });
        }
    }
}

#[test]
fn f16_words_are_the_same_bits() {
    let Some(gpu) = gpu() else { return };
    let x: Vec<f32> = (0..4096u32)
        .map(|i| f32::from_bits(i.wrapping_mul(1_048_573).wrapping_add(i)))
        .filter(|v| !v.is_nan())
        .collect();
    let words = |device: &Device| {
        let t = device.upload(1, x.len(), &x).unwrap();
        let mut weight = Weight::zeros(device, Precision::F16, 1, x.len()).unwrap();
        pack(device, &t, &mut weight).unwrap();
        pollster::block_on(device.read_words(weight.view().words)).unwrap()
    };
    assert_eq!(words(&Device::cpu()), words(&gpu));
}

#[test]
fn elementwise() {
    for (m, n) in SHAPES {
        agree(&format!("multiply and add_scaled {m} {n}"), |device| {
            let b = random(device, m, n, 15);
            let mut a = random(device, m, n, 16);
            multiply(device, &mut a, &b).unwrap();
            let mut c = random(device, m, n, 17);
            add_scaled(device, &mut c, -0.7, &b).unwrap();
            vec![a, c]
        });
        for kind in [Activation::Gelu, Activation::Relu] {
            agree(&format!("{kind} {m} {n}"), |device| {
                let x: Vec<f32> = values(m * n, 18).iter().map(|v| 9.0 * v).collect();
                let x = device.upload(m, n, &x).unwrap();
                let (mut y, mut slope) = (zeros(device, m, n), zeros(device, m, n));
                activation(device, &x, kind, &mut y, Some(&mut slope)).unwrap();
                let mut alone = zeros(device, m, n);
                activation(device, &x, kind, &mut alone, None).unwrap();
                vec![y, slope, alone]
            });
        }
    }
}

#[test]
fn far_activations_stay_finite() {
    agree("activation of far values", |device| {
        let x = device.upload(1, 4, &[-1e30, -50.0, 50.0, 1e30]).unwrap();
        let (mut y, mut slope) = (zeros(device, 1, 4), zeros(device, 1, 4));
        activation(device, &x, Activation::Gelu, &mut y, Some(&mut slope)).unwrap();
        vec![y, slope]
    });
}

#[test]
fn sums() {
    for (m, n) in SHAPES.into_iter().chain([(257, 33), (1000, 70)]) {
        agree(&format!("column_sum and squared_norm {m} {n}"), |device| {
            let x = random(device, m, n, 19);
            let mut sums = random(device, 1, n, 20);
            column_sum(device, &x, 0.3, false, &mut sums).unwrap();
            column_sum(device, &x, 1.5, true, &mut sums).unwrap();
            let mut total = random(device, 1, 1, 21);
            squared_norm(device, &x, false, &mut total).unwrap();
            let mut twice = device.upload(1, 1, &[2.0]).unwrap();
            squared_norm(device, &x, true, &mut twice).unwrap();
            squared_norm(device, &x, true, &mut twice).unwrap();
            vec![sums, total, twice]
        });
    }
}

#[test]
fn adamw_over_several_steps() {
    for (m, n) in SHAPES {
        for (clip_norm, weight_decay) in [(f32::INFINITY, 0.0), (0.5, 0.1)] {
            agree(&format!("adamw {m} {n} {clip_norm}"), |device| {
                let mut p = random(device, m, n, 22);
                let (mut first, mut second) = (zeros(device, m, n), zeros(device, m, n));
                let mut norm = zeros(device, 1, 1);
                for step in 1..=3 {
                    let g = random(device, m, n, 22 + step as u32);
                    squared_norm(device, &g, false, &mut norm).unwrap();
                    let settings = AdamW {
                        learning_rate: 0.01 * step as f32,
                        beta1: 0.9,
                        beta2: 0.99,
                        epsilon: 1e-8,
                        weight_decay,
                        step,
                        clip_norm,
                    };
                    adamw(device, &settings, &g, &norm, &mut p, &mut first, &mut second).unwrap();
                }
                vec![p, first, second]
            });
        }
    }
}

#[test]
fn row_norms() {
    for (m, n) in SHAPES {
        agree(&format!("normalize_rows {m} {n}"), |device| {
            let mut x = values(m * n, 30);
            x[..n].fill(0.0);
            let x = device.upload(m, n, &x).unwrap();
            let (mut y, mut norms) = (zeros(device, m, n), zeros(device, m, 1));
            normalize_rows(device, &x, &mut y, &mut norms).unwrap();
            let dy = random(device, m, n, 31);
            let mut dx = random(device, m, n, 32);
            normalize_rows_grad(device, &y, &norms, &dy, &mut dx).unwrap();
            vec![y, norms, dx]
        });
    }
}

#[test]
fn layer_norms() {
    for (m, n) in SHAPES.into_iter().filter(|(_, n)| *n > 1) {
        agree(&format!("layer_norm {m} {n}"), |device| {
            let x: Vec<f32> = values(m * n, 33).iter().map(|v| 3.0 + 2.0 * v).collect();
            let x = device.upload(m, n, &x).unwrap();
            let (weight, bias) = (random(device, 1, n, 34), random(device, 1, n, 35));
            let (mut y, mut statistics) = (zeros(device, m, n), zeros(device, m, 2));
            layer_norm(device, &x, &weight, &bias, &mut y, &mut statistics).unwrap();
            let dy = random(device, m, n, 36);
            let mut dx = random(device, m, n, 37);
            layer_norm_grad(device, &x, &statistics, &weight, &dy, &mut dx).unwrap();
            let (mut dw, mut db) = (random(device, 1, n, 38), random(device, 1, n, 39));
            layer_norm_grad_parameters(device, &x, &statistics, &dy, &mut dw, &mut db).unwrap();
            vec![y, statistics, dx, dw, db]
        });
    }
}

#[test]
fn losses() {
    for (m, n) in SHAPES.into_iter().filter(|(_, n)| *n > 1) {
        for accumulate in [false, true] {
            agree(&format!("losses {m} {n} {accumulate}"), |device| {
                let mut out = values(m * n, 40);
                if m > 1 {
                    out[..n].fill(0.0);
                }
                let out = device.upload(m, n, &out).unwrap();
                let wanted = random(device, m, n, 41);
                let mut gradients = [random(device, m, n, 42), random(device, m, n, 43)];
                let mut losses = [random(device, m, 1, 44), random(device, m, 1, 45)];
                let ([g, h], [l, k]) = (&mut gradients, &mut losses);
                cosine_loss(device, &out, &wanted, 0.25, accumulate, g, l).unwrap();
                mse_loss(device, &out, &wanted, 3.0, accumulate, h, k).unwrap();
                gradients.into_iter().chain(losses).collect()
            });
        }
    }
}

#[test]
fn gram_losses() {
    for (m, sharpness) in [(1, 5.0), (2, 5.0), (7, 0.0), (65, 5.0), (131, 16.0)] {
        agree(&format!("gram_loss {m} {sharpness}"), |device| {
            let mut cosines = random(device, m, m, 46);
            let wanted = random(device, m, m, 47);
            let mut losses = random(device, m, 2, 48);
            let settings = GramLoss { geometry: 0.8, diversity: 0.3, sharpness };
            gram_loss(device, &mut cosines, &wanted, settings, &mut losses).unwrap();
            vec![cosines, losses]
        });
    }
}

#[test]
fn attention_and_its_gradient() {
    // Sequences, tokens of each, heads, values of a head.
    for (runs, sequence, heads, head) in
        [(1, 1, 3, 64), (5, 1, 3, 64), (2, 3, 2, 7), (3, 5, 1, 33), (2, 70, 2, 3)]
    {
        let Some(gpu) = gpu() else { return };
        agree_on(&gpu, &format!("attention {runs} {sequence} {heads} {head}"), |device| {
            let (tokens, width) = (runs * sequence, heads * head);
            let qkv = random(device, tokens, 3 * width, 50);
            let mut p = zeros(device, tokens, heads * sequence);
            let mut out = zeros(device, tokens, width);
            attention(device, &qkv, heads, sequence, &mut p, &mut out).unwrap();
            let dout = random(device, tokens, width, 51);
            let mut dqkv = random(device, tokens, 3 * width, 52);
            attention_grad(device, &qkv, &p, &dout, heads, sequence, &mut dqkv).unwrap();
            vec![p, out, dqkv]
        });
    }
}

#[test]
#[ignore = "a weight of 256 MiB, twice in memory"]
fn the_8192_row_runs_forward_within_128_mib_a_binding() {
    let Some(gpu) = gpu() else { return };
    const N: usize = 8192;
    let Device::Gpu(inner) = &gpu else { unreachable!() };
    assert!(inner.limits().max_storage_buffer_binding_size <= 128 << 20);
    agree_on(&gpu, "8192", |device| {
        let x = random(device, 5, N, 60);
        let w = random(device, N, N, 61);
        let mut y = zeros(device, 5, N);
        linear(device, &x, &w, None, Epilogue::Linear, &mut y).unwrap();
        vec![y]
    });
}
