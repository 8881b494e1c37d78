//! `lnsp phases` as a person or a script runs it.
#![cfg(feature = "cli")]

mod command;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use command::{lnsp, names, refuse, run, succeed, text, vectors, word, write};
use lnsp::student::StudentFile;
use serde_json::Value;

/// Students of the note's widths for small vectors, and settings that make a run short.
const FIXED: [&str; 16] = [
    "--arch",
    "12-256-6-256-12",
    "--arch",
    "12-512-6-512-12",
    "--arch",
    "12-768-6-768-12",
    "--batch",
    "32",
    "--epochs",
    "1",
    "--seed",
    "1,2",
    "--alignment-weight",
    "0.1,1",
    "--validation-rows",
    "40",
];

struct Place {
    _folder: tempfile::TempDir,
    vectors: PathBuf,
    larger: PathBuf,
    held_out: PathBuf,
    out: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let held_out = vectors(90, 12, 6);
        write(&at("v.npy"), &vectors(400, 12, 5));
        write(&at("held.npy"), &held_out);
        // Three of them are held-out vectors.
        let mut larger = vectors(600, 12, 7);
        larger.append(&held_out.slice_rows(10, 13)).unwrap();
        write(&at("larger.npy"), &larger);
        Self {
            vectors: at("v.npy"),
            larger: at("larger.npy"),
            held_out: at("held.npy"),
            out: at("out"),
            _folder: folder,
        }
    }

    fn args<'a>(&'a self, out: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
        let mut args = vec!["phases", "--device", "cpu", "--vectors", word(&self.vectors)];
        args.extend(["--held-out", word(&self.held_out), "--out", word(out)]);
        args.extend(FIXED.iter().chain(more));
        args
    }

    fn phases<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        self.args(&self.out, more)
    }

    fn with_larger(&self) -> Vec<&str> {
        self.phases(&["--larger", word(&self.larger)])
    }
}

fn json(args: &[&str]) -> Value {
    serde_json::from_str(&succeed(&[args, &["--json"]].concat())).unwrap()
}

fn timeless(mut phases: Value) -> Value {
    for arm in phases["arms"].as_array_mut().unwrap() {
        arm["seconds"] = Value::Null;
    }
    phases
}

fn list<'a>(phases: &'a Value, name: &str, key: &str) -> Vec<&'a str> {
    phases[name].as_array().unwrap().iter().map(|one| one[key].as_str().unwrap()).collect()
}

#[test]
fn three_phases_and_their_controls() {
    let place = Place::new();
    let report = place.out.with_extension("html");
    let args = [&place.with_larger()[..], &["--report", word(&report)]].concat();
    let output = run(&[&args[..], &["--json"]].concat());
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    for words in ["Phase 1", "Phase 2: S = 512, larger set", "Controls", "3 vectors of the larger"]
    {
        assert!(errors.contains(words), "{words}: {errors}");
    }
    let phases: Value = serde_json::from_slice(&output.stdout).unwrap();
    let arms = list(&phases, "arms", "label");
    assert_eq!(arms[..3], ["S = 256", "S = 512, larger set", "S = 768, larger set"]);
    assert_eq!(phases["arms"][1]["phase"], 2);
    for arm in phases["arms"].as_array().unwrap() {
        assert_eq!(arm["score"]["runs"], 2, "{arm}");
        let interval = &arm["less_pca"];
        let end = |name: &str| interval[name].as_f64().unwrap();
        assert!(end("low") <= end("mean") && end("mean") <= end("high"), "{arm}");
    }
    assert_eq!(phases["larger"]["training_rows"], 600 - 40);
    let steps = list(&phases, "contrasts", "id");
    for id in ["alignment-range", "epochs", "width-512-256", "width-768-512-larger", "data-256"] {
        assert!(steps.contains(&id), "{id}: {steps:?}");
    }
    assert!(steps.contains(&"tune-or-scale"), "{steps:?}");
    // The difference of two arms is that of their means.
    let arm = |label: &str| {
        let arms = phases["arms"].as_array().unwrap();
        let arm = arms.iter().find(|arm| arm["label"] == label).unwrap();
        arm["overlap_at_10"]["mean"].as_f64().unwrap()
    };
    for step in phases["contrasts"].as_array().unwrap() {
        let means = arm(step["arm"].as_str().unwrap()) - arm(step["than"].as_str().unwrap());
        let difference = step["difference"]["mean"].as_f64().unwrap();
        assert!((difference - means).abs() < 1e-6, "{step}");
    }
    assert_eq!(list(&phases, "findings", "id"), ["tune-first", "next-step-512", "sweet-spot-768"]);
    assert!(phases["recommendation"].to_string().contains("Recommendation: "));
    let files = names(&place.out);
    let expected = ["first.jsonl", "larger.jsonl", "phase-1.safetensors", "phase-2.safetensors"];
    assert_eq!(files[..4], expected, "{files:?}");
    let student = std::fs::read(place.out.join("phase-3.safetensors")).unwrap();
    let info = StudentFile::from_bytes("s", &student).unwrap().info;
    assert_eq!(
        (info.arch.widths()[1], info.training_set.as_str()),
        (768, "larger.npy, 560 vectors")
    );
    let page = std::fs::read_to_string(&report).unwrap();
    assert!(page.contains("Recommendation: ") && page.contains("tune-first"), "{page}");
    assert!(!page.contains("src=") && !page.contains("<script"));
    // Again, nothing is trained and the same is said; people get tables.
    assert_eq!(json(&args), phases);
    let out = succeed(&args);
    for words in ["alignment", "less PCA", "Recommendation: ", "Claim tune-first: ", "phases.json"]
    {
        assert!(out.contains(words), "{words}: {out}");
    }
    let kept: Value =
        serde_json::from_slice(&std::fs::read(place.out.join("phases.json")).unwrap()).unwrap();
    assert_eq!(kept, phases);
}

#[test]
fn a_phase_reads_the_one_before() {
    let place = Place::new();
    let larger = place.with_larger();
    let only = |phase| [&larger[..], &["--phase", phase]].concat();
    let message = refuse(&only("2"), 1, &["Phase 1 found", "4 of its 4 runs", "--phase 1"]);
    assert!(message.contains("out"), "{message}");
    for phase in ["1", "2", "3"] {
        let out = succeed(&only(phase));
        assert!(out.contains(&format!("Phase {phase} is done")), "{out}");
    }
    let last = json(&only("4"));
    let apart = place.out.with_file_name("apart");
    let whole = json(&place.args(&apart, &["--larger", word(&place.larger)]));
    assert_eq!(timeless(last), timeless(whole));
}

#[test]
fn without_a_larger_set_its_question_stays_open() {
    let place = Place::new();
    let output = run(&place.phases(&["--json"]));
    let errors = text(&output.stderr);
    assert!(errors.contains("warning: no --larger set"), "{errors}");
    let phases: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(phases["larger"], Value::Null);
    assert!(phases["recommendation"].to_string().contains("not answered here"));
    let steps = list(&phases, "contrasts", "id");
    assert!(steps.iter().all(|id| !id.contains("larger") && !id.contains("data")), "{steps:?}");
    assert!(!place.out.join("larger.jsonl").exists());
}

#[test]
fn killed_it_goes_on() {
    let place = Place::new();
    let args = place.with_larger();
    let first = place.out.join("first.jsonl");
    let lines = || std::fs::read_to_string(&first).map_or(0, |text| text.lines().count());
    for wanted in [1, 3, 5, 9] {
        let mut command = lnsp(&args);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while lines() < wanted && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let resumed = json(&args);
    let apart = place.out.with_file_name("apart");
    let whole = json(&place.args(&apart, &["--larger", word(&place.larger)]));
    assert_eq!(timeless(resumed), timeless(whole));
    let student = |folder: &Path| std::fs::read(folder.join("phase-1.safetensors")).unwrap();
    assert!(student(&place.out) == student(&apart));
}

#[test]
fn bad_input_is_one_clear_error() {
    let place = Place::new();
    let cases: [(&[&str], i32, &str); 7] = [
        (&["--arch", "12-9-6-9-12"], 1, "all three phases"),
        (&["--larger", "missing.npy"], 1, "missing.npy"),
        (&["--larger-limit", "0"], 2, "--larger-limit"),
        (&["--phase", "5"], 2, "--phase"),
        (&["--jobs", "0"], 2, "--jobs"),
        (&["--quick", "--larger-limit", "x"], 2, "--larger-limit"),
        (&["--report", "none/there.html"], 1, "none"),
    ];
    for (more, code, words) in cases {
        refuse(&place.phases(more), code, &[words]);
    }
    let replaced = |flag: &str, value: &'static str| {
        let mut args = place.phases(&[]);
        let at = args.iter().position(|word| *word == flag).unwrap();
        args[at + 1] = value;
        args
    };
    refuse(&replaced("--epochs", "0"), 2, &["--epochs"]);
    refuse(&replaced("--seed", ""), 2, &["empty list"]);
    refuse(&replaced("--alignment-weight", "NaN"), 2, &["finite"]);
    refuse(&replaced("--alignment-weight", "-1"), 1, &["--alignment-weight"]);
    refuse(&replaced("--batch", "1"), 1, &["--batch"]);
    refuse(&replaced("--validation-rows", "10"), 1, &["--validation-rows"]);
    let mut without = place.phases(&[]);
    without.drain(5..7);
    refuse(&without, 1, &["--held-out"]);
    refuse(&place.args(&place.vectors, &[]), 1, &["--out", "v.npy"]);
    assert_eq!(names(place.out.parent().unwrap()), ["held.npy", "larger.npy", "v.npy"]);
    // Results on other vectors.
    succeed(&place.phases(&["--phase", "1"]));
    let mut other = place.phases(&["--phase", "1"]);
    other[4] = word(&place.larger);
    refuse(&other, 1, &["first.jsonl", "other vectors"]);
}
