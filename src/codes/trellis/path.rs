//! The best path through a trellis (Viterbi 1967).
//!
//! A state is the last eight bits written. A coordinate of k bits appends them, so that each state
//! leads to 2ᵏ others, and each is reached from 2ᵏ; the value that stands for the coordinate
//! depends on the state then reached. Of all sequences of bits the one is sought whose values have
//! the least squared error in all.

use super::tables::WINDOW;
use crate::device::vectorised;
use crate::kernels::code_scores::STATES;

/// One coordinate: how many bits, and `mean + scale · values[window]` for each window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stage<'a> {
    pub(super) bits: u8,
    pub(super) scale: f32,
    pub(super) mean: f32,
    pub(super) values: &'a [f32],
}

/// Most groups of states that the same states lead to: those of one bit.
const GROUPS: usize = STATES / 2;

/// Room for the search, kept for the next row.
#[derive(Clone, Debug, Default)]
pub(super) struct Paths {
    /// For each stage and group the oldest bits of the best state before it.
    from: Vec<[u8; GROUPS]>,
}

impl Paths {
    /// The windows of the best path for `row`, one value a stage; every stage has bits. A path
    /// begins at the state zero. Of equal paths the one of lower states is taken.
    pub(super) fn best(&mut self, stages: &[Stage<'_>], row: &[f32], windows: &mut [u8]) {
        self.from.resize(stages.len().max(self.from.len()), [0; GROUPS]);
        let mut costs = [f32::INFINITY; STATES];
        costs[0] = 0.0;
        vectorised(
            #[inline(always)]
            || self.forward(stages, row, &mut costs),
        );
        let least = |best: usize, s: usize| if costs[s] < costs[best] { s } else { best };
        let mut state = (0..STATES).fold(0, least);
        for ((stage, from), window) in stages.iter().zip(&self.from).zip(windows).rev() {
            *window = state as u8;
            let group = state >> stage.bits;
            state = group | usize::from(from[group]) << (WINDOW - usize::from(stage.bits));
        }
    }

    /// Least costs of all states after the last coordinate, and how they were reached.
    #[inline(always)]
    fn forward(&mut self, stages: &[Stage<'_>], row: &[f32], costs: &mut [f32; STATES]) {
        for ((stage, x), from) in stages.iter().zip(row).zip(&mut self.from) {
            let errors = errors(stage, *x);
            match stage.bits {
                1 => advance::<1>(costs, &errors, from),
                2 => advance::<2>(costs, &errors, from),
                3 => advance::<3>(costs, &errors, from),
                4 => advance::<4>(costs, &errors, from),
                5 => advance::<5>(costs, &errors, from),
                6 => advance::<6>(costs, &errors, from),
                7 => advance::<7>(costs, &errors, from),
                _ => advance::<8>(costs, &errors, from),
            }
        }
    }
}

/// Squared error of each window's value.
#[inline(always)]
fn errors(stage: &Stage<'_>, x: f32) -> [f32; STATES] {
    let x = x - stage.mean;
    let mut errors = [0.0; STATES];
    for (error, value) in errors.iter_mut().zip(stage.values) {
        let miss = x - stage.scale * value;
        *error = miss * miss;
    }
    errors
}

/// Costs of all states after a coordinate of `BITS` bits. State `s` comes from those whose newest
/// bits are `s >> BITS`, its group; they differ in their oldest bits.
#[inline(always)]
fn advance<const BITS: usize>(
    costs: &mut [f32; STATES],
    errors: &[f32; STATES],
    from: &mut [u8; GROUPS],
) {
    let groups = STATES >> BITS;
    let (mut best, mut oldest) = ([0.0f32; GROUPS], [0u32; GROUPS]);
    best[..groups].copy_from_slice(&costs[..groups]);
    for (j, costs) in costs.chunks_exact(groups).enumerate().skip(1) {
        for ((best, oldest), cost) in best.iter_mut().zip(&mut oldest).zip(costs) {
            let less = cost < best;
            *best = if less { *cost } else { *best };
            *oldest = if less { j as u32 } else { *oldest };
        }
    }
    from.iter_mut().zip(&oldest[..groups]).for_each(|(from, oldest)| *from = *oldest as u8);
    let branches = costs.chunks_exact_mut(1 << BITS).zip(errors.chunks_exact(1 << BITS));
    for ((costs, errors), best) in branches.zip(&best) {
        costs.iter_mut().zip(errors).for_each(|(cost, error)| *cost = best + error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against every sequence of bits there is.
        #[test]
        fn no_sequence_of_bits_is_better(
            bits in prop::collection::vec(1u8..=4, 1..5),
            row in prop::collection::vec(-2.0f32..2.0, 4),
            seed in 0usize..1000,
        ) {
            let value = |s: usize| ((s * 7919 + seed * 104_729) as f32 * 0.37).sin() * 2.0;
            let tables: Vec<Vec<f32>> =
                (0..4).map(|t| (0..STATES).map(|s| value(s + 1000 * t)).collect()).collect();
            let stages: Vec<Stage<'_>> = bits.iter().enumerate()
                .map(|(i, bits)| Stage { bits: *bits, scale: 0.5 + i as f32, mean: 0.1, values: &tables[i] })
                .collect();
            let mut windows = vec![0; stages.len()];
            Paths::default().best(&stages, &row, &mut windows);
            let cost = |windows: &[u8]| -> f32 {
                let one = |((stage, w), x): ((&Stage<'_>, &u8), &f32)| {
                    (x - stage.mean - stage.scale * stage.values[usize::from(*w)]).powi(2)
                };
                stages.iter().zip(windows).zip(&row).map(one).sum()
            };
            let total: u32 = bits.iter().map(|b| u32::from(*b)).sum();
            let mut least = f32::INFINITY;
            for sequence in 0u32..1 << total {
                let (mut left, mut state) = (total, 0u32);
                let path: Vec<u8> = bits.iter().map(|b| {
                    left -= u32::from(*b);
                    let new = (sequence >> left) & ((1 << b) - 1);
                    state = (state << b | new) & 255;
                    state as u8
                }).collect();
                least = least.min(cost(&path));
            }
            prop_assert!(cost(&windows) <= least + 1e-5, "{} {least}", cost(&windows));
            // What was found is a path.
            let mut state = 0u8;
            for (bits, window) in bits.iter().zip(&windows) {
                prop_assert_eq!(window >> bits, state & (255 >> bits));
                state = *window;
            }
        }
    }
}
