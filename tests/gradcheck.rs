//! Gradients against central differences: each kernel in the middle of a small graph, with a
//! linear layer before it and a curved loss after it, so that a gradient that forgets what comes
//! from above shows; and whole students through the training step.

mod formulas;

use formulas::{Mat, compare};
use lnsp::arch::{Activation, Arch, Variant};
use lnsp::device::{Device, Tensor};
use lnsp::kernels::activation::activation;
use lnsp::kernels::add_scaled::add_scaled;
use lnsp::kernels::attention::attention;
use lnsp::kernels::attention_grad::attention_grad;
use lnsp::kernels::column_sum::column_sum;
use lnsp::kernels::cosine_loss::cosine_loss;
use lnsp::kernels::gram_loss::gram_loss;
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
use lnsp::student::Parameters;
use lnsp::train::{Losses, Objective, Step};
use pollster::block_on;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The quotient in f64 is exact to about 1e-8 (h² and rounding over h); this is the rounding of
/// the kernels' f32 over a few operations, with room.
const TOLERANCE: f64 = 2e-5;
const H: f64 = 1e-4;

/// Whether `gradients` are those of `loss` with respect to each of `inputs`, by differences of
/// every value.
fn check(
    what: &str,
    inputs: &[Mat],
    loss: impl Fn(&[Mat]) -> f64,
    gradients: &[Mat],
) -> Result<(), String> {
    assert_eq!(inputs.len(), gradients.len());
    let mut moved = inputs.to_vec();
    for (i, gradient) in gradients.iter().enumerate() {
        let mut want = Mat::zeros(inputs[i].rows, inputs[i].cols);
        for at in 0..want.data.len() {
            let mut loss_at = |step: f64| {
                moved[i].data[at] = inputs[i].data[at] + step;
                loss(&moved)
            };
            want.data[at] = (loss_at(H) - loss_at(-H)) / (2.0 * H);
            moved[i].data[at] = inputs[i].data[at];
        }
        compare(&format!("{what}, gradient {i}"), gradient, &want, TOLERANCE)?;
    }
    Ok(())
}

fn cpu() -> Device {
    Device::cpu()
}

fn zeros(rows: usize, cols: usize) -> Tensor {
    cpu().zeros(rows, cols).unwrap()
}

fn zeros_like(t: &Tensor) -> Tensor {
    zeros(t.rows(), t.cols())
}

/// The linear layer before an operation: `m × inputs` vectors, weight and bias.
fn layer(m: usize, inputs: usize, outputs: usize) -> [Mat; 3] {
    [Mat::random(m, inputs, 1), Mat::random(outputs, inputs, 2), Mat::random(1, outputs, 3)]
}

fn before(p: &[Mat]) -> Mat {
    formulas::linear(&p[0], &p[1], Some(&p[2]))
}

fn before_on_device(p: &[Mat]) -> Tensor {
    let mut z = zeros(p[0].rows, p[1].rows);
    let (x, w, b) = (p[0].tensor(), p[1].tensor(), p[2].tensor());
    linear(&cpu(), &x, &w, Some(&b), Epilogue::Linear, &mut z).unwrap();
    z
}

/// Gradients of a linear layer's input, weight and bias.
fn through_linear(x: &Mat, w: &Mat, dz: &Tensor) -> [Mat; 3] {
    let (mut dx, mut dw) = (zeros(x.rows, x.cols), zeros(w.rows, w.cols));
    let mut db = zeros(1, w.rows);
    linear_grad_input(&cpu(), dz, &w.tensor(), false, &mut dx).unwrap();
    linear_grad_weight(&cpu(), dz, &x.tensor(), &mut dw).unwrap();
    column_sum(&cpu(), dz, 1.0, false, &mut db).unwrap();
    [Mat::of(&dx), Mat::of(&dw), Mat::of(&db)]
}

fn through_before(p: &[Mat], dz: &Tensor) -> Vec<Mat> {
    through_linear(&p[0], &p[1], dz).into()
}

/// The loss after an operation, `Σ c y² / 2 + d y` with fixed random c and d.
fn after(y: &Mat) -> f64 {
    let (c, d) = (Mat::random(y.rows, y.cols, 4), Mat::random(y.rows, y.cols, 5));
    let squares = y.zip(&c, |y, c| 0.5 * c * y * y);
    squares.data.iter().sum::<f64>() + formulas::dot(&y.data, &d.data)
}

fn through_after(y: &Tensor) -> Tensor {
    let (c, d) = (Mat::random(y.rows(), y.cols(), 4), Mat::random(y.rows(), y.cols(), 5));
    Mat::of(y).zip(&c, |y, c| c * y).zip(&d, |cy, d| cy + d).tensor()
}

#[test]
fn activation_between_layers() {
    for kind in [Activation::Gelu, Activation::Relu] {
        let p = layer(4, 3, 5);
        let z = before(&p);
        // The kink of relu lies outside every difference.
        assert!(z.data.iter().all(|v| v.abs() > 10.0 * H));
        let (mut y, mut slope) = (zeros(4, 5), zeros(4, 5));
        activation(&cpu(), &before_on_device(&p), kind, &mut y, Some(&mut slope)).unwrap();
        let mut dz = through_after(&y);
        multiply(&cpu(), &mut dz, &slope).unwrap();
        let loss = |p: &[Mat]| after(&before(p).map(|v| formulas::act(kind, v)));
        check(&format!("{kind}"), &p, loss, &through_before(&p, &dz)).unwrap();
    }
}

#[test]
fn linear_with_its_slope_between_layers() {
    let mut p = layer(4, 3, 5).to_vec();
    p.extend([Mat::random(7, 5, 6), Mat::random(1, 7, 7)]);
    let (mut y, mut slope) = (zeros(4, 7), zeros(4, 7));
    let z = before_on_device(&p);
    let epilogue = Epilogue::ActivationAndSlope(Activation::Gelu, &mut slope);
    linear(&cpu(), &z, &p[3].tensor(), Some(&p[4].tensor()), epilogue, &mut y).unwrap();
    let mut dy = through_after(&y);
    multiply(&cpu(), &mut dy, &slope).unwrap();
    let [dz, dw, db] = through_linear(&Mat::of(&z), &p[3], &dy);
    let mut gradients = through_before(&p, &dz.tensor());
    gradients.extend([dw, db]);
    let loss = |p: &[Mat]| {
        let y = formulas::linear(&before(p), &p[3], Some(&p[4]));
        after(&y.map(|v| formulas::act(Activation::Gelu, v)))
    };
    check("linear", &p, loss, &gradients).unwrap();
}

#[test]
fn residual_between_layers() {
    let mut p = layer(4, 3, 5).to_vec();
    p.push(Mat::random(5, 5, 6));
    let z = before_on_device(&p);
    let mut branch = zeros_like(&z);
    linear(&cpu(), &z, &p[3].tensor(), None, Epilogue::Linear, &mut branch).unwrap();
    let mut y = before_on_device(&p);
    add_scaled(&cpu(), &mut y, -0.6, &branch).unwrap();
    // Both ways of adding: the branch's gradient to the residual's, and on top of it.
    let mut dy = through_after(&y);
    let mut scaled = zeros_like(&dy);
    add_scaled(&cpu(), &mut scaled, -0.6, &dy).unwrap();
    let [_, dw, _] = through_linear(&Mat::of(&z), &p[3], &scaled);
    linear_grad_input(&cpu(), &scaled, &p[3].tensor(), true, &mut dy).unwrap();
    let mut gradients = through_before(&p, &dy);
    gradients.push(dw);
    let loss = |p: &[Mat]| {
        let z = before(p);
        after(&z.zip(&formulas::linear(&z, &p[3], None), |z, branch| z - 0.6 * branch))
    };
    // −0.6 is rounded to f32 on the device, far below the tolerance.
    check("residual", &p, loss, &gradients).unwrap();
}

/// Inputs, loss and kernels' gradients of a LayerNorm in the middle.
fn layer_norm_case() -> (Vec<Mat>, impl Fn(&[Mat]) -> f64, Vec<Mat>, Tensor) {
    let mut p = layer(4, 3, 7).to_vec();
    p.extend([Mat::random(1, 7, 6), Mat::random(1, 7, 7)]);
    let (z, weight) = (before_on_device(&p), p[3].tensor());
    let (mut y, mut statistics) = (zeros_like(&z), zeros(4, 2));
    layer_norm(&cpu(), &z, &weight, &p[4].tensor(), &mut y, &mut statistics).unwrap();
    let dy = through_after(&y);
    let mut dz = zeros_like(&z);
    layer_norm_grad(&cpu(), &z, &statistics, &weight, &dy, &mut dz).unwrap();
    let (mut dw, mut db) = (zeros(1, 7), zeros(1, 7));
    layer_norm_grad_parameters(&cpu(), &z, &statistics, &dy, &mut dw, &mut db).unwrap();
    let mut gradients = through_before(&p, &dz);
    gradients.extend([Mat::of(&dw), Mat::of(&db)]);
    let loss = |p: &[Mat]| after(&formulas::layer_norm(&before(p), &p[3], &p[4]));
    (p, loss, gradients, dy)
}

#[test]
fn layer_norm_between_layers() {
    let (p, loss, gradients, _) = layer_norm_case();
    check("layer_norm", &p, loss, &gradients).unwrap();
}

#[test]
fn attention_between_layers() {
    for (runs, sequence, heads, size) in
        [(2, 3, 2, 3), (1, 5, 1, 4), (2, 2, 3, 1), (3, 1, 2, 2), (2, 4, 3, 2)]
    {
        let (tokens, width) = (runs * sequence, heads * size);
        let p = layer(tokens, 3, 3 * width);
        let qkv = before_on_device(&p);
        let (mut kept, mut y) = (zeros(tokens, heads * sequence), zeros(tokens, width));
        attention(&cpu(), &qkv, heads, sequence, &mut kept, &mut y).unwrap();
        let mut dqkv = zeros_like(&qkv);
        let dy = through_after(&y);
        attention_grad(&cpu(), &qkv, &kept, &dy, heads, sequence, &mut dqkv).unwrap();
        let loss = |p: &[Mat]| after(&formulas::attention(&before(p), heads, sequence));
        let what = format!("attention {runs} {sequence} {heads} {size}");
        check(&what, &p, loss, &through_before(&p, &dqkv)).unwrap();
    }
}

#[test]
fn unit_rows_between_layers() {
    let p = layer(4, 3, 5);
    let z = before_on_device(&p);
    let (mut y, mut norms, mut dz) = (zeros_like(&z), zeros(4, 1), zeros_like(&z));
    normalize_rows(&cpu(), &z, &mut y, &mut norms).unwrap();
    normalize_rows_grad(&cpu(), &y, &norms, &through_after(&y), &mut dz).unwrap();
    let loss = |p: &[Mat]| after(&formulas::normalized(&before(p)));
    check("normalize_rows", &p, loss, &through_before(&p, &dz)).unwrap();
}

#[test]
fn losses_of_the_output_after_a_layer() {
    let p = layer(4, 3, 5);
    let (z, target) = (before_on_device(&p), Mat::random(4, 5, 8));
    let (mut dz, mut losses) = (zeros_like(&z), zeros(4, 1));
    let t = target.tensor();
    cosine_loss(&cpu(), &z, &t, 0.75, false, &mut dz, &mut losses).unwrap();
    mse_loss(&cpu(), &z, &t, 0.25, true, &mut dz, &mut losses).unwrap();
    let loss = |p: &[Mat]| {
        let z = before(p);
        0.75 * formulas::cosine_losses(&z, &target).data.iter().sum::<f64>()
            + 0.25 * formulas::squared_errors(&z, &target).data.iter().sum::<f64>()
    };
    check("cosine and squared error", &p, loss, &through_before(&p, &dz)).unwrap();
}

#[test]
fn gram_loss_after_unit_rows() {
    for (geometry, diversity) in [(0.75, 0.5), (1.0, 0.0), (0.0, 1.0)] {
        let p = layer(5, 3, 4);
        let unit = formulas::normalized(&Mat::random(5, 6, 8));
        let teacher = formulas::linear(&unit, &unit, None);
        let z = before_on_device(&p);
        let (mut y, mut norms, mut dy) = (zeros_like(&z), zeros(5, 1), zeros_like(&z));
        normalize_rows(&cpu(), &z, &mut y, &mut norms).unwrap();
        let (mut cosines, mut losses) = (zeros(5, 5), zeros(5, 2));
        linear(&cpu(), &y, &y, None, Epilogue::Linear, &mut cosines).unwrap();
        let (g, d) = (geometry as f32, diversity as f32);
        gram_loss(&cpu(), &mut cosines, &teacher.tensor(), g, d, &mut losses).unwrap();
        linear_grad_input(&cpu(), &cosines, &y, false, &mut dy).unwrap();
        let mut dz = zeros_like(&z);
        normalize_rows_grad(&cpu(), &y, &norms, &dy, &mut dz).unwrap();
        let loss = |p: &[Mat]| {
            let unit = formulas::normalized(&before(p));
            let losses = formulas::gram_losses(&formulas::linear(&unit, &unit, None), &teacher);
            let total = |row: &[f64]| geometry * row[0] + diversity * row[1];
            (0..5).map(|r| total(losses.row(r)) / 5.0).sum()
        };
        check("gram_loss", &p, loss, &through_before(&p, &dz)).unwrap();
    }
}

#[test]
fn wrong_gradients_are_found() {
    let (p, loss, right, dy) = layer_norm_case();
    check("right", &p, &loss, &right).unwrap();
    // LayerNorm left out on the way back.
    let mut skipped = right.clone();
    skipped[..3].clone_from_slice(&through_before(&p, &dy));
    // What comes from above left out: LayerNorm's own Jacobian applied to ones.
    let ones = Mat::from_fn(4, 7, |_, _| 1.0);
    let dz = formulas::layer_norm_grad(&before(&p), &p[3], &ones).tensor();
    let mut dropped = right.clone();
    dropped[..3].clone_from_slice(&through_before(&p, &dz));
    for (how, wrong) in [("skipped", skipped), ("dropped", dropped)] {
        assert!(check(how, &p, &loss, &wrong).is_err(), "{how} was not found");
    }
    type Damage = fn(&mut Mat);
    let damages: [(&str, Damage); 5] = [
        ("scaled", |g| g.data.iter_mut().for_each(|v| *v *= 1.001)),
        ("negated", |g| g.data.iter_mut().for_each(|v| *v = -*v)),
        ("zero", |g| g.data.fill(0.0)),
        ("one value", |g| g.data[1] += 1e-3 * g.data.iter().fold(1.0f64, |a, v| a.max(v.abs()))),
        ("nan", |g| g.data[0] = f64::NAN),
    ];
    for (how, damage) in damages {
        for i in 0..right.len() {
            let mut wrong = right.clone();
            damage(&mut wrong[i]);
            assert!(check(how, &p, &loss, &wrong).is_err(), "{how} {i} was not found");
        }
    }
}
