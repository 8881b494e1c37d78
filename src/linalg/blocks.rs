//! Work on blocks of rows, on the cores that a kernel called now may use.

use std::ops::Range;

#[cfg(feature = "rayon")]
use crate::device::cores;

/// Calls `work` on the rows `0..rows` in blocks of at most `block` and returns what it gave,
/// in the order of the rows. The blocks are the same with one core and with many, and so are
/// the results.
pub(crate) fn map_blocks<T: Send>(
    rows: usize,
    block: usize,
    work: impl Fn(Range<usize>) -> T + Send + Sync,
) -> Vec<T> {
    let block = block.max(1);
    let range = |i: usize| i * block..((i + 1) * block).min(rows);
    let count = rows.div_ceil(block);
    #[cfg(feature = "rayon")]
    if cores() > 1 {
        use rayon::prelude::*;
        return (0..count).into_par_iter().map(|i| work(range(i))).collect();
    }
    (0..count).map(|i| work(range(i))).collect()
}
