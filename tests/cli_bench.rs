//! `lnsp bench` and `lnsp devices` as a person or a script runs them.
#![cfg(feature = "cli")]

use std::process::{Command, Output};

use serde_json::Value;

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lnsp"))
        .args(args)
        .env("LC_ALL", "C.UTF-8")
        .env_remove("COLUMNS")
        .output()
        .expect("the command starts")
}

fn json(args: &[&str]) -> Value {
    let output = run(args);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn json_has_what_the_comparison_with_others_reads() {
    let quick = ["--seconds", "0", "--device", "cpu", "--json", "--quiet"];
    let found = json(&[&["bench", "--width", "16", "--batch", "1,5"], &quick[..]].concat());
    let rows = found["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 6);
    for row in rows {
        assert_eq!((&row["width"], &row["device"]), (&16.into(), &"cpu".into()));
        let us = |key: &str| row[key].as_f64().unwrap();
        assert!(us("p10_us") <= us("median_us") && us("median_us") <= us("p90_us"));
        assert!(row["samples"].as_u64().unwrap() >= 5);
    }
    assert_eq!((&rows[1]["precision"], &rows[1]["batch"]), (&"f32".into(), &5.into()));
    assert_eq!(rows[5]["precision"], "int8");
    let step = &found["training"][0];
    assert_eq!((&step["width"], &step["batch"]), (&16.into(), &256.into()));
    assert!(step["median_ms"].as_f64().unwrap() > 0.0);
    assert!(step["peak_device_bytes"].as_u64() > Some(0));
    assert_eq!(found["cold"].as_array().unwrap().len(), 3);
    assert!(found["machine"]["cpu"].as_str().is_some_and(|name| !name.is_empty()));
    assert!(!cfg!(unix) || found["peak_process_bytes"].as_u64() > Some(1 << 20));
}

#[test]
fn the_note_stands_beside_ours_as_another_device() {
    let found = json(&[
        "bench",
        "--width",
        "256",
        "--precision",
        "f32",
        "--batch",
        "1",
        "--no-training",
        "--seconds",
        "0",
        "--device",
        "cpu",
        "--json",
        "--threads",
        "1",
    ]);
    assert!(found["training"].as_array().unwrap().is_empty());
    assert_eq!(found["machine"]["threads"], 1);
    let note = &found["rows"][0]["note"];
    assert_eq!((&note["note_ms"], &note["verdict"]), (&0.1.into(), &"other device".into()));
    assert_eq!(note["speed"], "Very Fast");
}

#[test]
fn people_get_tables_that_fit() {
    let output = run(&[
        "bench",
        "--arch",
        "24-12-24",
        "--seconds",
        "0",
        "--device",
        "cpu",
        "--with-transfer",
        "--quiet",
    ]);
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    for part in ["Inference on cpu", "Cold start", "Training step", "int8", "to and fro"] {
        assert!(out.contains(part), "{part}:\n{out}");
    }
    assert!(out.lines().all(|line| line.chars().count() <= 100), "{out}");
}

#[test]
fn what_does_not_fit_is_said_and_the_rest_goes_on() {
    let found = json(&[
        "bench",
        "--width",
        "100000000",
        "--width",
        "8",
        "--batch",
        "1",
        "--precision",
        "f32",
        "--seconds",
        "0",
        "--device",
        "cpu",
        "--json",
        "--quiet",
    ]);
    assert_eq!(found["rows"].as_array().unwrap().len(), 1);
    let skipped = found["skipped"].as_array().unwrap();
    assert_eq!(skipped.len(), 2);
    for row in skipped {
        assert!(row["needed"].as_u64() > row["available"].as_u64());
    }
}

#[test]
fn nonsense_is_one_line_and_an_exit_code() {
    for args in [
        &["bench", "--width", "0"][..],
        &["bench", "--batch", "0"],
        &["bench", "--seconds", "-1"],
        &["bench", "--seconds=nan"],
        &["bench", "--training-batch", "1"],
        &["bench", "--threads", "0"],
        &["bench", "--precision", "f8"],
        &["devices", "--width", "0"],
    ] {
        let output = run(args);
        assert!(matches!(output.status.code(), Some(1 | 2)), "{args:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{args:?}");
        assert!(!text(&output.stderr).contains("panicked"), "{}", text(&output.stderr));
    }
}

#[test]
fn devices_name_the_cpu_and_say_what_auto_picks() {
    let found = json(&["devices", "--json"]);
    assert!(found["machine"]["threads"].as_u64() > Some(0));
    assert!(found["adapters"].is_array());
    assert!(found["auto"]["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
    let software = |adapter: &Value| adapter["kind"] == "software";
    if found["adapters"].as_array().unwrap().iter().all(software) {
        assert_eq!(found["auto"]["gpu"], false);
    }
    let output = run(&["devices"]);
    assert!(text(&output.stdout).contains("auto, at S = 256"), "{}", text(&output.stdout));
    // No adapter at all.
    let none = Command::new(env!("CARGO_BIN_EXE_lnsp"))
        .args(["devices", "--json"])
        .env("VK_DRIVER_FILES", "/nonexistent.json")
        .env("VK_ICD_FILENAMES", "/nonexistent.json")
        .output()
        .unwrap();
    assert_eq!(none.status.code(), Some(0));
}
