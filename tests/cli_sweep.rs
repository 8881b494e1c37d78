//! `lnsp sweep` as a person or a script runs it.
#![cfg(feature = "cli")]

mod command;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use command::{SmallDisk, lnsp, names, refuse, succeed, text, vectors, word, write};
use lnsp::student::StudentFile;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::Value;

/// The vectors of the tests, and the settings that make a run short.
const FIXED: [&str; 6] = ["--arch", "12-9-6-9-12", "--batch", "32", "--validation-rows", "40"];

struct Place {
    _folder: tempfile::TempDir,
    vectors: PathBuf,
    out: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        write(&at("v.npy"), &vectors(400, 12, 5));
        Self { vectors: at("v.npy"), out: at("runs.jsonl"), _folder: folder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.out.with_file_name(name)
    }

    /// `lnsp sweep` with results in `out`.
    fn args<'a>(&'a self, out: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
        let mut args = vec!["sweep", "--device", "cpu", "--vectors", word(&self.vectors)];
        args.extend(["--out", word(out)]);
        args.extend(FIXED.iter().chain(more));
        args
    }

    fn sweep<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        self.args(&self.out, more)
    }
}

fn lines(path: &Path) -> Vec<Value> {
    let all = std::fs::read_to_string(path).unwrap_or_default();
    all.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The runs by identity, without what depends on the clock; each must be there once.
fn runs(path: &Path) -> BTreeMap<String, Value> {
    let all = lines(path);
    let count = all.len();
    let by_id: BTreeMap<String, Value> = all
        .into_iter()
        .map(|mut run| {
            run["seconds"] = Value::Null;
            (run["id"].as_str().unwrap().to_string(), run)
        })
        .collect();
    assert_eq!(by_id.len(), count, "a run was done twice");
    by_id
}

fn json(args: &[&str]) -> Value {
    serde_json::from_str(&succeed(&[args, &["--json"]].concat())).unwrap()
}

const GRID: [&str; 6] = ["--alignment-weight", "0.5,1", "--epochs", "1,2", "--seed", "1..3"];

#[test]
fn every_combination_is_trained_and_summed_up() {
    let place = Place::new();
    let sweep = json(&place.sweep(&GRID));
    let all = sweep["runs"].as_array().unwrap();
    assert_eq!((all.len(), lines(&place.out).len()), (12, 12));
    let first = &all[0]["config"];
    assert_eq!((&first["epochs"], &first["alignment_weight"]), (&1.into(), &0.5.into()));
    assert_eq!(first["validation_rows"], 0);
    for run in all {
        let score = &run["validation"];
        let part = |name: &str| score[name].as_f64().unwrap();
        let mean = (part("overlap_at_10") + part("spearman") + part("cosine")) / 3.0;
        assert!((part("score") - mean).abs() < 1e-12, "{run}");
        assert_eq!(run["data"]["validation_rows"], 40);
        assert_eq!(run["steps"], 11 * run["config"]["epochs"].as_u64().unwrap());
    }
    // Four settings with three seeds each, the best mean first.
    let settings = sweep["settings"].as_array().unwrap();
    assert_eq!(settings.len(), 4);
    let means: Vec<f64> = settings.iter().map(|s| s["score"]["mean"].as_f64().unwrap()).collect();
    assert!(means.windows(2).all(|w| w[0] >= w[1]), "{means:?}");
    assert_eq!(settings[0]["seeds"].as_array().unwrap().len(), 3);
    assert!(settings[0]["score"]["deviation"].as_f64().unwrap() >= 0.0);
    let best = all.iter().map(|r| r["validation"]["score"].as_f64().unwrap()).fold(0.0, f64::max);
    let chosen = all.iter().find(|r| r["id"] == sweep["best"]).unwrap();
    assert_eq!(chosen["validation"]["score"], best);
    let file = std::fs::read(place.at("runs.best.safetensors")).unwrap();
    let info = StudentFile::from_bytes("best", &file).unwrap().info;
    assert_eq!(info.metrics["validation_score"], best);
    assert_eq!(info.training_set, "v.npy, 360 vectors");
    assert_eq!(sweep["note"]["verdict"], "not comparable: undefined");
    // The whole again takes no training, and says the same; people get tables.
    let again = json(&place.sweep(&GRID));
    assert_eq!(again, sweep);
    let out = succeed(&place.sweep(&GRID));
    for words in ["CV", "not comparable", "beside PCA-6", "next, on all vectors: lnsp train"] {
        assert!(out.contains(words), "{words}: {out}");
    }
    let csv = succeed(&place.sweep(&[&GRID[..], &["--csv"]].concat()));
    assert_eq!(csv.lines().count(), 13);
    assert!(csv.starts_with("run,arch,alignment_weight,batch,"), "{csv}");
    let dry = succeed(&place.sweep(&[&GRID[..], &["--dry-run"]].concat()));
    assert!(dry.contains("epochs 2, seed 3") && dry.contains("12 runs over"), "{dry}");
}

#[test]
fn a_run_is_what_lnsp_train_gives_on_the_same_vectors() {
    let place = Place::new();
    let more = ["--seed", "5", "--epochs", "2", "--init", "random", "--learning-rate", "0.01"];
    succeed(&place.sweep(&more));
    // The rows that were not set aside.
    let split = lnsp::train::Split::new(400, 40, 727);
    let kept = place.at("kept.npy");
    write(&kept, &vectors(400, 12, 5).gather_rows(&split.training));
    let out = place.at("plain.safetensors");
    let mut train = vec!["train", "--device", "cpu", "--vectors", word(&kept), "--out", word(&out)];
    train.extend(["--arch", "12-9-6-9-12", "--batch", "32", "--validation-rows", "0"]);
    train.extend(more);
    succeed(&train);
    let read = |path: &Path| StudentFile::from_bytes("s", &std::fs::read(path).unwrap()).unwrap();
    let (plain, best) = (read(&out), read(&place.at("runs.best.safetensors")));
    assert_eq!(plain.parameters, best.parameters);
}

#[test]
fn held_out_vectors_are_for_the_best_alone() {
    let place = Place::new();
    let held = place.at("held.npy");
    write(&held, &vectors(90, 12, 6));
    let sweep = json(&place.sweep(&["--held-out", word(&held), "--seed", "1,2", "--epochs", "1"]));
    let beside = sweep["beside_pca"].as_array().unwrap();
    assert_eq!((beside.len(), &beside[1]["rows"]), (2, &90.into()));
    assert_eq!(beside[1]["vectors"], "held out");
    assert!(sweep["runs"].as_array().unwrap().iter().all(|run| run.get("held_out").is_none()));
}

#[test]
fn random_draws_repeat_and_shards_make_the_whole() {
    let place = Place::new();
    let drawn = ["--random", "5", "--learning-rate", "1e-4..1e-2:log", "--seed", "1,2"];
    let fixed = [&drawn[..], &["--epochs", "1"]].concat();
    let whole = json(&place.sweep(&fixed));
    assert_eq!(whole["runs"].as_array().unwrap().len(), 10);
    let [a, b, all] = ["a.jsonl", "b.jsonl", "all.jsonl"].map(|name| place.at(name));
    succeed(&place.args(&a, &[&fixed[..], &["--shard", "1/2"]].concat()));
    let half = json(&place.args(&b, &[&fixed[..], &["--shard", "2/2", "--jobs", "1"]].concat()));
    assert_eq!(half["runs"].as_array().unwrap().len(), 5);
    let merge = ["--merge", word(&a), "--merge", word(&b)];
    let merged = json(&place.args(&all, &[&fixed[..], &merge].concat()));
    assert_eq!(runs(&all), runs(&place.out));
    assert_eq!(merged["best"], whole["best"]);
    // The best student was trained again for it.
    let best = |name: &str| std::fs::read(place.at(name)).unwrap();
    assert!(best("all.best.safetensors") == best("runs.best.safetensors"));
    let other = json(&place.args(&a, &[&fixed[..], &["--random-seed", "1"]].concat()));
    assert_ne!(other["runs"][0]["config"], whole["runs"][0]["config"]);
}

#[test]
fn merging_says_what_came_twice_and_what_is_missing() {
    let place = Place::new();
    let fixed = ["--seed", "1..6", "--epochs", "1"];
    let folder = place.at("shards");
    std::fs::create_dir(&folder).unwrap();
    let [first, second] = ["a.jsonl", "b.jsonl"].map(|name| folder.join(name));
    for (out, shard) in [(&first, "1/3"), (&second, "3/3")] {
        succeed(&place.args(out, &[&fixed[..], &["--shard", shard]].concat()));
    }
    // The first shard once more, with a run whose score another machine rounded otherwise.
    let copy = std::fs::read_to_string(&first).unwrap();
    let score = |line: &str| line.find("\"score\":0.").unwrap() + "\"score\":0.".len();
    let at = score(&copy);
    let other = if &copy[at..=at] == "1" { "2" } else { "1" };
    let altered = format!("{}{other}{}", &copy[..at], &copy[at + 1..]);
    std::fs::write(folder.join("c.jsonl"), altered).unwrap();
    let dry = ["--merge", word(&folder), "--dry-run"];
    let dry = json(&place.args(&place.out, &[&fixed[..], &dry].concat()));
    assert_eq!(
        (&dry["files"], &dry["runs"], &dry["duplicates"]),
        (&3.into(), &4.into(), &2.into())
    );
    let named = |key: &str| dry[key].as_array().unwrap().iter().map(text_of).collect::<Vec<_>>();
    assert_eq!(named("missing"), ["seed 2", "seed 5"]);
    assert!([["seed 1"], ["seed 4"]].iter().any(|one| named("differing") == one), "{dry}");
    assert!(!place.out.exists(), "a dry run writes nothing");
    // What is missing is trained; what is of another search is counted.
    let third = folder.join("c.jsonl");
    let merge = ["--merge", word(&first), word(&second), word(&third)];
    let merged =
        json(&place.args(&place.out, &[&["--seed", "1..5", "--epochs", "1"], &merge[..]].concat()));
    assert_eq!(merged["runs"].as_array().unwrap().len(), 5);
    assert_eq!(
        (&merged["merged"]["others"], &merged["merged"]["duplicates"]),
        (&1.into(), &2.into())
    );
    let empty = place.at("empty");
    std::fs::create_dir(&empty).unwrap();
    let args = place.args(&place.out, &[&fixed[..], &["--merge", word(&empty)]].concat());
    refuse(&args, 1, &["holds no .jsonl"]);
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn a_training_that_diverges_is_a_run_like_others() {
    let place = Place::new();
    let more = ["--learning-rate", "1e-3,1e30", "--clip-norm", "0", "--warmup", "0"];
    let args = place.sweep(&more);
    let sweep = json(&args);
    assert!(sweep["runs"][1]["failure"].as_str().unwrap().contains("no longer finite"));
    assert_eq!(sweep["runs"][1]["validation"], Value::Null);
    assert_eq!(sweep["best"], sweep["runs"][0]["id"]);
    assert_eq!(json(&args), sweep, "and is not done again");
    let all = place.at("all.jsonl");
    let out = succeed(&place.args(&all, &["--learning-rate", "1e30", "--clip-norm", "0"]));
    assert!(out.contains("Every training diverged"), "{out}");
    assert!(!place.at("all.best.safetensors").exists());
}

/// Runs of [`long`].
const LONG: usize = 160;

/// Many runs, long enough to be hit on the way.
fn long(place: &Place, out: &Path) -> Vec<String> {
    let more = ["--seed", "1..40", "--geometry-weight", "1,10", "--epochs", "30,60", "--quiet"];
    place.args(out, &more).iter().map(|word| word.to_string()).collect()
}

fn start(args: &[String]) -> Child {
    let mut command = lnsp(&[]);
    command.args(args).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Whole lines in a file.
fn whole_lines(path: &Path) -> usize {
    std::fs::read(path).map_or(0, |bytes| bytes.iter().filter(|b| **b == b'\n').count())
}

#[test]
#[cfg(unix)]
fn killed_at_twenty_moments_it_comes_to_the_same() {
    let place = Place::new();
    let unbroken = place.at("unbroken.jsonl");
    assert!(start(&long(&place, &unbroken)).wait_with_output().unwrap().status.success());
    let args = long(&place, &place.out);
    let mut rng = ChaCha8Rng::seed_from_u64(20);
    let (mut kills, mut rounds) = (0, 0);
    while kills < 20 {
        rounds += 1;
        assert!(rounds < 200, "only {kills} of {rounds} were alive to be killed");
        let before = whole_lines(&place.out);
        let mut child = start(&args);
        // After none, one or two more runs, and some microseconds beyond: while reading, in a
        // training, in a write.
        let (more, beyond) = (rng.random_range(0..3), rng.random_range(0..30_000));
        while whole_lines(&place.out) < before + more && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        let moment = Instant::now();
        while moment.elapsed() < Duration::from_micros(beyond) {
            std::thread::yield_now();
        }
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            kills += usize::from(child.wait_with_output().unwrap().status.code().is_none());
        }
    }
    let done = whole_lines(&place.out);
    assert!(done < LONG, "the sweep was over before the twentieth kill");
    assert!(done > 0, "no run survived");
    assert!(start(&args).wait_with_output().unwrap().status.success());
    assert_eq!(runs(&place.out).len(), LONG);
    assert_eq!(runs(&place.out), runs(&unbroken));
    let best = |name: &str| std::fs::read(place.at(name)).unwrap();
    assert!(best("runs.best.safetensors") == best("unbroken.best.safetensors"));
}

#[test]
#[cfg(unix)]
fn interrupted_it_says_how_to_go_on_and_a_second_one_waits() {
    let place = Place::new();
    let mut args = long(&place, &place.out);
    args.retain(|word| word != "--quiet");
    let child = start(&args);
    while whole_lines(&place.out) < 1 {
        std::thread::yield_now();
    }
    // Meanwhile nobody else writes to the file.
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    refuse(&words, 1, &["another lnsp is writing to", "runs.jsonl"]);
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let ended = child.wait_with_output().unwrap();
    let message = text(&ended.stderr);
    assert_eq!(ended.status.code(), Some(130), "{message}");
    assert!(message.contains("of 160 runs are in") && message.contains("goes on"), "{message}");
    assert!(message.contains("run 1 of 160: score"), "{message}");
    let there = lines(&place.out).len();
    assert!((1..LONG).contains(&there), "{there}");
    let out = command::run(&[&words[..], &["--json"]].concat());
    let again = text(&out.stderr);
    assert!(again.contains(&format!("{there} of them done already")), "{again}");
    assert_eq!(lines(&place.out).len(), LONG);
}

#[test]
fn torn_lines_are_dropped_and_others_refused() {
    let place = Place::new();
    let short = ["--seed", "1,2", "--epochs", "1"];
    let sweep = json(&place.sweep(&short));
    let whole = std::fs::read(&place.out).unwrap();
    // Cut in the second line, and right before its end.
    for cut in [whole.len() - 100, whole.len() - 2, whole.len() - 1] {
        std::fs::write(&place.out, &whole[..cut]).unwrap();
        let output = command::run(&place.sweep(&short));
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{message}");
        assert_eq!(message.contains("cut short"), cut < whole.len() - 1, "{message}");
        assert_eq!(runs(&place.out).len(), 2);
        assert_eq!(std::fs::read(&place.out).unwrap().last(), Some(&b'\n'));
    }
    assert_eq!(json(&place.sweep(&short))["best"], sweep["best"]);
    for garbage in ["garbage\n", "{}\n", "\u{0}\u{1}\n", "[1,2]\n"] {
        let spoiled = [garbage.as_bytes(), &whole].concat();
        std::fs::write(&place.out, &spoiled).unwrap();
        refuse(&place.sweep(&short), 1, &["runs.jsonl", "line 1", "--out"]);
        assert_eq!(std::fs::read(&place.out).unwrap(), spoiled, "not ours to change");
    }
    // Of other vectors, of another slice.
    std::fs::write(&place.out, &whole).unwrap();
    let other = place.at("other.npy");
    write(&other, &vectors(400, 12, 6));
    let mut args = place.sweep(&short);
    args[4] = word(&other);
    refuse(&args, 1, &["runs.jsonl", "line 1", "other vectors", "--out"]);
    let rows = [&short[..], &["--validation-seed", "1"]].concat();
    refuse(&place.sweep(&rows), 1, &["--validation-seed 727"]);
    assert_eq!(std::fs::read(&place.out).unwrap(), whole);
    // More values go on from what is there.
    assert_eq!(json(&place.sweep(&["--seed", "1..3", "--epochs", "1"]))["runs"][2]["steps"], 11);
    assert_eq!(runs(&place.out).len(), 3);
}

#[test]
fn bad_input_is_one_clear_error_before_anything_is_trained() {
    let place = Place::new();
    let cases: [(&[&str], i32, &str); 16] = [
        (&["--alignment-weight", ""], 2, "empty list"),
        (&["--learning-rate", "1e-3,NaN"], 2, "finite"),
        (&["--learning-rate", "1,,2"], 2, "empty place"),
        (&["--seed", "3..1"], 2, "goes down"),
        (&["--geometry-weight", "0..1:log"], 2, "above 0"),
        (&["--epochs", "2.5"], 2, "whole number"),
        (&["--learning-rate", "0.1,0"], 1, "--learning-rate"),
        (&["--learning-rate", "0.1,-1"], 1, "--learning-rate"),
        (&["--epochs", "5000000000"], 1, "--epochs"),
        (&["--random", "0"], 2, "--random"),
        (&["--shard", "3/2"], 2, "I/N"),
        (&["--seed", "1..999", "--epochs", "1..99"], 1, "--random"),
        (&["--validation-rows", "200"], 2, "--validation-rows"),
        (&["--csv", "--json"], 2, "exclude"),
        (&["--variant", "sn727", "--init", "spectral"], 1, "--init random"),
        (&["--patience", "2"], 2, "--patience"),
    ];
    for (more, code, words) in cases {
        refuse(&place.sweep(more), code, &[words]);
    }
    let mut base = vec!["sweep", "--device", "cpu", "--vectors", word(&place.vectors)];
    base.extend(["--out", word(&place.out)]);
    refuse(&[&base[..], &["--width", "256,0"]].concat(), 1, &["--width 0"]);
    refuse(&[&base[..], &["--width", "256"]].concat(), 1, &["12 wide", "--arch"]);
    let two = ["--arch", "12-9-6-9-12", "--arch", "13-9-6-9-13"];
    refuse(&[&base[..], &two].concat(), 2, &["same vectors"]);
    let few = ["--arch", "12-9-6-9-12", "--validation-rows", "10"];
    refuse(&[&base[..], &few].concat(), 1, &["--validation-rows", "at least 11"]);
    refuse(&[&base[..], &["--arch", "12-9-6-9-12", "--batch", "1"]].concat(), 1, &["--batch"]);
    let nowhere = place.at("none").join("runs.jsonl");
    refuse(&place.args(&nowhere, &GRID), 1, &["none"]);
    refuse(&place.args(place.out.parent().unwrap(), &GRID), 1, &["no regular file"]);
    let student = ["--student", word(&place.out)];
    refuse(&place.sweep(&student), 2, &["runs.jsonl"]);
    assert_eq!(names(place.out.parent().unwrap()), ["v.npy"]);
}

#[test]
fn a_full_disk_keeps_the_runs_before() {
    let place = Place::new();
    let folder = place.at("disk");
    let Some(_disk) = SmallDisk::mount(&folder, 16) else { return };
    let out = folder.join("runs.jsonl");
    let student = place.at("s.safetensors");
    let more = ["--seed", "1..40", "--epochs", "1", "--student", word(&student)];
    let message = refuse(&place.args(&out, &more), 1, &["No space left", "of 40 runs are in"]);
    let there = lines(&out);
    assert!(!there.is_empty(), "{message}");
    // Where there is room it goes on.
    let roomy = place.at("roomy.jsonl");
    std::fs::copy(&out, &roomy).unwrap();
    succeed(&place.args(&roomy, &more));
    assert_eq!(runs(&roomy).len(), 40);
}

#[test]
fn help_says_how_runs_are_chosen() {
    let help = succeed(&["sweep", "--help"]);
    for words in ["--alignment-weight", "set aside", "Held-out", "goes on", "LOW..HIGH", "--shard"]
    {
        assert!(help.contains(words), "{words}:\n{help}");
    }
}
