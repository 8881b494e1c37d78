//! `lnsp train` as a person or a script runs it.
#![cfg(feature = "cli")]

mod command;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use command::{SmallDisk, lnsp, names, refuse, run, succeed, text, vectors, word, write};
use lnsp::device::Device;
use lnsp::format::{ReadOptions, read_all};
use lnsp::student::{Init, StudentFile};
use lnsp::train::{Budget, Checkpoint, TrainConfig, Trainer};
use lnsp::{Arch, Precision};

const ARCH: &str = "12-9-6-9-12";
const SETTINGS: [&str; 6] = ["--epochs", "3", "--batch", "32", "--validation-rows", "60"];

struct Place {
    _folder: tempfile::TempDir,
    vectors: PathBuf,
    out: PathBuf,
    checkpoint: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (training, out) = (at("v.npy"), at("s.safetensors"));
        write(&training, &vectors(400, 12, 5));
        let checkpoint = at("s.safetensors.checkpoint");
        Self { vectors: training, out, checkpoint, _folder: folder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.out.with_file_name(name)
    }

    /// The command for a student of `arch`, written to `out`.
    fn args<'a>(&'a self, arch: &'a str, out: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
        let mut args = vec!["train", "--device", "cpu", "--vectors", word(&self.vectors)];
        args.extend(["--out", word(out), "--arch", arch]);
        args.extend(more);
        args
    }

    fn train<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let more: Vec<&str> = SETTINGS.iter().chain(more).copied().collect();
        self.args(ARCH, &self.out, &more)
    }
}

fn config() -> TrainConfig {
    let suited = TrainConfig::suited_to(&ARCH.parse().unwrap(), Some(Init::Spectral));
    TrainConfig { epochs: 3, batch: 32, validation_rows: 60, ..suited }
}

fn student(path: &Path) -> StudentFile {
    StudentFile::from_bytes("s", &std::fs::read(path).unwrap()).unwrap()
}

/// A checkpoint after `steps` steps, by the library.
fn checkpoint_after(place: &Place, steps: u64) -> Vec<u8> {
    let bytes = std::fs::read(&place.vectors).unwrap();
    let data = Arc::new(read_all("v.npy", &bytes, &ReadOptions::default()).unwrap());
    pollster::block_on(async {
        let arch: Arch = ARCH.parse().unwrap();
        let mut trainer = Trainer::new(&Device::cpu(), &arch, &config(), data).await.unwrap();
        trainer.advance(Budget::steps(steps)).await.unwrap();
        trainer.checkpoint().await.unwrap().to_bytes().unwrap()
    })
}

#[test]
fn a_student_that_says_where_it_comes_from() {
    let place = Place::new();
    let output = run(&place.train(&["--json"]));
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    for words in ["reading", "starting from PCA", "epoch  1 of 3", "epoch  3 of 3", "overlap@10"] {
        assert!(errors.contains(words), "{words}: {errors}");
    }
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["steps"], 30); // 340 rows in batches of 32, three times
    assert_eq!(summary["parameters"], 12 * 9 + 9 + 9 * 6 + 6 + 6 * 9 + 9 + 9 * 12 + 12);
    let file = student(&place.out);
    let info = &file.info;
    assert_eq!(info.training_set, "v.npy, 400 vectors");
    assert_eq!((info.teacher.as_str(), info.seed), ("unknown", config().seed));
    assert_eq!(
        (&info.training["epochs"], &info.training["learning_rate"]),
        (&3.into(), &1e-4.into())
    );
    let history = info.training["history"].as_array().unwrap();
    assert_eq!(history.len(), 4, "the start and three epochs");
    let overlap = |at: usize| history[at]["validation_overlap"].as_f64().unwrap();
    assert_eq!(info.metrics["epoch"], 3.0);
    assert_eq!(info.metrics["validation_overlap@10"], overlap(3));
    assert_eq!(info.metrics["start_validation_overlap@10"], overlap(0));
    assert!(info.metrics["final_loss"] > 0.0);
    assert_eq!(names(place.out.parent().unwrap()), ["s.safetensors", "v.npy"]);
    let before = std::fs::read(&place.out).unwrap();
    // With patience, the best epoch's is kept.
    succeed(&place.train(&["--patience", "3"]));
    let info = student(&place.out).info;
    let best = info.metrics["epoch"] as usize;
    let history = info.training["history"].as_array().unwrap();
    let overlaps = history.iter().map(|r| r["validation_overlap"].as_f64().unwrap());
    let highest = overlaps.fold(0.0, f64::max);
    assert_eq!(info.metrics["validation_overlap@10"], highest);
    assert_eq!(history[best]["validation_overlap"], highest);
    // Words for people, and the same student again.
    let out = succeed(&place.train(&[]));
    assert!(out.contains("12→9→6→9→12, 360 parameters") && out.contains("lnsp eval"), "{out}");
    assert_eq!(std::fs::read(&place.out).unwrap(), before);
}

#[test]
fn a_resumed_training_ends_as_an_unbroken_one() {
    let place = Place::new();
    succeed(&place.train(&[]));
    let unbroken = std::fs::read(&place.out).unwrap();
    std::fs::remove_file(&place.out).unwrap();
    // In the first epoch, at the end of one, near the end, after it.
    for steps in [1, 7, 20, 29, 30] {
        std::fs::write(&place.checkpoint, checkpoint_after(&place, steps)).unwrap();
        succeed(&place.train(&["--resume"]));
        assert!(std::fs::read(&place.out).unwrap() == unbroken, "after {steps} steps");
        assert!(!place.checkpoint.exists());
    }
    // Its own settings, without a word about them; the precision of the file is free.
    std::fs::write(&place.checkpoint, checkpoint_after(&place, 11)).unwrap();
    let file = ["train", "--vectors", word(&place.vectors), "--out", word(&place.out)];
    succeed(&[&file[..], &["--device", "cpu", "--resume", "--precision", "int8"]].concat());
    let (small, whole) = (student(&place.out), StudentFile::from_bytes("s", &unbroken).unwrap());
    assert_eq!(
        (small.info.precision, &small.info.training),
        (Precision::Int8, &whole.info.training)
    );
}

#[test]
fn resume_refuses_what_does_not_fit() {
    let place = Place::new();
    refuse(&place.train(&["--resume"]), 1, &["no checkpoint", "without --resume"]);
    let whole = checkpoint_after(&place, 5);
    std::fs::write(&place.checkpoint, &whole).unwrap();
    refuse(&place.train(&[]), 1, &["unfinished training (step 5)", "--resume", "remove"]);
    let contradiction = ["--resume", "--seed", "1", "--activation", "relu"];
    let words = ["--seed 1 where it has 727", "--activation relu where it has gelu"];
    refuse(&place.train(&contradiction), 2, &words);
    let other = place.at("other.npy");
    write(&other, &vectors(400, 12, 6));
    let mut args = place.train(&["--resume"]);
    args[4] = word(&other);
    refuse(&args, 1, &["other vectors"]);
    assert_eq!(std::fs::read(&place.checkpoint).unwrap(), whole, "nothing lost");
    for garbage in [&b""[..], b"garbage", &whole[..whole.len() / 2], &[255; 100]] {
        std::fs::write(&place.checkpoint, garbage).unwrap();
        refuse(&place.train(&["--resume"]), 1, &["s.safetensors.checkpoint", "checkpoint"]);
        refuse(&place.train(&[]), 1, &["no checkpoint", "--checkpoint"]);
        assert_eq!(std::fs::read(&place.checkpoint).unwrap(), garbage, "not ours to remove");
    }
    assert!(!place.out.exists());
}

/// Waits until the child has written a checkpoint.
fn wait_for(path: &Path, child: &mut std::process::Child) {
    let began = Instant::now();
    while !path.exists() {
        assert!(began.elapsed() < Duration::from_secs(120), "no checkpoint");
        assert!(child.try_wait().unwrap().is_none(), "ended before its first checkpoint");
        std::thread::yield_now();
    }
}

#[test]
#[cfg(unix)]
fn interrupted_or_killed_it_goes_on_to_the_same_student() {
    let place = Place::new();
    write(&place.vectors, &vectors(4000, 96, 5));
    let settings = ["--epochs", "60", "--batch", "64", "--checkpoint-every", "0"];
    let train = |more: &[&'static str]| {
        let settings: Vec<&str> = settings.iter().chain(more).copied().collect();
        place.args("96-80-40-80-96", &place.out, &settings).join("\n")
    };
    let words = |joined: &str| joined.split('\n').map(str::to_string).collect::<Vec<_>>();
    let start = |more: &[&'static str]| {
        let mut command = lnsp(&[]);
        command.args(words(&train(more))).stderr(Stdio::piped()).stdout(Stdio::null());
        command.spawn().unwrap()
    };
    assert!(start(&[]).wait_with_output().unwrap().status.success());
    let unbroken = std::fs::read(&place.out).unwrap();
    for signal in ["-INT", "-KILL"] {
        std::fs::remove_file(&place.out).unwrap();
        // What a write that was killed before leaves behind is in nobody's way.
        std::fs::write(place.at(".lnsp-killed.part"), &unbroken[..99]).unwrap();
        let mut child = start(&[]);
        wait_for(&place.checkpoint, &mut child);
        let pid = child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let ended = child.wait_with_output().unwrap();
        assert!(!place.out.exists(), "{signal}: no partial student");
        if signal == "-INT" {
            let message = text(&ended.stderr);
            assert_eq!(ended.status.code(), Some(130), "{message}");
            assert!(message.contains("error: stopped at step") && message.contains("--resume"));
        }
        let kept = std::fs::read(&place.checkpoint).unwrap();
        assert!(Checkpoint::from_bytes("kept", &kept).unwrap().step() > 0);
        assert!(start(&["--resume"]).wait_with_output().unwrap().status.success());
        assert!(std::fs::read(&place.out).unwrap() == unbroken, "{signal}");
        assert!(!place.checkpoint.exists());
    }
}

#[test]
fn what_does_not_fit_in_memory_is_said_before_anything_is_taken() {
    let place = Place::new();
    let mut args = vec!["train", "--vectors", word(&place.vectors), "--out", word(&place.out)];
    args.extend(["--width", "100000000"]);
    refuse(&args, 1, &["115,400,000,576 parameters", "needs", "TB", "available", "--width"]);
    // Beyond what can be counted at all.
    refuse(&place.args("12-2147483648-2147483648-12", &place.out, &[]), 1, &["64 bits"]);
    assert_eq!(names(place.out.parent().unwrap()), ["v.npy"]);
}

#[test]
fn bad_input_is_one_clear_error() {
    let place = Place::new();
    let at = |name: &str| place.at(name);
    let mut broken = vectors(400, 12, 5);
    broken.row_mut(37)[3] = f32::NAN;
    write(&at("nan.npy"), &broken);
    let whole = std::fs::read(&place.vectors).unwrap();
    std::fs::write(at("empty.npy"), b"").unwrap();
    std::fs::write(at("cut.npy"), &whole[..whole.len() - 9]).unwrap();
    std::fs::write(at("garbage.safetensors"), [7; 300]).unwrap();
    let files: [(&str, &[&str]); 5] = [
        ("missing.npy", &["missing.npy"]),
        ("empty.npy", &["empty.npy", "empty"]),
        ("cut.npy", &["cut.npy"]),
        ("garbage.safetensors", &["garbage.safetensors"]),
        ("nan.npy", &["nan.npy, row 37", "value 3 is NaN", "--skip-bad"]),
    ];
    for (name, words) in files {
        let path = at(name);
        let mut args = place.train(&[]);
        args[4] = word(&path);
        refuse(&args, 1, words);
    }
    let settings: [(&[&str], i32, &str); 8] = [
        (&["--batch", "1"], 1, "--batch"),
        (&["--learning-rate", "-1"], 1, "--learning-rate"),
        (&["--learning-rate", "nan"], 2, "--learning-rate"),
        (&["--alignment-weight", "0", "--geometry-weight", "0"], 1, "nothing to learn"),
        (&["--init", "zero"], 2, "spectral or random"),
        (&["--limit", "0"], 2, "--limit"),
        (&["--checkpoint-every", "-1"], 2, "--checkpoint-every"),
        (&["--variant", "sn727", "--init", "spectral"], 1, "--init random"),
    ];
    for (more, code, words) in settings {
        let fixed = ["--validation-rows", "60"];
        let more: Vec<&str> = fixed.iter().chain(more).copied().collect();
        refuse(&place.args(ARCH, &place.out, &more), code, &[words]);
    }
    refuse(&place.args("13-9-6-9-13", &place.out, &[]), 1, &["v.npy", "12 wide", "--arch"]);
    let mut zero = vec!["train", "--vectors", word(&place.vectors), "--width", "0"];
    zero.extend(["--out", word(&place.out)]);
    refuse(&zero, 1, &["--width 0"]);
    let nowhere = at("none").join("s.safetensors");
    refuse(&place.args(ARCH, &nowhere, &SETTINGS), 1, &["none"]);
    refuse(&place.train(&["--checkpoint", word(&place.out)]), 2, &["same file"]);
    if Path::new("/dev/full").exists() {
        refuse(&place.args(ARCH, Path::new("/dev/full"), &SETTINGS), 1, &["/dev/full"]);
    }
    assert!(!place.out.exists() && !place.checkpoint.exists());
}

#[test]
fn bad_rows_are_left_out_and_counted() {
    let place = Place::new();
    let clean = vectors(400, 12, 5);
    let mut rows = clean.slice_rows(0, 100);
    rows.append(&lnsp::Matrix::zeros(2, 12)).unwrap();
    rows.append(&clean.slice_rows(100, 400)).unwrap();
    succeed(&place.train(&[]));
    let expected = student(&place.out);
    write(&place.vectors, &rows);
    let summary: serde_json::Value =
        serde_json::from_str(&succeed(&place.train(&["--skip-bad", "--json"]))).unwrap();
    assert_eq!((&summary["skipped"]["zero"], &summary["vectors"]), (&2.into(), &400.into()));
    assert_eq!(student(&place.out).parameters, expected.parameters);
    // The first 150 usable ones.
    let limited = ["--skip-bad", "--json", "--limit", "150"];
    let summary: serde_json::Value =
        serde_json::from_str(&succeed(&place.train(&limited))).unwrap();
    assert_eq!(summary["vectors"], 150);
}

#[test]
fn a_training_that_diverges_says_at_which_step() {
    let place = Place::new();
    let wild = ["--learning-rate", "1e30", "--clip-norm", "0", "--warmup", "0"];
    let message = refuse(&place.train(&wild), 1, &["training stopped at step", "no longer finite"]);
    assert!(message.contains("checkpoint"), "{message}");
    assert!(!place.out.exists() && !place.checkpoint.exists());
}

#[test]
fn a_full_disk_loses_nothing() {
    let place = Place::new();
    let folder = place.at("disk");
    let Some(_disk) = SmallDisk::mount(&folder, 16) else { return };
    let settings = ["--limit", "300", "--epochs", "2", "--batch", "32", "--checkpoint-every", "0"];
    write(&place.vectors, &vectors(400, 80, 5));
    let out = folder.join("s.safetensors");
    let elsewhere = ["--checkpoint", word(&place.checkpoint)];
    let args: Vec<&str> = settings.iter().chain(&elsewhere).copied().collect();
    let arch = "80-64-32-64-80";
    refuse(&place.args(arch, &out, &args), 1, &["not saved", "No space left", "--resume"]);
    assert!(names(&folder).is_empty(), "{:?}", names(&folder));
    // The work is in the checkpoint and can be saved where there is room.
    let args: Vec<&str> = elsewhere.iter().chain(&["--resume"]).copied().collect();
    let mut resume = vec!["train", "--device", "cpu", "--vectors", word(&place.vectors)];
    resume.extend(["--out", word(&place.out), "--limit", "300"]);
    resume.extend(args);
    succeed(&resume);
    assert_eq!(student(&place.out).info.arch, arch.parse().unwrap());
}

#[test]
fn help_has_every_setting_with_its_default() {
    let help = succeed(&["train", "--help"]);
    let defaults = TrainConfig::default();
    for words in [
        format!("[default: {}]", defaults.epochs),
        format!("[default: {};", defaults.learning_rate),
        format!("[default: {:?};", defaults.geometry_weight),
        "[default: spectral]".into(),
        "--validation-rows".into(),
        "--resume".into(),
    ] {
        assert!(help.contains(&words), "{words}:\n{help}");
    }
}
