//! Reads the PyTorch dump and holds a device's training step against it.

use std::collections::BTreeMap;

use lnsp::device::Device;
use lnsp::kernels::adamw::AdamW;
use lnsp::student::{Parameters, Student};
use lnsp::train::{Objective, Step};
use lnsp::{Arch, Matrix, Precision};
use pollster::block_on;
use safetensors::SafeTensors;
use serde::Deserialize;

const BYTES: &[u8] = include_bytes!("../fixtures/reference.safetensors");

#[derive(Deserialize)]
struct Reference {
    cases: BTreeMap<String, Case>,
    settings: Settings,
    batches: usize,
}

#[derive(Deserialize)]
struct Case {
    widths: Vec<usize>,
    activation: String,
    variant: String,
    rows: usize,
}

#[derive(Deserialize)]
struct Settings {
    align_weight: f32,
    geometry_weight: f32,
    geometry_temperature: f32,
    mse_weight: f32,
    diversity_weight: f32,
    head_factor: f32,
    learning_rate: f32,
    beta1: f32,
    beta2: f32,
    epsilon: f32,
    weight_decay: f32,
    clip_norm: f32,
}

/// Every case of the dump on a device; values may differ by `tolerance` times the largest
/// magnitude of the tensor they belong to.
pub fn check_every_case(device: &Device, tolerance: f32) {
    let (_, metadata) = SafeTensors::read_metadata(BYTES).unwrap();
    let text = &metadata.metadata().as_ref().unwrap()["reference"];
    let reference: Reference = serde_json::from_str(text).unwrap();
    assert!(reference.cases.len() >= 6);
    for (name, case) in &reference.cases {
        Checker { device, name, case, reference: &reference, tolerance }.check();
    }
}

struct Checker<'a> {
    device: &'a Device,
    name: &'a str,
    case: &'a Case,
    reference: &'a Reference,
    tolerance: f32,
}

impl Checker<'_> {
    fn check(&self) {
        let arch = Arch::new(
            self.case.widths.clone(),
            self.case.activation.parse().unwrap(),
            self.case.variant.parse().unwrap(),
        )
        .unwrap();
        let parameters = Parameters::new(&arch, self.all(&arch, "param")).unwrap();
        self.check_inference(&parameters);
        let settings = &self.reference.settings;
        let objective = Objective {
            alignment: settings.align_weight,
            geometry: settings.geometry_weight,
            mse: settings.mse_weight,
            diversity: settings.diversity_weight,
            temperature: settings.geometry_temperature,
        };
        let new = || Step::new(self.device, &parameters, &objective, self.case.rows, None).unwrap();
        self.check_gradients(&arch, new());
        self.check_training(&arch, new());
    }

    fn check_inference(&self, parameters: &Parameters) {
        let student = Student::new(self.device, parameters, Precision::F32).unwrap();
        let input = self.matrix("input");
        let latent = block_on(student.encode(&input)).unwrap();
        self.close("latent", latent.data(), self.tensor("latent").1.as_slice());
        let output = block_on(student.reconstruct(&input)).unwrap();
        self.close("output", output.data(), self.tensor("output").1.as_slice());
        let decoded = block_on(student.decode(&latent)).unwrap();
        self.close("decoded", decoded.data(), output.data());
    }

    fn check_gradients(&self, arch: &Arch, mut step: Step) {
        step.differentiate(self.matrix("input").data(), 0).unwrap();
        let losses = block_on(step.read_losses()).unwrap()[0];
        let head = losses.head * self.reference.settings.head_factor;
        for (term, value) in [
            ("align", losses.alignment),
            ("geometry", losses.geometry),
            ("mse", losses.mse),
            ("diversity", losses.diversity),
            ("head", head),
            ("total", losses.total),
        ] {
            self.close(term, &[value], &self.tensor(&format!("loss/{term}")).1);
        }
        let gradients = block_on(step.read_gradients()).unwrap();
        for ((shape, got), want) in
            arch.parameters().iter().zip(&gradients).zip(self.all(arch, "grad"))
        {
            self.close(&format!("grad/{}", shape.name), got.data(), want.data());
        }
    }

    fn check_training(&self, arch: &Arch, mut step: Step) {
        let settings = &self.reference.settings;
        let (batches, losses) = (self.matrix("batches"), self.tensor("losses").1);
        let norms = self.tensor("grad_norms").1;
        let rows = self.case.rows;
        for (i, (want, norm)) in losses.iter().zip(norms).enumerate() {
            let first = i % self.reference.batches * rows;
            step.differentiate(batches.slice_rows(first, first + rows).data(), 0).unwrap();
            step.update(&AdamW {
                learning_rate: settings.learning_rate,
                beta1: settings.beta1,
                beta2: settings.beta2,
                epsilon: settings.epsilon,
                weight_decay: settings.weight_decay,
                step: i as u64 + 1,
                clip_norm: settings.clip_norm,
            })
            .unwrap();
            let got = block_on(step.read_losses()).unwrap()[0];
            self.close_by(&format!("loss of step {i}"), &[got.total], &[*want], 10.0);
            self.close_by(&format!("norm of step {i}"), &[got.gradient_norm], &[norm], 10.0);
        }
        let trained = block_on(step.read_parameters()).unwrap();
        for ((shape, got), want) in
            arch.parameters().iter().zip(&trained).zip(self.all(arch, "trained"))
        {
            // Where a gradient is zero but for rounding (q and k of one token, the bias before a
            // normalised difference), Adam turns the rounding's sign into a whole step.
            if self.is_rounding(&shape.name) {
                continue;
            }
            self.close_by(&format!("trained/{}", shape.name), got.data(), want.data(), 100.0);
        }
    }

    /// Whether PyTorch's gradient of the parameter has values that are nothing but rounding.
    fn is_rounding(&self, name: &str) -> bool {
        let values = self.tensor(&format!("grad/{name}")).1;
        let largest = values.iter().fold(0.0f32, |a, v| a.max(v.abs()));
        values.iter().any(|v| v.abs() <= 1e-5 * largest)
    }

    fn all(&self, arch: &Arch, part: &str) -> Vec<Matrix> {
        let read = |p: &lnsp::arch::ParameterShape| {
            let values = self.tensor(&format!("{part}/{}", p.name)).1;
            Matrix::new(p.rows, p.cols, values).unwrap()
        };
        arch.parameters().iter().map(read).collect()
    }

    fn matrix(&self, name: &str) -> Matrix {
        let (shape, values) = self.tensor(name);
        Matrix::new(shape[0], shape[1], values).unwrap()
    }

    fn tensor(&self, name: &str) -> (Vec<usize>, Vec<f32>) {
        let tensors = SafeTensors::deserialize(BYTES).unwrap();
        let view = tensors.tensor(&format!("{}/{name}", self.name)).unwrap();
        let values = view.data().chunks_exact(4);
        (view.shape().to_vec(), values.map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect())
    }

    fn close(&self, what: &str, got: &[f32], want: &[f32]) {
        self.close_by(what, got, want, 1.0);
    }

    fn close_by(&self, what: &str, got: &[f32], want: &[f32], factor: f32) {
        assert_eq!(got.len(), want.len(), "{}: {what}", self.name);
        let largest = want.iter().fold(1e-3f32, |a, v| a.max(v.abs()));
        for (i, (g, w)) in got.iter().zip(want).enumerate() {
            assert!(
                (g - w).abs() <= factor * self.tolerance * largest,
                "{}: {what}[{i}] is {g}, PyTorch has {w}",
                self.name
            );
        }
    }
}
