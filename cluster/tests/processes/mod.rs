//! The programs as processes: one-shot queries, a scheduler and executors on real ports.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::made;

/// Vectors of the larger tests; LNSP_CLUSTER_ROWS=1000000 for as many as it is meant for.
pub fn rows() -> usize {
    let given = std::env::var("LNSP_CLUSTER_ROWS").ok();
    given.map_or(100_000, |rows| rows.parse().expect("LNSP_CLUSTER_ROWS is a number"))
}

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
        made::vectors(&vectors, 4000);
        Self::of(folder, vectors)
    }

    /// With [`rows`] vectors.
    pub fn large() -> Self {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("vectors-{}", rows()));
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
        let mut command = Command::new(env!("CARGO_BIN_EXE_lnsp-sql"));
        command.args(["--student", &self.student()]).args(more);
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

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A scheduler and executors on loopback.
pub struct Cluster {
    pub scheduler: Process,
    pub executors: Vec<Process>,
    port: u16,
    // Kept open: a process that cannot write its lines would die of it.
    outputs: Vec<BufReader<ChildStdout>>,
}

/// Executors of a cluster.
const EXECUTORS: usize = 3;

impl Cluster {
    pub fn start() -> Self {
        let (scheduler, port, output) = Self::scheduler(0);
        let mut cluster = Self { scheduler, executors: Vec::new(), port, outputs: vec![output] };
        for _ in 0..EXECUTORS {
            let mut command = Command::new(env!("CARGO_BIN_EXE_lnsp-executor"));
            command
                .args(["--scheduler", &format!("127.0.0.1:{port}"), "--cores", "1"])
                .args(["--heartbeat", "1", "--memory", "500MB"])
                .stdout(Stdio::piped());
            let mut executor = Process::start(&mut command);
            cluster.outputs.extend(executor.0.stdout.take().map(BufReader::new));
            cluster.executors.push(executor);
        }
        cluster.wait_until_ready();
        cluster
    }

    /// A scheduler, the port that it says it listens on, and what it goes on saying.
    fn scheduler(port: u16) -> (Process, u16, BufReader<ChildStdout>) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lnsp-scheduler"));
        command
            .args(["--port", &port.to_string(), "--executors", &EXECUTORS.to_string()])
            .args(["--name", "127.0.0.1", "--executor-timeout", "4"])
            .stdout(Stdio::piped());
        let mut process = Process::start(&mut command);
        let mut output = BufReader::new(process.0.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let port = line.trim().rsplit(':').next().and_then(|port| port.parse().ok());
        (process, port.unwrap_or_else(|| panic!("no port in {line:?}")), output)
    }

    /// A new scheduler where the old one was.
    pub fn restart_scheduler(&mut self) {
        self.scheduler.kill();
        let (scheduler, _, output) = Self::scheduler(self.port);
        self.scheduler = scheduler;
        self.outputs.push(output);
        self.wait_until_ready();
    }

    /// Until every executor has announced itself.
    fn wait_until_ready(&self) {
        wait_for("the executors", || {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
            stream
                .write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                .ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).ok()?;
            answer.starts_with("HTTP/1.1 200").then_some(())
        });
    }

    pub fn url(&self) -> String {
        format!("df://127.0.0.1:{}", self.port)
    }
}
