//! Tasks with human judgement: how much of the teacher's use a code keeps, where use is ordering
//! pairs as people do, finding relevant documents, and solving analogies.
//!
//! A task is texts and what people say of them. The teacher's vectors of the texts come from
//! outside; every code is then asked for queries and stored documents of them.

mod analogy;
mod lines;
mod measure;
mod results;
mod retrieval;
mod sts;

use std::fmt;
use std::io::BufRead;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use self::analogy::Analogies;
use self::retrieval::Retrieval;
use self::sts::Sts;
use super::contenders::Contender;
use crate::error::{Error, Result};
use crate::matrix::Matrix;
use crate::metrics::{Resampled, resample_means, resample_spearman};
use crate::number::count;

pub use self::measure::{TaskSet, evaluate_tasks};
pub use self::results::{Measured, TaskEvaluation, TaskReport, TaskRow, TaskSection};
pub use self::retrieval::Beir;

/// What kind of task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskKind {
    /// Similarity of pairs: Spearman's correlation of cosine and human score.
    Sts,
    /// Retrieval, files in the form of BEIR: nDCG@10 and recall@100.
    Beir,
    /// Analogies, lines in the form of `questions-words.txt`: accuracy by 3CosAdd.
    Analogy,
}

impl TaskKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [TaskKind::Sts, TaskKind::Beir, TaskKind::Analogy];

    /// Its name in a [`TaskSpec`].
    pub fn name(self) -> &'static str {
        match self {
            TaskKind::Sts => "sts",
            TaskKind::Beir => "beir",
            TaskKind::Analogy => "analogy",
        }
    }

    /// What is measured, the main measure first.
    pub fn measures(self) -> &'static [&'static str] {
        match self {
            TaskKind::Sts => &["Spearman"],
            TaskKind::Beir => &["nDCG@10", "recall@100"],
            TaskKind::Analogy => &["accuracy"],
        }
    }

    /// What a value is taken of, in the plural.
    pub fn items(self) -> &'static str {
        match self {
            TaskKind::Sts => "pairs",
            TaskKind::Beir => "queries",
            TaskKind::Analogy => "questions",
        }
    }
}

/// A task as it is named on a command line: `sts:FILE`, `beir:FOLDER` or `analogy:FILE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSpec {
    /// The kind.
    pub kind: TaskKind,
    /// The file or folder.
    pub place: String,
}

impl FromStr for TaskSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (kind, place) = text.split_once(':').unwrap_or((text, ""));
        let kind = TaskKind::ALL.into_iter().find(|known| known.name() == kind);
        match kind {
            Some(kind) if !place.is_empty() => Ok(Self { kind, place: place.into() }),
            _ => Err(Error::invalid(
                "task",
                format!("{text:?} is none; give sts:FILE.tsv, beir:FOLDER or analogy:FILE.txt"),
            )),
        }
    }
}

impl fmt::Display for TaskSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.name(), self.place)
    }
}

/// Texts and what people say of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    name: String,
    texts: Vec<String>,
    data: Data,
}

#[derive(Clone, Debug, PartialEq)]
enum Data {
    Sts(Sts),
    Beir(Retrieval),
    Analogy(Analogies),
}

impl Task {
    /// Pairs of texts with scores, from lines of two texts and a number parted by tabs. Lines
    /// that begin with `#` are comments; a first line whose third column is no number is a
    /// heading. `name` is for messages and tables.
    ///
    /// # Errors
    /// [`Error::Format`] with the number of a line that is not so; for fewer than two pairs; for
    /// scores that are all the same.
    pub fn sts(name: &str, reader: &mut dyn BufRead) -> Result<Self> {
        let (sts, texts) = Sts::read(name, reader)?;
        Ok(Self { name: name.into(), texts, data: Data::Sts(sts) })
    }

    /// Queries and documents with judgements, in the form of BEIR. Queries that nobody judged or
    /// that have no relevant document are left out and counted in the notes.
    ///
    /// # Errors
    /// [`Error::Format`] with the number of a line that is not so, that repeats an id, or that
    /// judges a query which is not there; if nothing relevant is left.
    pub fn retrieval(name: &str, files: Beir<'_>) -> Result<Self> {
        let (retrieval, texts) = Retrieval::read(files)?;
        Ok(Self { name: name.into(), texts, data: Data::Beir(retrieval) })
    }

    /// Questions of four words a line, below headings `: section`.
    ///
    /// # Errors
    /// [`Error::Format`] with the number of a line that is not so, or without questions.
    pub fn analogies(name: &str, reader: &mut dyn BufRead) -> Result<Self> {
        let (analogies, texts) = Analogies::read(name, reader)?;
        Ok(Self { name: name.into(), texts, data: Data::Analogy(analogies) })
    }

    /// Its kind.
    pub fn kind(&self) -> TaskKind {
        match self.data {
            Data::Sts(_) => TaskKind::Sts,
            Data::Beir(_) => TaskKind::Beir,
            Data::Analogy(_) => TaskKind::Analogy,
        }
    }

    /// The name it was read under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The texts whose vectors it needs, each once, in the order of the vectors' rows.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// Pairs, queries or questions that count.
    pub fn items(&self) -> usize {
        match &self.data {
            Data::Sts(sts) => sts.len(),
            Data::Beir(retrieval) => retrieval.len(),
            Data::Analogy(analogies) => analogies.len(),
        }
    }

    /// One value an item for each measure: a cosine, an nDCG and a recall, or 1 for a right
    /// answer.
    async fn values(&self, code: &Contender, vectors: &Matrix) -> Result<Vec<Vec<f32>>> {
        Ok(match &self.data {
            Data::Sts(sts) => vec![sts.cosines(code, vectors).await?],
            Data::Beir(retrieval) => retrieval.scores(code, vectors).await?.into(),
            Data::Analogy(analogies) => vec![analogies.right(code, vectors).await?],
        })
    }

    /// A measure of several codes from the values of each.
    fn resampled(
        &self,
        values: &[&[f32]],
        resamples: usize,
        seed: u64,
    ) -> Result<Vec<Option<Resampled>>> {
        match &self.data {
            Data::Sts(sts) => resample_spearman(sts.scores(), values, resamples, seed),
            _ => Ok(resample_means(values, resamples, seed)?.into_iter().map(Some).collect()),
        }
    }

    /// Name and number of questions of each section of analogies.
    fn sections(&self) -> Vec<TaskSection> {
        match &self.data {
            Data::Analogy(analogies) => {
                let all = analogies.sections().into_iter();
                all.map(|(name, questions)| TaskSection { name, questions }).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Accuracy in each section of analogies.
    fn by_section(&self, values: &[f32]) -> Vec<f64> {
        match &self.data {
            Data::Analogy(analogies) => analogies.by_section(values),
            _ => Vec::new(),
        }
    }

    /// What the reader should know, a sentence each.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let mut counted = |number: usize, words: &str| {
            if number > 0 {
                notes.push(format!("{} {words}", count(number as u64)));
            }
        };
        match &self.data {
            Data::Sts(_) => {}
            Data::Beir(retrieval) => {
                counted(retrieval.unjudged, "queries without a judgement are left out.");
                counted(
                    retrieval.unanswerable,
                    "judged queries without a relevant document are left out.",
                );
                counted(
                    retrieval.missing,
                    "relevant documents are not in the corpus and count as not found.",
                );
                if retrieval.documents() <= 100 {
                    let documents = retrieval.documents();
                    notes.push(format!("recall@100 of {documents} documents says nothing."));
                }
            }
            Data::Analogy(analogies) => {
                let repeated = "questions have an answer that is one of the words they give; they \
                                count as wrong.";
                counted(analogies.hopeless(), repeated);
                notes.push(
                    "Questions share words, so the interval for other words would be wider.".into(),
                );
            }
        }
        notes
    }

    /// How it is measured, a sentence or two.
    pub fn method(&self) -> String {
        let texts = count(self.texts.len() as u64);
        let items = count(self.items() as u64);
        match &self.data {
            Data::Sts(_) => format!(
                "Spearman's correlation of the cosine with the human score, {items} pairs of \
                 {texts} texts; the first of a pair is the query, the second the stored document."
            ),
            Data::Beir(retrieval) => format!(
                "{items} queries over {} documents: nDCG@10 with the judged relevance as gain \
                 (linear, as trec_eval and BEIR), and recall@100; means over queries.",
                count(retrieval.documents() as u64)
            ),
            Data::Analogy(_) => format!(
                "{items} questions, a is to b as c is to which word: the nearest of the file's \
                 {texts} words to b − a + c, those three left out (3CosAdd); share of right \
                 answers."
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_there_and_back() {
        for text in ["sts:a.tsv", "beir:C:\\sets\\x", "analogy:dir/q:1.txt"] {
            assert_eq!(text.parse::<TaskSpec>().unwrap().to_string(), text);
        }
        for text in ["", "sts", "sts:", "STS:a", "qa:x", ":x", "a.tsv"] {
            let message = text.parse::<TaskSpec>().unwrap_err().to_string();
            assert!(message.contains("sts:FILE.tsv, beir:FOLDER or analogy:FILE.txt"), "{message}");
        }
    }
}
