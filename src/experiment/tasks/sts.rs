//! Similarity of pairs: does the cosine order them as people do?

use std::io::BufRead;

use super::lines::{Texts, at, for_each_line};
use crate::error::{Error, Result};
use crate::experiment::contenders::Contender;
use crate::matrix::Matrix;
use crate::metrics::pair_cosines;

/// Pairs of texts with the score that people gave them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sts {
    /// Rows of the texts.
    pairs: Vec<(u32, u32)>,
    scores: Vec<f32>,
}

impl Sts {
    /// Reads lines of a text, another one and a score, parted by tabs. Lines that begin with
    /// `#` are comments; a first line whose third column is no number is a heading.
    pub fn read(name: &str, reader: &mut dyn BufRead) -> Result<(Self, Vec<String>)> {
        let (mut pairs, mut scores, mut texts) = (Vec::new(), Vec::new(), Texts::default());
        let mut first = true;
        for_each_line(name, reader, |number, line| {
            if line.starts_with('#') {
                return Ok(());
            }
            let heading_allowed = std::mem::replace(&mut first, false);
            let columns: Vec<&str> = line.split('\t').map(str::trim).collect();
            let [a, b, score] = columns[..] else {
                let found = columns.len();
                return Err(at(
                    name,
                    number,
                    format!("has {found} columns parted by tabs; a pair is: text, text, score"),
                ));
            };
            let score = match score.parse::<f32>() {
                Ok(score) if score.is_finite() => score,
                Err(_) if heading_allowed => return Ok(()),
                _ => return Err(at(name, number, format!("has the score {score:?}: no number"))),
            };
            if a.is_empty() || b.is_empty() {
                return Err(at(name, number, "has an empty text"));
            }
            pairs.push((texts.row(name, a)?, texts.row(name, b)?));
            scores.push(score);
            Ok(())
        })?;
        if pairs.len() < 2 {
            let found = pairs.len();
            return Err(Error::format(
                name,
                format!("holds {found} pairs; a rank correlation needs two, better a hundred"),
            ));
        }
        if scores.iter().all(|score| *score == scores[0]) {
            let score = scores[0];
            return Err(Error::format(
                name,
                format!("gives every pair the score {score}: there is no order to compare with"),
            ));
        }
        Ok((Self { pairs, scores }, texts.into_list()))
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// What people gave each pair.
    pub fn scores(&self) -> &[f32] {
        &self.scores
    }

    /// The cosine of each pair: the first text as a query, the second as a stored document.
    pub async fn cosines(&self, code: &Contender, vectors: &Matrix) -> Result<Vec<f32>> {
        let (queries, documents) = (code.queries(vectors).await?, code.documents(vectors).await?);
        Ok(pair_cosines(&self.pairs, &queries, &documents))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Sts, Vec<String>)> {
        Sts::read("pairs.tsv", &mut text.as_bytes())
    }

    #[test]
    fn pairs_comments_and_a_heading() {
        let text = "# a set\n# Word 1\tWord 2\tHuman (mean)\nword 1\tword 2\tscore\n\
                    love\tsex\t6.77\r\ntiger\ttiger\t10.00\n\n sex \ta dog runs\t-1e0\n";
        let (sts, texts) = read(text).unwrap();
        assert_eq!(sts.pairs, [(0, 1), (2, 2), (1, 3)]);
        assert_eq!(sts.scores, [6.77, 10.0, -1.0]);
        assert_eq!(texts, ["love", "sex", "tiger", "a dog runs"]);
    }

    #[test]
    fn bad_lines_are_named() {
        let refused = [
            ("a\tb\t1\nc\td\n", "line 2 has 2 columns"),
            ("a\tb\t1\nc d 2\n", "line 2 has 1 columns"),
            ("a\tb\tc\t1\n", "line 1 has 4 columns"),
            ("a\tb\t1\nc\td\thigh\n", "line 2 has the score \"high\""),
            ("a\tb\t1\nc\td\tNaN\n", "line 2 has the score"),
            ("a\tb\tinf\nc\td\t1\n", "line 1 has the score"),
            ("a\tb\t1\n\tb\t2\n", "line 2 has an empty text"),
            ("a\tb\t1\n", "holds 1 pairs"),
            ("# nothing\n", "holds 0 pairs"),
            ("a\tb\t1\nc\td\t1\n", "every pair the score 1"),
        ];
        for (text, words) in refused {
            let message = read(text).unwrap_err().to_string();
            assert!(message.starts_with("pairs.tsv: ") && message.contains(words), "{message}");
        }
    }
}
