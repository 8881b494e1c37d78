//! A few texts before and after: cosines of the teacher's vectors, of the student's latents and
//! of its output, and whose neighbours change their order.

use serde::{Deserialize, Serialize};

use super::yardstick::cosines_among;
use crate::arch::Precision;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::matrix::Matrix;
use crate::number::decimal;
use crate::student::{Student, StudentFile};

/// Two cosines that differ by no more than this are in no order: f32 rounds them.
const EVEN: f32 = 1e-5;

/// Cosines of each text with each, before and after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FewTexts {
    /// Between the teacher's vectors, a row a text.
    pub teacher: Vec<Vec<f32>>,
    /// Between the student's latents.
    pub latents: After,
    /// Between the student's outputs.
    pub output: After,
}

/// Cosines after compression, and what they change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct After {
    /// A row a text.
    pub cosines: Vec<Vec<f32>>,
    /// Texts (counted from 1) whose neighbours stand in another order than before.
    pub reordered: Vec<usize>,
    /// How much a cosine moves at most.
    pub largest_move: f32,
    /// What it comes to, one sentence.
    pub summary: String,
}

/// Compares the teacher's `vectors` of a few texts (n×d) with what the student makes of them.
///
/// # Errors
/// [`Error::Invalid`] for fewer than two vectors, or of another width than the student takes;
/// what the device reports.
pub async fn compare_few(
    device: &Device,
    student: &StudentFile,
    vectors: &Matrix,
) -> Result<FewTexts> {
    if vectors.rows() < 2 {
        let given = vectors.rows();
        return Err(Error::invalid("texts", format!("{given} given; a cosine needs two")));
    }
    let student = Student::new(device, &student.parameters, Precision::F32)?;
    let latents = student.encode(vectors).await?;
    let outputs = student.decode(&latents).await?;
    let teacher = square(vectors);
    let after = |of: &Matrix| After::new(&teacher, square(of));
    Ok(FewTexts { latents: after(&latents), output: after(&outputs), teacher })
}

fn square(vectors: &Matrix) -> Vec<Vec<f32>> {
    let rows: Vec<usize> = (0..vectors.rows()).collect();
    cosines_among(vectors, &rows).chunks(rows.len()).map(<[f32]>::to_vec).collect()
}

/// Text `of` was nearer to `before` and is nearer to `now`.
#[derive(Clone, Copy)]
struct Swap {
    of: usize,
    before: usize,
    now: usize,
    /// The lesser of the two differences of cosines.
    size: f32,
}

impl After {
    fn new(teacher: &[Vec<f32>], cosines: Vec<Vec<f32>>) -> Self {
        let moves = teacher.iter().zip(&cosines).flat_map(|(a, b)| a.iter().zip(b));
        let largest_move = moves.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let swaps = swaps(teacher, &cosines);
        let mut reordered: Vec<usize> = swaps.iter().map(|swap| swap.of + 1).collect();
        reordered.dedup();
        let greatest = swaps.iter().copied().reduce(|a, b| if b.size > a.size { b } else { a });
        let shown = |v: f32| decimal(f64::from(v), 3);
        let summary = match (teacher.len(), greatest) {
            (2, _) => format!(
                "The cosine of the two texts goes from {} to {}.",
                shown(teacher[0][1]),
                shown(cosines[0][1])
            ),
            (_, None) => format!(
                "Every text keeps the order of its neighbours; no cosine moves by more than {}.",
                shown(largest_move)
            ),
            (texts, Some(Swap { of, before, now, .. })) => format!(
                "The order of neighbours changes for {} of {texts} texts: text {} is now nearer \
                 to text {} ({}) than to text {} ({}); before it was {} against {}.",
                reordered.len(),
                of + 1,
                now + 1,
                shown(cosines[of][now]),
                before + 1,
                shown(cosines[of][before]),
                shown(teacher[of][now]),
                shown(teacher[of][before])
            ),
        };
        Self { cosines, reordered, largest_move, summary }
    }
}

/// Every pair of neighbours of a text whose order is reversed, text after text.
fn swaps(teacher: &[Vec<f32>], after: &[Vec<f32>]) -> Vec<Swap> {
    let texts = teacher.len();
    let mut found = Vec::new();
    for of in 0..texts {
        for before in (0..texts).filter(|i| *i != of) {
            for now in (0..texts).filter(|i| *i != of) {
                let was = teacher[of][before] - teacher[of][now];
                let is = after[of][now] - after[of][before];
                let size = was.min(is);
                if size > EVEN {
                    found.push(Swap { of, before, now, size });
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::Arch;
    use crate::student::{Parameters, StudentInfo};

    fn symmetric(upper: &[&[f32]]) -> Vec<Vec<f32>> {
        let n = upper.len() + 1;
        let at = |r: usize, c: usize| match r.cmp(&c) {
            std::cmp::Ordering::Equal => 1.0,
            std::cmp::Ordering::Less => upper[r][c - r - 1],
            std::cmp::Ordering::Greater => upper[c][r - c - 1],
        };
        (0..n).map(|r| (0..n).map(|c| at(r, c)).collect()).collect()
    }

    #[test]
    fn reversed_neighbours_are_found() {
        let before = symmetric(&[&[0.5, 0.4, 0.1], &[0.3, 0.2], &[0.25]]);
        // 1 is now nearer to 3 than to 2; by less, 2 to 4 than to 3, and 3 to 4 than to 2. The
        // neighbours of 4 keep their order.
        let after = After::new(&before, symmetric(&[&[0.42, 0.45, 0.1], &[0.2, 0.201], &[0.22]]));
        assert_eq!(after.reordered, [1, 2, 3]);
        assert!((after.largest_move - 0.1).abs() < 1e-6);
        assert_eq!(
            after.summary,
            "The order of neighbours changes for 3 of 4 texts: text 1 is now nearer to text 3 \
             (0.450) than to text 2 (0.420); before it was 0.400 against 0.500."
        );
        let same = After::new(&before, before.clone());
        assert!(same.reordered.is_empty() && same.summary.contains("keeps the order"));
        // Ties are in no order, before or after.
        let tied = symmetric(&[&[0.5, 0.5], &[0.3]]);
        assert!(After::new(&tied, symmetric(&[&[0.5, 0.4], &[0.3]])).reordered.is_empty());
    }

    #[test]
    fn two_texts_many_and_one() {
        let arch: Arch = "9-7-4-7-9".parse().unwrap();
        let parameters = Parameters::random(&arch, 4);
        let student = StudentFile { info: StudentInfo::new(&arch), parameters, code: None };
        let rows = |n: usize| Matrix::from_fn(n, 9, |r, c| ((r * 37 + c * 11) as f32).sin());
        let go =
            |vectors: &Matrix| pollster::block_on(compare_few(&Device::cpu(), &student, vectors));
        assert!(go(&rows(1)).unwrap_err().to_string().contains("a cosine needs two"));
        assert!(go(&Matrix::zeros(3, 8)).is_err());
        let two = go(&rows(2)).unwrap();
        assert!(two.latents.summary.starts_with("The cosine of the two texts goes from"));
        // A text twice: its cosine is 1 everywhere, and its neighbours are the other's.
        let mut vectors = rows(6);
        let copy = vectors.row(1).to_vec();
        vectors.row_mut(4).copy_from_slice(&copy);
        let six = go(&vectors).unwrap();
        for cosines in [&six.teacher, &six.latents.cosines, &six.output.cosines] {
            assert!((cosines[1][4] - 1.0).abs() < 1e-5 && cosines.len() == 6);
            for (r, row) in cosines.iter().enumerate() {
                assert!((row[r] - 1.0).abs() < 1e-5);
                assert!((0..6).all(|c| (row[c] - cosines[c][r]).abs() < 1e-6));
            }
        }
        let reordered = &six.latents.reordered;
        assert_eq!(reordered.contains(&2), reordered.contains(&5));
    }
}
