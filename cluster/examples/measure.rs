//! Times `lnsp-sql`, here and on a cluster on loopback, beside `lnsp encode` on the same vectors in
//! turn, with the memory that each takes.
//!
//! `cargo run --release -p lnsp-cluster --example measure -- ROWS ROUNDS FOLDER`

#[path = "../tests/made/mod.rs"]
mod made;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Where the programs are: one folder above this one.
fn program(name: &str) -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let path = here.parent().and_then(Path::parent).unwrap().join(name);
    assert!(path.exists(), "{} is not built", path.display());
    path
}

/// Seconds that a command takes, and the most memory that it had in MB (where /proc says it).
fn timed(command: &mut Command) -> (f64, f64) {
    let began = Instant::now();
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak = 0.0f64;
    loop {
        if let Some(code) = child.try_wait().unwrap() {
            assert!(code.success(), "{command:?}");
            return (began.elapsed().as_secs_f64(), peak);
        }
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<f64>().ok());
        peak = peak.max(kilobytes.unwrap_or(0.0) / 1000.0);
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let rows: usize = args[1].parse().expect("ROWS");
    let rounds: usize = args[2].parse().expect("ROUNDS");
    let folder = PathBuf::from(&args[3]);
    let vectors = folder.join(format!("vectors-{rows}"));
    let files = made::vectors(&vectors, rows);
    let student = folder.join("s256.safetensors");
    made::student(&student, 256);
    let name = format!("s256={}", student.display());
    let out = folder.join("out");
    let sql = format!(
        "COPY (SELECT id, lnsp_encode(embedding, 's256') AS z FROM '{}/*.parquet') TO '{}/' STORED AS \
         PARQUET",
        vectors.display(),
        out.display()
    );
    let one = |file: &Path, out: &Path| {
        let mut command = Command::new(program("lnsp"));
        command.args(["encode", "--quiet", "--device", "cpu", "--column", "embedding"]);
        command.arg("--student").arg(&student).arg("--in").arg(file).arg("--out").arg(out);
        command
    };
    let single = format!(
        "COPY (SELECT lnsp_encode(embedding, 's256') AS z FROM '{}') TO '{}' STORED AS PARQUET",
        files[0].display(),
        folder.join("one.parquet").display()
    );
    let query = |sql: &str| {
        let mut command = Command::new(program("lnsp-sql"));
        command.args(["--quiet", "--student", &name, "-c", sql]);
        command
    };
    let (mut encode, mut engine, mut ratio) = (Vec::new(), Vec::new(), Vec::new());
    let (mut encode_one, mut engine_one) = (Vec::new(), Vec::new());
    let (mut encode_memory, mut engine_memory) = (0.0f64, 0.0f64);
    for _ in 0..rounds {
        let mut seconds = 0.0;
        for file in &files {
            let (took, memory) = timed(&mut one(file, &folder.join("latents.parquet")));
            seconds += took;
            encode_memory = encode_memory.max(memory);
        }
        let _ = std::fs::remove_dir_all(&out);
        let (took, memory) = timed(&mut query(&sql));
        engine_memory = engine_memory.max(memory);
        ratio.push(seconds / took);
        encode.push(seconds);
        engine.push(took);
        encode_one.push(timed(&mut one(&files[0], &folder.join("latents.parquet"))).0);
        engine_one.push(timed(&mut query(&single)).0);
    }
    let rate = |seconds: Vec<f64>| rows as f64 / median(seconds);
    println!("{rows} vectors in {} files, {rounds} rounds in turn, medians", files.len());
    println!(
        "lnsp encode, file by file   {:>9.0} vectors/s  {encode_memory:>6.0} MB",
        rate(encode)
    );
    println!(
        "lnsp-sql, all files         {:>9.0} vectors/s  {engine_memory:>6.0} MB",
        rate(engine)
    );
    println!("lnsp-sql by lnsp encode     {:>9.2}", median(ratio));
    let of_one = |seconds: Vec<f64>| rows as f64 / files.len() as f64 / median(seconds);
    println!("one file, lnsp encode       {:>9.0} vectors/s", of_one(encode_one));
    println!("one file, lnsp-sql          {:>9.0} vectors/s", of_one(engine_one));
}
