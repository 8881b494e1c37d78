//! A small random BERT as a file, and the same model as plain loops in f64 over what any such file
//! holds: an implementation that shares nothing with the library's.
#![allow(dead_code, reason = "each test program uses its part")]

use std::collections::HashMap;

use half::f16;
use lnsp::arch::Activation;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::formulas::{self, Mat};

pub const WIDTH: usize = 24;
pub const HEADS: usize = 3;
pub const INNER: usize = 40;
pub const LAYERS: usize = 2;
pub const VOCABULARY: usize = 53;
pub const POSITIONS: usize = 21;

/// Sequences of every kind: one token, the longest, twice the same.
pub fn sequences() -> Vec<Vec<u32>> {
    let of = |length: usize, seed: usize| {
        (0..length).map(|i| ((i * 17 + seed * 29) % VOCABULARY) as u32).collect::<Vec<u32>>()
    };
    vec![of(5, 1), of(1, 2), of(POSITIONS, 3), of(2, 4), of(5, 1), of(13, 5)]
}

/// Every tensor by its name and shape, with its values; those of LayerNorms are near 1.
fn tensors() -> Vec<(String, Vec<usize>, Mat)> {
    let mut all: Vec<(String, Vec<usize>, Mat)> = Vec::new();
    let mut add = |name: String, shape: &[usize], scale: f64, shift: f64| {
        let (rows, cols) = if shape.len() == 2 { (shape[0], shape[1]) } else { (1, shape[0]) };
        let values = Mat::random(rows, cols, 7 + all.len() as u64).map(|v| scale * v + shift);
        all.push((name, shape.to_vec(), values));
    };
    for (name, rows) in [("word", VOCABULARY), ("position", POSITIONS), ("token_type", 2)] {
        add(format!("embeddings.{name}_embeddings.weight"), &[rows, WIDTH], 0.5, 0.0);
    }
    let mut norms = vec!["embeddings.LayerNorm".to_string()];
    for layer in 0..LAYERS {
        let at = format!("encoder.layer.{layer}");
        for (part, outputs, inputs) in [
            ("attention.self.query", WIDTH, WIDTH),
            ("attention.self.key", WIDTH, WIDTH),
            ("attention.self.value", WIDTH, WIDTH),
            ("attention.output.dense", WIDTH, WIDTH),
            ("intermediate.dense", INNER, WIDTH),
            ("output.dense", WIDTH, INNER),
        ] {
            add(format!("{at}.{part}.weight"), &[outputs, inputs], 0.6, 0.0);
            add(format!("{at}.{part}.bias"), &[outputs], 0.3, 0.0);
        }
        norms.push(format!("{at}.attention.output.LayerNorm"));
        norms.push(format!("{at}.output.LayerNorm"));
    }
    for norm in norms {
        add(format!("{norm}.weight"), &[WIDTH], 0.3, 1.0);
        add(format!("{norm}.bias"), &[WIDTH], 0.2, 0.0);
    }
    // As in the hub's file: not used.
    add("pooler.dense.weight".into(), &[WIDTH, WIDTH], 1.0, 0.0);
    all
}

/// The model's file, after `change` had its way with the tensors.
pub fn changed_file(change: impl Fn(&str, &mut Vec<usize>, &mut Vec<f32>) -> bool) -> Vec<u8> {
    let mut stored = Vec::new();
    for (name, mut shape, values) in tensors() {
        let mut values: Vec<f32> = values.data.iter().map(|v| *v as f32).collect();
        if change(&name, &mut shape, &mut values) {
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            stored.push((name, shape, bytes));
        }
    }
    let views: Vec<_> = stored
        .iter()
        .map(|(name, shape, bytes)| {
            (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
        })
        .collect();
    let info = format!(r#"{{"format":1,"heads":{HEADS},"precision":"f32"}}"#);
    let metadata = HashMap::from([("lnsp.teacher".to_string(), info)]);
    safetensors::serialize(views, Some(metadata)).unwrap()
}

/// The model's file.
pub fn file() -> Vec<u8> {
    changed_file(|_, _, _| true)
}

/// A tensor of a file in f64, whatever it is stored as.
fn tensor(file: &SafeTensors<'_>, name: &str) -> Mat {
    let view = file.tensor(name).unwrap();
    let (rows, cols) = match *view.shape() {
        [cols] => (1, cols),
        [rows, cols] => (rows, cols),
        _ => panic!("{name}"),
    };
    let data = view.data();
    let single = |data: &[u8], i: usize| {
        f64::from(f32::from_le_bytes(data[4 * i..4 * i + 4].try_into().unwrap()))
    };
    Mat::from_fn(rows, cols, |r, c| {
        let i = r * cols + c;
        match view.dtype() {
            Dtype::F32 => single(data, i),
            Dtype::F16 => f16::from_le_bytes([data[2 * i], data[2 * i + 1]]).to_f64(),
            Dtype::I8 => {
                let scales = file.tensor(&format!("{name}.scale")).unwrap();
                f64::from(data[i] as i8) * single(scales.data(), r)
            }
            other => panic!("{name} is {other:?}"),
        }
    })
}

/// LayerNorm with BERT's ε.
fn norm(x: &Mat, weight: &Mat, bias: &Mat) -> Mat {
    let n = x.cols as f64;
    Mat::from_fn(x.rows, x.cols, |r, c| {
        let mean = x.row(r).iter().sum::<f64>() / n;
        let variance = x.row(r).iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        (x.at(r, c) - mean) / (variance + 1e-12).sqrt() * weight.at(0, c) + bias.at(0, c)
    })
}

/// The unit vector of one sequence, by the formulas.
pub fn embed(bytes: &[u8], tokens: &[u32]) -> Vec<f64> {
    let file = SafeTensors::deserialize(bytes).unwrap();
    let get = |name: String| tensor(&file, &name);
    let linear = |x: &Mat, name: String| {
        formulas::linear(x, &get(format!("{name}.weight")), Some(&get(format!("{name}.bias"))))
    };
    let norm = |x: &Mat, name: String| {
        norm(x, &get(format!("{name}.weight")), &get(format!("{name}.bias")))
    };
    let table = |name: &str| get(format!("embeddings.{name}_embeddings.weight"));
    let (words, positions, types) = (table("word"), table("position"), table("token_type"));
    let embedded = Mat::from_fn(tokens.len(), WIDTH, |t, c| {
        words.at(tokens[t] as usize, c) + positions.at(t, c) + types.at(0, c)
    });
    let mut h = norm(&embedded, "embeddings.LayerNorm".into());
    for layer in 0..LAYERS {
        let at = |part: &str| format!("encoder.layer.{layer}.{part}");
        let parts =
            ["query", "key", "value"].map(|p| linear(&h, at(&format!("attention.self.{p}"))));
        let qkv = Mat::from_fn(tokens.len(), 3 * WIDTH, |t, c| parts[c / WIDTH].at(t, c % WIDTH));
        let mixed = formulas::attention(&qkv, HEADS, tokens.len());
        let change = linear(&mixed, at("attention.output.dense"));
        h = norm(&change.zip(&h, |a, b| a + b), at("attention.output.LayerNorm"));
        let inner = linear(&h, at("intermediate.dense"));
        let inner = inner.map(|v| formulas::act(Activation::Gelu, v));
        let change = linear(&inner, at("output.dense"));
        h = norm(&change.zip(&h, |a, b| a + b), at("output.LayerNorm"));
    }
    let means: Vec<f64> =
        (0..WIDTH).map(|c| (0..h.rows).map(|t| h.at(t, c)).sum::<f64>() / h.rows as f64).collect();
    let length = formulas::dot(&means, &means).sqrt();
    means.iter().map(|v| v / length).collect()
}
