//! The real all-MiniLM-L6-v2 with its own tokenizer: tokens, vectors, and how its files are found,
//! checked and fetched. Needs LNSP_TEACHER_DIR, as tests/teacher.rs does.

mod command;
mod teacher_support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use command::{lnsp, names, text, word};
use lnsp::Precision;
use lnsp::device::Device;
use lnsp::teacher::Teacher;
use lnsp::teacher::sentences::SentenceEncoder;
use lnsp::teacher::tokenizer::Tokenizer;
use pollster::block_on;
use teacher_support::{folder, lowest_cosine, model, tokens, vectors, wanted_cosine};

fn reference_lines() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/teacher_reference.txt");
    std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

fn tokenizer(max_tokens: usize) -> Option<Tokenizer> {
    let json = std::fs::read(folder()?.join("tokenizer.json")).unwrap();
    Some(Tokenizer::from_bytes("tokenizer.json", &json, max_tokens).unwrap())
}

/// The fixture holds what the Python library made of the same lines.
#[test]
fn tokens_are_those_of_the_reference() {
    let Some(tokenizer) = tokenizer(64) else { return };
    let (lines, wanted) = (reference_lines(), tokens());
    assert_eq!(lines.len(), 200);
    let found = tokenizer.encode(&lines).unwrap();
    for (row, (found, wanted)) in found.ids.iter().zip(&wanted).enumerate() {
        assert_eq!(found, wanted, "line {row}: {}", lines[row]);
    }
    let long = self::tokenizer(256).unwrap().encode(&lines).unwrap();
    let over = long.ids.iter().filter(|ids| ids.len() > 64).count();
    assert_eq!(found.cut, over as u64);
}

/// By hand: [CLS] = 101, [SEP] = 102, "hello" = 7592, "world" = 2088, "!" = 999.
#[test]
fn tokens_of_a_known_text() {
    let Some(tokenizer) = tokenizer(256) else { return };
    let found = tokenizer.encode(&["Hello world!", " H\u{c9}LLO\n", ""]).unwrap();
    assert_eq!(found.ids, [vec![101, 7592, 2088, 999, 102], vec![101, 7592, 102], vec![101, 102]]);
    let long = tokenizer.encode(&["hello ".repeat(300)]).unwrap();
    assert_eq!((long.ids[0].len(), long.cut), (256, 1));
    assert_eq!(long.ids[0][254..], [7592, 102]);
}

#[test]
fn sentences_get_the_vectors_of_the_reference() {
    let (Some(tokenizer), Some(model)) = (tokenizer(64), model()) else { return };
    let teacher = Teacher::from_bytes(&Device::cpu(), "model", model, None).unwrap();
    let encoder = SentenceEncoder::new(teacher, tokenizer);
    let lines = &reference_lines()[..40];
    let mut done = 0;
    let embedded = block_on(encoder.embed(lines, &mut |n| {
        done = n;
        Ok(())
    }));
    let found = embedded.unwrap().vectors;
    assert_eq!((done, found.rows()), (40, 40));
    let lowest = lowest_cosine(&found, &vectors().slice_rows(0, 40));
    assert!(lowest >= wanted_cosine(Precision::F32), "{lowest}");
}

/// A hub on this machine: what the client asks of it, and a wire that breaks once.
struct Hub {
    address: String,
    /// Where each download began.
    starts: Arc<Mutex<Vec<u64>>>,
}

impl Hub {
    /// Serves the files in `folder`; the first download of more than a megabyte ends after half.
    fn start(folder: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let starts = Arc::new(Mutex::new(Vec::new()));
        let (noted, broken) = (starts.clone(), Arc::new(AtomicU64::new(0)));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (folder, noted, broken) = (folder.clone(), noted.clone(), broken.clone());
                std::thread::spawn(move || {
                    // A client that goes away is no error of ours.
                    let _ = answer(stream, &folder, &noted, &broken);
                });
            }
        });
        Self { address, starts }
    }
}

/// Answers one request with the rest of a file from the byte that was asked for.
fn answer(
    mut stream: TcpStream,
    folder: &Path,
    starts: &Mutex<Vec<u64>>,
    broken: &AtomicU64,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().unwrap_or(Ok(String::new()))?;
    let name = first.split(' ').nth(1).unwrap_or("").rsplit('/').next().unwrap_or("").to_owned();
    let (mut from, mut probe) = (0, false);
    for line in lines {
        let line = line?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.strip_prefix("range: bytes=") {
            probe = range.trim() == "0-0";
            from = range.split('-').next().unwrap().parse().unwrap_or(0);
        }
    }
    let bytes = std::fs::read(folder.join(&name))?;
    let size = bytes.len();
    let rest = if probe { &bytes[..1] } else { &bytes[from..] };
    write!(
        stream,
        "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {from}-{}/{size}\r\n\
         ETag: \"{name}-tag\"\r\nX-Repo-Commit: abc\r\nConnection: close\r\n\r\n",
        rest.len(),
        from + rest.len() - 1
    )?;
    let breaks = !probe && size > 1 << 20 && broken.fetch_add(1, Ordering::SeqCst) == 0;
    if !probe {
        starts.lock().unwrap().push(from as u64);
    }
    stream.write_all(if breaks { &rest[..rest.len() / 2] } else { rest })
}

/// Embeds one line with the cache and the hub there are.
fn embed(cache: &Path, hub: &str) -> Output {
    let line = cache.with_file_name("line.txt");
    std::fs::write(&line, "Hello world!\n").unwrap();
    let out = cache.with_file_name("v.npy");
    let args = ["embed", "--device", "cpu", "--text", word(&line), "--out", word(&out)];
    lnsp(&args)
        .env("LNSP_CACHE", cache)
        .env("HF_ENDPOINT", hub)
        .env("HF_HOME", cache.with_file_name("no-hub-cache"))
        .env_remove("HTTP_PROXY")
        .env_remove("http_proxy")
        .env_remove("ALL_PROXY")
        .env_remove("all_proxy")
        .output()
        .unwrap()
}

#[test]
fn fetched_once_gone_on_with_checked_and_fetched_again_when_damaged() {
    let Some(folder) = folder() else { return };
    let place = tempfile::tempdir().unwrap();
    let cache = place.path().join("cache");
    let hub = Hub::start(folder);
    let success = |hub: &str| {
        let output = embed(&cache, hub);
        let said = text(&output.stderr);
        assert!(output.status.success(), "{said}");
        said
    };
    let said = success(&hub.address);
    assert!(said.contains("fetching model.safetensors"), "{said}");
    // The second try began where the first was broken off, not at the start.
    let starts = hub.starts.lock().unwrap().clone();
    assert!(starts.iter().any(|start| *start > 1 << 20), "{starts:?}");
    let model = cache.join("all-MiniLM-L6-v2");
    assert_eq!(names(&model), ["checked.json", "model.safetensors", "tokenizer.json"]);
    // From now on without a hub.
    let nobody = "http://127.0.0.1:9";
    assert!(!success(nobody).contains("fetching"));
    // A damaged file of the right size, and one that is cut off.
    let mut bytes = std::fs::read(model.join("tokenizer.json")).unwrap();
    bytes[1000] ^= 1;
    std::fs::write(model.join("tokenizer.json"), &bytes).unwrap();
    let said = success(&hub.address);
    assert!(said.contains("tokenizer.json is damaged (its sha256 is"), "{said}");
    std::fs::write(model.join("tokenizer.json"), &bytes[..5000]).unwrap();
    let said = success(&hub.address);
    assert!(said.contains("tokenizer.json is damaged (5000 bytes, not 466247)"), "{said}");
    // Damaged, and nobody to fetch it from.
    std::fs::write(model.join("tokenizer.json"), &bytes).unwrap();
    let output = embed(&cache, nobody);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("is damaged") && said.contains("scripts/fetch-teacher.sh"), "{said}");
}

#[test]
fn without_a_hub_there_is_advice() {
    let place = tempfile::tempdir().unwrap();
    let output = embed(&place.path().join("cache"), "http://127.0.0.1:9");
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for word in ["error: model.safetensors", "scripts/fetch-teacher.sh", "--teacher"] {
        assert!(said.contains(word), "no {word:?} in {said}");
    }
    assert!(!place.path().join("v.npy").exists());
}

/// A hub that takes the connection and says no HTTP.
#[test]
fn a_hub_that_answers_nonsense_is_no_hub() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 256];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nlogin");
        }
    });
    let place = tempfile::tempdir().unwrap();
    let said = text(&embed(&place.path().join("cache"), &address).stderr);
    assert!(said.contains("error: ") && said.contains("scripts/fetch-teacher.sh"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}
