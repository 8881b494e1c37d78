//! `lnsp eval --task` and `lnsp compare` as a person or a script runs them, with a teacher of one
//! small layer.
#![cfg(feature = "cli")]

mod command;
mod tiny_teacher;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use command::{lnsp, refuse, succeed, text, vectors, word, write};
use lnsp::Arch;
use lnsp::linalg::Pca;
use lnsp::student::{Parameters, StudentFile, StudentInfo};

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        tiny_teacher::write(&place.at("teacher"));
        let arch: Arch = "20-14-6-14-20".parse().unwrap();
        let fit = vectors(150, 20, 1);
        let pca = Pca::fit(&fit, false).unwrap().truncated(6).unwrap();
        let mut info = StudentInfo::new(&arch);
        info.teacher = "teacher".into();
        let parameters = Parameters::spectral(&arch, &pca, 1).unwrap();
        let student = StudentFile { parameters, info, code: None };
        std::fs::write(place.at("student.safetensors"), student.to_bytes().unwrap()).unwrap();
        write(&place.at("fit.npy"), &fit);
        write(&place.at("held_out.npy"), &vectors(30, 20, 2));
        place.put("pairs.tsv", "# made up\nthe cat\ta cat\t5\na dog\tthe king\t1\ncats purr\tthe cat sat\t3.5\nthe market fell\ta dog\t0\n");
        place.put("words.txt", ": sexes\nman woman king queen\nboy girl man woman\n: towns\nAthens Greece Oslo Norway\n");
        place.put("set/corpus.jsonl", "{\"_id\": \"1\", \"title\": \"cats\", \"text\": \"cats purr\"}\n{\"_id\": \"2\", \"text\": \"dogs bark\"}\n{\"_id\": \"3\", \"text\": \"shares fell\"}\n");
        place.put("set/queries.jsonl", "{\"_id\": \"a\", \"text\": \"which animals do purr\"}\n{\"_id\": \"b\", \"text\": \"the market fell\"}\n");
        place.put("set/qrels/test.tsv", "query-id\tcorpus-id\tscore\na\t1\t1\nb\t3\t2\n");
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn put(&self, name: &str, text: &str) {
        let path = self.at(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn task(&self, kind: &str, name: &str) -> String {
        format!("{kind}:{}", self.at(name).display())
    }

    /// `eval` with everything that is small here.
    fn eval(&self, more: &[&str]) -> Vec<String> {
        let paths = ["student.safetensors", "fit.npy", "teacher"].map(|name| self.at(name));
        let [student, fit, teacher] = paths.each_ref().map(|path| word(path));
        let args = ["eval", "--student", student, "--training", fit, "--teacher", teacher];
        let few = ["--resamples", "20", "--device", "cpu", "--max-tokens", "40"];
        let args = [&args[..], &few, more].concat();
        args.into_iter().map(String::from).collect()
    }

    fn compare(&self, more: &[&str]) -> Vec<String> {
        let (student, teacher) = (self.at("student.safetensors"), self.at("teacher"));
        let args = ["compare", "--student", word(&student), "--teacher", word(&teacher)];
        let args = [&args[..], &["--device", "cpu", "--max-tokens", "40"], more].concat();
        args.into_iter().map(String::from).collect()
    }
}

fn words(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

#[test]
fn tasks_alone_and_beside_vectors() {
    let place = Place::new();
    let tasks = [("sts", "pairs.tsv"), ("beir", "set"), ("analogy", "words.txt")];
    let [a, b, c] = tasks.map(|(kind, name)| place.task(kind, name));
    let three = ["--task", &a, "--task", &b, "--task", &c];
    let shown = succeed(&words(&place.eval(&three)));
    for words in [
        "Similarity of pairs: ",
        "Retrieval: ",
        "Analogies: ",
        "student, int8 latents *",
        "nDCG@10",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(!shown.contains("Neighbours kept"), "no held-out vectors were asked for");

    let report = place.at("tasks.html");
    let json = place.eval(&[&three[..], &["--json", "--report", word(&report)]].concat());
    let json = succeed(&words(&json));
    let found: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(found["tasks"][1]["kind"], "beir");
    assert!(found["held_out"].is_null() && found["student"]["teacher"] == "teacher");
    let page = std::fs::read_to_string(&report).unwrap();
    assert!(page.contains("Right answers by section") && !page.contains("Neighbours kept"));

    let held_out = place.at("held_out.npy");
    let both = [&three[..2], &["--vectors", word(&held_out), "--report", word(&report)]].concat();
    let shown = succeed(&words(&place.eval(&both)));
    assert!(shown.contains("Neighbours kept") && shown.contains("Similarity of pairs"));
    let page = std::fs::read_to_string(&report).unwrap();
    let at = |words: &str| page.find(words).unwrap_or_else(|| panic!("{words}"));
    assert!(at("Neighbours kept") < at("Similarity of pairs"));
    assert!(at("Similarity of pairs") < at("How this was measured"));
    let json = succeed(&words(&place.eval(&[&both[..4], &["--json"]].concat())));
    let found: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&found["held_out"]["rows"], &found["tasks"][0]["items"]), (&30.into(), &4.into()));
}

#[test]
fn bad_tasks_are_refused_before_the_work() {
    let place = Place::new();
    place.put("bad.tsv", "a\tb\t1\na\tb\n");
    place.put("bad.txt", "a b c\n");
    std::fs::write(place.at("latin.tsv"), b"a\tb\t1\ncaf\xe9\tb\t2\n").unwrap();
    place.put("half/corpus.jsonl", "{\"_id\": \"1\", \"text\": \"x\"}\n");
    place.put("half/qrels.tsv", "a\t1\t1\n");
    place.put("json/corpus.jsonl", "{\"_id\": \"1\", \"text\": \"x\"}\nnot json\n");
    place.put("json/queries.jsonl", "");
    place.put("json/qrels.tsv", "a\t1\t1\n");
    let cases = [
        ("sts", "bad.tsv", "bad.tsv: line 2 has 2 columns"),
        ("sts", "latin.tsv", "line 2 is not UTF-8"),
        ("sts", "none.tsv", "none.tsv"),
        ("sts", "set", "is a folder"),
        ("analogy", "bad.txt", "line 1 has 3 words"),
        ("beir", "pairs.tsv", "neither qrels/test.tsv nor qrels.tsv"),
        ("beir", "half", "queries.jsonl"),
        ("beir", "json", "corpus.jsonl: line 2 is not an object"),
    ];
    for (kind, name, wanted) in cases {
        let task = place.task(kind, name);
        refuse(&words(&place.eval(&["--task", &task])), 1, &["--task", wanted]);
    }
    refuse(&words(&place.eval(&["--task", "qa:file"])), 2, &["sts:FILE.tsv, beir:FOLDER"]);
    let task = place.task("sts", "pairs.tsv");
    let report = place.at("no/folder/x.html");
    refuse(&words(&place.eval(&["--task", &task, "--report", word(&report)])), 1, &["x.html"]);
}

#[test]
fn a_few_sentences_before_and_after() {
    let place = Place::new();
    let shown = succeed(&words(&place.compare(&["The cat sat.", "A dog lay.", "Shares fell."])));
    assert!(shown.contains("Before: the teacher's vectors"), "{shown}");
    assert!(shown.contains("After: the student's latents"), "{shown}");
    for label in ["1 The cat sat.", "2 A dog lay.", "3 Shares fell."] {
        assert_eq!(shown.matches(label).count(), 2, "{shown}");
    }
    assert!(shown.contains("order of"), "{shown}");
    let shown = succeed(&words(&place.compare(&["the cat", "the cat", "--output"])));
    assert!(shown.contains("After: the student's output"), "{shown}");
    assert!(shown.contains("The cosine of the two texts goes from 1.000 to 1.000."), "{shown}");

    // Over-long texts are cut, in their label and by the teacher.
    let long = "the cat sat on the mat ".repeat(40);
    let args = place.compare(&[&long, "a dog"]);
    let output = lnsp(&words(&args)).output().unwrap();
    let (shown, said) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success() && said.contains("1 of 2 texts longer than"), "{said}");
    assert!(
        shown.contains('…') && shown.lines().all(|line| line.chars().count() <= 100),
        "{shown}"
    );

    place.put("texts.txt", "\u{feff}the king\r\n\n  \nthe queen\r\n");
    let file = place.at("texts.txt");
    let json = succeed(&words(&place.compare(&["a man", "--text", word(&file), "--json"])));
    let found: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(found["texts"], serde_json::json!(["a man", "the king", "the queen"]));
    let teacher = &found["teacher"];
    let cosine = |r: usize, c: usize| teacher[r][c].as_f64().unwrap();
    assert!((cosine(1, 1) - 1.0).abs() < 1e-5 && (cosine(0, 2) - cosine(2, 0)).abs() < 1e-5);
    assert!(found["latents"]["summary"].is_string() && found["output"]["cosines"].is_array());
}

#[test]
fn standard_input_and_what_is_no_comparison() {
    let place = Place::new();
    let piped = |more: &[&str], input: &[u8]| {
        let args = place.compare(more);
        let mut command = lnsp(&words(&args));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // What does not read its input closes it.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    };
    for more in [&["--text", "-"][..], &[]] {
        let output = piped(more, b"the cat\nthe dog\n");
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains("2 the dog"));
    }
    let many = "a cat\n".repeat(65);
    let refused: [(&[&str], &[u8], &str); 6] = [
        (&[], b"", "no texts"),
        (&["only one"], b"", "only one text"),
        (&["--text", "-"], b"\n\none\n", "only one text"),
        (&["one", "  "], b"", "text 2 is empty"),
        (&["--text", "-"], many.as_bytes(), "65 texts are too many"),
        (&["--text", "-"], b"caf\xe9\nx\n", "standard input: is not UTF-8"),
    ];
    for (more, input, wanted) in refused {
        let output = piped(more, input);
        let said = text(&output.stderr);
        assert!(!output.status.success() && said.contains(wanted), "{more:?}: {said}");
        assert!(output.stdout.is_empty());
    }
    let teacher = place.at("teacher");
    let here = |folder: &Path| {
        let mut command =
            lnsp(&["compare", "a", "b", "--max-tokens", "40", "--teacher", word(&teacher)]);
        command.current_dir(folder).output().unwrap()
    };
    let output = here(teacher.as_path());
    assert!(text(&output.stderr).contains("`lnsp demo` makes the first"));
    assert!(here(place.folder.path()).status.success(), "student.safetensors is here");
    refuse(&words(&place.compare(&["a", "b", "--text", "none.txt"])), 1, &["none.txt"]);
}
