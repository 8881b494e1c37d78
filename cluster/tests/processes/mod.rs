//! The programs as processes: one-shot queries, a scheduler and executors on real ports.
#![allow(dead_code, unused_imports, reason = "each test uses a part of it")]

mod cluster;
mod timed;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::made;
pub use cluster::{Cluster, EXECUTORS};
pub use timed::{Taken, megabytes, timed};

/// A program that was built beside the one that runs: one folder above it.
pub fn program(name: &str) -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let path = here.parent().and_then(Path::parent).unwrap().join(name);
    assert!(path.exists(), "{} is not built: make test-cluster builds it", path.display());
    path
}

/// Vectors of the larger tests; LNSP_CLUSTER_ROWS=1000000 for as many as it is meant for.
pub fn rows() -> usize {
    let given = std::env::var("LNSP_CLUSTER_ROWS").ok();
    given.map_or(100_000, |rows| rows.parse().expect("LNSP_CLUSTER_ROWS is a number"))
}

/// Vectors of the smaller tests.
pub const SMALL: usize = 4000;

/// Longest time to wait for anything.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until `f` gives something.
pub fn wait_for<T>(what: &str, mut f: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = f() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited too long for {what}");
        // Not a pause that must be long enough: only what keeps this loop from taking a core.
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// A folder with vectors and a student; those of [`rows`] are made once for all tests.
pub struct Place {
    folder: tempfile::TempDir,
    vectors: PathBuf,
}

impl Place {
    /// With few vectors, of its own.
    pub fn small() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let vectors = folder.path().join("in");
        made::vectors(&vectors, SMALL);
        Self::of(folder, vectors)
    }

    /// With [`rows`] vectors.
    pub fn large() -> Self {
        // An example that is built with this file has no such folder, and does not call this.
        let kept = Path::new(option_env!("CARGO_TARGET_TMPDIR").unwrap_or("."))
            .join(format!("vectors-{}", rows()));
        made::vectors(&kept, rows());
        Self::of(tempfile::tempdir().unwrap(), kept)
    }

    fn of(folder: tempfile::TempDir, vectors: PathBuf) -> Self {
        made::student(&folder.path().join("s256.safetensors"), 256);
        Self { folder, vectors }
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn vectors(&self) -> &Path {
        &self.vectors
    }

    pub fn student(&self) -> String {
        format!("s256={}", self.at("s256.safetensors").display())
    }

    /// The statement that encodes all vectors to the folder `out`.
    pub fn encode_to(&self, out: &str) -> String {
        let (from, to) = (self.vectors.display(), self.at(out));
        format!(
            "COPY (SELECT id, lnsp_encode(embedding, 's256') AS z FROM '{from}/*.parquet') TO \
             '{}/' STORED AS PARQUET",
            to.display()
        )
    }

    /// `lnsp-sql` with the student.
    pub fn sql(&self, more: &[&str]) -> Command {
        let student = self.student();
        self.sql_without_student(&[&["--student", student.as_str()], more].concat())
    }

    /// `lnsp-sql`.
    pub fn sql_without_student(&self, more: &[&str]) -> Command {
        let mut command = Command::new(program("lnsp-sql"));
        command.args(more);
        // Nothing of the one who runs the tests must reach a store.
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
            command.env_remove(name);
        }
        command
    }

    /// Names of what lies in the folder, hidden ones, too.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Files of parts that a running query has finished.
    pub fn finished_parts(&self) -> usize {
        let entries = std::fs::read_dir(self.folder.path()).unwrap().flatten();
        let staging = entries.filter(|e| e.file_name().to_string_lossy().ends_with(".part"));
        let files =
            staging.flat_map(|e| std::fs::read_dir(e.path()).into_iter().flatten().flatten());
        files.filter(|f| f.file_name().to_string_lossy().ends_with(".parquet")).count()
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Wants an error of one line that holds all of `words`.
pub fn refused(output: &Output, words: &[&str]) -> String {
    let message = text(&output.stderr);
    let last = message.lines().last().unwrap_or_default().to_owned();
    assert!(!output.status.success(), "{}", text(&output.stdout));
    assert!(last.starts_with("error: ") && !message.contains("panicked"), "{message}");
    for word in words {
        assert!(last.contains(word), "{word:?} is not in {last}");
    }
    last
}

/// A process that ends with the test.
pub struct Process(pub Child);

impl Process {
    pub fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).spawn().unwrap_or_else(|e| panic!("{command:?}: {e}")))
    }

    /// Kills it as a machine dies: without a word.
    pub fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// Sends it a signal, such as `INT`.
    pub fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        let sent = kill.arg(format!("-{name}")).arg(self.0.id().to_string()).status();
        assert!(sent.unwrap().success(), "{name}");
    }

    /// Waits for its end; its exit code and what it said on standard error.
    pub fn end(&mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        if let Some(mut from) = self.0.stderr.take() {
            from.read_to_string(&mut said).unwrap();
        }
        (self.0.wait().unwrap().code(), said)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
