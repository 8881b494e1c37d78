//! The rules of the house: which room may import which, where the browser shows, one kernel a
//! shader, files that can be read in one sitting.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Rooms of `src/` by floor. A room imports rooms below it; rooms of one floor may know each other
/// in one direction (no circles).
const FLOORS: &[(u8, &[&str])] = &[
    (1, &["error", "number", "arch", "matrix", "note", "device"]),
    (2, &["kernels", "linalg", "metrics", "format", "sizes"]),
    (3, &["student", "teacher", "codes"]),
    (4, &["train", "source", "exchange"]),
    (5, &["experiment", "report"]),
    (6, &["cli", "main"]),
];

/// Shaders without a twin of the same name in `src/kernels/`, each with its reason.
const SHADERS_WITHOUT_TWIN: &[(&str, &str)] = &[("unpack", "in pack.rs, beside its inverse")];

/// The longest Rust file.
const LINES: usize = 600;

/// Words that no Rust file holds, in its name or its text. Split, since this file is searched too.
const BANNED: &[&str] = &[concat!("uti", "ls")];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `folder` (relative to the project) that ends in `.extension`, with its text;
/// paths are relative to the project. None if there is no such folder.
fn files(folder: &str, extension: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == extension) {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root()).unwrap().to_path_buf(), text));
            }
        }
    }
    found.sort();
    found
}

/// All Rust files of the project.
fn rust_files() -> Vec<(PathBuf, String)> {
    ["src", "tests", "app", "benches", "cluster"]
        .iter()
        .flat_map(|folder| files(folder, "rs"))
        .collect()
}

/// The text without line comments and without the unit tests at its end.
fn code_only(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
    text.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The first name of each path in `list`, which starts after a `::`: one for `a::B`, several for
/// `{a::B, c::{D, E}}`.
fn first_names(list: &str) -> Vec<String> {
    let name = |s: &str| s.trim_start().chars().take_while(|c| is_word(*c)).collect::<String>();
    let Some(inner) = list.trim_start().strip_prefix('{') else {
        return vec![name(list)];
    };
    let (mut names, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.push(name(&inner[start..at]));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// What `code` names directly below the crate's root, through `crate::` or `lnsp::`.
fn names_from_root(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for prefix in ["crate::", "lnsp::"] {
        for (at, _) in code.match_indices(prefix) {
            if !code[..at].ends_with(is_word) {
                names.extend(first_names(&code[at + prefix.len()..]));
            }
        }
    }
    names
}

/// Which room each name that `lib.rs` re-exports comes from.
fn reexports(lib: &str) -> BTreeMap<String, String> {
    let mut from = BTreeMap::new();
    for statement in code_only(lib).split(';') {
        if let Some((_, path)) = statement.split_once("pub use ")
            && let Some((room, names)) = path.split_once("::")
        {
            for name in first_names(names) {
                from.insert(name, room.trim().to_string());
            }
        }
    }
    from
}

/// The room that a file of `src/` belongs to, none for `lib.rs`.
fn room_of(path: &Path) -> Option<String> {
    let first = path.strip_prefix("src").ok()?.iter().next()?.to_str()?;
    let room = first.strip_suffix(".rs").unwrap_or(first);
    (room != "lib").then(|| room.to_string())
}

fn floor_of(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(_, rooms)| rooms.contains(&room)).map(|(floor, _)| *floor)
}

/// Room → rooms it imports, from files with their text. `lib` says where re-exports come from.
fn imports(files: &[(PathBuf, String)], lib: &str) -> BTreeMap<String, BTreeSet<String>> {
    let from = reexports(lib);
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in files {
        let Some(room) = room_of(path) else { continue };
        let imported = edges.entry(room.clone()).or_default();
        for name in names_from_root(&code_only(text)) {
            let target = from.get(&name).cloned().unwrap_or(name);
            if target != room {
                imported.insert(target);
            }
        }
    }
    edges
}

/// Every breach of the floors: rooms without a floor, imports upwards, circles.
fn breaches(edges: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut found = Vec::new();
    for (room, imported) in edges {
        let Some(floor) = floor_of(room) else {
            found.push(format!("{room} has no floor: add it to FLOORS"));
            continue;
        };
        for target in imported {
            match floor_of(target) {
                None => found.push(format!("{room} imports {target}, which has no floor")),
                Some(other) if other > floor => {
                    found.push(format!("{room} (floor {floor}) imports {target} (floor {other})"));
                }
                Some(_) => {}
            }
        }
    }
    // Take away rooms that import nothing of what is left; a circle is what stays.
    let mut left = edges.clone();
    loop {
        let rooms: BTreeSet<String> = left.keys().cloned().collect();
        let before = left.len();
        left.retain(|_, imported| imported.intersection(&rooms).next().is_some());
        if left.len() == before {
            break;
        }
    }
    if !left.is_empty() {
        found.push(format!("a circle among {:?}", left.keys().collect::<Vec<_>>()));
    }
    found
}

#[test]
fn rooms_import_only_rooms_below() {
    let files = files("src", "rs");
    let lib = &files.iter().find(|(path, _)| path.ends_with("src/lib.rs")).unwrap().1;
    let edges = imports(&files, lib);
    assert!(edges["arch"].contains("error"), "the imports of arch are not seen: {edges:?}");
    let found = breaches(&edges);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn breaches_are_found() {
    let lib = "pub mod error;\npub use error::{Error, Result};\npub use train::Trainer;\n";
    let found_in = |sources: &[(&str, &str)]| {
        let files: Vec<_> =
            sources.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_string())).collect();
        breaches(&imports(&files, lib)).join("; ")
    };
    assert_eq!(found_in(&[("src/arch.rs", "use crate::{Error, error::{Result as R}};")]), "");
    assert_eq!(
        found_in(&[(
            "src/arch.rs",
            "// crate::train\n#[cfg(test)]\nmod tests { use crate::cli; }"
        )]),
        ""
    );
    let up = "kernels (floor 2) imports train (floor 4)";
    assert_eq!(found_in(&[("src/kernels/a.rs", "use crate::{error, train::{A, B}};")]), up);
    assert_eq!(found_in(&[("src/kernels/a.rs", "fn f(t: &crate::Trainer) {}")]), up);
    assert!(found_in(&[("src/arch.rs", "use lnsp::attic::X;")]).contains("attic, which has no"));
    assert!(found_in(&[("src/attic/x.rs", "")]).contains("attic has no floor"));
    let circle =
        [("src/linalg/a.rs", "crate::metrics::f()"), ("src/metrics.rs", "crate::linalg::g()")];
    assert_eq!(found_in(&circle), r#"a circle among ["linalg", "metrics"]"#);
}

#[test]
fn the_browser_shows_in_device_only() {
    for (path, text) in files("src", "rs") {
        if !path.starts_with("src/device") && !path.ends_with("src/device.rs") {
            for (number, line) in code_only(&text).lines().enumerate() {
                let shows = line.contains("\"wasm32\"") || line.contains("\"wasm\"");
                assert!(!shows, "{}:{}: {line}", path.display(), number + 1);
            }
        }
    }
}

#[test]
fn every_shader_has_its_kernel() {
    // What is in `shared` is no shader by itself.
    let shaders = files("shaders", "wgsl").into_iter().map(|(path, _)| path);
    for path in shaders.filter(|path| !path.starts_with("shaders/shared")) {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let twin = root().join(format!("src/kernels/{name}.rs"));
        let excepted = SHADERS_WITHOUT_TWIN.iter().any(|(shader, _)| *shader == name);
        assert!(twin.exists() != excepted, "{}: {}", path.display(), twin.display());
    }
    for (name, reason) in SHADERS_WITHOUT_TWIN {
        let shader = root().join(format!("shaders/{name}.wgsl"));
        assert!(shader.exists() && !reason.is_empty(), "{name} is excepted and does not exist");
    }
}

#[test]
fn files_can_be_read_in_one_sitting() {
    for (path, text) in rust_files() {
        let lines = text.lines().count();
        assert!(lines <= LINES, "{} has {lines} lines, at most {LINES}: part it", path.display());
    }
}

#[test]
fn no_banned_words() {
    // What another crate calls its modules is not ours to choose.
    let foreign = concat!("ballista_core::uti", "ls");
    for (path, text) in rust_files() {
        let text = text.replace(foreign, "");
        let name = path.to_string_lossy().into_owned();
        for word in BANNED {
            let held = [&name, &text].iter().any(|s| s.split(|c| !is_word(c)).any(|w| w == *word));
            assert!(!held, "{name} holds the word {word:?}");
        }
    }
}
