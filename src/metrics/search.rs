//! Search over documents that come in blocks: memory holds the queries and their nearest only.

use super::{Neighbours, sort_key};
use crate::error::{Error, Result};
use crate::linalg::product::{Operand, Threads, multiply};
use crate::linalg::{map_blocks, unit_rows};
use crate::matrix::Matrix;

/// Queries of one thread at a time.
const BLOCK: usize = 32;

/// The nearest documents by cosine to each query, over as many blocks of documents as come.
#[derive(Clone, Debug)]
pub struct Search {
    queries: Matrix,
    depth: usize,
    seen: u32,
    /// For each query its nearest so far, the nearest first, as [`sort_key`]s.
    best: Vec<Vec<u64>>,
}

impl Search {
    /// A search for the `depth` nearest of each of `queries` (m×k).
    pub fn new(queries: &Matrix, depth: usize) -> Self {
        let best = vec![Vec::new(); queries.rows()];
        Self { queries: unit_rows(queries), depth, seen: 0, best }
    }

    /// Looks through the next `documents` (n×k); they count on from those seen before. Of two
    /// at the same cosine the earlier one is nearer.
    ///
    /// # Errors
    /// [`Error::Invalid`] if they have another width than the queries, or are more than 2³² in
    /// all.
    pub fn add(&mut self, documents: &Matrix) -> Result<()> {
        let (width, count) = (self.queries.cols(), documents.rows());
        if documents.cols() != width {
            let given = documents.cols();
            return Err(Error::invalid(
                "search",
                format!("queries of {width} values cannot search documents of {given}"),
            ));
        }
        let Some((first, depth)) = self.count(count)? else { return Ok(()) };
        let (queries, documents) = (&self.queries, unit_rows(documents));
        let best = &self.best;
        let lists = map_blocks(queries.rows(), BLOCK, |rows| {
            let part = &queries.data()[rows.start * width..rows.end * width];
            let mut scores = vec![0.0f32; rows.len() * count];
            let part = Operand::new(part, rows.len(), width);
            let all = Operand::from(&documents).transposed();
            multiply(part, all, &mut scores, false, Threads::One);
            let each = rows.zip(scores.chunks_exact(count));
            let lists =
                each.map(|(row, scores)| merged(&best[row], scores.iter().copied(), first, depth));
            lists.collect::<Vec<_>>()
        });
        self.best = lists.into_iter().flatten().collect();
        Ok(())
    }

    /// As [`Self::add`] for documents that were scored elsewhere: `scores` are their cosines with the
    /// queries, documents × queries.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn add_scores(&mut self, scores: &Matrix) -> Result<()> {
        if scores.cols() != self.queries.rows() {
            return Err(Error::invalid("search", "scores are not of these queries"));
        }
        let Some((first, depth)) = self.count(scores.rows())? else { return Ok(()) };
        let best = &self.best;
        let lists = map_blocks(scores.cols(), BLOCK, |queries| {
            let list = |query: usize| {
                let own = scores.iter_rows().map(move |row| row[query]);
                merged(&best[query], own, first, depth)
            };
            queries.map(list).collect::<Vec<_>>()
        });
        self.best = lists.into_iter().flatten().collect();
        Ok(())
    }

    /// Counts further documents: the index of the first, and the depth; `None` if there is nothing
    /// to do.
    fn count(&mut self, count: usize) -> Result<Option<(u32, usize)>> {
        let first = self.seen;
        self.seen =
            u32::try_from(count).ok().and_then(|n| first.checked_add(n)).ok_or_else(|| {
                Error::invalid(
                    "search",
                    format!("{count} more documents than {first} are too many"),
                )
            })?;
        Ok((count > 0 && self.depth > 0).then_some((first, self.depth)))
    }

    /// What was found; the depth is cut to the number of documents.
    pub fn finish(self) -> Neighbours {
        let depth = self.depth.min(self.seen as usize);
        let indices = self.best.iter().flatten().map(|key| *key as u32).collect();
        Neighbours::of(depth, indices)
    }
}

/// The nearest of those known and those scored now; `first` is the index of the first of these.
fn merged(best: &[u64], scores: impl Iterator<Item = f32>, first: u32, depth: usize) -> Vec<u64> {
    // No later key can be better than the worst of a full list unless it is less.
    let worst = if best.len() < depth { u64::MAX } else { best[depth - 1] };
    let mut keys = best.to_vec();
    // The best score sorts first, hence the sign.
    let new = (first..).zip(scores).map(|(i, score)| sort_key(-score, i));
    keys.extend(new.filter(|key| *key < worst));
    if keys.len() > depth {
        keys.select_nth_unstable(depth - 1);
        keys.truncate(depth);
    }
    keys.sort_unstable();
    keys
}

/// Share of the `relevant` documents of a query that are among the first `k` found, of which
/// `gains` has the relevance (above 0 is relevant); 0 if nothing is relevant.
pub fn recall_at_k(gains: &[f32], relevant: usize, k: usize) -> f32 {
    let found = gains.iter().take(k).filter(|gain| **gain > 0.0).count();
    if relevant == 0 { 0.0 } else { found as f32 / relevant as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(rows: usize, seed: usize) -> Matrix {
        Matrix::from_fn(rows, 6, |r, c| ((r * 97 + c * 13 + seed * 7) as f32 * 1.37).sin())
    }

    fn in_blocks(queries: &Matrix, documents: &Matrix, depth: usize, block: usize) -> Neighbours {
        let mut search = Search::new(queries, depth);
        for start in (0..documents.rows()).step_by(block) {
            let end = (start + block).min(documents.rows());
            search.add(&documents.slice_rows(start, end)).unwrap();
        }
        search.finish()
    }

    proptest! {
        #[test]
        fn blocks_find_what_one_search_finds(
            rows in 1usize..90, queries in 1usize..70, depth in 1usize..30, block in 1usize..40
        ) {
            let (queries, documents) = (sample(queries, 1), sample(rows, 2));
            let whole = Neighbours::between(&queries, &documents, depth).unwrap();
            prop_assert_eq!(in_blocks(&queries, &documents, depth, block), whole);
        }
    }

    #[test]
    fn ties_go_to_the_earlier_document_across_blocks() {
        let same = Matrix::from_fn(11, 3, |_, c| c as f32);
        let found = in_blocks(&same.slice_rows(0, 2), &same, 4, 3);
        assert_eq!((found.row(0), found.row(1)), (&[0, 1, 2, 3][..], &[0, 1, 2, 3][..]));
        let mut search = Search::new(&same, 3);
        assert!(search.add(&Matrix::zeros(2, 4)).is_err());
        search.add(&Matrix::zeros(0, 3)).unwrap();
        assert_eq!(search.finish().depth(), 0);
    }

    #[test]
    fn recall_by_hand() {
        let gains = [0.0, 2.0, 0.0, 1.0, 3.0];
        assert_eq!(recall_at_k(&gains, 4, 2), 0.25);
        assert_eq!(recall_at_k(&gains, 4, 100), 0.75);
        assert_eq!(recall_at_k(&[], 3, 10), 0.0);
        assert_eq!(recall_at_k(&gains, 0, 10), 0.0);
    }
}
