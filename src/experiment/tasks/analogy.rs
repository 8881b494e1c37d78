//! Analogies: a is to b as c is to which word?

use std::io::BufRead;

use super::lines::{Texts, at, for_each_line};
use crate::error::{Error, Result};
use crate::experiment::contenders::Contender;
use crate::matrix::Matrix;
use crate::metrics::three_cos_add;

/// Questions in sections, over the words that stand in them and no others.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Analogies {
    /// The rows of a, b and c.
    questions: Vec<[u32; 3]>,
    /// The row of the right word.
    answers: Vec<u32>,
    /// Names, with the number of questions before the section's first.
    sections: Vec<(String, usize)>,
}

impl Analogies {
    /// Reads lines of four words below headings `: section`; lines that begin with `//` are
    /// comments.
    pub fn read(name: &str, reader: &mut dyn BufRead) -> Result<(Self, Vec<String>)> {
        let (mut questions, mut answers) = (Vec::new(), Vec::new());
        let (mut sections, mut texts) = (Vec::new(), Texts::default());
        for_each_line(name, reader, |number, line| {
            if let Some(section) = line.strip_prefix(':') {
                sections.push((section.trim().to_string(), questions.len()));
                return Ok(());
            }
            if line.starts_with("//") {
                return Ok(());
            }
            let words: Vec<&str> = line.split_whitespace().collect();
            let [a, b, c, d] = words[..] else {
                let found = words.len();
                return Err(at(
                    name,
                    number,
                    format!("has {found} words; a question has four, a section begins with `:`"),
                ));
            };
            if sections.is_empty() {
                sections.push(("no section".into(), 0));
            }
            let mut row = |word| texts.row(name, word);
            questions.push([row(a)?, row(b)?, row(c)?]);
            answers.push(row(d)?);
            Ok(())
        })?;
        if questions.is_empty() {
            return Err(Error::format(name, "holds no questions (four words a line)"));
        }
        Ok((Self { questions, answers, sections }, texts.into_list()))
    }

    /// Number of questions.
    pub fn len(&self) -> usize {
        self.questions.len()
    }

    /// Questions that nothing can answer, since their answer is one of the words they give.
    pub fn hopeless(&self) -> usize {
        let both = self.questions.iter().zip(&self.answers);
        both.filter(|(question, answer)| question.contains(answer)).count()
    }

    /// Name and number of questions of each section that has some.
    pub fn sections(&self) -> Vec<(String, usize)> {
        self.spans().map(|(name, span)| (name.to_string(), span.len())).collect()
    }

    /// Share of the `right` answers in each section.
    pub fn by_section(&self, right: &[f32]) -> Vec<f64> {
        let share = |values: &[f32]| {
            values.iter().map(|v| f64::from(*v)).sum::<f64>() / values.len() as f64
        };
        self.spans().map(|(_, span)| share(&right[span])).collect()
    }

    fn spans(&self) -> impl Iterator<Item = (&str, std::ops::Range<usize>)> {
        let ends = self.sections.iter().skip(1).map(|(_, start)| *start).chain([self.len()]);
        let all = self.sections.iter().zip(ends);
        all.map(|((name, start), end)| (name.as_str(), *start..end)).filter(|(_, s)| !s.is_empty())
    }

    /// 1 for each question whose word is found, 0 for the others. The words of the question are
    /// queries, the words to choose from stored documents.
    pub async fn right(&self, code: &Contender, vectors: &Matrix) -> Result<Vec<f32>> {
        let (queries, documents) = (code.queries(vectors).await?, code.documents(vectors).await?);
        let found = three_cos_add(&queries, &documents, &self.questions)?;
        let right = |(found, answer): (Option<u32>, &u32)| f32::from(found == Some(*answer));
        Ok(found.into_iter().zip(&self.answers).map(right).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Analogies, Vec<String>)> {
        Analogies::read("q.txt", &mut text.as_bytes())
    }

    #[test]
    fn sections_and_words() {
        let text = "//Copyright\n: capitals\nAthens Greece Oslo Norway\nOslo Norway Athens Greece\n\
                    : empty\n: family\nboy  girl\tking queen\nboy girl king king\n";
        let (task, words) = read(text).unwrap();
        assert_eq!(words, ["Athens", "Greece", "Oslo", "Norway", "boy", "girl", "king", "queen"]);
        assert_eq!(task.questions, [[0, 1, 2], [2, 3, 0], [4, 5, 6], [4, 5, 6]]);
        assert_eq!(task.answers, [3, 1, 7, 6]);
        assert_eq!(task.sections(), [("capitals".to_string(), 2), ("family".to_string(), 2)]);
        assert_eq!(task.by_section(&[1.0, 0.0, 1.0, 1.0]), [0.5, 1.0]);
        assert_eq!((task.len(), task.hopeless()), (4, 1));
        let (task, _) = read("a b c d\n").unwrap();
        assert_eq!(task.sections(), [("no section".to_string(), 1)]);
    }

    #[test]
    fn bad_lines_are_named() {
        for (text, words) in [
            (": s\na b c d\na b c\n", "q.txt: line 3 has 3 words"),
            ("a b c d e\n", "line 1 has 5 words"),
            (": only\n", "holds no questions"),
            ("", "holds no questions"),
        ] {
            let message = read(text).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        }
    }
}
