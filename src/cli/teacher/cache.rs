//! The teacher in the cache: whether it is there and whole.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::super::ui::Ui;
use super::{TOKENIZER, WEIGHTS, hub};
use crate::error::{Error, Result};
use crate::format::files::write_whole;

/// The teacher's folder in the cache.
pub(super) const MODEL: &str = "all-MiniLM-L6-v2";

/// What the files must be: name, bytes, sha256.
const WANTED: [(&str, u64, &str); 2] = [
    (WEIGHTS, 90_868_376, "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
    (TOKENIZER, 466_247, "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
];

/// What was checked, beside the files, so that 90 MB are not hashed at every start.
const CHECKED: &str = "checked.json";

/// A file as it was when its hash was right.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    bytes: u64,
    modified_ns: u128,
}

/// Where this program keeps what it fetches: `LNSP_CACHE`, else `lnsp` in the system's folder for
/// such things. None if the system has no such folder.
pub fn cache_folder() -> Option<PathBuf> {
    match std::env::var_os("LNSP_CACHE").filter(|folder| !folder.is_empty()) {
        Some(folder) => Some(folder.into()),
        None => dirs::cache_dir().map(|folder| folder.join("lnsp")),
    }
}

/// The folder of the teacher, its files fetched and checked if need be.
///
/// # Errors
/// No folder to keep it in; files that are not there and cannot be fetched.
pub(super) fn ready(ui: &Ui) -> anyhow::Result<PathBuf> {
    let cache = cache_folder().ok_or_else(|| {
        Error::invalid("LNSP_CACHE", "this system names no folder for caches; set the variable")
    })?;
    let folder = cache.join(MODEL);
    let mut missing = Vec::new();
    for (name, bytes, hash) in WANTED {
        let path = folder.join(name);
        match check(&path, bytes, hash)? {
            Verdict::Whole => {}
            Verdict::Missing => missing.push(name),
            Verdict::Damaged(how) => {
                ui.warn(&format!("{} is damaged ({how}); fetching it again", path.display()));
                fs::remove_file(&path).map_err(|e| Error::io(&path, e))?;
                missing.push(name);
            }
        }
    }
    for name in missing {
        let (_, bytes, hash) = WANTED.into_iter().find(|(n, ..)| *n == name).expect("of the list");
        hub::fetch(ui, &cache, name, &folder.join(name))?;
        if let Verdict::Damaged(how) = check(&folder.join(name), bytes, hash)? {
            let path = folder.join(name);
            fs::remove_file(&path).map_err(|e| Error::io(&path, e))?;
            anyhow::bail!(
                "the hub's {name} is not the file this program knows ({how}); {}",
                hub::ADVICE
            );
        }
    }
    Ok(folder)
}

/// Whether a file of weights is the teacher that the cache would hold, by its size and hash.
pub(super) fn is_the_teacher(path: &Path) -> bool {
    let (_, bytes, hash) = WANTED[0];
    fs::metadata(path).is_ok_and(|meta| meta.len() == bytes)
        && sha256_of(path).is_ok_and(|found| found == hash)
}

enum Verdict {
    Whole,
    Missing,
    Damaged(String),
}

/// Whether the file at `path` is the one that is wanted. Its hash is taken once, and again when
/// its size or time has changed.
fn check(path: &Path, bytes: u64, hash: &str) -> Result<Verdict> {
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Verdict::Missing),
        Err(e) => return Err(Error::io(path, e)),
    };
    if meta.len() != bytes {
        return Ok(Verdict::Damaged(format!("{} bytes, not {bytes}", meta.len())));
    }
    let modified = meta.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let now = Seen { bytes, modified_ns: modified.unwrap_or_default().as_nanos() };
    let notes = path.with_file_name(CHECKED);
    let mut seen: BTreeMap<String, Seen> =
        fs::read(&notes).ok().and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default();
    let name = super::file_name(path);
    if seen.get(&name) == Some(&now) {
        return Ok(Verdict::Whole);
    }
    let found = sha256_of(path)?;
    if found != hash {
        return Ok(Verdict::Damaged(format!("its sha256 is {found}, not {hash}")));
    }
    seen.insert(name, now);
    // A cache that cannot be written to is checked each time.
    if let Ok(json) = serde_json::to_vec(&seen) {
        let _ = write_whole(&notes, &json);
    }
    Ok(Verdict::Whole)
}

/// The sha256 of the file at `path`, in hex.
///
/// # Errors
/// [`Error::Io`] if it cannot be read.
pub fn sha256_of(path: &Path) -> Result<String> {
    let io = |e| Error::io(path, e);
    let mut file = File::open(path).map_err(io)?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer).map_err(io)? {
            0 => break,
            n => hash.update(&buffer[..n]),
        }
    }
    Ok(hex(&hash.finalize()))
}

/// Bytes in hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The two examples of FIPS 180-2 that fit on a line.
    #[test]
    fn hashes() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256_of(file.path()).unwrap(), empty);
        fs::write(file.path(), "abc").unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_of(file.path()).unwrap(), abc);
    }

    #[test]
    fn a_file_is_hashed_again_when_it_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert!(matches!(check(&path, 3, abc).unwrap(), Verdict::Missing));
        fs::write(&path, "abc").unwrap();
        assert!(matches!(check(&path, 3, abc).unwrap(), Verdict::Whole));
        assert!(matches!(check(&path, 3, "not asked again").unwrap(), Verdict::Whole));
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(UNIX_EPOCH + std::time::Duration::from_secs(1)).unwrap();
        assert!(matches!(check(&path, 3, abc).unwrap(), Verdict::Whole));
        fs::write(&path, "abd").unwrap();
        file.set_modified(UNIX_EPOCH + std::time::Duration::from_secs(2)).unwrap();
        let Verdict::Damaged(how) = check(&path, 3, abc).unwrap() else { panic!("not seen") };
        assert!(how.contains("sha256"), "{how}");
        fs::write(&path, "ab").unwrap();
        let Verdict::Damaged(how) = check(&path, 3, abc).unwrap() else { panic!("not seen") };
        assert!(how.contains("2 bytes, not 3"), "{how}");
    }
}
