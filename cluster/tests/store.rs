//! Files, outputs and students in a store that speaks S3, and stores that break off.

mod made;
mod processes;
mod store_server;

use std::process::{Command, Stdio};

use made::Sum;
use processes::{Cluster, Place, Process, refused, succeed, wait_for};
use serde_json::Value;
use store_server::{Store, Trouble};

/// A store with the vectors and students of a place.
fn store_of(place: &Place) -> Store {
    let store = Store::start();
    for file in made::vectors(place.vectors(), processes::SMALL) {
        store.put(&format!("in/{}", file.file_name().unwrap().to_str().unwrap()), &file);
    }
    store.put("s256.safetensors", &place.at("s256.safetensors"));
    store
}

/// `COPY` of all latents from the store to its folder `out`.
fn encode_to(out: &str) -> String {
    format!(
        "COPY (SELECT id, lnsp_encode(embedding, 's256') AS z FROM 's3://bucket/in/*.parquet') TO \
         's3://bucket/{out}/' STORED AS PARQUET"
    )
}

/// `COPY` of so much a row that a part of all rows is a file of several pieces.
fn large(out: &str) -> String {
    format!(
        "COPY (SELECT id, embedding AS a, embedding AS b, embedding AS c FROM \
         's3://bucket/in/*.parquet') TO 's3://bucket/{out}' STORED AS PARQUET"
    )
}

/// `lnsp-sql` that knows the store, and the student from there.
fn sql(place: &Place, store: &Store, more: &[&str]) -> Command {
    let mut command =
        place.sql_without_student(&["--student", "s256=s3://bucket/s256.safetensors"]);
    command.args(more).envs(store.environment());
    command
}

/// The rows of a finished output of the store; checks its list of files.
fn sum_of(store: &Store, out: &str) -> Sum {
    let list = store.get(&format!("{out}/_SUCCESS")).expect("an output that is whole");
    let list: Vec<Value> = serde_json::from_slice(&list).unwrap();
    let mut sum = Sum::default();
    for file in &list {
        let bytes = store.get(&format!("{out}/{}", file["file"].as_str().unwrap())).unwrap();
        assert_eq!(file["bytes"], bytes.len());
        sum.add_bytes(bytes, 0);
    }
    assert_eq!(store.keys(&format!("{out}/")).len(), list.len() + 1, "nothing else");
    assert_eq!(list.iter().map(|file| file["rows"].as_u64().unwrap()).sum::<u64>(), sum.rows);
    sum
}

#[test]
fn a_store_gives_and_takes_what_a_disk_does() {
    let place = Place::small();
    let store = store_of(&place);
    succeed(&mut sql(&place, &store, &["-c", &encode_to("out")]));
    let found = sum_of(&store, "out");
    assert_eq!(found.rows, processes::SMALL as u64);
    succeed(&mut place.sql(&["-c", &place.encode_to("local")]));
    assert_eq!(found, Sum::of_folder(&place.at("local")), "the same bits");
    let puts: Vec<String> = store.log().into_iter().filter(|l| l.starts_with("PUT ")).collect();
    assert_eq!(puts.last().unwrap(), "PUT out/_SUCCESS");
    // Never over another.
    let before = store.keys("");
    let again = sql(&place, &store, &["-c", &encode_to("out")]).output().unwrap();
    refused(&again, &["s3://bucket/out/", "already"]);
    assert_eq!(store.keys(""), before);
    // A file of several pieces.
    succeed(&mut sql(&place, &store, &["--parts", "1", "-c", &large("large")]));
    assert!(store.log().iter().any(|l| l.contains("partNumber=2")), "{:?}", store.log());
    assert_eq!(store.open_uploads(), 0);
    let mut vectors = Sum::default();
    let files = made::vectors(place.vectors(), processes::SMALL);
    files.iter().for_each(|file| vectors.add_file(file, 0));
    assert_eq!(sum_of(&store, "large"), vectors);
}

#[test]
fn students_in_a_store_are_checked() {
    let place = Place::small();
    let store = store_of(&place);
    let query =
        "SELECT count(lnsp_encode(embedding, 'other')) AS n FROM 's3://bucket/in/*.parquet'";
    let wrong = format!("other=s3://bucket/s256.safetensors#{}", "0".repeat(64));
    let refusal = sql(&place, &store, &["--student", &wrong, "-c", query]).output().unwrap();
    refused(&refusal, &["sha256", "s3://bucket/s256.safetensors", "not 0000"]);
    let absent = "other=s3://bucket/none.safetensors";
    let refusal = sql(&place, &store, &["--student", absent, "-c", query]).output().unwrap();
    refused(&refusal, &["none.safetensors", "cannot be read here", "#SHA256"]);
    assert!(store.keys("out/").is_empty());
}

#[test]
fn a_store_that_breaks_off_ends_the_query_in_words_and_leaves_no_output() {
    let place = Place::small();
    let store = store_of(&place);
    let always = usize::MAX;
    for (trouble, words) in [
        (Trouble::CutGet("v05", always), ["GET", "in/v05.parquet"]),
        (Trouble::CutPut("out/part", always), ["PUT", "out/part-"]),
        (Trouble::CutPut("_SUCCESS", always), ["PUT", "out/_SUCCESS"]),
    ] {
        store.trouble(Some(trouble.clone()));
        let broken = sql(&place, &store, &["-c", &encode_to("out")]).output().unwrap();
        let said = refused(&broken, &words);
        assert!(said.starts_with("error: from the store: ") && said.ends_with("run it again"));
        assert!(store.keys("out/").is_empty(), "{trouble:?}: {:?}", store.keys("out/"));
        assert_eq!(store.open_uploads(), 0, "{trouble:?}");
    }
    // Pieces of a larger file.
    store.trouble(Some(Trouble::CutPut("out/part", always)));
    let broken = sql(&place, &store, &["--parts", "1", "-c", &large("out")]).output().unwrap();
    refused(&broken, &["out/part-"]);
    assert!(store.log().iter().any(|l| l.contains("partNumber=1")));
    assert!(store.keys("out/").is_empty() && store.open_uploads() == 0);
    // One that only stumbles is asked again.
    for stumble in [Trouble::CutGet("v05", 1), Trouble::CutPut("part", 1)] {
        store.trouble(Some(stumble.clone()));
        let out = format!("after-{}", store.log().len());
        succeed(&mut sql(&place, &store, &["-c", &encode_to(&out)]));
        assert_eq!(sum_of(&store, &out).rows, processes::SMALL as u64, "{stumble:?}");
    }
}

#[test]
fn ctrl_c_leaves_no_output_in_a_store() {
    let place = Place::small();
    let store = store_of(&place);
    store.trouble(Some(Trouble::HoldPut("out/part")));
    // Files that go there at once, and one that goes in pieces.
    for (text, more) in [(encode_to("out"), vec![]), (large("out"), vec!["--parts", "1"])] {
        let before = store.log().len();
        let mut query = sql(&place, &store, &[&more[..], &["-c", text.as_str()]].concat());
        let mut query = Process::start(query.stderr(Stdio::piped()));
        wait_for("the first file", || {
            store.log()[before..].iter().any(|l| l.starts_with("PUT out/")).then_some(())
        });
        query.signal("INT");
        let (code, said) = query.end();
        assert_eq!(code, Some(130), "{said}");
        assert!(store.keys("out/").is_empty(), "{:?}", store.keys("out/"));
        assert_eq!(store.open_uploads(), 0);
    }
}

#[test]
fn a_cluster_works_through_a_store() {
    let place = Place::small();
    let store = store_of(&place);
    succeed(&mut place.sql(&["-c", &place.encode_to("local")]));
    let cluster = Cluster::with(processes::EXECUTORS, 1, store.environment());
    let url = cluster.url();
    succeed(&mut sql(&place, &store, &["--remote", &url, "-c", &encode_to("out")]));
    assert_eq!(sum_of(&store, "out"), Sum::of_folder(&place.at("local")), "the same bits");
    store.trouble(Some(Trouble::CutPut("broken/part", usize::MAX)));
    let broken = sql(&place, &store, &["--remote", &url, "-c", &encode_to("broken")]);
    let broken = { broken }.output().unwrap();
    let said = refused(&broken, &["PUT", "broken/part-"]);
    assert!(
        said.starts_with("error: from the store: ") && said.ends_with("run it again"),
        "{said}"
    );
    assert!(store.keys("broken/").is_empty(), "{:?}", store.keys("broken/"));
}
