//! `lnsp baselines` as a script runs it.
#![cfg(feature = "cli")]

mod command;

use command::{names, refuse, succeed, vectors, word, write};
use lnsp::codes::{Fitted, Storage};
use lnsp::device::Device;
use lnsp::format::{ReadOptions, files, read_to_matrix};
use lnsp::student::{Parameters, Student, StudentFile, StudentInfo};
use lnsp::{Arch, Precision};

#[test]
fn writes_what_the_page_reads() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(&at("v.npy"), &vectors(300, 20, 5));
    let arch: Arch = "20-14-7-11-20".parse().unwrap();
    let parameters = Parameters::random(&arch, 9);
    let file = StudentFile { info: StudentInfo::new(&arch), parameters, code: None };
    std::fs::write(at("small.safetensors"), file.to_bytes().unwrap()).unwrap();
    let (train, student, out) = (at("v.npy"), at("small.safetensors"), at("b.safetensors"));
    let (train, student, out) = (word(&train), word(&student), word(&out));
    let args = ["baselines", "--vectors", train, "--student", student, "--out", out, "--json"];
    let said = succeed(&[&args[..], &["--device", "cpu"]].concat());
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["students"], serde_json::json!(["small"]));

    let bytes = std::fs::read(out).unwrap();
    assert_eq!(said["file_bytes"], bytes.len());
    let fitted = Fitted::from_bytes("b", &bytes).unwrap();
    assert_eq!(fitted.training_set, "v.npy, 300 vectors");
    let mut reader = files::open(train.as_ref(), &ReadOptions::default()).unwrap();
    let rows = read_to_matrix(&mut *reader, None).unwrap();
    let student = Student::new(&Device::cpu(), &file.parameters, Precision::F32).unwrap();
    let latents = pollster::block_on(student.encode(&rows)).unwrap();
    assert_eq!(fitted.student("small"), Some(Storage::int8(&latents).unwrap()));
    assert_eq!(fitted.codes(7, &[2, 1], &[5], 1).unwrap().len(), 6);
}

#[test]
fn a_student_of_other_vectors_is_refused_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(&at("v.npy"), &vectors(50, 12, 5));
    let arch: Arch = "20-14-7-11-20".parse().unwrap();
    let parameters = Parameters::random(&arch, 9);
    let file = StudentFile { info: StudentInfo::new(&arch), parameters, code: None };
    std::fs::write(at("s.safetensors"), file.to_bytes().unwrap()).unwrap();
    let (train, student, out) = (at("v.npy"), at("s.safetensors"), at("b.safetensors"));
    let (train, student, out) = (word(&train), word(&student), word(&out));
    let args = ["baselines", "--vectors", train, "--student", student, "--out", out];
    refuse(&[&args[..], &["--device", "cpu"]].concat(), 1, &["12 wide", "takes 20"]);
    assert_eq!(names(folder.path()), ["s.safetensors", "v.npy"]);
}
