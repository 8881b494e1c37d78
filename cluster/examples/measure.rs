//! Times `lnsp-sql`, here and on a cluster on loopback, beside `lnsp encode` on the same vectors in
//! turn, with the memory that each takes.
//!
//! `cargo run --release -p lnsp-cluster --example measure -- ROWS ROUNDS FOLDER`

#[path = "../tests/made/mod.rs"]
mod made;
#[path = "../tests/processes/mod.rs"]
mod processes;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use processes::{Cluster, program};

/// Time and memory of a process.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    seconds: f64,
    /// The most that it had at a time, in MB, and the most of it that were pages of files: the program
    /// itself. Where /proc says so.
    peak: f64,
    of_files: f64,
}

impl Taken {
    /// Of processes one after the other.
    fn then(self, next: Self) -> Self {
        Self {
            seconds: self.seconds + next.seconds,
            peak: self.peak.max(next.peak),
            of_files: self.of_files.max(next.of_files),
        }
    }
}

fn timed(command: &mut Command) -> Taken {
    let began = Instant::now();
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut taken = Taken::default();
            while !ended.load(Ordering::SeqCst) {
                let text = fs::read_to_string(&status).unwrap_or_default();
                let megabytes = |name: &str| {
                    let line = text.lines().find_map(|line| line.strip_prefix(name));
                    let kilobytes =
                        line.and_then(|l| l.trim().trim_end_matches(" kB").parse().ok());
                    kilobytes.unwrap_or(0.0) / 1000.0
                };
                taken.peak = taken.peak.max(megabytes("VmHWM:"));
                taken.of_files = taken.of_files.max(megabytes("RssFile:"));
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

/// What was measured of one thing, over rounds.
struct Rounds {
    name: &'static str,
    rows: usize,
    all: Vec<Taken>,
}

impl Rounds {
    fn new(name: &'static str, rows: usize) -> Self {
        Self { name, rows, all: Vec::new() }
    }

    fn seconds(&self) -> Vec<f64> {
        let mut seconds: Vec<f64> = self.all.iter().map(|taken| taken.seconds).collect();
        seconds.sort_by(f64::total_cmp);
        seconds
    }

    fn median(&self) -> f64 {
        self.seconds()[self.all.len() / 2]
    }

    fn peak(&self) -> Taken {
        self.all.iter().copied().fold(Taken::default(), Taken::then)
    }

    fn show(&self) {
        let (seconds, Taken { peak, of_files, .. }) = (self.seconds(), self.peak());
        let rate = |seconds: f64| self.rows as f64 / seconds;
        println!(
            "{:<34} {:>8.3} s ({:.3} to {:.3}) {:>9.0} vectors/s  {:>4.0} MB, {:.0} without the program",
            self.name,
            self.median(),
            seconds[0],
            seconds[seconds.len() - 1],
            rate(self.median()),
            peak,
            peak - of_files,
        );
    }
}

/// The commands that are timed.
struct Work {
    folder: PathBuf,
    vectors: PathBuf,
    student: PathBuf,
}

impl Work {
    fn encode(&self, file: &Path) -> Taken {
        let mut command = Command::new(program("lnsp"));
        command.args(["encode", "--quiet", "--device", "cpu", "--column", "embedding"]);
        command.arg("--student").arg(&self.student).arg("--in").arg(file);
        timed(command.arg("--out").arg(self.folder.join("latents.parquet")))
    }

    /// A query of all vectors, or of what is in another place.
    fn sql(&self, what: &str, from: Option<&Path>, more: &[&str]) -> Taken {
        let out = self.folder.join("out");
        let _ = fs::remove_dir_all(&out);
        let from = from.map_or(format!("{}/*.parquet", self.vectors.display()), |from| {
            from.display().to_string()
        });
        let sql =
            format!("COPY (SELECT {what} FROM '{from}') TO '{}/' STORED AS PARQUET", out.display());
        self.statement(&sql, more)
    }

    fn statement(&self, sql: &str, more: &[&str]) -> Taken {
        let name = format!("s256={}", self.student.display());
        let mut command = Command::new(program("lnsp-sql"));
        timed(command.args(["--quiet", "--student", &name]).args(more).args(["-c", sql]))
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let [_, rows, rounds, folder] = args.as_slice() else {
        panic!("measure ROWS ROUNDS FOLDER");
    };
    let (rows, rounds) = (rows.parse().expect("ROWS"), rounds.parse().expect("ROUNDS"));
    let folder = std::path::absolute(folder).unwrap();
    let vectors = folder.join(format!("vectors-{rows}"));
    let files = made::vectors(&vectors, rows);
    let (plain, coded) = (folder.join("s256.safetensors"), folder.join("few.safetensors"));
    made::student(&plain, 256);
    made::coded_student(&coded, 256);
    let work = Work { folder: folder.clone(), vectors, student: plain };
    let few = Work { folder, vectors: work.vectors.clone(), student: coded };
    let cores = std::thread::available_parallelism().unwrap().get();
    let cluster = Cluster::with(cores, 1, Vec::new());
    let remote = ["--remote", &cluster.url()];

    let latents = "id, lnsp_encode(embedding, 's256') AS z";
    let bits = "id, lnsp_encode(embedding, 's256', 'bits') AS z";
    let short = rows / files.len();
    let mut all = [
        Rounds::new("lnsp encode, file by file", rows),
        Rounds::new("lnsp-sql, all files", rows),
        Rounds::new("lnsp-sql, to codes of 2 bits", rows),
        Rounds::new("lnsp-sql --remote, all files", rows),
        Rounds::new("one file, lnsp encode", short),
        Rounds::new("one file, lnsp-sql", short),
        Rounds::new("no file, lnsp-sql: SELECT 1", 0),
        Rounds::new("no file, lnsp --version", 0),
    ];
    for _ in 0..rounds {
        let one_by_one = files.iter().map(|file| work.encode(file));
        let taken = [
            one_by_one.fold(Taken::default(), Taken::then),
            work.sql(latents, None, &[]),
            few.sql(bits, None, &[]),
            work.sql(latents, None, &remote),
            work.encode(&files[0]),
            work.sql(latents, Some(&files[0]), &[]),
            work.statement("SELECT 1", &[]),
            timed(Command::new(program("lnsp")).arg("--version")),
        ];
        all.iter_mut().zip(taken).for_each(|(rounds, taken)| rounds.all.push(taken));
    }
    println!(
        "{rows} vectors in {} files of row groups of {} at most; {rounds} rounds in turn; median (least to \
         most), and the most memory; {cores} cores, as many executors",
        files.len(),
        made::GROUP,
    );
    all.iter().for_each(Rounds::show);
    println!("all files: SQL by the command {:.2}", all[0].median() / all[1].median());
    println!("all files: the cluster by SQL here {:.2}", all[1].median() / all[3].median());
    println!("one file: SQL by the command {:.2}", all[4].median() / all[5].median());
}
