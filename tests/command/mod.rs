//! The command as a person or a script runs it, and small files to run it on.
#![allow(dead_code)] // not every test needs all of it

use std::path::Path;
use std::process::{Command, Output};

use lnsp::Matrix;
use lnsp::format::{WriteOptions, files};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// `lnsp` with `args`, in a calm environment.
pub fn lnsp(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lnsp"));
    command.args(args).env_remove("NO_COLOR").env("LC_ALL", "C.UTF-8").env_remove("COLUMNS");
    command
}

/// Runs it to its end.
pub fn run(args: &[&str]) -> Output {
    lnsp(args).output().expect("the command starts")
}

/// Runs it and wants success; standard output.
pub fn succeed(args: &[&str]) -> String {
    let output = run(args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Runs it and wants one line of error, which holds all of `words`, and nothing else.
pub fn refuse(args: &[&str], code: i32, words: &[&str]) -> String {
    let quiet: Vec<&str> = args.iter().copied().chain(["--quiet"]).collect();
    let output = run(&quiet);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {message}");
    assert!(output.stdout.is_empty(), "{args:?}: {}", text(&output.stdout));
    assert!(message.starts_with("error: ") && !message.contains("panicked"), "{message}");
    assert!(code == 2 || message.lines().count() == 1, "{args:?}: {message}");
    for word in words {
        assert!(message.contains(word), "{args:?}: no {word:?} in {message}");
    }
    message
}

/// Text that must be UTF-8.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// A path as an argument.
pub fn word(path: &Path) -> &str {
    path.to_str().expect("a path of ours")
}

/// Unit vectors near a common direction, as sentence embeddings are, with one constant column.
pub fn vectors(rows: usize, width: usize, seed: u64) -> Matrix {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut all = Matrix::from_fn(rows, width, |_, c| match c {
        1 => 0.0,
        c => rng.random_range(-1.0f32..1.0) / (1.0 + c as f32) + if c == 0 { 0.5 } else { 0.0 },
    });
    for r in 0..rows {
        let norm = all.row(r).iter().map(|v| v * v).sum::<f32>().sqrt();
        all.row_mut(r).iter_mut().for_each(|v| *v /= norm);
    }
    all
}

/// Writes `rows` to the file at `path` in the format of its ending.
pub fn write(path: &Path, rows: &Matrix) {
    let mut writer = files::create(path, rows.cols(), &WriteOptions::default()).unwrap();
    writer.write(rows).unwrap();
    writer.finish().unwrap();
}

/// Names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A file system of a few kilobytes in a folder, unmounted when dropped.
pub struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    /// Mounts `kilobytes` at `folder`; `None`, said on standard error, where that is not allowed.
    pub fn mount(folder: &'a Path, kilobytes: usize) -> Option<Self> {
        std::fs::create_dir_all(folder).unwrap();
        let size = format!("size={kilobytes}k");
        let mount = ["-t", "tmpfs", "-o", &size, "lnsp-test"];
        let mounted = Command::new("mount").args(mount).arg(folder).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(folder));
        }
        eprintln!("SKIPPED: a full disk (no right to mount a small one here)");
        None
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}
