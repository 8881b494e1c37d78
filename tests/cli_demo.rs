//! `lnsp demo` as a person runs it.
#![cfg(feature = "cli")]

mod command;

use command::{names, refuse, succeed, word};
use lnsp::student::StudentFile;

#[test]
fn one_folder_holds_student_report_and_metrics() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("new").join("demo");
    let out = succeed(&["demo", "--epochs", "1", "--device", "cpu", "--out", word(&folder)]);
    assert_eq!(names(&folder), ["metrics.json", "report.html", "student.safetensors"]);
    let bytes = std::fs::read(folder.join("student.safetensors")).unwrap();
    let student = StudentFile::from_bytes("s", &bytes).unwrap();
    assert_eq!(student.info.training["epochs"], 1);
    let metrics = std::fs::read(folder.join("metrics.json")).unwrap();
    let metrics: serde_json::Value = serde_json::from_slice(&metrics).unwrap();
    let evaluation = &metrics["evaluation"];
    assert_eq!(evaluation["held_out"]["rows"], 3000);
    assert_eq!(evaluation["training"]["rows"], 20_000);
    assert_eq!(metrics["sizes"]["rows"][0]["parameters"], 296_000);
    let report = std::fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(report.contains("<svg") && report.contains("PCA"));
    // Sizes, the comparison, and commands to go on with.
    for words in ["296,000", "PCA-192", "overlap@10", "bytes a vector", "demo --width 512"] {
        assert!(out.contains(words), "{words}:\n{out}");
    }
}

#[test]
fn a_folder_that_cannot_be_is_refused_before_the_work() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    std::fs::write(&file, "kept").unwrap();
    refuse(&["demo", "--out", word(&file)], 1, &["--out", "file"]);
    assert_eq!(std::fs::read(&file).unwrap(), b"kept");
    let other = ["demo", "--arch", "100-50-20-50-100", "--out", word(place.path())];
    refuse(&other, 1, &["384 wide", "vectors of 100"]);
}
