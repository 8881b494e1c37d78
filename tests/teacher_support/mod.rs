//! What the tests of the real teacher share: its weights, and the reference that another program
//! made with it.
//!
//! The weights are in the folder LNSP_TEACHER_DIR. Without it such a test fails, unless
//! LNSP_ALLOW_NO_TEACHER is set.
#![allow(dead_code, reason = "each test program uses its part")]

use std::path::PathBuf;
use std::sync::OnceLock;

use lnsp::format::{ReadOptions, files};
use lnsp::source::{BadRows, VectorSource, read_to_matrix};
use lnsp::{Matrix, Precision};

/// The folder with `model.safetensors` and `tokenizer.json`; none where that is allowed.
pub fn folder() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("LNSP_TEACHER_DIR") {
        return Some(folder.into());
    }
    assert!(
        std::env::var_os("LNSP_ALLOW_NO_TEACHER").is_some(),
        "this test needs the weights of all-MiniLM-L6-v2: set LNSP_TEACHER_DIR to the folder with \
         model.safetensors and tokenizer.json, or LNSP_ALLOW_NO_TEACHER=1 to skip it"
    );
    eprintln!("skipped: no LNSP_TEACHER_DIR");
    None
}

/// The bytes of the weights.
pub fn model() -> Option<&'static [u8]> {
    static MODEL: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    let read = || {
        let path = folder()?.join("model.safetensors");
        Some(std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
    };
    MODEL.get_or_init(read).as_deref()
}

fn project(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The tokens of the reference's lines, at most 64 each.
pub fn tokens() -> Vec<Vec<u32>> {
    let text = std::fs::read_to_string(project("tests/fixtures/teacher_tokens.txt")).unwrap();
    let line = |line: &str| line.split(' ').map(|token| token.parse().unwrap()).collect();
    text.lines().map(line).collect()
}

/// The reference's vectors.
pub fn vectors() -> Matrix {
    let path = project("data/teacher_reference.safetensors");
    let reader = files::open(&path, &ReadOptions::default()).unwrap();
    let mut source = VectorSource::new(reader, None, BadRows::Refuse).unwrap();
    read_to_matrix(&mut source, None).unwrap()
}

/// The lowest cosine between rows of the same number, in f64.
pub fn lowest_cosine(a: &Matrix, b: &Matrix) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    let cosines =
        a.iter_rows().zip(b.iter_rows()).map(|(a, b)| dot(a, b) / (dot(a, a) * dot(b, b)).sqrt());
    cosines.fold(f64::INFINITY, f64::min)
}

/// What each precision must reach against the reference.
pub fn wanted_cosine(precision: Precision) -> f64 {
    match precision {
        Precision::F32 => 0.99999,
        Precision::F16 => 0.9999,
        Precision::Int8 => 0.999,
    }
}
