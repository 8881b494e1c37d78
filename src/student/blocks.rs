//! Inference on the CPU device in blocks of rows: a core takes a block through the whole network
//! before the next one, so that what lies between the layers stays in its cache, and the cores wait
//! for each other once a batch instead of once a layer.

use std::ops::Range;

use super::forward::{Activations, forward};
use super::graph::Graph;
use crate::arch::Precision;
use crate::device::{Device, Rooms, cores, in_blocks};
use crate::error::Result;
use crate::kernels::Weight;

/// Rows of a block at least: fewer do not pay for another core.
const FEWEST: usize = 8;

/// Rows of a block at most. A core widens narrow weights anew for each of its blocks.
fn most(precision: Precision) -> usize {
    match precision {
        Precision::F32 => 64,
        Precision::F16 | Precision::Int8 => 256,
    }
}

/// Rows of a block for a batch of `rows`, such that all cores get as many blocks.
fn block_rows(rows: usize, precision: Precision) -> usize {
    let cores = cores();
    let blocks = match rows.div_ceil(most(precision)) {
        0 | 1 => cores.min(rows / FEWEST).max(1),
        blocks => blocks.next_multiple_of(cores),
    };
    rows.div_ceil(blocks)
}

/// Room for the blocks of a batch.
#[derive(Debug)]
pub(super) struct Blocks {
    /// Rows of a block; the last may have fewer.
    rows: usize,
    rooms: Rooms<Activations>,
}

impl Blocks {
    /// Of a batch of `rows`; none if they are better left together, as on a GPU.
    pub(super) fn of(device: &Device, precision: Precision, rows: usize) -> Option<Self> {
        let block = block_rows(rows, precision);
        (block < rows && !device.is_gpu()).then(|| Self { rows: block, rooms: Rooms::new() })
    }

    /// Whether they are those of a batch of `rows`.
    pub(super) fn fit(&self, precision: Precision, rows: usize) -> bool {
        self.rows == block_rows(rows, precision)
    }

    /// Runs the operations `range` of the graph on rows of `input`, the results row after row into
    /// `output`.
    ///
    /// # Errors
    /// Out of memory, and what the kernels report.
    pub(super) fn forward(
        &self,
        device: &Device,
        graph: &Graph,
        parameters: &[Weight],
        range: Range<usize>,
        (input, output): (&[f32], &mut [f32]),
    ) -> Result<()> {
        let (from, to) = (range.start, range.end);
        let (width, out) = (graph.widths[from], graph.widths[to]);
        let blocks = input.chunks(self.rows * width).zip(output.chunks_mut(self.rows * out));
        in_blocks(blocks.collect(), |(x, y): (&[f32], &mut [f32])| {
            let new = || Activations::new(device, graph, self.rows, false);
            let mut room = self.rooms.take(|_| true, new)?;
            room.set_rows(x.len() / width);
            device.write(&mut room.values[from], x)?;
            forward(device, graph, parameters, &mut room, from..to)?;
            y.copy_from_slice(room.values[to].host());
            self.rooms.give_back(room);
            Ok(())
        })
    }
}
