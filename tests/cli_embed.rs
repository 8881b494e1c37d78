//! `lnsp embed`, and texts in place of vectors, with a teacher that is small and random.

mod command;
mod tiny_teacher;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use command::{lnsp, names, refuse, run, succeed, text, word};
use lnsp::Matrix;
use lnsp::format::{ReadOptions, files};
use lnsp::source::read_to_matrix;
use tempfile::TempDir;
use tiny_teacher::{POSITIONS, WIDTH};

struct Place {
    folder: TempDir,
    teacher: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let teacher = folder.path().join("tiny");
        tiny_teacher::write(&teacher);
        Self { folder, teacher }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.at(name), content).unwrap();
        self.at(name)
    }

    /// `lnsp embed` on the CPU, with this teacher and the tokens that it takes.
    fn args(&self, texts: &Path, out: &Path, more: &[&str]) -> Vec<String> {
        let mut args = vec!["embed", "--device", "cpu", "--text", word(texts), "--out", word(out)];
        args.extend(["--teacher", word(&self.teacher)]);
        if !more.contains(&"--max-tokens") {
            args.extend(["--max-tokens", "48"]);
        }
        args.extend(more);
        args.into_iter().map(str::to_owned).collect()
    }

    fn embed(&self, text: &Path, out: &str, more: &[&str]) -> Matrix {
        let args = self.args(text, &self.at(out), more);
        succeed(&args.iter().map(String::as_str).collect::<Vec<_>>());
        read(&self.at(out))
    }

    fn refuse(&self, text: &Path, out: &str, more: &[&str], words: &[&str]) -> String {
        let args = self.args(text, &self.at(out), more);
        let before = names(self.folder.path());
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let message = refuse(&args, 1, words);
        assert_eq!(names(self.folder.path()), before, "{message}: something is left");
        message
    }
}

fn read(path: &Path) -> Matrix {
    let mut reader = files::open(path, &ReadOptions::default()).unwrap();
    read_to_matrix(&mut *reader, None).unwrap()
}

#[track_caller]
fn assert_close(a: &Matrix, b: &Matrix, most: f32) {
    assert_eq!((a.rows(), a.cols()), (b.rows(), b.cols()));
    let off = a.data().iter().zip(b.data()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(off <= most, "{off} is over {most}");
}

#[test]
fn the_same_texts_give_the_same_vectors_from_every_format() {
    let place = Place::new();
    let lines = place.file("a.txt", "one cat\r\nNo. 2, \"dogs\"\nthree!\n");
    let vectors = place.embed(&lines, "a.safetensors", &[]);
    assert_eq!((vectors.rows(), vectors.cols()), (3, WIDTH));
    for row in vectors.iter_rows() {
        let norm: f32 = row.iter().map(|v| v * v).sum();
        assert!((norm - 1.0).abs() < 1e-5);
    }
    let apart: f32 = vectors.row(0).iter().zip(vectors.row(1)).map(|(a, b)| (a - b).abs()).sum();
    assert!(apart > 0.1, "two texts have one vector");
    let json =
        "{\"text\": \"one cat\"}\n{\"text\": \"No. 2, \\\"dogs\\\"\"}\n{\"text\": \"three!\"}\n";
    let table = "n,body\n1,one cat\n2,\"No. 2, \"\"dogs\"\"\"\n3,three!\n";
    let found = place.embed(&place.file("a.jsonl", json), "b.npy", &[]);
    assert_close(&found, &vectors, 0.0);
    let found = place.embed(&place.file("a.csv", table), "c.parquet", &["--column", "body"]);
    assert_close(&found, &vectors, 0.0);
    let half = place.embed(&lines, "d.npy", &["--dtype", "f16"]);
    assert_close(&half, &vectors, 1e-3);
    let reader = files::open(&place.at("a.safetensors"), &ReadOptions::default()).unwrap();
    assert_eq!(reader.metadata()["teacher"], "tiny");
    assert_eq!(reader.metadata()["lnsp"], "vectors of a.txt");
    assert!(!names(place.folder.path()).iter().any(|name| name.ends_with(".parts")));
}

#[test]
fn counts_what_it_cuts_and_leaves_out() {
    let place = Place::new();
    let long = "a ".repeat(90);
    let texts = place.file("a.txt", [b"short\n\n\xff\n", long.as_bytes(), b"\nlast\n"].concat());
    let out = place.at("v.npy");
    let args = place.args(&texts, &out, &["--skip-bad", "--json"]);
    let output = lnsp(&[]).args(&args).output().unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&summary["rows"], &summary["cut"]), (&3.into(), &1.into()));
    assert_eq!(summary["skipped"]["empty"], 1);
    assert_eq!(summary["skipped"]["not_utf8"], 1);
    let output = lnsp(&[]).args(place.args(&texts, &out, &["--skip-bad"])).output().unwrap();
    let said = text(&output.stderr);
    assert!(said.contains("2 lines left out: 1 empty, 1 not in UTF-8"), "{said}");
    assert!(said.contains("1 text was longer than 48 tokens and cut"), "{said}");
    // A text over the limit is its start.
    let start = place.file("b.txt", format!("{}\n", "a ".repeat(POSITIONS - 2)));
    let wanted = place.embed(&start, "w.npy", &[]);
    assert_close(&read(&out).slice_rows(1, 2), &wanted, 1e-6);
}

#[test]
fn what_is_wrong_is_said_before_the_work_and_leaves_nothing() {
    let place = Place::new();
    let good = place.file("good.txt", "a\nb\n");
    let table = place.file("a.csv", "id,body\n1,x\n");
    place.refuse(&place.file("e.txt", ""), "v.npy", &[], &["e.txt", "empty"]);
    place.refuse(&place.file("f.txt", "a\n\nb\n"), "v.npy", &[], &["line 2", "--skip-bad"]);
    place.refuse(&place.file("g.txt", b"a\n\xc3"), "v.npy", &[], &["line 2", "byte 1", "UTF-8"]);
    place.refuse(&table, "v.npy", &[], &["--column", "id, body"]);
    place.refuse(&table, "v.npy", &["--column", "text"], &["no column \"text\"", "id, body"]);
    place.refuse(&good, "v.npy", &["--column", "text"], &["no columns"]);
    place.refuse(&place.at("none.txt"), "v.npy", &[], &["none.txt"]);
    place.refuse(&good, "v.xyz", &[], &["xyz"]);
    place.refuse(&good, "no/v.npy", &[], &["no/v.npy"]);
    place.refuse(&good, "v.parquet", &["--dtype", "f16"], &["--dtype", "f32"]);
    place.refuse(&good, "v.npy", &["--max-tokens", "49"], &["--max-tokens", "at most 48"]);
    place.refuse(&good, "v.npy", &["--max-tokens", "2"], &["max-tokens", "least"]);
    let narrow = place.at("narrow.npy");
    command::write(&narrow, &command::vectors(4, 7, 1));
    place.refuse(&good, "v.npy", &["--exclude", word(&narrow)], &["7 wide", "20"]);
}

#[test]
fn a_teacher_that_is_none_is_named() {
    let place = Place::new();
    let good = place.file("good.txt", "a\nb\n");
    let with = |teacher: &Path, words: &[&str]| {
        let out = place.at("v.npy");
        let args = ["embed", "--device", "cpu", "--max-tokens", "48", "--text", word(&good)];
        let more = ["--out", word(&out), "--teacher", word(teacher)];
        refuse(&[&args[..], &more[..]].concat(), 1, words);
    };
    with(&place.at("nowhere"), &["nowhere", "model.safetensors", "tokenizer.json"]);
    std::fs::create_dir(place.at("bare")).unwrap();
    with(&place.at("bare"), &["bare", "no model.safetensors"]);
    let weights = std::fs::read(place.teacher.join("model.safetensors")).unwrap();
    std::fs::write(place.teacher.join("model.safetensors"), &weights[..weights.len() / 2]).unwrap();
    with(&place.teacher, &["model.safetensors", "damaged or truncated"]);
    std::fs::write(place.teacher.join("model.safetensors"), &weights).unwrap();
    std::fs::write(place.teacher.join("tokenizer.json"), "{\"version\": 1}").unwrap();
    with(&place.teacher, &["tokenizer.json", "no tokenizer"]);
}

/// Many texts of many lengths.
fn many(place: &Place, count: usize) -> PathBuf {
    let line = |i: usize| format!("number {i} {}\n", "word ".repeat(i * i % 10));
    place.file("many.txt", (0..count).map(line).collect::<String>())
}

/// Waits until `path` is there, as long as the child runs.
fn wait_for(path: &Path, child: &mut Child) {
    while !path.exists() {
        if let Some(status) = child.try_wait().unwrap() {
            panic!("it ended before {} was there: {status}", path.display());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
#[cfg(unix)]
fn interrupted_or_killed_it_goes_on_to_the_same_vectors() {
    let place = Place::new();
    let texts = many(&place, 60_000);
    let unbroken = place.embed(&texts, "unbroken.npy", &[]);
    let out = place.at("v.npy");
    let parts = place.at("v.npy.parts");
    let args = place.args(&texts, &out, &["--part-every", "0"]);
    let start = || {
        let mut command = lnsp(&[]);
        command.args(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    for signal in ["-INT", "-KILL"] {
        let mut child = start();
        wait_for(&parts.join("000001.safetensors"), &mut child);
        let pid = child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let ended = child.wait_with_output().unwrap();
        assert!(!out.exists(), "{signal}: no partial output");
        if signal == "-INT" {
            let message = text(&ended.stderr);
            assert_eq!(ended.status.code(), Some(130), "{message}");
            assert!(message.contains("error: stopped after") && message.contains("goes on"));
        }
        // Parts of one text are not taken for those of another.
        let other = place.file("other.txt", "a\n");
        let refused = lnsp(&[]).args(place.args(&other, &out, &[])).output().unwrap();
        assert!(text(&refused.stderr).contains("another text"), "{}", text(&refused.stderr));
        let ended = start().wait_with_output().unwrap();
        let said = text(&ended.stderr);
        assert!(ended.status.success() && said.contains("going on from text"), "{said}");
        assert_close(&read(&out), &unbroken, 1e-5);
        assert!(!parts.exists());
        std::fs::remove_file(&out).unwrap();
    }
}

#[test]
fn leaves_out_what_is_among_other_vectors() {
    let place = Place::new();
    let some = place.file("some.txt", "seven cats\nNothing else.\n");
    let lines = "a dog\nseven cats\nanother text\nNOTHING else.\nquick brown fox\n";
    let all = place.file("all.txt", lines);
    place.embed(&some, "some.npy", &["--dtype", "f16"]);
    let kept = place.embed(&all, "v.npy", &["--exclude", word(&place.at("some.npy"))]);
    let every = place.embed(&all, "every.npy", &[]);
    assert_close(&kept, &every.gather_rows(&[0, 2, 4]), 1e-6);
    let exclude = ["--exclude", word(&place.at("every.npy"))].map(str::to_owned);
    let exclude: Vec<&str> = exclude.iter().map(String::as_str).collect();
    std::fs::remove_file(place.at("v.npy")).unwrap();
    place.refuse(&all, "v.npy", &exclude, &["all 5 vectors", "--exclude"]);
}

#[test]
fn texts_stand_wherever_vectors_do() {
    let place = Place::new();
    let texts = many(&place, 600);
    let vectors = place.embed(&texts, "v.npy", &[]);
    let (student, latents) = (place.at("s.safetensors"), place.at("l.npy"));
    let by_text = ["--device", "cpu", "--text", word(&texts), "--teacher", word(&place.teacher)];
    let by_text = [&by_text[..], &["--max-tokens", "48"]].concat();
    let train = [
        "train",
        "--arch",
        "20-16-8-16-20",
        "--epochs",
        "1",
        "--batch",
        "64",
        "--out",
        word(&student),
    ];
    succeed(&[&train[..], &by_text[..]].concat());
    let encode = ["encode", "--student", word(&student), "--out", word(&latents)];
    succeed(&[&encode[..], &by_text[..]].concat());
    let from_text = read(&latents);
    let input = ["--device", "cpu", "--in", word(&place.at("v.npy"))].map(str::to_owned);
    let input: Vec<&str> = input.iter().map(String::as_str).collect();
    succeed(&[&encode[..], &input[..]].concat());
    assert_close(&read(&latents), &from_text, 1e-5);
    let training = place.at("v.npy");
    let eval = ["eval", "--json", "--student", word(&student), "--training", word(&training)];
    let eval = [&eval[..], &["--resamples", "10"]].concat();
    let report = |more: &[&str]| -> serde_json::Value {
        serde_json::from_str(&succeed(&[&eval[..], more].concat())).unwrap()
    };
    let lines = std::fs::read_to_string(&texts).unwrap();
    let rows: String = lines.lines().map(|line| format!("1,{line}\n")).collect();
    let table = place.file("many.csv", format!("id,body\n{rows}"));
    let by_table = ["--text", word(&table), "--column", "body", "--max-tokens", "48"];
    let by_table =
        [&by_table[..], &["--device", "cpu", "--teacher", word(&place.teacher)]].concat();
    let by_vectors = ["--device", "cpu", "--vectors", word(&training)];
    let (a, b) = (report(&by_table), report(&by_vectors));
    assert_eq!(vectors.rows(), 600);
    let codes = |report: &serde_json::Value| {
        let rows = report["rows"].as_array().unwrap().iter();
        rows.map(|row| row["name"].to_string()).collect::<std::collections::BTreeSet<_>>()
    };
    assert!(codes(&a).len() > 3, "{a}");
    assert_eq!(codes(&a), codes(&b));
    // Nothing, or both.
    refuse(&["encode", "--student", word(&student), "--out", "x.npy"], 2, &["--in"]);
    refuse(&[&encode[..], &by_text[..], &input[2..]].concat(), 2, &["cannot be used with"]);
    refuse(
        &[&eval[..], &by_text[..], &["--vectors", "v.npy"]].concat(),
        2,
        &["cannot be used with"],
    );
    let tensor = [&encode[..], &by_text[..], &["--tensor", "x"]].concat();
    refuse(&tensor, 1, &["--tensor", "not for text"]);
    assert_eq!(run(&["embed", "--help"]).status.code(), Some(0));
}
