//! Tensors in GPU memory: whole rows in buffers that a shader may bind.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::device::Tensor;
use crate::device::ledger::Share;

/// Chunks that were freed, for the caches that still know them.
pub(super) type Freed = Arc<Mutex<Vec<u64>>>;

/// The rows of one tensor, in chunks of at most the size that can be bound.
#[derive(Debug)]
pub(crate) struct GpuBuffer {
    pub(super) chunks: Vec<Chunk>,
    /// Rows of every chunk but the last.
    pub(super) rows_per_chunk: usize,
    pub(super) freed: Freed,
    pub(super) _share: Option<Share>,
}

/// One buffer, with a number of its own.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(super) id: u64,
    pub(super) buffer: wgpu::Buffer,
}

impl Chunk {
    pub(super) fn new(buffer: wgpu::Buffer) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { id: NEXT.fetch_add(1, Ordering::Relaxed), buffer }
    }
}

impl GpuBuffer {
    /// The chunk that holds `row`, and its place there.
    fn locate(&self, row: usize) -> (&Chunk, usize) {
        (&self.chunks[row / self.rows_per_chunk], row % self.rows_per_chunk)
    }
}

impl Drop for GpuBuffer {
    fn drop(&mut self) {
        let mut freed = self.freed.lock().unwrap_or_else(PoisonError::into_inner);
        freed.extend(self.chunks.iter().map(|chunk| chunk.id));
    }
}

/// Rows that lie in one chunk of every tensor they were cut for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rows {
    /// The first of them.
    pub(crate) first: usize,
    /// How many.
    pub(crate) count: usize,
}

/// Cuts the common rows of `tensors` so that each part lies in one chunk of each, and has at most
/// `most` rows. The tensors have the same number of rows.
pub(crate) fn cut_rows(tensors: &[&Tensor], most: usize) -> Vec<Rows> {
    let rows = tensors[0].rows();
    debug_assert!(tensors.iter().all(|t| t.rows() == rows));
    let mut parts = Vec::new();
    let mut first = 0;
    while first < rows {
        let fits = tensors.iter().map(|t| {
            let size = t.gpu().rows_per_chunk;
            size - first % size
        });
        let count = fits.fold(most, usize::min).min(rows - first);
        parts.push(Rows { first, count });
        first += count;
    }
    parts
}

impl Rows {
    /// The chunk of `tensor` that holds these rows, and where they start in it, in words.
    pub(crate) fn of<'t>(&self, tensor: &'t Tensor) -> (&'t Chunk, u32) {
        let (chunk, row) = tensor.gpu().locate(self.first);
        (chunk, word(row * tensor.cols()))
    }
}

/// The only chunk of a tensor of one row.
pub(crate) fn only(tensor: &Tensor) -> &Chunk {
    assert_eq!(tensor.rows(), 1, "a tensor of one row is never cut");
    &tensor.gpu().chunks[0]
}

/// A count of words as the shaders take it. No binding holds 2^32 words.
pub(crate) fn word(count: usize) -> u32 {
    u32::try_from(count).expect("a chunk holds fewer than 2^32 words")
}
