//! Retrieval: are the relevant documents among the nearest?
//!
//! Measures as BEIR takes them from trec_eval: nDCG with the judged relevance itself as the gain
//! (linear, not 2^rel − 1) and 1 / log₂(rank + 1) as the discount, the ideal ranking made of all
//! relevant documents of the query; recall as the share of relevant documents found. A document
//! with the query's own id is not ranked. Of two documents at the same cosine the one that comes
//! first in the corpus is ranked first (trec_eval: the one whose id sorts last).

use std::collections::HashMap;
use std::io::BufRead;

use serde::Deserialize;

use super::lines::{Texts, at, for_each_line};
use crate::error::{Error, Result};
use crate::experiment::contenders::Contender;
use crate::matrix::Matrix;
use crate::metrics::{Search, ndcg, recall_at_k};

/// Ranks that count for nDCG.
const NDCG: usize = 10;
/// Ranks that count for recall.
const RECALL: usize = 100;
/// Documents that a code stores and scores at a time.
const BLOCK: usize = 4096;

/// Queries, documents and which of these people found relevant.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Retrieval {
    queries: Vec<Query>,
    /// The row of each document's text.
    documents: Vec<u32>,
    /// Judged queries with no relevant document, which are left out.
    pub unanswerable: usize,
    /// Queries without any judgement, which are left out.
    pub unjudged: usize,
    /// Judgements of documents that are not in the corpus: they count as never found.
    pub missing: usize,
}

#[derive(Clone, Debug, PartialEq)]
struct Query {
    /// The row of its text.
    text: u32,
    /// The document with the same id.
    own: Option<u32>,
    /// Relevance above 0 of documents, by document.
    relevant: HashMap<u32, f32>,
    /// All relevances above 0, missing documents' too, the greatest first.
    ideal: Vec<f32>,
}

/// A line of `corpus.jsonl` or `queries.jsonl`.
#[derive(Deserialize)]
struct Record {
    #[serde(rename = "_id")]
    id: String,
    #[serde(default)]
    title: Option<String>,
    text: String,
}

/// The three files of a set in the form of BEIR, each with its name.
pub struct Beir<'a> {
    /// `corpus.jsonl`: `_id`, `title`, `text`.
    pub corpus: (&'a str, &'a mut dyn BufRead),
    /// `queries.jsonl`: `_id`, `text`.
    pub queries: (&'a str, &'a mut dyn BufRead),
    /// `qrels/test.tsv`: query's id, document's id, relevance.
    pub judgements: (&'a str, &'a mut dyn BufRead),
}

impl Retrieval {
    /// Reads a set. A document's text is its title, a space and its text, as BEIR has it.
    pub fn read(files: Beir<'_>) -> Result<(Self, Vec<String>)> {
        let mut texts = Texts::default();
        let mut documents = Vec::new();
        let mut by_id = HashMap::new();
        let corpus = files.corpus.0;
        records(corpus, files.corpus.1, |number, record| {
            let whole = format!("{} {}", record.title.unwrap_or_default(), record.text);
            let document = documents.len() as u32;
            documents.push(texts.row(corpus, whole.trim())?);
            unique(corpus, number, by_id.insert(record.id.clone(), document), &record.id)
        })?;
        if documents.is_empty() {
            return Err(Error::format(corpus, "holds no documents"));
        }
        let mut asked: HashMap<String, (usize, String)> = HashMap::new();
        let name = files.queries.0;
        records(name, files.queries.1, |number, record| {
            let place = asked.len();
            let text = record.text.trim().to_string();
            if text.is_empty() {
                return Err(at(name, number, format!("has an empty query, {:?}", record.id)));
            }
            unique(name, number, asked.insert(record.id.clone(), (place, text)), &record.id)
        })?;
        let judged = judgements(files.judgements.0, files.judgements.1, name, &asked)?;
        let mut all: Vec<(&String, &Vec<(String, f32)>)> = judged.iter().collect();
        all.sort_by_key(|(id, _)| asked[*id].0);
        let (mut queries, mut unanswerable, mut missing) = (Vec::new(), 0, 0);
        for (id, judgements) in all {
            let positive = judgements.iter().filter(|(_, relevance)| *relevance > 0.0);
            let mut query = Query {
                text: 0,
                own: by_id.get(id).copied(),
                relevant: HashMap::new(),
                ideal: positive.clone().map(|(_, relevance)| *relevance).collect(),
            };
            for (document, relevance) in positive {
                match by_id.get(document) {
                    Some(document) => drop(query.relevant.insert(*document, *relevance)),
                    None => missing += 1,
                }
            }
            if query.ideal.is_empty() {
                unanswerable += 1;
                continue;
            }
            query.ideal.sort_by(|a, b| b.total_cmp(a));
            query.text = texts.row(name, &asked[id].1)?;
            queries.push(query);
        }
        if queries.is_empty() {
            let message = "judges no document relevant to any query";
            return Err(Error::format(files.judgements.0, message));
        }
        if queries.iter().all(|query| query.relevant.is_empty()) {
            let message = format!("names no relevant document that is in {corpus}");
            return Err(Error::format(files.judgements.0, message));
        }
        let unjudged = asked.len() - judged.len();
        let task = Self { queries, documents, unanswerable, unjudged, missing };
        Ok((task, texts.into_list()))
    }

    /// Number of queries.
    pub fn len(&self) -> usize {
        self.queries.len()
    }

    /// Number of documents.
    pub fn documents(&self) -> usize {
        self.documents.len()
    }

    /// nDCG@10 and recall@100 of each query. Documents are stored and scored block by block, so
    /// that memory grows with the vectors only.
    pub async fn scores(&self, code: &Contender, vectors: &Matrix) -> Result<[Vec<f32>; 2]> {
        let rows: Vec<usize> = self.queries.iter().map(|query| query.text as usize).collect();
        let queries = code.queries(&vectors.gather_rows(&rows)).await?;
        // One more, since the query's own document does not count.
        let mut search = Search::new(&queries, RECALL + 1);
        for block in self.documents.chunks(BLOCK) {
            let rows: Vec<usize> = block.iter().map(|row| *row as usize).collect();
            search.add(&code.documents(&vectors.gather_rows(&rows)).await?)?;
        }
        let found = search.finish();
        let (mut ndcgs, mut recalls) = (Vec::new(), Vec::new());
        for (i, query) in self.queries.iter().enumerate() {
            let others = found.row(i).iter().filter(|document| query.own != Some(**document));
            let gain = |document: &u32| query.relevant.get(document).copied().unwrap_or(0.0);
            let gains: Vec<f32> = others.take(RECALL).map(gain).collect();
            ndcgs.push(ndcg(&gains, &query.ideal, NDCG));
            recalls.push(recall_at_k(&gains, query.ideal.len(), RECALL));
        }
        Ok([ndcgs, recalls])
    }
}

/// Gives `each` the records of a JSON Lines file with their line numbers.
fn records(
    name: &str,
    reader: &mut dyn BufRead,
    mut each: impl FnMut(usize, Record) -> Result<()>,
) -> Result<()> {
    for_each_line(name, reader, |number, line| {
        let record = serde_json::from_str::<Record>(line).map_err(|cause| {
            at(name, number, format!("is not an object with the strings _id and text: {cause}"))
        })?;
        each(number, record)
    })
}

fn unique<T>(name: &str, line: usize, before: Option<T>, id: &str) -> Result<()> {
    match before {
        None => Ok(()),
        Some(_) => Err(at(name, line, format!("has the _id {id:?} of an earlier line"))),
    }
}

/// Judgements by query, in the order of their lines.
fn judgements(
    name: &str,
    reader: &mut dyn BufRead,
    queries: &str,
    asked: &HashMap<String, (usize, String)>,
) -> Result<HashMap<String, Vec<(String, f32)>>> {
    let mut judged: HashMap<String, Vec<(String, f32)>> = HashMap::new();
    let mut first = true;
    for_each_line(name, reader, |number, line| {
        let heading_allowed = std::mem::replace(&mut first, false);
        let columns: Vec<&str> = line.split('\t').map(str::trim).collect();
        let [query, document, relevance] = columns[..] else {
            let found = columns.len();
            return Err(at(
                name,
                number,
                format!(
                    "has {found} columns parted by tabs; a judgement is: query's id, document's \
                     id, relevance"
                ),
            ));
        };
        let relevance = match relevance.parse::<f32>() {
            Ok(relevance) if relevance.is_finite() => relevance,
            Err(_) if heading_allowed => return Ok(()),
            _ => return Err(at(name, number, format!("has the relevance {relevance:?}"))),
        };
        if !asked.contains_key(query) {
            return Err(at(name, number, format!("judges the query {query:?}, not in {queries}")));
        }
        let of_query = judged.entry(query.into()).or_default();
        if of_query.iter().any(|(other, _)| other == document) {
            return Err(at(name, number, format!("judges {document:?} for {query:?} twice")));
        }
        of_query.push((document.into(), relevance));
        Ok(())
    })?;
    Ok(judged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::Projected;

    const CORPUS: &str = r#"{"_id": "d1", "title": "Cats", "text": "purr", "metadata": {}}
{"_id": "d2", "title": "", "text": "dogs bark"}
{"_id": "d3", "title": null, "text": "cows"}
{"_id": "d4", "text": "dogs bark"}
"#;
    const QUERIES: &str = r#"{"_id": "q1", "text": "which pets purr?"}
{"_id": "q2", "text": "cows"}
{"_id": "d2", "text": "dogs bark"}
{"_id": "q4", "text": "nobody judged this"}
{"_id": "q5", "text": "nothing answers this"}
"#;
    const QRELS: &str = "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td3\t1\nq1\td2\t0\n\
                         q2\td3\t1\nq2\tlost\t1\nd2\td4\t1\nq5\td1\t0\n";

    fn read(corpus: &str, queries: &str, qrels: &str) -> Result<(Retrieval, Vec<String>)> {
        Retrieval::read(Beir {
            corpus: ("corpus.jsonl", &mut corpus.as_bytes()),
            queries: ("queries.jsonl", &mut queries.as_bytes()),
            judgements: ("test.tsv", &mut qrels.as_bytes()),
        })
    }

    #[test]
    fn three_files_become_a_task() {
        let (task, texts) = read(CORPUS, QUERIES, QRELS).unwrap();
        assert_eq!(texts, ["Cats purr", "dogs bark", "cows", "which pets purr?"]);
        assert_eq!(task.documents, [0, 1, 2, 1]);
        assert_eq!((task.len(), task.documents()), (3, 4));
        assert_eq!((task.unanswerable, task.unjudged, task.missing), (1, 1, 1));
        assert_eq!(task.queries[0].ideal, [2.0, 1.0]);
        assert_eq!(task.queries[1].ideal, [1.0, 1.0]);
        assert_eq!(task.queries[2].own, Some(1));
    }

    #[test]
    fn measures_by_hand() {
        let (task, _) = read(CORPUS, QUERIES, QRELS).unwrap();
        // Cats purr, dogs bark, cows, the first query: it is nearest to the cows.
        let vectors = Matrix::new(4, 2, vec![1.0, 0.5, -1.0, 0.2, 0.2, 1.0, 0.5, 1.0]).unwrap();
        let whole = Contender::Baseline(Box::new(Projected::whole(2).unwrap()));
        let [ndcg, recall] = pollster::block_on(task.scores(&whole, &vectors)).unwrap();
        let log3 = 3.0f32.log2();
        // d3 (gain 1), d1 (gain 2), then the dogs; ideal 2, 1.
        let first = (1.0 + 2.0 / log3) / (2.0 + 1.0 / log3);
        // d3 first, the lost one never.
        let second = 1.0 / (1.0 + 1.0 / log3);
        // Its own document is not ranked, so its double is first.
        for (got, want) in ndcg.iter().zip([first, second, 1.0]) {
            assert!((got - want).abs() < 1e-6, "{ndcg:?}");
        }
        assert_eq!(recall, [1.0, 0.5, 1.0]);
    }

    /// nDCG as trec_eval has it, written out in f64 over a full sort, on more documents than a
    /// block holds.
    #[test]
    fn many_documents_against_a_full_sort() {
        let (count, asked) = (BLOCK + 700, 9);
        let mut corpus = String::new();
        for i in 0..count {
            corpus += &format!("{{\"_id\": \"{i}\", \"text\": \"text {i}\"}}\n");
        }
        let (mut queries, mut qrels) = (String::new(), String::new());
        let relevance =
            |q: usize, d: usize| (d * 31 + q * 17).is_multiple_of(401) as usize * (1 + d % 3);
        for q in 0..asked {
            queries += &format!("{{\"_id\": \"q{q}\", \"text\": \"query {q}\"}}\n");
            for d in (0..count).filter(|d| relevance(q, *d) > 0) {
                qrels += &format!("q{q}\t{d}\t{}\n", relevance(q, d));
            }
        }
        let (task, texts) = read(&corpus, &queries, &qrels).unwrap();
        let vectors = Matrix::from_fn(texts.len(), 7, |r, c| ((r * 89 + c * 41) as f32).sin());
        let whole = Contender::Baseline(Box::new(Projected::whole(7).unwrap()));
        let [ndcgs, recalls] = pollster::block_on(task.scores(&whole, &vectors)).unwrap();
        let cosine = |a: &[f32], b: &[f32]| -> f64 {
            let dot = |x: &[f32], y: &[f32]| -> f64 {
                x.iter().zip(y).map(|(p, q)| f64::from(*p) * f64::from(*q)).sum()
            };
            dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
        };
        for q in 0..asked {
            let query = vectors.row(count + q);
            let mut order: Vec<usize> = (0..count).collect();
            let scores: Vec<f64> = order.iter().map(|d| cosine(query, vectors.row(*d))).collect();
            order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
            let discount = |rank: usize| (rank as f64 + 2.0).log2();
            let gain = |(rank, d): (usize, &usize)| relevance(q, *d) as f64 / discount(rank);
            let found: f64 = order.iter().enumerate().take(10).map(gain).sum();
            let mut all: Vec<usize> = (0..count).map(|d| relevance(q, d)).collect();
            all.sort_unstable_by(|a, b| b.cmp(a));
            let best = all.iter().enumerate().take(10).map(|(r, g)| *g as f64 / discount(r));
            let want = found / best.sum::<f64>();
            assert!((f64::from(ndcgs[q]) - want).abs() < 1e-6, "{q}: {} {want}", ndcgs[q]);
            let hits = order.iter().take(100).filter(|d| relevance(q, **d) > 0).count();
            let want = hits as f64 / all.iter().filter(|g| **g > 0).count() as f64;
            assert!((f64::from(recalls[q]) - want).abs() < 1e-6);
        }
    }

    #[test]
    fn bad_files_are_named() {
        let two = format!("{CORPUS}{CORPUS}");
        let refused = [
            ("{\"_id\": 3, \"text\": \"x\"}", QUERIES, QRELS, "corpus.jsonl: line 1 is not an"),
            ("{\"_id\": \"3\"}", QUERIES, QRELS, "missing field `text`"),
            (&two, QUERIES, QRELS, "line 5 has the _id \"d1\" of an earlier line"),
            ("", QUERIES, QRELS, "holds no documents"),
            (
                CORPUS,
                "{\"_id\": \"q1\", \"text\": \" \"}",
                QRELS,
                "queries.jsonl: line 1 has an empty",
            ),
            (CORPUS, "", QRELS, "test.tsv: line 2 judges the query \"q1\", not in queries.jsonl"),
            (CORPUS, QUERIES, "q1 0 d1 1\n", "test.tsv: line 1 has 1 columns"),
            (CORPUS, QUERIES, "a\tb\tc\nq1\td1\tyes\n", "line 2 has the relevance \"yes\""),
            (CORPUS, QUERIES, "q1\td1\t1\nq1\td1\t2\n", "line 2 judges \"d1\" for \"q1\" twice"),
            (CORPUS, QUERIES, "q1\td1\t0\n", "no document relevant"),
            (CORPUS, QUERIES, "q1\tlost\t1\n", "no relevant document that is in corpus.jsonl"),
        ];
        for (corpus, queries, qrels, words) in refused {
            let message = read(corpus, queries, qrels).unwrap_err().to_string();
            assert!(message.contains(words), "{words}: {message}");
        }
    }
}
