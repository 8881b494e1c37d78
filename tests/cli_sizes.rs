//! `lnsp sizes` as a person or a script runs it.
#![cfg(feature = "cli")]

use std::io::Read;
use std::process::{Command, Output, Stdio};

fn lnsp(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lnsp"));
    command.args(args).env_remove("NO_COLOR").env("LC_ALL", "C.UTF-8").env_remove("COLUMNS");
    command
}

fn run(args: &[&str]) -> Output {
    lnsp(args).output().expect("the command starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn text_for_people_has_every_row_and_no_escapes_when_piped() {
    let output = run(&["sizes"]);
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    assert!(!out.contains('\x1b'));
    for exact in ["443,712", "201,355,264", "296,000", "4,727,360", "246,848", "545,856"] {
        assert!(out.contains(exact), "{exact}:\n{out}");
    }
    assert!(out.contains("inference") && out.contains("overstated by 33 %"), "{out}");
    assert!(out.contains("Current Winner (SN727)") && out.contains("Extremely Slow"), "{out}");
}

#[test]
fn eighty_columns_are_enough_and_narrower_ones_too() {
    for columns in ["80", "60"] {
        let output = lnsp(&["sizes"]).env("COLUMNS", columns).output().unwrap();
        let width: usize = columns.parse().unwrap();
        for line in text(&output.stdout).lines() {
            assert!(line.chars().count() <= width, "{columns}: {line}");
        }
    }
}

#[test]
fn colour_when_asked_and_ascii_where_the_locale_has_nothing_else() {
    assert!(text(&run(&["sizes", "--color", "always"]).stdout).contains("\x1b["));
    let plain = lnsp(&["sizes"]).env("LC_ALL", "POSIX").output().unwrap();
    assert!(cfg!(windows) || plain.stdout.is_ascii());
}

#[test]
fn json_is_one_document_with_the_notes_figures_beside_ours() {
    let output = run(&["sizes", "--json", "--batch", "64"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = json["rows"].as_array().unwrap();
    assert_eq!((rows.len(), &json["batch"]), (17, &64.into()));
    let winner = &rows[10];
    assert_eq!(winner["parameters"], 296_000);
    assert_eq!(winner["note"]["parameters"]["text"], "~545K");
    assert_eq!(winner["note_formula"], 246_848);
    assert_eq!(winner["sn727"]["parameters"], 545_856);
    assert!(winner["sn727"]["label"].as_str().unwrap().contains("inference"));
    assert_eq!(winner["checks"]["parameters"]["verdict"], "overstated");
    assert_eq!(winner["bytes"]["f32"], 1_184_000);
    assert_eq!(rows[0]["four_squares"], 589_824);
    let before: serde_json::Value =
        serde_json::from_slice(&run(&["--json", "sizes", "--batch", "64"]).stdout).unwrap();
    assert_eq!(before, json);
}

#[test]
fn csv_has_a_header_and_seventeen_rows() {
    let out = text(&run(&["sizes", "--csv"]).stdout);
    assert_eq!(out.lines().count(), 18, "{out}");
    assert!(out.starts_with("family,width,architecture,"));
    assert!(
        out.lines().nth(11).unwrap().starts_with("B,256,384→256→192→256→384,plain,gelu,~545K,")
    );
}

#[test]
fn own_architectures_and_families() {
    let out = text(&run(&["sizes", "--width", "300", "--arch", "768-512-128-512-768"]).stdout);
    assert!(out.contains("346,776"), "1154·300 + 576:\n{out}");
    assert!(out.contains("768→512→128→512→768") && !out.contains("Family"), "{out}");
    let out = text(&run(&["sizes", "--family", "b", "--arch", "9-4-9"]).stdout);
    assert!(out.contains("Family B") && !out.contains("Family A") && out.contains("9→4→9"));
    let sn727 = text(&run(&["sizes", "--family", "b", "--variant", "sn727"]).stdout);
    assert!(
        sn727.lines().any(|l| l.contains("545,856") && l.trim_end().ends_with("ok")),
        "{sn727}"
    );
}

#[test]
fn huge_widths_are_numbers() {
    let output = run(&["sizes", "--width", "100000000"]);
    assert_eq!(output.status.code(), Some(0));
    let out = text(&output.stdout);
    assert!(out.contains("115,400,000,576"), "{out}");
}

#[test]
fn bad_input_is_one_line_and_an_exit_code() {
    let square = "4294967296-4294967296-4294967296-4294967296-4294967296";
    let cases: [(&[&str], i32, &str); 8] = [
        (&["sizes", "--width", "0"], 1, "--width 0"),
        (&["sizes", "--width", "99999999999999"], 1, "limit"),
        (&["sizes", "--batch", "0"], 1, "batch"),
        (&["sizes", "--arch", square], 2, "limit"),
        (&["sizes", "--json", "--csv"], 2, "exclude"),
        (&["sizes", "--arch", "384-x-384"], 2, "not a width"),
        (&["sizes", "--family", "c"], 2, "possible values"),
        (&["sizes", "--arch", "384-256-100-256-384", "--variant", "sn727"], 1, "heads"),
    ];
    for (args, code, words) in cases {
        let output = run(args);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {message}");
        assert!(message.starts_with("error: ") && message.contains(words), "{args:?}: {message}");
        assert!(output.stdout.is_empty(), "{args:?}");
        assert!(code == 2 || message.lines().count() == 1, "{args:?}: {message}");
        assert!(!message.contains('\x1b') && !message.contains("panicked"), "{message}");
    }
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let mut child =
        lnsp(&["sizes", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut message = String::new();
    child.stderr.take().unwrap().read_to_string(&mut message).unwrap();
    assert_eq!((child.wait().unwrap().code(), message.as_str()), (Some(0), ""));
}

#[test]
fn help_and_version() {
    let help = run(&["sizes", "--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(text(&help.stdout).contains("Examples:"));
    let version = text(&run(&["--version"]).stdout);
    assert_eq!(version.trim(), concat!("lnsp ", env!("CARGO_PKG_VERSION")));
    assert_eq!(run(&[]).status.code(), Some(2));
}
