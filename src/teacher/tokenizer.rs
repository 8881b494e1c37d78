//! Text to token ids, by the teacher's own `tokenizer.json`.
//!
//! The file of all-MiniLM-L6-v2 fixes padding and truncation at 128 tokens. Both are switched
//! off: the encoder needs no padding, and what is over the limit is cut here, where it is counted.

use crate::error::{Error, Result};
use crate::linalg::map_blocks;

/// Texts that one core takes at a time.
const BLOCK: usize = 32;

/// Fewer tokens than this leave no room for a word between `[CLS]` and `[SEP]`.
const LEAST_TOKENS: usize = 3;

/// A tokenizer and the length at which it cuts.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    name: String,
    max_tokens: usize,
}

/// Token ids of some texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// One sequence a text, special tokens included.
    pub ids: Vec<Vec<u32>>,
    /// How many of the texts were longer than the limit and lost their ends.
    pub cut: u64,
}

impl Tokenizer {
    /// Reads the bytes of a `tokenizer.json` called `name`. Sequences get at most `max_tokens`
    /// tokens, `[CLS]` and `[SEP]` among them.
    ///
    /// # Errors
    /// [`Error::Format`] for bytes that are no tokenizer; [`Error::Invalid`] for a limit below 3.
    pub fn from_bytes(name: &str, json: &[u8], max_tokens: usize) -> Result<Self> {
        if max_tokens < LEAST_TOKENS {
            let message =
                format!("{max_tokens} leaves no room for a word; {LEAST_TOKENS} is least");
            return Err(Error::invalid("max-tokens", message));
        }
        let unusable = |cause: tokenizers::Error| {
            let message = format!("no tokenizer can be read from it ({cause}); fetch it again");
            Error::format(name, message)
        };
        let mut inner = tokenizers::Tokenizer::from_bytes(json).map_err(unusable)?;
        inner.with_padding(None);
        inner.with_truncation(None).map_err(unusable)?;
        Ok(Self { inner, name: name.to_owned(), max_tokens })
    }

    /// The most tokens that a sequence gets.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// The ids of each text. A sequence over the limit keeps its start, and `[SEP]` at its end.
    ///
    /// # Errors
    /// [`Error::Row`] for a text that the tokenizer refuses or makes nothing of.
    pub fn encode<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Tokens> {
        let blocks = map_blocks(texts.len(), BLOCK, |rows| {
            rows.map(|row| self.encode_one(row, texts[row].as_ref())).collect::<Result<Vec<_>>>()
        });
        let mut tokens = Tokens { ids: Vec::with_capacity(texts.len()), cut: 0 };
        for block in blocks {
            for (ids, cut) in block? {
                tokens.ids.push(ids);
                tokens.cut += u64::from(cut);
            }
        }
        Ok(tokens)
    }

    /// The ids of one text, and whether it was cut.
    fn encode_one(&self, row: usize, text: &str) -> Result<(Vec<u32>, bool)> {
        let refused =
            |message: String| Err(Error::Row { name: self.name.clone(), row: row as u64, message });
        let encoding = match self.inner.encode_fast(text, true) {
            Ok(encoding) => encoding,
            Err(cause) => return refused(format!("the text cannot be tokenized: {cause}")),
        };
        let ids = encoding.get_ids();
        if ids.is_empty() {
            return refused("the tokenizer makes no token of this text".into());
        }
        if ids.len() <= self.max_tokens {
            return Ok((ids.to_vec(), false));
        }
        let mut kept = ids[..self.max_tokens].to_vec();
        if encoding.get_special_tokens_mask().last() == Some(&1) {
            kept[self.max_tokens - 1] = ids[ids.len() - 1];
        }
        Ok((kept, true))
    }
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer")
            .field("name", &self.name)
            .field("max_tokens", &self.max_tokens)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the teacher's file is built, with eight words and the same trap: padding to a fixed
    /// length and a truncation.
    const JSON: &str = r###"{
        "version": "1.0",
        "truncation": {"max_length": 4, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
        "padding": {"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": null,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
        "added_tokens": [
            {"id": 2, "content": "[CLS]", "single_word": false, "lstrip": false, "rstrip": false,
             "normalized": false, "special": true},
            {"id": 3, "content": "[SEP]", "single_word": false, "lstrip": false, "rstrip": false,
             "normalized": false, "special": true}],
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}},
                       {"Sequence": {"id": "A", "type_id": 0}},
                       {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {
                "[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]},
                "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}}},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "cat": 4, "##s": 5,
                      "the": 6, "sat": 7, "!": 8}}
    }"###;

    fn tokenizer(max_tokens: usize) -> Tokenizer {
        Tokenizer::from_bytes("tiny.json", JSON.as_bytes(), max_tokens).unwrap()
    }

    #[test]
    fn neither_pads_nor_cuts_as_the_file_says() {
        // BERT's lower case drops accents.
        let texts = ["The cats sat!", "", "C\u{e1}t dog", "  the\tthe the the the "];
        let tokens = tokenizer(256).encode(&texts).unwrap();
        let wanted: [&[u32]; 4] =
            [&[2, 6, 4, 5, 7, 8, 3], &[2, 3], &[2, 4, 1, 3], &[2, 6, 6, 6, 6, 6, 3]];
        assert_eq!(tokens.ids, wanted);
        assert_eq!(tokens.cut, 0);
    }

    #[test]
    fn what_is_too_long_keeps_its_last_token_and_is_counted() {
        let tokens = tokenizer(5).encode(&["the cats sat!", "the cat sat", "sat"]).unwrap();
        assert_eq!(tokens.ids, [vec![2, 6, 4, 5, 3], vec![2, 6, 4, 7, 3], vec![2, 7, 3]]);
        assert_eq!(tokens.cut, 1);
    }

    #[test]
    fn many_texts_keep_their_order() {
        let texts: Vec<String> = (0..257).map(|i| "the ".repeat(i % 7)).collect();
        let tokens = tokenizer(6).encode(&texts).unwrap();
        for (i, ids) in tokens.ids.iter().enumerate() {
            assert_eq!(ids.len(), 2 + (i % 7).min(4), "text {i}");
        }
        assert_eq!(tokens.cut, (0..257).filter(|i| i % 7 > 4).count() as u64);
    }

    #[test]
    fn no_tokenizer_and_no_room() {
        let error = Tokenizer::from_bytes("x.json", b"{}", 256).unwrap_err().to_string();
        assert!(error.starts_with("x.json: ") && error.contains("fetch it again"), "{error}");
        let error = Tokenizer::from_bytes("x.json", JSON.as_bytes(), 2).unwrap_err().to_string();
        assert!(error.contains("max-tokens") && error.contains('3'), "{error}");
    }
}
