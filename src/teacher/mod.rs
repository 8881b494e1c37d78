//! The teacher: sentences in, the vectors out that students learn to compress.

#[cfg(feature = "text")]
pub mod tokenizer;
