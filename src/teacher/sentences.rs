//! Text in, vectors out: the tokenizer and the encoder together.

use super::Teacher;
use super::tokenizer::Tokenizer;
use crate::error::Result;
use crate::matrix::Matrix;

/// A teacher with its tokenizer.
#[derive(Debug)]
pub struct SentenceEncoder {
    teacher: Teacher,
    tokenizer: Tokenizer,
}

/// The vectors of some texts.
#[derive(Clone, Debug)]
pub struct Embedded {
    /// A unit vector a text, in the order of the texts.
    pub vectors: Matrix,
    /// How many of the texts were longer than the tokenizer's limit and were cut.
    pub cut: u64,
}

impl SentenceEncoder {
    /// A teacher and the tokenizer that belongs to it, which must cut at no more tokens than the
    /// teacher takes.
    pub fn new(teacher: Teacher, tokenizer: Tokenizer) -> Self {
        Self { teacher, tokenizer }
    }

    /// The encoder.
    pub fn teacher(&self) -> &Teacher {
        &self.teacher
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The vectors of `texts`. `progress` is called now and then with the number of texts done so
    /// far, and ends the work with an error of its own.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`] and [`Teacher::embed`].
    pub async fn embed<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        progress: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<Embedded> {
        let tokens = self.tokenizer.encode(texts)?;
        let vectors = self.teacher.embed(&tokens.ids, progress).await?;
        Ok(Embedded { vectors, cut: tokens.cut })
    }
}
