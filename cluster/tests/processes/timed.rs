//! What a process takes: time and memory.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Time and memory of a process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Taken {
    pub seconds: f64,
    /// The most that it had at a time, in MB, and the most of it that were pages of files: the program
    /// itself. Where /proc says so.
    pub peak: f64,
    pub of_files: f64,
}

impl Taken {
    /// Of processes one after the other.
    pub fn then(self, next: Self) -> Self {
        Self {
            seconds: self.seconds + next.seconds,
            peak: self.peak.max(next.peak),
            of_files: self.of_files.max(next.of_files),
        }
    }
}

/// What /proc says of a running process under `name`, in MB; 0 where it says nothing.
pub fn megabytes(process: u32, name: &str) -> f64 {
    let text = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes: Option<f64> = line.and_then(|l| l.trim().trim_end_matches(" kB").parse().ok());
    kilobytes.unwrap_or(0.0) / 1000.0
}

/// Runs a command to its end, which must be a good one.
pub fn timed(command: &mut Command) -> Taken {
    let began = Instant::now();
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let id = child.id();
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut taken = Taken::default();
            while !ended.load(Ordering::SeqCst) {
                taken.peak = taken.peak.max(megabytes(id, "VmHWM:"));
                taken.of_files = taken.of_files.max(megabytes(id, "RssFile:"));
                std::thread::park_timeout(Duration::from_millis(5));
            }
            taken
        });
        let code = child.wait().unwrap();
        let seconds = began.elapsed().as_secs_f64();
        ended.store(true, Ordering::SeqCst);
        assert!(code.success(), "{command:?}");
        Taken { seconds, ..watch.join().unwrap() }
    })
}
