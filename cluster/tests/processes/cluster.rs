//! A scheduler and executors on loopback.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{ChildStdout, Command, Stdio};

use super::{Process, program, wait_for};

/// A scheduler and executors on loopback.
pub struct Cluster {
    pub scheduler: Process,
    pub executors: Vec<Process>,
    port: u16,
    /// What its processes have in their environment besides.
    environment: Vec<(&'static str, String)>,
    /// What the scheduler says of its jobs.
    log: tempfile::NamedTempFile,
    // Kept open: a process that cannot write its lines would die of it.
    outputs: Vec<BufReader<ChildStdout>>,
}

/// Executors of a cluster of the tests.
pub const EXECUTORS: usize = 3;

impl Cluster {
    pub fn start() -> Self {
        Self::with(EXECUTORS, 1, Vec::new())
    }

    /// Of so many executors with so many cores each, all with this environment.
    pub fn with(executors: usize, cores: usize, environment: Vec<(&'static str, String)>) -> Self {
        let log = tempfile::NamedTempFile::new().unwrap();
        let (scheduler, port, output) = Self::scheduler(0, executors, &environment, &log);
        let (executors, outputs) = (0..executors)
            .map(|_| {
                let mut command = Command::new(program("lnsp-executor"));
                command
                    .args(["--scheduler", &format!("127.0.0.1:{port}")])
                    .args(["--cores", &cores.to_string()])
                    .args(["--heartbeat", "1", "--memory", "500MB"])
                    .envs(environment.iter().cloned())
                    .stdout(Stdio::piped());
                let mut executor = Process::start(&mut command);
                let output = BufReader::new(executor.0.stdout.take().unwrap());
                (executor, output)
            })
            .unzip::<_, _, Vec<_>, Vec<_>>();
        let outputs = outputs.into_iter().chain([output]).collect();
        let cluster = Self { scheduler, executors, port, environment, log, outputs };
        cluster.wait_until_ready();
        cluster
    }

    /// A scheduler, the port that it says it listens on, and what it goes on saying.
    fn scheduler(
        port: u16,
        executors: usize,
        environment: &[(&'static str, String)],
        log: &tempfile::NamedTempFile,
    ) -> (Process, u16, BufReader<ChildStdout>) {
        let log: File = OpenOptions::new().append(true).open(log.path()).unwrap();
        let mut command = Command::new(program("lnsp-scheduler"));
        command
            .args(["--port", &port.to_string(), "--executors", &executors.to_string()])
            .args(["--name", "127.0.0.1", "--executor-timeout", "4"])
            .envs(environment.iter().cloned())
            .env("RUST_LOG", "ballista_scheduler=info")
            .stdout(Stdio::piped())
            .stderr(log);
        let mut process = Process::start(&mut command);
        let mut output = BufReader::new(process.0.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let port = line.trim().rsplit(':').next().and_then(|port| port.parse().ok());
        (process, port.unwrap_or_else(|| panic!("no port in {line:?}")), output)
    }

    /// What the scheduler has said of its jobs.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap()
    }

    /// A new scheduler where the old one was.
    pub fn restart_scheduler(&mut self) {
        self.scheduler.kill();
        let (scheduler, _, output) =
            Self::scheduler(self.port, self.executors.len(), &self.environment, &self.log);
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
