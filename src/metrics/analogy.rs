//! Analogies by vector arithmetic: a is to b as c is to what?

use crate::error::{Error, Result};
use crate::linalg::product::{Operand, Threads, multiply};
use crate::linalg::{map_blocks, unit_rows};
use crate::matrix::Matrix;

/// Questions whose scores one thread holds at a time.
const BLOCK: usize = 128;

/// 3CosAdd (Mikolov, Yih and Zweig 2013): for each question `[a, b, c]` the row of `documents`
/// with the greatest cosine to `b − a + c`, the three themselves left out; of two at the same
/// cosine the lower one; `None` if no row is left. All rows are scaled to unit length first; a,
/// b and c are taken from `queries` (both n×k, row `i` standing for the same word).
///
/// # Errors
/// [`Error::Invalid`] if the shapes differ or a question names a row that is not there.
pub fn three_cos_add(
    queries: &Matrix,
    documents: &Matrix,
    questions: &[[u32; 3]],
) -> Result<Vec<Option<u32>>> {
    let (rows, width) = (documents.rows(), documents.cols());
    if (queries.rows(), queries.cols()) != (rows, width) {
        return Err(Error::invalid(
            "analogies",
            format!(
                "{} query rows of {} values cannot search {rows} of {width}",
                queries.rows(),
                queries.cols()
            ),
        ));
    }
    if let Some(row) = questions.iter().flatten().find(|row| **row as usize >= rows) {
        return Err(Error::invalid("analogies", format!("there is no word {row} among {rows}")));
    }
    let (queries, documents) = (unit_rows(queries), unit_rows(documents));
    let found = map_blocks(questions.len(), BLOCK, |range| {
        let block = &questions[range];
        let mut targets = Vec::with_capacity(block.len() * width);
        for question in block {
            let [a, b, c] = question.map(|row| queries.row(row as usize));
            targets.extend(a.iter().zip(b).zip(c).map(|((a, b), c)| b - a + c));
        }
        let mut scores = vec![0.0f32; block.len() * rows];
        let all = Operand::from(&documents).transposed();
        let targets = Operand::new(&targets, block.len(), width);
        multiply(targets, all, &mut scores, false, Threads::One);
        let lines = scores.chunks_exact(rows.max(1)).zip(block);
        lines.map(|(scores, question)| best(scores, question)).collect::<Vec<_>>()
    });
    Ok(found.concat())
}

/// The place of the greatest score outside `left_out`.
fn best(scores: &[f32], left_out: &[u32; 3]) -> Option<u32> {
    let mut best: Option<(u32, f32)> = None;
    for (row, score) in (0..).zip(scores) {
        if best.is_none_or(|(_, b)| *score > b) && !left_out.contains(&row) {
            best = Some((row, *score));
        }
    }
    best.map(|(row, _)| row)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, in f64, one question at a time.
    fn naive(queries: &Matrix, documents: &Matrix, [a, b, c]: [u32; 3]) -> u32 {
        let unit = |m: &Matrix, i: usize| -> Vec<f64> {
            let row = m.row(i);
            let norm = row.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
            row.iter().map(|v| f64::from(*v) / norm).collect()
        };
        let [a, b, c] = [a, b, c].map(|i| (i, unit(queries, i as usize)));
        let score = |i: &u32| -> f64 {
            let word = unit(documents, *i as usize);
            (0..word.len()).map(|k| word[k] * (b.1[k] - a.1[k] + c.1[k])).sum()
        };
        let left = (0..documents.rows() as u32).filter(|i| ![a.0, b.0, c.0].contains(i));
        left.max_by(|x, y| score(x).total_cmp(&score(y))).unwrap()
    }

    #[test]
    fn against_the_definition() {
        let word = |seed: f32| {
            Matrix::from_fn(61, 9, |r, c| {
                (1.0 + r as f32 * 0.1) * ((r * 83 + c * 29) as f32 * 0.37 + seed).sin()
            })
        };
        let (queries, documents) = (word(0.0), word(0.05));
        let questions: Vec<[u32; 3]> =
            (0..300u32).map(|i| [i % 61, (i * 7 + 3) % 61, (i * 13 + 5) % 61]).collect();
        let found = three_cos_add(&queries, &documents, &questions).unwrap();
        for (question, found) in questions.iter().zip(found) {
            assert_eq!(found, Some(naive(&queries, &documents, *question)), "{question:?}");
        }
    }

    #[test]
    fn a_parallelogram_ties_and_nothing_left() {
        // man, woman, king, queen, and the queen's double.
        let words = [[1.0f32, 0.1, 0.0], [1.0, 0.1, 1.0], [0.1, 1.0, 0.0], [0.1, 1.0, 1.0]];
        let mut data = words.concat();
        data.extend([0.1, 1.0, 1.0]);
        let all = Matrix::new(5, 3, data).unwrap();
        assert_eq!(three_cos_add(&all, &all, &[[0, 1, 2]]).unwrap(), [Some(3)]);
        let three = all.slice_rows(0, 3);
        assert_eq!(three_cos_add(&three, &three, &[[0, 1, 2]]).unwrap(), [None]);
        assert!(three_cos_add(&three, &three, &[[0, 1, 3]]).is_err());
        assert!(three_cos_add(&three, &all, &[]).is_err());
    }
}
