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
use std::process::Command;

use processes::{Cluster, Taken, megabytes, program, timed};

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
            "{:<36} {:>8.3} s ({:.3} to {:.3}) {:>9.0} vectors/s  {:>4.0} MB, {:.0} without the program",
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
#[derive(Clone)]
struct Work {
    folder: PathBuf,
    vectors: PathBuf,
    student: PathBuf,
    /// Whether memory that is not needed any more goes back to the system at once: then the peak is what
    /// was needed.
    gives_back: bool,
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
        if self.gives_back {
            command.envs([("MIMALLOC_PURGE_DELAY", "0"), ("MIMALLOC_ALLOW_THP", "0")]);
        }
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
    let work = Work { folder, vectors, student: plain, gives_back: false };
    let few = Work { student: coded, ..work.clone() };
    let needed = Work { gives_back: true, ..work.clone() };
    let cores = std::thread::available_parallelism().unwrap().get();
    let cluster = Cluster::with(cores, 1, Vec::new());
    let remote = ["--remote", &cluster.url()];

    let latents = "id, lnsp_encode(embedding, 's256') AS z";
    let bits = "id, lnsp_encode(embedding, 's256', 'bits') AS z";
    let short = rows / files.len();
    let mut all = [
        Rounds::new("lnsp encode, file by file", rows),
        Rounds::new("lnsp-sql", rows),
        Rounds::new("lnsp-sql, memory given back at once", rows),
        Rounds::new("lnsp-sql, to codes of 2 bits", rows),
        Rounds::new("lnsp-sql --remote", rows),
        Rounds::new("one file: lnsp encode", short),
        Rounds::new("one file: lnsp-sql", short),
        Rounds::new("one file: lnsp-sql --parts 1", short),
        Rounds::new("one file: lnsp-sql, column id alone", short),
        Rounds::new("no file: lnsp-sql, SELECT 1", 0),
        Rounds::new("no file: lnsp --version", 0),
    ];
    for _ in 0..rounds {
        let one_by_one = files.iter().map(|file| work.encode(file));
        let taken = [
            one_by_one.fold(Taken::default(), Taken::then),
            work.sql(latents, None, &[]),
            needed.sql(latents, None, &[]),
            few.sql(bits, None, &[]),
            work.sql(latents, None, &remote),
            work.encode(&files[0]),
            work.sql(latents, Some(&files[0]), &[]),
            work.sql(latents, Some(&files[0]), &["--parts", "1"]),
            work.sql("id", Some(&files[0]), &[]),
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
    let executors: Vec<String> = cluster
        .executors
        .iter()
        .map(|executor| format!("{:.0} MB", megabytes(executor.0.id(), "VmHWM:")))
        .collect();
    println!("the executors, one core each, at most: {}", executors.join(", "));
    let ratio = |of: usize, by: usize| all[by].median() / all[of].median();
    println!(
        "vectors a second, SQL by the command: {:.2}, of one file {:.2}",
        ratio(1, 0),
        ratio(6, 5)
    );
    println!("vectors a second, the cluster by SQL here: {:.2}", ratio(4, 1));
}
