//! Where the teacher's two files come from: the visitor's address, the folder `teacher/` beside
//! the page, or the hub.

use lnsp::{Error, Result};
use serde::Deserialize;

use super::Task;
use super::fetch::{fetch, sha256};
use crate::protocol::TeacherSource;

/// The model on the Hugging Face hub.
const HUB: &str = "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/resolve/main/";
/// The folder beside the page. Its `teacher.json` says what it holds, so that nothing is asked for
/// that is not there.
const OWN: &str = "./teacher/";

/// The hub's weights.
const WEIGHTS: File<'_> = File {
    name: "model.safetensors",
    bytes: Some(90_868_376),
    sha256: Some("53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
};
/// The hub's tokenizer.
const TOKENIZER: File<'_> = File {
    name: "tokenizer.json",
    bytes: Some(466_247),
    sha256: Some("be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
};

/// One of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The weights.
    Weights,
    /// The tokenizer.
    #[cfg_attr(
        not(feature = "text"),
        expect(dead_code, reason = "asked for by the tokenizer's own worker only")
    )]
    Tokenizer,
}

#[derive(Clone, Copy)]
struct File<'a> {
    name: &'a str,
    bytes: Option<u64>,
    sha256: Option<&'a str>,
}

/// What `teacher/teacher.json` says of the files beside it; either may be absent.
#[derive(Debug, Default, Deserialize)]
struct Listing {
    weights: Option<Listed>,
    tokenizer: Option<Listed>,
}

#[derive(Debug, Deserialize)]
struct Listed {
    file: String,
    bytes: Option<u64>,
    sha256: Option<String>,
}

/// A file and where it is.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// Where from.
    pub source: TeacherSource,
    /// Its address.
    pub address: String,
    /// Its length, where known.
    pub bytes: Option<u64>,
    sha256: Option<String>,
}

impl Found {
    fn at(source: TeacherSource, folder: &str, file: File<'_>) -> Self {
        let slash = if folder.ends_with('/') { "" } else { "/" };
        Self {
            source,
            address: format!("{folder}{slash}{}", file.name),
            bytes: file.bytes,
            sha256: file.sha256.map(String::from),
        }
    }
}

/// Where `part` is to be fetched.
///
/// # Errors
/// If the list beside the page cannot be read; [`Error::Cancelled`].
pub(crate) async fn find(part: Part, address: Option<&str>, task: &Task) -> Result<Found> {
    let file = if part == Part::Weights { WEIGHTS } else { TOKENIZER };
    if let Some(folder) = address.filter(|address| !address.trim().is_empty()) {
        // Another model, or another precision: there is nothing to check it against.
        let unknown = File { bytes: None, sha256: None, ..file };
        return Ok(Found::at(TeacherSource::Address, folder.trim(), unknown));
    }
    let list = format!("{OWN}teacher.json");
    let text = fetch(&list, "looking for the teacher", None, task).await?;
    let listing: Listing = serde_json::from_slice(&text).map_err(|error| {
        Error::format(list, format!("is no list of the teacher's files: {error}"))
    })?;
    let listed = if part == Part::Weights { listing.weights } else { listing.tokenizer };
    Ok(match &listed {
        Some(Listed { file, bytes, sha256 }) => {
            let file = File { name: file, bytes: *bytes, sha256: sha256.as_deref() };
            Found::at(TeacherSource::Origin, OWN, file)
        }
        None => Found::at(TeacherSource::Hub, HUB, file),
    })
}

/// Fetches a file and checks it.
///
/// # Errors
/// As [`fetch`]; [`Error::Format`] if it is not the file that was promised.
pub(crate) async fn download(found: &Found, what: &str, task: &Task) -> Result<Vec<u8>> {
    let bytes = fetch(&found.address, what, found.bytes, task).await?;
    if let Some(wanted) = &found.sha256
        && sha256(&bytes) != *wanted
    {
        let message = format!("is damaged ({} bytes came); try again", bytes.len());
        return Err(Error::format(&found.address, message));
    }
    Ok(bytes)
}
