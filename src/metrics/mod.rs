//! How much of the teacher a code keeps: cosines, errors, neighbours, and how sure that is.
//!
//! Everything that ranks or averages over rows returns one value a row, so that two codes can
//! be compared row by row ([`paired_difference`]).

mod analogy;
mod bootstrap;
mod crossed;
mod error;
mod neighbours;
mod pareto;
mod resample;
mod search;
mod spearman;

pub use analogy::three_cos_add;
pub(crate) use bootstrap::mean;
pub use bootstrap::{Interval, bootstrap_mean, paired_difference};
pub use crossed::crossed_difference;
pub use error::{cosines, explained_variance, mean_squared_error};
pub use neighbours::{Neighbours, ndcg, ndcg_at_k, overlap_at_k};
pub use pareto::pareto_front;
pub use resample::{Resampled, resample_means, resample_spearman};
pub use search::{Search, recall_at_k};
pub use spearman::{PairRanks, average_ranks, pair_cosines, spearman};

/// A `u64` that sorts as `(value, index)` ascends; `-0` and `0` are one value. Integers sort
/// several times faster than pairs with a float in them.
fn sort_key(value: f32, index: u32) -> u64 {
    let bits = (value + 0.0).to_bits();
    let ascending = if bits >> 31 == 1 { !bits } else { bits | (1 << 31) };
    (u64::from(ascending) << 32) | u64::from(index)
}
