//! One scheduler and three executors as processes on loopback, and what may happen to them.

mod made;
mod processes;

use std::path::Path;
use std::process::{Command, Stdio};

use lnsp::format::{CODES, ReadOptions, VectorReader, files};
use made::Sum;
use processes::{Cluster, Place, Process, program, refused, succeed, wait_for};

/// `lnsp encode` of one file of vectors.
fn encode_by_command(place: &Place, student: &str, file: &Path, out: &Path, more: &[&str]) {
    let mut command = Command::new(program("lnsp"));
    command.args(["encode", "--quiet", "--device", "cpu", "--column", "embedding"]).args(more);
    command.arg("--student").arg(place.at(student)).arg("--in").arg(file).arg("--out").arg(out);
    succeed(&mut command);
}

#[test]
fn the_command_the_local_engine_and_a_cluster_give_the_same_bits() {
    let place = Place::large();
    let mut by_command = Sum::default();
    let each = processes::rows().div_ceil(made::FILES);
    for (i, file) in made::vectors(place.vectors(), processes::rows()).iter().enumerate() {
        let out = place.at("latents.parquet");
        encode_by_command(&place, "s256.safetensors", file, &out, &[]);
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
fn codes_of_few_bits_are_the_same_bytes_everywhere() {
    let place = Place::small();
    made::coded_student(&place.at("few.safetensors"), 256);
    let mut by_command = Sum::default();
    let each = processes::SMALL.div_ceil(made::FILES);
    for (i, file) in made::vectors(place.vectors(), processes::SMALL).iter().enumerate() {
        let (out, mut codes) = (place.at("codes.npy"), Vec::new());
        encode_by_command(&place, "few.safetensors", file, &out, &["--bits", "2"]);
        let mut reader = files::open_any(&out, &ReadOptions::default(), CODES).unwrap();
        assert_eq!(reader.width(), made::CODE_BYTES);
        reader.read_codes(each, &mut codes).unwrap();
        by_command.add_codes(&codes, made::CODE_BYTES, (i * each) as u64);
    }
    assert_eq!(by_command.rows, processes::SMALL as u64);
    let student = format!("few={}", place.at("few.safetensors").display());
    let to = |out: &str| place.encode_to(out).replace("'s256'", "'few', 'bits'");
    succeed(&mut place.sql(&["--student", &student, "-c", &to("local")]));
    assert_eq!(Sum::of_folder(&place.at("local")), by_command, "the local engine");
    let cluster = Cluster::start();
    let remote = ["--remote", &cluster.url(), "--student", &student, "-c"];
    succeed(&mut place.sql(&[&remote[..], &[to("cluster").as_str()]].concat()));
    assert_eq!(Sum::of_folder(&place.at("cluster")), by_command, "a cluster");
    // A query among the codes that lie there now, and a student that has none.
    let nearest = format!(
        "SELECT t.id FROM '{}/*.parquet' t CROSS JOIN (SELECT embedding AS v FROM '{}/*.parquet' WHERE id \
         = 77) ORDER BY lnsp_score(v, t.z, 'few') DESC LIMIT 1",
        place.at("cluster").display(),
        place.vectors().display()
    );
    let table = succeed(&mut place.sql(&[&remote[..], &[nearest.as_str()]].concat()));
    assert!(table.contains("| 77 "), "{table}");
    let sql = place.encode_to("none").replace("'s256'", "'s256', 'bits'");
    let refusal = place.sql(&[&remote[..], &[sql.as_str()]].concat()).output().unwrap();
    refused(&refusal, &["the student s256 has no code of few bits", "lnsp train --latent-bits"]);
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

/// A query that the cluster works on: its first part is written.
fn started(place: &Place, cluster: &Cluster) -> Process {
    let sql = place.encode_to("out");
    let mut query = place.sql(&["--remote", &cluster.url(), "-c", &sql]);
    let query = Process::start(query.stderr(Stdio::piped()));
    wait_for("the first part", || (place.finished_parts() > 0).then_some(()));
    query
}

#[test]
fn ctrl_c_stops_the_query_on_the_cluster_and_leaves_nothing() {
    let place = Place::large();
    let cluster = Cluster::start();
    let mut query = started(&place, &cluster);
    query.signal("INT");
    let (code, said) = query.end();
    assert_eq!(code, Some(130), "{said}");
    assert_eq!(place.names(), ["s256.safetensors"], "{said}");
    wait_for("word of the end of the job", || {
        cluster.log().contains("Job cancelled: [").then_some(())
    });
    assert!(!cluster.log().contains("Job finished successfully"), "{}", cluster.log());
    // The executors are free for others, and no part of the first comes late.
    succeed(&mut place.sql(&["--remote", &cluster.url(), "-c", &place.encode_to("after")]));
    assert_eq!(place.names(), ["after", "s256.safetensors"]);
}

#[test]
fn results_that_are_lost_with_an_executor_end_the_query_and_leave_nothing() {
    let place = Place::large();
    let mut cluster = Cluster::start();
    let mut query = started(&place, &cluster);
    // It does not ask for its results while all parts end and the machine of some of them dies.
    query.signal("STOP");
    wait_for("the last part", || cluster.log().contains("Job finished successfully").then_some(()));
    assert_eq!(place.finished_parts(), made::FILES);
    cluster.executors[0].kill();
    query.signal("CONT");
    let (code, said) = query.end();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("is gone with its results") && said.contains("run it again"), "{said}");
    assert_eq!(place.names(), ["s256.safetensors"], "{said}");
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
