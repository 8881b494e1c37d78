//! `lnsp note` as a person or a script runs it.
#![cfg(feature = "cli")]

mod command;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use command::{lnsp, names, refuse, run, succeed, text, vectors, word, write};
use serde_json::Value;

/// A folder with vectors to train on, and the arguments of a run of a few small rows.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("vectors.npy"), &vectors(700, 384, 5));
        Self { folder }
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn results(&self) -> PathBuf {
        self.out().join("results.jsonl")
    }

    fn args<'a>(&'a self, paths: &'a [PathBuf; 2], rows: &'a str) -> Vec<&'a str> {
        let [file, out] = paths;
        vec![
            "note",
            "--rows",
            rows,
            "--epochs",
            "1",
            "--device",
            "cpu",
            "--vectors",
            word(file),
            "--out",
            word(out),
        ]
    }

    fn paths(&self) -> [PathBuf; 2] {
        [self.folder.path().join("vectors.npy"), self.out()]
    }
}

fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap().lines().map(str::to_string).collect()
}

fn json(args: &[&str]) -> Value {
    let args: Vec<&str> = args.iter().copied().chain(["--json", "--quiet"]).collect();
    serde_json::from_str(&succeed(&args)).expect("one JSON document")
}

fn row<'a>(found: &'a Value, id: &str) -> &'a Value {
    found["rows"].as_array().unwrap().iter().find(|row| row["id"] == id).expect(id)
}

#[test]
fn small_rows_are_measured_and_everything_agrees() {
    let (place, rows) = (Place::new(), "B-256,b-320,A-384,A-512");
    let paths = place.paths();
    let found = json(&place.args(&paths, rows));
    assert_eq!(found["rows"].as_array().unwrap().len(), 4);
    for id in ["B-256", "B-320", "A-384", "A-512"] {
        let row = row(&found, id);
        let measured = &row["measured"];
        let number = |key: &str| measured[key].as_f64().unwrap();
        let off = number("ledger_bytes") / number("predicted_bytes") - 1.0;
        assert!(off.abs() < 0.05, "{id}: {off}");
        let [one, step] = ["one", "step"].map(|key| measured[key]["median_ms"].as_f64().unwrap());
        assert!(one > 0.0 && step > one, "{id}");
        assert!(measured["step"]["samples"].as_u64() >= Some(5), "{id}");
        assert_eq!(measured["synthetic"], id == "A-512", "{id}");
        // Random vectors have no neighbours worth keeping.
        assert_eq!(row["quality"].is_null(), id == "A-512", "{id}");
    }
    let findings = found["findings"].as_array().unwrap();
    assert_eq!(findings.len(), lnsp::note::CLAIMS.len());
    let of = |id: &str| findings.iter().find(|one| one["id"] == id).expect(id);
    assert_eq!(of("inference-256")["standing"], "other-device");
    assert_eq!(of("tune-first")["standing"], "cannot-compare");
    assert!(of("tune-first")["words"].as_str().unwrap().contains("lnsp phases"));
    assert!(of("goldilocks")["ours"].as_f64() > Some(0.0), "{}", of("goldilocks"));
    assert_eq!(of("next-step-320")["unit"], "overlap@10");
    // The same findings in the report, word for word.
    assert_eq!(names(&place.out()), ["lock", "report.html", "results.jsonl"]);
    let report = std::fs::read_to_string(place.out().join("report.html")).unwrap();
    for one in findings {
        let words = one["words"].as_str().unwrap().replace('&', "&amp;").replace('<', "&lt;");
        let words = words.replace('>', "&gt;").replace('"', "&quot;");
        assert!(report.contains(&words), "{words}");
    }
    assert!(report.contains("<svg") && !report.contains("<script") && !report.contains("src="));
    // Again: nothing is measured anew.
    let before = lines(&place.results());
    assert_eq!(json(&place.args(&paths, rows))["rows"], found["rows"]);
    assert_eq!(lines(&place.results()), before);
    // The recommendation takes these figures.
    let out = succeed(&[
        "sizes",
        "--recommend",
        "--max-bytes",
        "768",
        "--min-overlap",
        "0.99",
        "--results",
        word(&place.out()),
    ]);
    assert!(out.starts_with("Take ") && out.contains("No student"), "{out}");
}

/// Over 100 MB the process grows by what is predicted: no tensor is there twice.
#[test]
fn a_process_grows_by_what_is_predicted() {
    let place = Place::new();
    let paths = place.paths();
    let found = json(&place.args(&paths, "A-2048"));
    let measured = &row(&found, "A-2048")["measured"];
    let number = |key: &str| measured[key].as_f64();
    let predicted = number("predicted_bytes").unwrap();
    assert!(predicted > 2e8);
    let Some(grown) = number("process_bytes") else { return };
    assert!((grown / predicted - 1.0).abs() < 0.15, "{grown} for {predicted}");
    assert!((number("ledger_bytes").unwrap() / predicted - 1.0).abs() < 0.05);
}

/// Stopped or killed after its first row, it goes on with the second and repeats nothing; a line
/// that was cut off counts as not there.
#[test]
#[cfg(unix)]
fn what_was_killed_goes_on_with_the_row_it_was_in() {
    for signal in ["-INT", "-KILL"] {
        let (place, rows) = (Place::new(), "B-256,B-320,A-384");
        let paths = place.paths();
        let args = place.args(&paths, rows);
        let mut child =
            lnsp(&args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        assert!(said.any(|line| line.starts_with("B-256") && line.contains("one vector")));
        let pid = child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let rest: Vec<String> = said.collect();
        let code = child.wait().unwrap().code();
        if signal == "-INT" {
            let rest = rest.join("\n");
            assert_eq!(code, Some(130), "{rest}");
            assert!(rest.contains("the same command goes on from there"), "{rest}");
        }
        let mut kept = std::fs::read_to_string(place.results()).unwrap();
        let whole: Vec<String> = kept.lines().map(str::to_string).collect();
        assert!(
            whole.len() >= 2 && whole[1].contains(r#""stage":"row","row":"B-256""#),
            "{whole:?}"
        );
        if kept.ends_with('\n') {
            kept.push_str(r#"{"stage":"row","row":"B-3"#);
            std::fs::write(place.results(), &kept).unwrap();
        }
        let found = json(&args);
        let after = lines(&place.results());
        assert_eq!(after[..2], whole[..2]);
        for id in ["B-256", "B-320", "A-384"] {
            let row = row(&found, id);
            assert!(row["measured"].is_object() && row["quality"].is_object(), "{id}");
            let stage = |kind: &str| {
                let line = format!(r#"{{"stage":"{kind}","row":"{id}""#);
                after.iter().filter(|l| l.starts_with(&line)).count()
            };
            assert_eq!((stage("row"), stage("quality")), (1, 1), "{id}");
        }
    }
}

#[test]
fn bad_input_is_one_line_that_says_what_to_do() {
    let place = Place::new();
    let paths = place.paths();
    let args = place.args(&paths, "A-384");
    succeed(&args);
    let with = |more: &[&'static str]| {
        args.iter().copied().chain(more.iter().copied()).collect::<Vec<_>>()
    };
    refuse(&with(&["--seed", "1"]), 1, &["other settings", "seed 727 there, 1 now", "--restart"]);
    refuse(&with(&["--full"]), 1, &["mode quick there, full now"]);
    refuse(&with(&["--cache=-1"]), 1, &["--cache"]);
    let kept = std::fs::read_to_string(place.results()).unwrap();
    std::fs::write(place.results(), kept.replacen("\"stage\":\"row\"", "\"stage\":\"rwo\"", 1))
        .unwrap();
    refuse(&args, 1, &["line 2 of", "damaged", "--restart"]);
    std::fs::write(place.results(), "mine\n").unwrap();
    refuse(&args, 1, &["does not begin", "another --out"]);
    let file = place.folder.path().join("file");
    std::fs::write(&file, "kept").unwrap();
    refuse(&["note", "--rows", "B-256", "--out", word(&file)], 1, &["--out", "file"]);
    assert_eq!(std::fs::read(&file).unwrap(), b"kept");
    refuse(&["note", "--rows", "B-256", "--family", "a"], 2, &["--rows names no row"]);
    let few = place.folder.path().join("few.npy");
    write(&few, &vectors(100, 384, 1));
    let out = place.folder.path().join("other");
    let args = ["note", "--rows", "B-256", "--vectors", word(&few), "--out", word(&out)];
    refuse(&args, 1, &["--vectors", "too few"]);
    // Results of vectors that could not be used would refuse better ones.
    assert!(!out.join("results.jsonl").exists());
    let unknown = run(&["note", "--rows", "B-257"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("B-256"), "{}", text(&unknown.stderr));
    let empty = place.folder.path().join("nothing.jsonl");
    std::fs::write(&empty, "").unwrap();
    let args = ["sizes", "--recommend", "--results", word(&empty)];
    refuse(&args, 1, &["holds no results of lnsp note"]);
    refuse(&["sizes", "--recommend", "--min-overlap", "2"], 1, &["--min-overlap"]);
    assert_eq!(run(&["sizes", "--max-ms", "1"]).status.code(), Some(2));
}
