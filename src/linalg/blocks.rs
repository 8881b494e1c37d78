//! Work on blocks of rows, on several cores where the `rayon` feature is on.

use std::ops::Range;

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
    {
        use rayon::prelude::*;
        (0..count).into_par_iter().map(|i| work(range(i))).collect()
    }
    #[cfg(not(feature = "rayon"))]
    {
        (0..count).map(|i| work(range(i))).collect()
    }
}
