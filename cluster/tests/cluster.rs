//! One scheduler and three executors as processes on loopback, and what may happen to them.

mod made;
mod processes;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use made::Sum;
use processes::{Cluster, Place, Process, refused, succeed, wait_for};

/// The command `lnsp`, which another package builds.
fn lnsp() -> PathBuf {
    let path = PathBuf::from(env!("CARGO_BIN_EXE_lnsp-sql")).with_file_name("lnsp");
    assert!(path.exists(), "{} is not built: make test-cluster builds it", path.display());
    path
}

#[test]
fn the_command_the_local_engine_and_a_cluster_give_the_same_bits() {
    let place = Place::large();
    let mut by_command = Sum::default();
    let each = processes::rows().div_ceil(made::FILES);
    for (i, file) in made::vectors(place.vectors(), processes::rows()).iter().enumerate() {
        let out = place.at("latents.parquet");
        succeed(
            Command::new(lnsp())
                .args([
                    "encode",
                    "--quiet",
                    "--device",
                    "cpu",
                    "--column",
                    "embedding",
                    "--student",
                ])
                .arg(place.at("s256.safetensors"))
                .arg("--in")
                .arg(file)
                .arg("--out")
                .arg(&out),
        );
        by_command.add_file(&out, (i * each) as u64);
    }
    assert_eq!(by_command.rows, processes::rows() as u64);
    succeed(&mut place.sql(&["-c", &place.encode_to("local")]));
    assert_eq!(Sum::of_folder(&place.at("local")), by_command, "the local engine");
    let cluster = Cluster::start();
    succeed(&mut place.sql(&["--remote", &cluster.url(), "-c", &place.encode_to("cluster")]));
    assert_eq!(Sum::of_folder(&place.at("cluster")), by_command, "a cluster");
    // A query whose stages exchange rows.
    let count = format!(
        "SELECT id % 4 AS part, count(*) AS n, sum(cosine(embedding, embedding)) AS one FROM \
         '{}/*.parquet' GROUP BY part ORDER BY part",
        place.vectors().display()
    );
    let table = succeed(&mut place.sql(&["--remote", &cluster.url(), "-c", &count]));
    assert!(table.contains("4 rows"), "{table}");
}

#[test]
fn an_executor_that_dies_costs_no_row_and_doubles_none() {
    let place = Place::large();
    let mut cluster = Cluster::start();
    let sql = place.encode_to("out");
    let url = cluster.url();
    let query = place.sql(&["--remote", &url, "-c", &sql]).stderr(Stdio::piped()).spawn().unwrap();
    let mut query = Process(query);
    wait_for("the first part", || (place.finished_parts() > 0).then_some(()));
    assert!(place.finished_parts() < made::FILES, "it was too late to kill one");
    cluster.executors[0].kill();
    let done = query.0.wait().unwrap();
    if done.success() {
        let sum = Sum::of_folder(&place.at("out"));
        succeed(&mut place.sql(&["-c", &place.encode_to("again")]));
        assert_eq!(sum, Sum::of_folder(&place.at("again")), "every row once");
    } else {
        assert!(!place.at("out").exists(), "an output that is not whole");
    }
    assert!(place.names().iter().all(|name| !name.ends_with(".part")), "{:?}", place.names());
    // The other two go on.
    succeed(&mut place.sql(&["--remote", &url, "-c", &place.encode_to("after")]));
}

#[test]
fn a_scheduler_that_starts_anew_ends_its_queries_in_words_and_takes_others() {
    let place = Place::large();
    let mut cluster = Cluster::start();
    let url = cluster.url();
    let query = place
        .sql(&["--remote", &url, "-c", &place.encode_to("out")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for("the first part", || (place.finished_parts() > 0).then_some(()));
    cluster.restart_scheduler();
    let output = query.wait_with_output().unwrap();
    refused(&output, &["the scheduler at", "run it again"]);
    assert!(!place.at("out").exists(), "an output that is not whole");
    succeed(&mut place.sql(&["--remote", &url, "-c", &place.encode_to("out")]));
    assert_eq!(Sum::of_folder(&place.at("out")).rows, processes::rows() as u64);
}

#[test]
fn what_fails_on_a_cluster_is_said_in_words() {
    let place = Place::small();
    let nobody =
        place.sql(&["--remote", "df://127.0.0.1:1", "-c", &place.encode_to("out")]).output();
    refused(&nobody.unwrap(), &["no scheduler answers at", "127.0.0.1:1", "lnsp-scheduler"]);
    let cluster = Cluster::start();
    let remote = |sql: &str, more: &[&str]| {
        place.sql(&[&["--remote", &cluster.url(), "-c", sql], more].concat()).output().unwrap()
    };
    // A student that no executor has.
    let absent = format!("far=/no/such/student.safetensors#{}", "0".repeat(64));
    let sql = place.encode_to("out").replace("'s256'", "'far'");
    let words =
        ["the student far is not to be had on", "/no/such/student.safetensors", "every machine"];
    refused(&remote(&sql, &["--student", &absent]), &words);
    // A row that is no vector of the student's.
    let sql =
        place.encode_to("out").replace("lnsp_encode(embedding,", "lnsp_encode([1.0, 2.0 * id],");
    refused(&remote(&sql, &[]), &["2 values, 384 are wanted"]);
    // A damaged file.
    let damaged = place.vectors().join("v11.parquet");
    let mut bytes = std::fs::read(&damaged).unwrap();
    bytes[4..2000].fill(0xff);
    std::fs::write(&damaged, bytes).unwrap();
    refused(&remote(&place.encode_to("out"), &[]), &["v11.parquet"]);
    assert_eq!(place.names(), ["in", "s256.safetensors"]);
}
