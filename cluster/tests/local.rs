//! `lnsp-sql` on one machine, as a person or a script runs it.

mod made;
mod processes;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Stdio;

use made::Sum;
use processes::{Place, Process, refused, succeed, timed, wait_for};
use serde_json::Value;

#[test]
fn a_copy_is_written_whole_and_never_over_another() {
    let place = Place::small();
    let said = succeed(place.sql(&["--json", "-c", &place.encode_to("out")]).env("NO_COLOR", "1"));
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["rows"], 4000);
    assert_eq!(place.names(), ["in", "out", "s256.safetensors"]);
    assert_eq!(Sum::of_folder(&place.at("out")).rows, 4000);
    let again = place.sql(&["-c", &place.encode_to("out")]).output().unwrap();
    refused(&again, &["holds files already"]);
    // A single file, and another compression.
    let single = place.encode_to("out").replace("/out/'", "/one.parquet'");
    let single = format!("{single} OPTIONS ('compression' 'zstd(3)')");
    succeed(&mut place.sql(&["-c", &single]));
    let mut sum = Sum::default();
    sum.add_file(&place.at("one.parquet"), 0);
    assert_eq!(sum, Sum::of_folder(&place.at("out")));
    for (sql, words) in [
        (place.encode_to("x").replace("PARQUET", "CSV"), ["Parquet", "STORED AS PARQUET"]),
        (
            format!("{} OPTIONS ('compression' 'x')", place.encode_to("x")),
            ["compression", "zstd(3)"],
        ),
        ("SELECT nothing FROM nowhere".into(), ["nowhere", ""]),
        ("SELECT".into(), ["", ""]),
    ] {
        refused(&place.sql(&["-c", &sql]).output().unwrap(), &words);
    }
    assert_eq!(place.names(), ["in", "one.parquet", "out", "s256.safetensors"]);
}

#[test]
fn queries_are_shown_as_tables_and_as_json() {
    let place = Place::small();
    let count = format!("SELECT count(*) AS n FROM '{}/*.parquet'", place.vectors().display());
    let table = succeed(&mut place.sql(&["-c", &count]));
    assert!(table.contains("| 4000 |") && table.contains("1 rows"), "{table}");
    let both = format!("SET datafusion.execution.batch_size = 100; {count}");
    let json = succeed(place.sql(&["--json", "-f", "-"]).stdin(pipe_of(&both)));
    assert!(json.contains(r#""n": 4000"#) || json.contains(r#""n":4000"#), "{json}");
    let few = format!("SELECT id FROM '{}/*.parquet'", place.vectors().display());
    let few = succeed(&mut place.sql(&["--max-rows", "3", "-c", &few]));
    assert!(few.contains("the first 3 rows"), "{few}");
}

/// A file with this text, opened.
fn pipe_of(text: &str) -> Stdio {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    file.into()
}

#[test]
fn a_damaged_file_among_the_sixteen_leaves_no_output() {
    let place = Place::small();
    let damaged = place.vectors().join("v07.parquet");
    let whole = std::fs::read(&damaged).unwrap();
    // Cut short, and with the beginning of its data overwritten.
    std::fs::write(&damaged, &whole[..whole.len() / 2]).unwrap();
    let cut = place.sql(&["-c", &place.encode_to("out")]).output().unwrap();
    refused(&cut, &["v07.parquet"]);
    let mut torn = whole.clone();
    torn[4..2000].fill(0xff);
    std::fs::write(&damaged, torn).unwrap();
    let torn = place.sql(&["-c", &place.encode_to("out")]).output().unwrap();
    refused(&torn, &["v07.parquet"]);
    assert_eq!(place.names(), ["in", "s256.safetensors"]);
}

#[test]
fn ctrl_c_leaves_nothing_that_could_be_taken_for_the_output() {
    let place = Place::large();
    let sql = place.encode_to("out");
    let mut query = Process::start(place.sql(&["-c", &sql]).stderr(Stdio::piped()));
    wait_for("the first file", || {
        place.names().iter().any(|name| name.ends_with(".part")).then_some(())
    });
    query.signal("INT");
    let (code, said) = query.end();
    assert_eq!(code, Some(130), "{said}");
    assert_eq!(place.names(), ["s256.safetensors"], "{said}");
}

/// Ten times the rows, in as many files of the same row groups, take the same memory, but for what differs
/// from run to run. Without what the allocator keeps of memory that it was given back, which is more than
/// all else; one part, and the vectors written beside the latents, so that the fewer rows are some of the
/// row groups that it writes.
#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_the_rows() {
    let place = Place::small();
    let peak = |rows: usize| {
        let folder = place.at(&format!("in-{rows}"));
        made::vectors_in_groups(&folder, rows, 1024);
        let (from, to) = (place.vectors().display().to_string(), folder.display().to_string());
        let sql = place.encode_to(&format!("out-{rows}")).replace(&from, &to);
        let sql = sql.replace("SELECT id,", "SELECT id, embedding,");
        let mut command = place.sql(&["--quiet", "--parts", "1", "-c", &sql]);
        timed(command.env("MIMALLOC_PURGE_DELAY", "0").env("MIMALLOC_ALLOW_THP", "0")).peak
    };
    let (few, many) = (peak(20_000), peak(200_000));
    println!("{few} MB, with ten times the rows {many} MB");
    assert!(few > 50.0 && many < 1.15 * few, "{few} MB, with ten times the rows {many} MB");
}

#[test]
fn a_store_that_refuses_is_said_to() {
    let place = Place::small();
    // No one listens on a port that was just given back.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let forbids = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = forbids.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in forbids.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let body = "<Error><Code>AccessDenied</Code><Message>not yours</Message></Error>";
            let head = "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length:";
            let _ = write!(stream, "{head} {}\r\n\r\n{body}", body.len());
        }
    });
    let from = "SELECT id FROM 's3://bucket/in/*.parquet'";
    let to = place
        .encode_to("out")
        .replace(&format!("'{}/'", place.at("out").display()), "'s3://bucket/out/'");
    assert!(to.contains("'s3://bucket/out/'"), "{to}");
    for (address, word) in [(closed, ""), (address, "403 Forbidden")] {
        for sql in [from, &to] {
            let mut command = place.sql(&["-c", sql]);
            command
                .env("AWS_ENDPOINT", format!("http://{address}"))
                .env("AWS_ALLOW_HTTP", "true")
                .env("AWS_ACCESS_KEY_ID", "a")
                .env("AWS_SECRET_ACCESS_KEY", "b");
            refused(&command.output().unwrap(), &["bucket", word]);
        }
    }
    assert_eq!(place.names(), ["in", "s256.safetensors"]);
}

#[test]
fn students_are_checked_before_anything_runs() {
    let place = Place::small();
    let sql = place.encode_to("out");
    let student = place.at("s256.safetensors").display().to_string();
    for (given, words) in [
        (format!("other={student}#{}", "0".repeat(64)), ["sha256", "not 0000"]),
        ("other=/no/such.safetensors".into(), ["/no/such.safetensors", "#SHA256"]),
        ("other".into(), ["NAME=FILE", ""]),
    ] {
        refused(&place.sql(&["--student", &given, "-c", &sql]).output().unwrap(), &words);
    }
    assert_eq!(place.names(), ["in", "s256.safetensors"]);
}
