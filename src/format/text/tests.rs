use proptest::prelude::*;

use super::*;

fn open(name: &str, bytes: &[u8], column: Option<&str>, skip_bad: bool) -> Result<Vec<String>> {
    let options = TextOptions { column: column.map(str::to_owned), skip_bad };
    let mut reader = TextReader::new(TextKind::from_name(name)?, name, OneByOne(bytes), &options)?;
    let mut texts = Vec::new();
    while let Some(text) = reader.next_text()? {
        texts.push(text);
    }
    Ok(texts)
}

/// A stream that gives one byte at a time.
struct OneByOne<'a>(&'a [u8]);

impl Read for OneByOne<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let n = into.len().min(1);
        self.0.read(&mut into[..n])
    }
}

fn texts(name: &str, text: &str) -> Vec<String> {
    open(name, text.as_bytes(), None, false).unwrap()
}

#[track_caller]
fn refused(name: &str, bytes: &[u8], column: Option<&str>, words: &[&str]) {
    let message = open(name, bytes, column, false).unwrap_err().to_string();
    assert!(message.starts_with(name) || message.starts_with("column"), "{message}");
    for word in words {
        assert!(message.contains(word), "no {word:?} in {message}");
    }
}

#[test]
fn lines_with_mark_and_crlf_and_no_last_end() {
    assert_eq!(texts("a.txt", "\u{feff}one\r\n two \nthr\u{e9}e"), ["one", "two", "thr\u{e9}e"]);
    assert_eq!(texts("a", "x\n"), ["x"]);
    assert_eq!(texts("dir.d/a.TXT", "x"), ["x"]);
}

#[test]
fn bad_lines_are_named_with_their_number() {
    refused("a.txt", b"", None, &["empty"]);
    refused("a.txt", b"\xef\xbb\xbf", None, &["no text"]);
    refused("a.txt", b"one\n\ntwo\n", None, &["line 2", "no text", "--skip-bad"]);
    refused("a.txt", b"one\n \t\r\n", None, &["line 2"]);
    refused("a.txt", b"one\ntw\xffo\n", None, &["line 2", "byte 3", "UTF-8"]);
    refused("a.txt", b"\xff\xfeo\0n\0", None, &["UTF-16"]);
    refused("a.txt", b"one", Some("text"), &["no columns"]);
    refused("a.npy", b"one", None, &["vectors"]);
    refused("a.pdf", b"one", None, &["\"pdf\"", ".jsonl"]);
}

#[test]
fn bad_lines_are_left_out_and_counted() {
    let long = "x".repeat(MAX_BYTES + 1);
    let just = "y".repeat(MAX_BYTES);
    let bytes = [b"one\n\n\xff\n", long.as_bytes(), b"\r\n \n", just.as_bytes()].concat();
    let options = TextOptions { column: None, skip_bad: true };
    let mut reader = TextReader::new(TextKind::Lines, "a", &bytes[..], &options).unwrap();
    let mut found = vec!["what was there before".to_owned()];
    assert_eq!(reader.read(1, &mut found).unwrap(), 1);
    assert_eq!(found, ["one"]);
    assert_eq!(reader.read(9, &mut found).unwrap(), 1);
    assert!(found == [just]);
    assert_eq!(reader.read(9, &mut found).unwrap(), 0);
    let skipped = SkippedTexts { empty: 2, not_utf8: 1, too_long: 1, misfit: 0 };
    assert_eq!(reader.skipped(), skipped);
    assert_eq!(skipped.to_string(), "4 lines left out: 2 empty, 1 not in UTF-8, 1 too long");
    let error = open("a.txt", b"\n\n", None, true).unwrap_err().to_string();
    assert!(error.contains("no line can be used: 2 lines left out: 2 empty"), "{error}");
}

#[test]
fn an_endless_line_is_not_held() {
    let mut reader = TextReader::new(
        TextKind::Lines,
        "a",
        std::io::repeat(b'x').take(1 << 26),
        &Default::default(),
    )
    .unwrap();
    let error = reader.next_text().unwrap_err().to_string();
    assert!(error.contains("line 1") && error.contains("longer than 1048576 bytes"), "{error}");
}

#[test]
fn json_lines() {
    let two = "{\"id\": 1, \"text\": \"a\\nb\"}\r\n{\"text\": \"c\", \"sentence\": \"d\"}\n";
    assert_eq!(texts("a.jsonl", two), ["a\nb", "c"]);
    assert_eq!(open("a.ndjson", two.as_bytes(), Some("sentence"), true).unwrap(), ["d"]);
    assert_eq!(texts("a.jsonl", "{\"n\": 1, \"words\": \"x\"}"), ["x"]);
    refused("a.jsonl", b"{\"a\": \"x\", \"b\": \"y\"}", None, &["line 1", "--column", "a, b"]);
    refused("a.jsonl", b"{\"text\": \"x\"}\n{\"a\": 1}\n", None, &["line 2", "\"text\"", "are a"]);
    refused("a.jsonl", b"{\"text\": 7}", None, &["line 1", "no string"]);
    refused("a.jsonl", b"[1]", None, &["line 1", "no object"]);
    refused("a.jsonl", b"{\"text\": \"x\"", None, &["line 1", "no JSON", "column 12"]);
    refused("a.jsonl", b"{\"text\": \"x\"}\n\n", None, &["line 2", "no text"]);
    refused("a.jsonl", b"{\"text\": \"\"}", None, &["line 1", "no text"]);
    refused("a.jsonl", b"{\"text\": \"\\ud800\"}", None, &["line 1", "no JSON"]);
    let deep = "[".repeat(1 << 19);
    refused("a.jsonl", deep.as_bytes(), None, &["line 1", "no JSON"]);
}

#[test]
fn comma_separated_values() {
    let two = "id,text\r\n1,\"a, \"\"b\"\"\nc\"\r\n2,d\r\n";
    assert_eq!(texts("a.csv", two), ["a, \"b\"\nc", "d"]);
    assert_eq!(open("a.csv", two.as_bytes(), Some("id"), false).unwrap(), ["1", "2"]);
    assert_eq!(texts("a.csv", "\u{feff}sentence,x\na,b"), ["a"]);
    assert_eq!(texts("a.csv", "words\na\n"), ["a"]);
    assert_eq!(texts("a.tsv", "n\ttext\n1\ta, \"b\"\n"), ["a, \"b\""]);
    refused("a.csv", b"a,b\n1,2\n", None, &["--column", "there are a, b"]);
    refused("a.csv", b"a,b\n1,2\n", Some("c"), &["no column \"c\"", "there are a, b"]);
    refused("a.csv", b"id;text\n1;a\n", None, &["no comma", "tabs"]);
    refused("a.csv", b"id,text\n1,a\n2,\n", None, &["line 3", "no text"]);
    refused("a.csv", b"id,text\n1,a\n2\n", None, &["line 3", "1 fields", "has 2"]);
    refused("a.csv", b"id,text\n1,a\n2,\xe9\n", None, &["line 3", "byte 1", "UTF-8"]);
    refused("a.csv", b"text\n", None, &["no text in the file"]);
    let mixed = b"id,text\n1,a\n2\n3,\n4,\xff\n5,b\n";
    assert_eq!(open("a.csv", mixed, None, true).unwrap(), ["a", "b"]);
}

#[test]
fn an_open_quotation_mark_does_not_take_the_memory() {
    let start = &b"text\na\n\"b\n"[..];
    let stream = start.chain(std::io::repeat(b'x').take(1 << 30));
    let mut reader = TextReader::new(TextKind::Csv, "a.csv", stream, &Default::default()).unwrap();
    assert_eq!(reader.next_text().unwrap().as_deref(), Some("a"));
    let error = reader.next_text().unwrap_err().to_string();
    assert!(error.contains("line 3") && error.contains("quotation mark"), "{error}");
}

/// A JSON or CSV file of any texts gives them back.
fn any_texts() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec("[^\\p{White_Space}]([^\u{0}]{0,12}[^\\p{White_Space}])?", 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn json_and_csv_give_back_any_text(wanted in any_texts()) {
        // White space at the ends is cut; the texts have none there.
        let json: String = wanted.iter()
            .map(|t| format!("{}\n", serde_json::json!({"n": 1, "text": t}))).collect();
        prop_assert_eq!(&texts("a.jsonl", &json), &wanted);
        let csv: String = wanted.iter()
            .map(|t| format!("7,\"{}\"\n", t.replace('"', "\"\""))).collect();
        prop_assert_eq!(&texts("a.csv", &format!("n,text\n{csv}")), &wanted);
    }

    #[test]
    fn no_bytes_make_it_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        text in "[\"{}:,\\n a\u{e9}]{0,60}",
        skip_bad: bool,
    ) {
        for name in ["a.txt", "a.jsonl", "a.csv", "a.tsv"] {
            let _ = open(name, &bytes, None, skip_bad);
            let _ = open(name, text.as_bytes(), None, skip_bad);
            if let Ok(found) = open(name, text.as_bytes(), None, true) {
                prop_assert!(found.iter().all(|t| !t.trim().is_empty()));
            }
        }
    }
}
