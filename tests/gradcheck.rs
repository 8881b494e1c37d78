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
    for (geometry, diversity, sharpness) in
        [(0.75, 0.5, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 4.0), (0.75, 0.5, 4.0)]
    {
        let p = layer(5, 3, 4);
        let unit = formulas::normalized(&Mat::random(5, 6, 8));
        let teacher = formulas::linear(&unit, &unit, None);
        let z = before_on_device(&p);
        let (mut y, mut norms, mut dy) = (zeros_like(&z), zeros(5, 1), zeros_like(&z));
        normalize_rows(&cpu(), &z, &mut y, &mut norms).unwrap();
        let (mut cosines, mut losses) = (zeros(5, 5), zeros(5, 2));
        linear(&cpu(), &y, &y, None, Epilogue::Linear, &mut cosines).unwrap();
        let settings = GramLoss {
            geometry: geometry as f32,
            diversity: diversity as f32,
            sharpness: sharpness as f32,
        };
        gram_loss(&cpu(), &mut cosines, &teacher.tensor(), settings, &mut losses).unwrap();
        linear_grad_weight(&cpu(), &cosines, &y, &mut dy).unwrap();
        linear_grad_input(&cpu(), &cosines, &y, true, &mut dy).unwrap();
        let mut dz = zeros_like(&z);
        normalize_rows_grad(&cpu(), &y, &norms, &dy, &mut dz).unwrap();
        let loss = |p: &[Mat]| {
            let unit = formulas::normalized(&before(p));
            let cosines = formulas::linear(&unit, &unit, None);
            let losses = formulas::gram_losses(&cosines, &teacher, sharpness);
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

const BATCH: usize = 5;
/// Values of each parameter that are moved.
const MOVED: usize = 6;
/// The step for a loss in f32. Rounding leaves about 1e-7 of the loss in a difference, so 5e-6 of
/// it in a quotient over 2h = 0.02; the curvature goes when two quotients are combined.
const STUDENT_H: f32 = 1e-2;
/// What rounding leaves in the combined quotient, as a share of the loss, with room.
const STUDENT_FLOOR: f64 = 4e-5;
/// Of the largest gradient of a parameter.
const STUDENT_TOLERANCE: f64 = 5e-4;

const ALL: Objective =
    Objective { alignment: 1.0, geometry: 3.0, mse: 2.0, diversity: 0.5, temperature: 0.5 };
const NONE: Objective =
    Objective { alignment: 0.0, geometry: 0.0, mse: 0.0, diversity: 0.0, temperature: 0.0 };

fn objectives() -> [(&'static str, Objective); 5] {
    [
        ("alignment", Objective { alignment: 1.0, ..NONE }),
        ("geometry", Objective { geometry: 1.0, ..NONE }),
        ("mse", Objective { mse: 1.0, ..NONE }),
        ("diversity", Objective { diversity: 1.0, ..NONE }),
        ("all", ALL),
    ]
}

/// A student and a batch for it.
struct Case {
    parameters: Parameters,
    batch: Vec<f32>,
    /// What is done to the latents before they are stored, if anything.
    channel: Option<lnsp::Matrix>,
}

impl Case {
    /// Random parameters; LayerNorm's, too, which start as the identity.
    fn new(widths: &str, activation: Activation, variant: Variant, seed: u64) -> Self {
        let arch: Arch = widths.parse().unwrap();
        let arch = arch.with_activation(activation).with_variant(variant).unwrap();
        let mut parameters = Parameters::random(&arch, seed);
        for shape in arch.parameters().iter().filter(|p| p.name.contains("norm")) {
            let values = parameters.get_mut(&shape.name).unwrap();
            let noise = Mat::random(1, shape.cols, seed + 1);
            values.data_mut().iter_mut().zip(noise.data).for_each(|(v, n)| *v += 0.3 * n as f32);
        }
        let batch = Mat::random(BATCH, arch.input(), seed + 2);
        let batch = batch.data.iter().map(|v| *v as f32).collect();
        Self { parameters, batch, channel: None }
    }

    /// A `plain` relu student of which no unit comes near the kink while a parameter moves.
    fn away_from_kinks(widths: &str) -> Self {
        (0..10_000)
            .map(|seed| Self::new(widths, Activation::Relu, Variant::Plain, seed))
            .find(|case| case.nearest_to_a_kink() > 3.0 * f64::from(STUDENT_H))
            .expect("a seed that keeps away from every kink")
    }

    fn nearest_to_a_kink(&self) -> f64 {
        let arch = self.parameters.arch();
        let of = |m: &lnsp::Matrix| Mat::from_fn(m.rows(), m.cols(), |r, c| f64::from(m.row(r)[c]));
        let mut nearest = f64::INFINITY;
        let input = arch.input();
        let mut x = Mat::from_fn(BATCH, input, |r, c| f64::from(self.batch[r * input + c]));
        for layer in 0..arch.layers() - 1 {
            let get = |part: &str| {
                of(self.parameters.get(&format!("{}.{part}", arch.layer_name(layer))).unwrap())
            };
            x = formulas::linear(&x, &get("weight"), Some(&get("bias")));
            if layer + 1 != arch.latent_index() {
                nearest = x.data.iter().fold(nearest, |a, v| a.min(v.abs()));
                x = x.map(|v| formulas::act(Activation::Relu, v));
            }
        }
        nearest
    }

    fn run(&self, parameters: &Parameters, objective: &Objective) -> (Losses, Step) {
        let mut step =
            Step::new(&cpu(), parameters, objective, BATCH, self.channel.as_ref()).unwrap();
        step.differentiate(&self.batch, 17).unwrap();
        (block_on(step.read_losses()).unwrap()[0], step)
    }

    fn gradients(&self, objective: &Objective) -> Vec<lnsp::Matrix> {
        block_on(self.run(&self.parameters, objective).1.read_gradients()).unwrap()
    }

    /// `(L(p + h) − L(p − h)) / 2h`.
    fn quotient(&self, objective: &Objective, name: &str, at: usize, h: f32) -> f64 {
        let moved = |by: f32| {
            let mut parameters = self.parameters.clone();
            let value = &mut parameters.get_mut(name).unwrap().data_mut()[at];
            *value += by;
            let value = f64::from(*value);
            (f64::from(self.run(&parameters, objective).0.total), value)
        };
        let ((above, p_above), (below, p_below)) = (moved(h), moved(-h));
        (above - below) / (p_above - p_below)
    }

    /// Whether `gradients` are those of the objective, at some values of each parameter.
    fn check(
        &self,
        what: &str,
        objective: &Objective,
        gradients: &[lnsp::Matrix],
    ) -> Result<(), String> {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let rounding = STUDENT_FLOOR * f64::from(self.run(&self.parameters, objective).0.total);
        for ((shape, _), gradient) in self.parameters.iter().zip(gradients) {
            let largest = gradient.data().iter().fold(0.0f64, |a, v| a.max(v.abs().into()));
            for _ in 0..MOVED {
                let at = rng.random_range(0..gradient.data().len());
                let quotient = |h| self.quotient(objective, &shape.name, at, h);
                let want = (4.0 * quotient(STUDENT_H) - quotient(2.0 * STUDENT_H)) / 3.0;
                let got = f64::from(gradient.data()[at]);
                let near = (got - want).abs() <= STUDENT_TOLERANCE * largest + rounding;
                if !near {
                    let name = &shape.name;
                    return Err(format!("{what}: {name}[{at}] is {got}, not {want} ({largest})"));
                }
            }
        }
        Ok(())
    }

    fn check_every_objective(&self, what: &str) {
        for (term, objective) in objectives() {
            let gradients = self.gradients(&objective);
            self.check(&format!("{what}, {term}"), &objective, &gradients).unwrap();
        }
    }
}

fn sn727() -> Case {
    Case::new("9-8-6-7-9", Activation::Gelu, Variant::Sn727, 21)
}

#[test]
fn students_with_gelu() {
    Case::new("7-6-4-5-7", Activation::Gelu, Variant::Plain, 11).check_every_objective("plain");
    Case::new("7-9-6-4-5-8-7", Activation::Gelu, Variant::Plain, 31).check_every_objective("deep");
}

#[test]
fn students_whose_latents_are_stored_in_a_few_bits() {
    let mut case = Case::new("7-6-4-5-7", Activation::Gelu, Variant::Plain, 41);
    // Much, some, no and all of a latent is kept.
    let channel = [[0.9, 0.5, 0.0, 1.0], [0.02, -0.1, 0.2, 0.0], [0.1, 0.2, 0.0, 0.0]];
    case.channel = Some(lnsp::Matrix::new(3, 4, channel.concat()).unwrap());
    case.check_every_objective("stored");
}

#[test]
fn students_with_relu() {
    Case::away_from_kinks("7-6-4-5-7").check_every_objective("relu");
}

#[test]
fn students_of_the_sn727_variant() {
    sn727().check_every_objective("sn727");
}

#[test]
fn queries_and_keys_of_one_token_have_no_gradient() {
    let case = sn727();
    for ((shape, _), gradient) in case.parameters.iter().zip(case.gradients(&ALL)) {
        if shape.name.starts_with("attention.qkv") {
            let (of_q_and_k, of_v) = gradient.data().split_at(gradient.data().len() / 3 * 2);
            assert!(of_q_and_k.iter().all(|v| *v == 0.0), "{}", shape.name);
            assert!(of_v.iter().all(|v| *v != 0.0), "{}", shape.name);
        }
    }
}

#[test]
fn wrong_gradients_of_students_are_found() {
    for case in [sn727(), Case::new("7-6-4-5-7", Activation::Gelu, Variant::Plain, 11)] {
        // Each term left out of the gradient in turn.
        let without = [
            Objective { alignment: 0.0, ..ALL },
            Objective { geometry: 0.0, ..ALL },
            Objective { mse: 0.0, ..ALL },
            Objective { diversity: 0.0, ..ALL },
        ];
        for objective in without {
            let gradients = case.gradients(&objective);
            assert!(case.check("", &ALL, &gradients).is_err(), "{objective:?} was not found");
        }
        let right = case.gradients(&ALL);
        for (i, (shape, _)) in case.parameters.iter().enumerate() {
            let mut wrong = right.clone();
            wrong[i].data_mut().iter_mut().for_each(|v| *v *= 1.02);
            assert!(case.check("", &ALL, &wrong).is_err(), "{} was not found", shape.name);
        }
    }
}
