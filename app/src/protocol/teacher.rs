//! The teacher in the browser: its weights and its tokenizer, fetched when text is first used.

use lnsp::Precision;
use serde::{Deserialize, Serialize};

/// What loading would fetch, and from where. Asked before it, so that the page can say it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlanTeacher {
    /// A folder with `model.safetensors` and `tokenizer.json`, if the visitor named one.
    pub address: Option<String>,
}

/// Where the teacher comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TeacherSource {
    /// Kept by the browser from an earlier visit.
    Cache,
    /// The folder `teacher/` beside the page.
    Origin,
    /// The address that the visitor named.
    Address,
    /// The Hugging Face hub.
    #[default]
    Hub,
}

/// Answers [`PlanTeacher`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TeacherPlan {
    /// Where it would come from.
    pub source: TeacherSource,
    /// Bytes to download, where they are known; none from the cache.
    pub download: Option<u64>,
    /// Bytes that the browser keeps of it.
    pub cached: u64,
}

/// Brings the teacher's weights to the worker, and keeps the small form for later visits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoadTeacher {
    /// As in [`PlanTeacher`].
    pub address: Option<String>,
    /// What its matrices are kept at; only int8 is kept for later visits.
    pub precision: Precision,
}

/// The teacher that is loaded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TeacherInfo {
    /// Where it came from.
    pub source: TeacherSource,
    /// Bytes of its weights.
    pub bytes: u64,
    /// Whether a later visit finds it in the cache.
    pub kept: bool,
}

/// Clears what the browser keeps of the teacher.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ForgetTeacher;

/// Vectors of token sequences. Two buffers go with it: all token ids, and the length of each
/// sequence, both as 32-bit whole numbers. One comes back: the vectors in f32.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EmbedTokens {
    /// `auto`, `gpu` or `cpu`.
    pub device: String,
}

/// Answers [`EmbedTokens`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Embedded {
    /// Number of vectors.
    pub rows: usize,
    /// Their width.
    pub width: usize,
    /// The device that worked.
    pub device: String,
}

/// Token ids of texts; asked of the tokenizer's own worker. The ids and the lengths come back as
/// two buffers, as [`EmbedTokens`] wants them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tokenize {
    /// As in [`PlanTeacher`].
    pub address: Option<String>,
    /// The texts.
    pub texts: Vec<String>,
}

/// Answers [`Tokenize`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tokenized {
    /// Texts that were longer than the model's limit and lost their ends.
    pub cut: u64,
    /// The limit, in tokens.
    pub max_tokens: usize,
}
