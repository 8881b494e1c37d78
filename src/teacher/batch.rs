//! Sequences sorted by length and put together to batches.

/// The indices of `sequences` in batches of at most `tokens` tokens (a longer sequence is a batch
/// of its own), shortest first, so that those of a batch are of similar length.
pub(super) fn batches<S: AsRef<[u32]>>(sequences: &[S], tokens: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..sequences.len()).collect();
    order.sort_by_key(|i| sequences[*i].as_ref().len());
    let mut all: Vec<Vec<usize>> = Vec::new();
    let mut room = 0;
    for i in order {
        let length = sequences[i].as_ref().len();
        match all.last_mut() {
            Some(batch) if length <= room => {
                batch.push(i);
                room -= length;
            }
            _ => {
                all.push(vec![i]);
                room = tokens.saturating_sub(length);
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shortest_first_and_full() {
        let of = |lengths: &[usize]| lengths.iter().map(|n| vec![0; *n]).collect::<Vec<_>>();
        let none: Vec<Vec<usize>> = Vec::new();
        assert_eq!(batches(&of(&[]), 10), none);
        assert_eq!(batches(&of(&[5, 2, 9, 2, 4]), 8), [vec![1, 3, 4], vec![0], vec![2]]);
    }

    proptest! {
        #[test]
        fn every_sequence_once_within_the_limit(
            lengths in prop::collection::vec(1usize..40, 0..60),
            tokens in 1usize..100,
        ) {
            let sequences: Vec<Vec<u32>> = lengths.iter().map(|n| vec![7; *n]).collect();
            let all = batches(&sequences, tokens);
            let mut seen: Vec<usize> = all.iter().flatten().copied().collect();
            let flat: Vec<usize> = seen.iter().map(|i| lengths[*i]).collect();
            prop_assert!(flat.is_sorted());
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..lengths.len()).collect::<Vec<_>>());
            for batch in &all {
                let sum: usize = batch.iter().map(|i| lengths[*i]).sum();
                prop_assert!(sum <= tokens || batch.len() == 1);
            }
        }
    }
}
