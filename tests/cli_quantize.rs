//! `lnsp quantize` as a person or a script runs it.
#![cfg(feature = "cli")]

mod command;
mod formulas;
mod small_bert;

use command::{refuse, succeed, word};
use lnsp::device::Device;
use lnsp::student::{Parameters, StudentFile, StudentInfo};
use lnsp::teacher::Teacher;
use lnsp::{Arch, Precision};

#[test]
fn students_and_teachers_become_smaller() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let arch: Arch = "20-64-7-64-20".parse().unwrap();
    let file = StudentFile {
        info: StudentInfo::new(&arch),
        parameters: Parameters::random(&arch, 9),
        code: None,
    };
    std::fs::write(at("s.safetensors"), file.to_bytes().unwrap()).unwrap();
    std::fs::write(at("t.safetensors"), small_bert::file()).unwrap();
    for (kind, name) in [("student", "s.safetensors"), ("teacher", "t.safetensors")] {
        let before = std::fs::metadata(at(name)).unwrap().len();
        for (precision, share) in [("f16", 0.75), ("int8", 0.65)] {
            let (from, to) = (at(name), at("small.safetensors"));
            let args = ["quantize", "--in", word(&from), "--precision", precision, "--out"];
            let said = succeed(&[&args[..], &[word(&to)]].concat());
            assert!(said.contains(kind) && said.contains(precision), "{said}");
            let said = succeed(&[&args[..], &[word(&to), "--json"]].concat());
            let said: serde_json::Value = serde_json::from_str(&said).unwrap();
            assert_eq!((&said["kind"], &said["precision"]), (&kind.into(), &precision.into()));
            let bytes = std::fs::read(&to).unwrap();
            assert_eq!(
                (said["bytes_before"].as_u64(), said["bytes"].as_u64()),
                (Some(before), Some(bytes.len() as u64))
            );
            assert!((bytes.len() as f64) < share * before as f64, "{kind} {precision}");
            let wanted: Precision = precision.parse().unwrap();
            let got = match kind {
                "student" => StudentFile::from_bytes("s", &bytes).unwrap().info.precision,
                _ => Teacher::from_bytes(&Device::cpu(), "t", &bytes, None).unwrap().precision(),
            };
            assert_eq!(got, wanted);
        }
        // What is int8 already gains nothing.
        let (from, to) = (at("small.safetensors"), at("none.safetensors"));
        let args = ["quantize", "--in", word(&from), "--precision", "f16", "--out", word(&to)];
        refuse(&args, 1, &["small.safetensors", "stored at int8"]);
        assert!(!to.exists());
    }
}

#[test]
fn what_cannot_be_used_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("cut.safetensors"), &small_bert::file()[..9000]).unwrap();
    std::fs::write(at("text.safetensors"), "no weights at all").unwrap();
    let args = |name: &str, precision: &str| {
        let (from, to) = (at(name), at("out.safetensors"));
        let words = ["--in", word(&from), "--precision", precision, "--out", word(&to)];
        ["quantize"].iter().chain(&words).map(|w| w.to_string()).collect::<Vec<_>>()
    };
    let refuse = |name: &str, precision: &str, code: i32, words: &[&str]| {
        let args = args(name, precision);
        refuse(&args.iter().map(String::as_str).collect::<Vec<_>>(), code, words);
    };
    refuse("cut.safetensors", "f16", 1, &["cut.safetensors", "truncated"]);
    refuse("text.safetensors", "int8", 1, &["text.safetensors", "no safetensors file"]);
    refuse("missing.safetensors", "int8", 1, &["missing.safetensors"]);
    refuse("text.safetensors", "int4", 2, &["int4"]);
    assert!(!at("out.safetensors").exists());
}
