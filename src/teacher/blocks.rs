//! A batch on the CPU device in blocks of whole sequences: a core takes a block through all layers
//! before the next one, so that what lies between them stays in its cache, and the cores wait for
//! each other once a batch instead of once a kernel.

use super::Teacher;
use super::batch::batches;
use super::encoder::Room;
use crate::device::{cores, in_blocks};
use crate::error::Result;

/// Tokens of a block at least: of fewer the kernels share the cores.
const FEWEST: usize = 32;
/// Tokens of a block at most, unless a single sequence is longer. All weights are read for each
/// block.
const MOST: usize = 128;

impl Teacher {
    /// The unit vectors of `sequences`, shortest first, one after another.
    ///
    /// # Errors
    /// Out of memory, and what the kernels report.
    pub(super) fn in_blocks(&self, sequences: &[&[u32]]) -> Result<Vec<f32>> {
        let width = self.width();
        let share = tokens_of(sequences).div_ceil(cores());
        let blocks = batches(sequences, share.clamp(FEWEST, MOST));
        let mut vectors = vec![0.0; sequences.len() * width];
        let mut parts = Vec::with_capacity(blocks.len());
        let (mut rest, mut left) = (&mut vectors[..], sequences);
        for block in &blocks {
            let (here, after) = rest.split_at_mut(block.len() * width);
            let (block, others) = left.split_at(block.len());
            parts.push((block, here));
            (rest, left) = (after, others);
        }
        in_blocks(parts, |(sequences, vectors): (&[&[u32]], &mut [f32])| {
            let (count, tokens) = (sequences.len(), tokens_of(sequences));
            let mut room = self.rooms.take(
                |room| room.holds(count, tokens),
                || Room::new(&self.device, self.shape(), count.max(MOST), tokens.max(MOST)),
            )?;
            room.set_size(count, tokens);
            self.weights.forward(&self.device, sequences, &mut room)?;
            vectors.copy_from_slice(room.output().host());
            self.rooms.give_back(room);
            Ok(())
        })?;
        Ok(vectors)
    }
}

/// Tokens of all sequences.
fn tokens_of(sequences: &[&[u32]]) -> usize {
    sequences.iter().map(|s| s.len()).sum()
}
