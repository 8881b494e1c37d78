//! Which rows are set aside, and in what order the others are seen.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Rows for training and rows set aside for validation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Rows to train on, ascending.
    pub training: Vec<usize>,
    /// Rows to choose the best epoch by, ascending.
    pub validation: Vec<usize>,
}

impl Split {
    /// Draws `validation` of `rows` rows by the seed; at most a fifth of them.
    pub fn new(rows: usize, validation: usize, seed: u64) -> Self {
        let mut order: Vec<usize> = (0..rows).collect();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed ^ 0x5b1f_7a11));
        let mut training = order.split_off(validation.min(rows / 5));
        training.sort_unstable();
        order.sort_unstable();
        Self { training, validation: order }
    }
}

/// The order of the training rows in `epoch` (from zero), by the seed alone, so that a resumed
/// training sees what an unbroken one would.
pub fn epoch_order(training: &[usize], seed: u64, epoch: u32) -> Vec<usize> {
    let mut order = training.to_vec();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(u64::from(epoch) + 1);
    order.shuffle(&mut rng);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_once() {
        let split = Split::new(103, 10, 7);
        assert_eq!((split.training.len(), split.validation.len()), (93, 10));
        let mut all = [split.training.clone(), split.validation.clone()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..103).collect::<Vec<_>>());
        assert_ne!(split, Split::new(103, 10, 8));
        let mut order = epoch_order(&split.training, 7, 3);
        assert_ne!(order, epoch_order(&split.training, 7, 4));
        assert_eq!(order, epoch_order(&split.training, 7, 3));
        order.sort_unstable();
        assert_eq!(order, split.training);
    }
}
