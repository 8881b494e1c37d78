//! Every CPU kernel against its formula in f64, over odd and asymmetric shapes, small enough for
//! one core and large enough for several.

mod formulas;

use formulas::{Mat, compare};
use half::f16;
use lnsp::arch::{Activation, Precision};
use lnsp::device::{Device, Tensor};
use lnsp::kernels::activation::activation;
use lnsp::kernels::adamw::{AdamW, adamw};
use lnsp::kernels::add_scaled::add_scaled;
use lnsp::kernels::attention::attention;
use lnsp::kernels::attention_grad::attention_grad;
use lnsp::kernels::column_sum::column_sum;
use lnsp::kernels::cosine_loss::cosine_loss;
use lnsp::kernels::gram_loss::{GramLoss, gram_loss};
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
use lnsp::kernels::{Weight, WeightRef};
use lnsp::{Error, Matrix};

/// Rows, inputs and outputs. From 2^20 products on the cores share the rows (300 rows) or the
/// product (130 rows); from 2^21 weights on they share a single vector's.
const PRODUCTS: [(usize, usize, usize); 7] = [
    (1, 5, 3),
    (1, 2049, 1031),
    (2, 19, 11),
    (3, 130, 9),
    (130, 97, 101),
    (300, 65, 67),
    (7, 33, 129),
];

/// Rows and columns, the last beyond what one core takes.
const SHAPES: [(usize, usize); 6] = [(1, 1), (1, 5), (3, 130), (65, 7), (300, 3), (67, 259)];

/// Rounding of f32 over the longest sums here, with room; any wrong factor or index is far above.
const TOLERANCE: f64 = 1e-5;

fn cpu() -> Device {
    Device::cpu()
}

/// What a kernel must overwrite.
fn rubbish(rows: usize, cols: usize) -> Tensor {
    Mat::random(rows, cols, 99).map(|v| 1e3 * v).tensor()
}

#[track_caller]
fn agree(what: &str, got: &Tensor, want: &Mat) {
    compare(what, &Mat::of(got), want, TOLERANCE).unwrap();
}

/// Runs `f` with two threads, so that where work is cut does not depend on the machine.
fn on_two_threads(f: impl FnOnce() + Send) {
    #[cfg(feature = "rayon")]
    rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap().install(f);
    #[cfg(not(feature = "rayon"))]
    f();
}

/// The values of a packed weight, taken apart by hand: integers (or f16) and a scale a row.
fn unpacked(weight: WeightRef<'_>) -> Mat {
    let words = pollster::block_on(cpu().read_words(weight.words)).unwrap();
    let scales = weight.scales.map(Mat::of);
    Mat::from_fn(weight.outputs, weight.inputs, |r, c| {
        let row = &words[r * weight.words.cols()..];
        match weight.precision {
            Precision::F32 => f32::from_bits(row[c]).into(),
            Precision::F16 => f16::from_bits((row[c / 2] >> (16 * (c % 2))) as u16).into(),
            Precision::Int8 => {
                let integer = (row[c / 4] >> (8 * (c % 4))) as u8 as i8;
                f64::from(integer) * scales.as_ref().unwrap().at(0, r)
            }
        }
    })
}

fn packed(values: &Mat, precision: Precision) -> Weight {
    let mut weight = Weight::zeros(&cpu(), precision, values.rows, values.cols).unwrap();
    pack(&cpu(), &values.tensor(), &mut weight).unwrap();
    weight
}

#[test]
fn linear_at_every_precision_with_every_epilogue() {
    on_two_threads(|| {
        for (m, inputs, outputs) in PRODUCTS {
            let x = Mat::random(m, inputs, 1);
            let bias = Mat::random(1, outputs, 3);
            for precision in Precision::ALL {
                let values = Mat::random(outputs, inputs, 2);
                let weight = packed(&values, precision);
                let plain = formulas::linear(&x, &unpacked(weight.view()), None);
                let values = Matrix::from_fn(outputs, inputs, |r, c| values.at(r, c) as f32);
                let fixed = Weight::for_inference(&cpu(), precision, &values).unwrap();
                for (kind, with_slope, with_bias) in [
                    (None, false, false),
                    (None, false, true),
                    (Some(Activation::Gelu), false, true),
                    (Some(Activation::Gelu), true, false),
                    (Some(Activation::Relu), false, false),
                    (Some(Activation::Relu), true, true),
                ] {
                    let what = format!("linear {m} {inputs} {outputs} {precision} {kind:?}");
                    let given = with_bias.then(|| bias.tensor());
                    let z = Mat::from_fn(m, outputs, |r, c| {
                        plain.at(r, c) + if with_bias { bias.at(0, c) } else { 0.0 }
                    });
                    let want = kind.map_or(z.clone(), |kind| z.map(|v| formulas::act(kind, v)));
                    for weight in [&weight, &fixed] {
                        let (mut y, mut slope) = (rubbish(m, outputs), rubbish(m, outputs));
                        let epilogue = match kind {
                            None => Epilogue::Linear,
                            Some(kind) if with_slope => {
                                Epilogue::ActivationAndSlope(kind, &mut slope)
                            }
                            Some(kind) => Epilogue::Activation(kind),
                        };
                        linear(&cpu(), &x.tensor(), weight, given.as_ref(), epilogue, &mut y)
                            .unwrap();
                        agree(&what, &y, &want);
                        if let Some(kind) = kind.filter(|_| with_slope) {
                            check_slope(&what, kind, &slope, &z);
                        }
                    }
                }
            }
        }
    });
}

/// relu's slope jumps: a value within rounding of zero may have either.
fn check_slope(what: &str, kind: Activation, slope: &Tensor, z: &Mat) {
    let near = |v: f64| kind == Activation::Relu && v.abs() < 1e-4;
    let got = Mat::of(slope).zip(z, |s, v| if near(v) { 0.0 } else { s });
    let want = z.map(|v| if near(v) { 0.0 } else { formulas::slope(kind, v) });
    compare(&format!("slope of {what}"), &got, &want, TOLERANCE).unwrap();
}

#[test]
fn gradients_of_linear() {
    on_two_threads(|| {
        for (m, inputs, outputs) in PRODUCTS {
            let dy = Mat::random(m, outputs, 8);
            let (w, x) = (Mat::random(outputs, inputs, 9), Mat::random(m, inputs, 12));
            let start = Mat::random(m, inputs, 10);
            let product = formulas::product(&dy, &w);
            for accumulate in [false, true] {
                let mut dx = start.tensor();
                linear_grad_input(&cpu(), &dy.tensor(), &w.tensor(), accumulate, &mut dx).unwrap();
                let want = start.zip(&product, |s, p| p + if accumulate { s } else { 0.0 });
                agree(&format!("dx {m} {inputs} {outputs} {accumulate}"), &dx, &want);
            }
            let mut dw = rubbish(outputs, inputs);
            linear_grad_weight(&cpu(), &dy.tensor(), &x.tensor(), &mut dw).unwrap();
            let want = formulas::product(&formulas::transposed(&dy), &x);
            agree(&format!("dW {m} {inputs} {outputs}"), &dw, &want);
        }
    });
}

#[test]
fn elementwise() {
    for (m, n) in SHAPES {
        let (a, b) = (Mat::random(m, n, 15), Mat::random(m, n, 16));
        let mut y = a.tensor();
        multiply(&cpu(), &mut y, &b.tensor()).unwrap();
        agree("multiply", &y, &a.zip(&b, |a, b| a * b));
        let mut y = a.tensor();
        add_scaled(&cpu(), &mut y, -0.7, &b.tensor()).unwrap();
        agree("add_scaled", &y, &a.zip(&b, |a, b| a - 0.7 * b));
        let x = Mat::random(m, n, 17).map(|v| f64::from(9.0 * v as f32));
        for kind in [Activation::Gelu, Activation::Relu] {
            let (mut y, mut slope) = (rubbish(m, n), rubbish(m, n));
            activation(&cpu(), &x.tensor(), kind, &mut y, Some(&mut slope)).unwrap();
            let what = format!("{kind} {m} {n}");
            agree(&what, &y, &x.map(|v| formulas::act(kind, v)));
            check_slope(&what, kind, &slope, &x);
            let mut alone = rubbish(m, n);
            activation(&cpu(), &x.tensor(), kind, &mut alone, None).unwrap();
            assert_eq!(Mat::of(&alone), Mat::of(&y), "{what} with and without the slope");
        }
    }
}

#[test]
fn sums() {
    for (m, n) in SHAPES {
        let x = Mat::random(m, n, 19);
        let column = Mat::from_fn(1, n, |_, c| (0..m).map(|r| x.at(r, c)).sum());
        let mut got = rubbish(1, n);
        column_sum(&cpu(), &x.tensor(), 0.3, false, &mut got).unwrap();
        agree("column_sum", &got, &column.map(|v| 0.3 * v));
        column_sum(&cpu(), &x.tensor(), 1.5, true, &mut got).unwrap();
        agree("column_sum on top", &got, &column.map(|v| 1.8 * v));
        let squares = formulas::dot(&x.data, &x.data);
        let mut total = rubbish(1, 1);
        squared_norm(&cpu(), &x.tensor(), false, &mut total).unwrap();
        agree("squared_norm", &total, &Mat::from_fn(1, 1, |_, _| squares));
        squared_norm(&cpu(), &x.tensor(), true, &mut total).unwrap();
        agree("squared_norm on top", &total, &Mat::from_fn(1, 1, |_, _| 2.0 * squares));
    }
}

#[test]
fn layer_norms() {
    for (m, n) in SHAPES {
        let x = Mat::random(m, n, 33).map(|v| f64::from(3.0 + 2.0 * v as f32));
        let (w, b) = (Mat::random(1, n, 34), Mat::random(1, n, 35));
        let dy = Mat::random(m, n, 36);
        let (xt, wt, dyt) = (x.tensor(), w.tensor(), dy.tensor());
        let (mut y, mut statistics) = (rubbish(m, n), rubbish(m, 2));
        layer_norm(&cpu(), &xt, &wt, &b.tensor(), &mut y, &mut statistics).unwrap();
        agree("layer_norm", &y, &formulas::layer_norm(&x, &w, &b));
        // One column at a time: an inverse may be a hundred times the mean.
        for column in 0..2 {
            let of = |s: Mat| Mat::from_fn(m, 1, |r, _| s.at(r, column));
            let (got, want) = (of(Mat::of(&statistics)), of(formulas::statistics(&x)));
            compare(&format!("statistics {m} {n}"), &got, &want, TOLERANCE).unwrap();
        }
        let mut dx = rubbish(m, n);
        layer_norm_grad(&cpu(), &xt, &statistics, &wt, &dyt, &mut dx).unwrap();
        agree("layer_norm_grad", &dx, &formulas::layer_norm_grad(&x, &w, &dy));
        let (mut dw, mut db) = (rubbish(1, n), rubbish(1, n));
        layer_norm_grad_parameters(&cpu(), &xt, &statistics, &dyt, &mut dw, &mut db).unwrap();
        let scaled = formulas::standardised(&x).zip(&dy, |unit, dy| unit * dy);
        let columns = |a: &Mat| Mat::from_fn(1, n, |_, c| (0..m).map(|r| a.at(r, c)).sum());
        agree("scale of layer_norm", &dw, &columns(&scaled));
        agree("shift of layer_norm", &db, &columns(&dy));
    }
}

#[test]
fn attention_and_its_gradient() {
    // Runs, tokens of each, heads, values of a head; the last is shared between cores.
    for (runs, sequence, heads, size) in [
        (1, 1, 3, 64),
        (5, 1, 2, 7),
        (2, 3, 2, 7),
        (3, 5, 1, 33),
        (4, 3, 3, 1),
        (1, 5, 3, 5),
        (61, 3, 3, 31),
    ] {
        let (tokens, width) = (runs * sequence, heads * size);
        let what = format!("attention {runs} {sequence} {heads} {size}");
        let qkv = Mat::random(tokens, 3 * width, 50).map(|v| f64::from(2.0 * v as f32));
        let (mut p, mut out) = (rubbish(tokens, heads * sequence), rubbish(tokens, width));
        let qkvt = qkv.tensor();
        attention(&cpu(), &qkvt, heads, sequence, &mut p, &mut out).unwrap();
        agree(&what, &p, &formulas::probabilities(&qkv, heads, sequence));
        agree(&what, &out, &formulas::attention(&qkv, heads, sequence));
        let dout = Mat::random(tokens, width, 51);
        let mut dqkv = rubbish(tokens, 3 * width);
        attention_grad(&cpu(), &qkvt, &p, &dout.tensor(), heads, sequence, &mut dqkv).unwrap();
        agree(&what, &dqkv, &formulas::attention_grad(&qkv, &dout, heads, sequence));
    }
    // Scores beyond the range of the exponential.
    let qkv = Mat::random(3, 3, 52).map(|v| f64::from(200.0 * v as f32));
    let (mut p, mut out) = (rubbish(3, 3), rubbish(3, 1));
    attention(&cpu(), &qkv.tensor(), 1, 3, &mut p, &mut out).unwrap();
    for row in 0..3 {
        let p = Mat::of(&p);
        assert!((p.row(row).iter().sum::<f64>() - 1.0).abs() < 1e-6, "{p:?}");
    }
}

#[test]
fn rows_of_unit_length() {
    for (m, n) in SHAPES {
        let mut x = Mat::random(m, n, 30);
        if m > 1 {
            x.row_mut(1).fill(0.0);
        }
        let (mut y, mut norms) = (rubbish(m, n), rubbish(m, 1));
        normalize_rows(&cpu(), &x.tensor(), &mut y, &mut norms).unwrap();
        agree("normalize_rows", &y, &formulas::normalized(&x));
        agree("norms", &norms, &formulas::norms(&x));
        let dy = Mat::random(m, n, 31);
        let mut dx = rubbish(m, n);
        normalize_rows_grad(&cpu(), &y, &norms, &dy.tensor(), &mut dx).unwrap();
        agree("normalize_rows_grad", &dx, &formulas::normalized_grad(&x, &dy));
        if m > 1 {
            assert!(Mat::of(&dx).row(1).iter().all(|v| *v == 0.0), "a zero row has no gradient");
        }
    }
}

#[test]
fn losses_of_the_output() {
    for (m, n) in SHAPES {
        let (mut out, mut target) = (Mat::random(m, n, 40), Mat::random(m, n, 41));
        if m > 2 {
            out.row_mut(1).fill(0.0);
            target.row_mut(2).fill(0.0);
        }
        let start = Mat::random(m, n, 42);
        for accumulate in [false, true] {
            let wanted = |gradient: &Mat, scale: f64| {
                start.zip(gradient, |s, g| scale * g + if accumulate { s } else { 0.0 })
            };
            let (u, t) = (out.tensor(), target.tensor());
            let (mut gradient, mut losses) = (start.tensor(), rubbish(m, 1));
            cosine_loss(&cpu(), &u, &t, 0.25, accumulate, &mut gradient, &mut losses).unwrap();
            agree("cosine_loss", &losses, &formulas::cosine_losses(&out, &target));
            let want = wanted(&formulas::cosine_grad(&out, &target), 0.25);
            // In one dimension the cosine is constant, and its gradient rounding against 1/‖u‖.
            if n > 1 {
                agree("gradient of cosine_loss", &gradient, &want);
            }
            let (mut gradient, mut losses) = (start.tensor(), rubbish(m, 1));
            mse_loss(&cpu(), &u, &t, 3.0, accumulate, &mut gradient, &mut losses).unwrap();
            agree("mse_loss", &losses, &formulas::squared_errors(&out, &target));
            let difference = out.zip(&target, |u, t| 2.0 * (u - t) / n as f64);
            agree("gradient of mse_loss", &gradient, &wanted(&difference, 3.0));
        }
    }
}

#[test]
fn losses_of_the_gram_matrix() {
    for m in [1, 2, 7, 65, 131] {
        let (cosines, teacher) = (Mat::random(m, m, 46), Mat::random(m, m, 47));
        for (geometry, diversity, sharpness) in
            [(0.8f32, 0.3f32, 0.0f32), (0.0, 1.0, 2.0), (1.0, 0.0, 16.0), (0.7, 0.2, 3.0)]
        {
            let settings = GramLoss { geometry, diversity, sharpness };
            let (mut c, mut losses) = (cosines.tensor(), rubbish(m, 2));
            gram_loss(&cpu(), &mut c, &teacher.tensor(), settings, &mut losses).unwrap();
            let sharpness = f64::from(sharpness);
            let want = formulas::gram_losses(&cosines, &teacher, sharpness);
            agree("losses of gram_loss", &losses, &want);
            let weights = [geometry.into(), diversity.into()];
            let want = formulas::gram_grad(&cosines, &teacher, weights, sharpness);
            let scale = m as f64;
            let got = Mat::of(&c).map(|v| v * scale);
            compare("gram_loss", &got, &want.map(|v| v * scale), TOLERANCE).unwrap();
        }
    }
}

#[test]
fn adamw_clips_decays_and_corrects() {
    for (m, n) in SHAPES {
        for (clip_norm, weight_decay, step) in [
            (f32::INFINITY, 0.0f32, 1),
            (f32::INFINITY, 0.1, 1000),
            (0.25, 0.1, 1),
            (0.25, 0.0, 1000),
            (1e6, 0.3, 7),
        ] {
            let [p, g, first] = [60, 61, 62].map(|seed| Mat::random(m, n, seed));
            let second = Mat::random(m, n, 63).map(f64::abs);
            // The norm of all parameters, of which this tensor is a part.
            let norm = (formulas::dot(&g.data, &g.data) + 2.0).sqrt();
            let total = Mat::from_fn(1, 1, |_, _| norm * norm).tensor();
            let settings = AdamW {
                learning_rate: 0.1,
                beta1: 0.9,
                beta2: 0.99,
                epsilon: 1e-2,
                weight_decay,
                step,
                clip_norm,
            };
            let [mut pt, mut mt, mut vt] = [&p, &first, &second].map(Mat::tensor);
            adamw(&cpu(), &settings, &g.tensor(), &total, &mut pt, &mut mt, &mut vt).unwrap();
            let (beta1, beta2) = (f64::from(0.9f32), f64::from(0.99f32));
            let clip = (f64::from(clip_norm) / norm).min(1.0);
            let want_m = first.zip(&g, |m, g| beta1 * m + (1.0 - beta1) * g * clip);
            let want_v = second.zip(&g, |v, g| beta2 * v + (1.0 - beta2) * (g * clip).powi(2));
            let update = want_m.zip(&want_v, |m, v| {
                let m = m / (1.0 - beta1.powf(step as f64));
                let v = v / (1.0 - beta2.powf(step as f64));
                0.1 * m / (v.sqrt() + 1e-2)
            });
            let kept = p.map(|p| p - 0.1 * f64::from(weight_decay) * p);
            let what = format!("adamw {m} {n} {clip_norm} {weight_decay} {step}");
            agree(&what, &mt, &want_m);
            agree(&what, &vt, &want_v);
            agree(&what, &pt, &kept.zip(&update, |p, u| p - u));
        }
    }
}

#[test]
fn packing_rounds_to_nearest_and_unpacking_brings_it_back() {
    for (outputs, inputs) in [(1, 1), (3, 5), (65, 130), (7, 387)] {
        let mut x = Mat::random(outputs, inputs, 14);
        // The smallest f16, below it, a tie between two f16, and a large one.
        let special = [0.0f32, 5.96e-8, 2e-8, 1.000_488_3, 300.0];
        x.data.iter_mut().zip(special).for_each(|(x, v)| *x = v.into());
        if outputs > 1 {
            x.row_mut(1).fill(0.0);
        }
        for precision in Precision::ALL {
            let weight = packed(&x, precision);
            let stored = unpacked(weight.view());
            let mut y = rubbish(outputs, inputs);
            unpack(&cpu(), &weight, &mut y).unwrap();
            compare("unpack", &Mat::of(&y), &stored, 1e-7).unwrap();
            match precision {
                Precision::F32 => assert_eq!(stored, x),
                Precision::F16 => {
                    assert_eq!(stored, x.map(|v| f16::from_f32(v as f32).into()));
                    for (stored, x) in stored.data.iter().zip(&x.data) {
                        let bound = (x.abs() * 2f64.powi(-11)).max(2f64.powi(-25));
                        assert!((stored - x).abs() <= bound, "{x} became {stored}");
                    }
                }
                Precision::Int8 => {
                    for row in 0..outputs {
                        let largest = x.row(row).iter().fold(0.0f64, |a, v| a.max(v.abs()));
                        let half_a_step = largest / 127.0 / 2.0 * (1.0 + 1e-5);
                        for (stored, x) in stored.row(row).iter().zip(x.row(row)) {
                            assert!((stored - x).abs() <= half_a_step, "{x} became {stored}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn what_lies_behind_the_last_weight_of_a_row_is_zero() {
    for (precision, inputs) in [(Precision::F16, 5), (Precision::Int8, 5), (Precision::Int8, 7)] {
        let weight = packed(&Mat::random(3, inputs, 5).map(|v| v + 2.0), precision);
        let view = weight.view();
        let words = pollster::block_on(cpu().read_words(view.words)).unwrap();
        let used = inputs as u32 * precision.bits() as u32 % 32;
        for row in words.chunks_exact(view.words.cols()) {
            assert_eq!(row[row.len() - 1] >> used, 0, "{precision} {inputs}");
            assert_ne!(row[row.len() - 1], 0);
        }
    }
}

#[track_caller]
fn refused(kernel: &str, result: lnsp::Result<()>) {
    match result {
        Err(Error::Shape { kernel: named, message }) => {
            assert!(named == kernel && message.contains('×'), "{kernel}: {named}: {message}");
        }
        other => panic!("{kernel} took a wrong shape: {other:?}"),
    }
}

/// Calls a kernel with each tensor in turn of another shape than it should be: one row more, one
/// column more. `shapes` are right; `skip` says which deviations are right, too.
fn refuse_each(
    kernel: &str,
    shapes: &[(usize, usize)],
    skip: &[(usize, usize, usize)],
    run: impl Fn(&mut [Tensor]) -> lnsp::Result<()>,
) {
    let tensors = || -> Vec<Tensor> { shapes.iter().map(|(r, c)| rubbish(*r, *c)).collect() };
    run(&mut tensors()).unwrap();
    for at in 0..shapes.len() {
        for (rows, cols) in [(1, 0), (0, 1)] {
            if skip.contains(&(at, rows, cols)) {
                continue;
            }
            let mut wrong = tensors();
            wrong[at] = rubbish(shapes[at].0 + rows, shapes[at].1 + cols);
            refused(kernel, run(&mut wrong));
        }
    }
}

#[test]
fn wrong_shapes_are_refused_by_kernels_of_a_layer() {
    let d = &cpu();
    refuse_each("linear", &[(3, 5), (4, 5), (1, 4), (3, 4), (3, 4)], &[], |t| {
        let [x, w, bias, slope, y] = t else { unreachable!() };
        let epilogue = Epilogue::ActivationAndSlope(Activation::Gelu, slope);
        linear(d, x, &*w, Some(&*bias), epilogue, y)
    });
    refuse_each("linear_grad_input", &[(3, 4), (4, 5), (3, 5)], &[], |t| {
        let [dy, w, dx] = t else { unreachable!() };
        linear_grad_input(d, dy, w, false, dx)
    });
    refuse_each("linear_grad_weight", &[(3, 4), (3, 5), (4, 5)], &[], |t| {
        let [dy, x, dw] = t else { unreachable!() };
        linear_grad_weight(d, dy, x, dw)
    });
    refuse_each("activation", &[(3, 4), (3, 4), (3, 4)], &[], |t| {
        let [x, y, slope] = t else { unreachable!() };
        activation(d, x, Activation::Relu, y, Some(slope))
    });
    refuse_each("multiply", &[(3, 4), (3, 4)], &[], |t| {
        let [a, b] = t else { unreachable!() };
        multiply(d, a, b)
    });
    refuse_each("add_scaled", &[(3, 4), (3, 4)], &[], |t| {
        let [a, b] = t else { unreachable!() };
        add_scaled(d, a, 2.0, b)
    });
    // One more row only makes the sums longer.
    refuse_each("column_sum", &[(3, 4), (1, 4)], &[(0, 1, 0)], |t| {
        let [x, sums] = t else { unreachable!() };
        column_sum(d, x, 1.0, false, sums)
    });
    refuse_each("layer_norm", &[(3, 4), (1, 4), (1, 4), (3, 4), (3, 2)], &[], |t| {
        let [x, w, b, y, statistics] = t else { unreachable!() };
        layer_norm(d, x, w, b, y, statistics)
    });
    refuse_each("layer_norm_grad", &[(3, 4), (3, 2), (1, 4), (3, 4), (3, 4)], &[], |t| {
        let [x, statistics, w, dy, dx] = t else { unreachable!() };
        layer_norm_grad(d, x, statistics, w, dy, dx)
    });
    let shapes = [(3, 4), (3, 2), (3, 4), (1, 4), (1, 4)];
    refuse_each("layer_norm_grad_parameters", &shapes, &[], |t| {
        let [x, statistics, dy, dw, db] = t else { unreachable!() };
        layer_norm_grad_parameters(d, x, statistics, dy, dw, db)
    });
    refuse_each("attention", &[(6, 12), (6, 6), (6, 4)], &[], |t| {
        let [qkv, p, out] = t else { unreachable!() };
        attention(d, qkv, 2, 3, p, out)
    });
    refuse_each("attention_grad", &[(6, 12), (6, 6), (6, 4), (6, 12)], &[], |t| {
        let [qkv, p, dout, dqkv] = t else { unreachable!() };
        attention_grad(d, qkv, p, dout, 2, 3, dqkv)
    });
    for (heads, sequence) in [(0, 3), (2, 0), (3, 3), (2, 4)] {
        let (qkv, mut p, mut out) = (rubbish(6, 12), rubbish(6, 6), rubbish(6, 4));
        refused("attention", attention(d, &qkv, heads, sequence, &mut p, &mut out));
    }
}

#[test]
fn wrong_shapes_are_refused_by_losses_optimiser_and_packing() {
    let d = &cpu();
    refuse_each("normalize_rows", &[(3, 4), (3, 4), (3, 1)], &[], |t| {
        let [x, y, norms] = t else { unreachable!() };
        normalize_rows(d, x, y, norms)
    });
    refuse_each("normalize_rows_grad", &[(3, 4), (3, 1), (3, 4), (3, 4)], &[], |t| {
        let [y, norms, dy, dx] = t else { unreachable!() };
        normalize_rows_grad(d, y, norms, dy, dx)
    });
    refuse_each("cosine_loss", &[(3, 4), (3, 4), (3, 4), (3, 1)], &[], |t| {
        let [out, target, gradient, losses] = t else { unreachable!() };
        cosine_loss(d, out, target, 1.0, false, gradient, losses)
    });
    refuse_each("mse_loss", &[(3, 4), (3, 4), (3, 4), (3, 1)], &[], |t| {
        let [out, target, gradient, losses] = t else { unreachable!() };
        mse_loss(d, out, target, 1.0, false, gradient, losses)
    });
    refuse_each("gram_loss", &[(3, 3), (3, 3), (3, 2)], &[], |t| {
        let [cosines, teacher, losses] = t else { unreachable!() };
        let settings = GramLoss { geometry: 1.0, diversity: 1.0, sharpness: 1.0 };
        gram_loss(d, cosines, teacher, settings, losses)
    });
    // Any x has a norm.
    refuse_each("squared_norm", &[(3, 4), (1, 1)], &[(0, 1, 0), (0, 0, 1)], |t| {
        let [x, total] = t else { unreachable!() };
        squared_norm(d, x, false, total)
    });
    let settings = AdamW {
        learning_rate: 0.1,
        beta1: 0.9,
        beta2: 0.99,
        epsilon: 1e-8,
        weight_decay: 0.0,
        step: 1,
        clip_norm: 1.0,
    };
    refuse_each("adamw", &[(3, 4), (1, 1), (3, 4), (3, 4), (3, 4)], &[], |t| {
        let [g, norm, p, first, second] = t else { unreachable!() };
        adamw(d, &settings, g, norm, p, first, second)
    });
    for precision in Precision::ALL {
        refuse_each("pack", &[(3, 5)], &[], |t| {
            pack(d, &t[0], &mut Weight::zeros(d, precision, 3, 5).unwrap())
        });
        refuse_each("unpack", &[(3, 5)], &[], |t| {
            unpack(d, &Weight::zeros(d, precision, 3, 5).unwrap(), &mut t[0])
        });
    }
}
