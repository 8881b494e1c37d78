//! The CPU device: its memory account and how its kernels share the cores.

#[cfg(feature = "rayon")]
use std::cell::Cell;
use std::sync::{Mutex, PoisonError};

use crate::device::Ledger;
use crate::error::Result;

/// The CPU. Kernels run when called, on all cores where the `rayon` feature is on.
#[derive(Clone, Debug)]
pub struct Cpu {
    ledger: Ledger,
}

impl Cpu {
    /// A CPU device whose tensors may hold at most `limit` bytes.
    pub fn new(limit: Option<u64>) -> Self {
        Self { ledger: Ledger::new(limit) }
    }

    /// The account of its memory.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}

#[cfg(feature = "rayon")]
thread_local! {
    /// Whether this thread works on a block of [`in_blocks`], or in [`on_one_core`].
    static ALONE: Cell<bool> = const { Cell::new(false) };
}

/// Calls `f`, whose kernels run on this core alone: for programs that share their work between
/// cores themselves, such as an engine with a thread for each part of a query. What they compute is
/// the same.
pub fn on_one_core<T>(f: impl FnOnce() -> T) -> T {
    #[cfg(feature = "rayon")]
    {
        /// Sets back what was, even if `f` panics.
        struct Before(bool);
        impl Drop for Before {
            fn drop(&mut self) {
                ALONE.set(self.0);
            }
        }
        let _before = Before(ALONE.replace(true));
        f()
    }
    #[cfg(not(feature = "rayon"))]
    f()
}

/// Cores that a kernel called now may use.
pub(crate) fn cores() -> usize {
    #[cfg(feature = "rayon")]
    if !ALONE.get() {
        return rayon::current_num_threads();
    }
    1
}

/// Calls `f` on every block of a larger work, on whatever core is free. A kernel that it calls runs
/// on that core alone, so that the cores wait for each other once; of a single block it may use all
/// cores.
#[cfg(feature = "rayon")]
pub(crate) fn in_blocks<T: Send>(
    blocks: Vec<T>,
    f: impl Fn(T) -> Result<()> + Send + Sync,
) -> Result<()> {
    use rayon::prelude::*;
    if blocks.len() == 1 || cores() == 1 {
        return blocks.into_iter().try_for_each(f);
    }
    blocks.into_par_iter().with_max_len(1).try_for_each(|block| {
        ALONE.set(true);
        let done = f(block);
        ALONE.set(false);
        done
    })
}

/// Calls `f` on every block of a larger work.
#[cfg(not(feature = "rayon"))]
pub(crate) fn in_blocks<T>(blocks: Vec<T>, f: impl Fn(T) -> Result<()>) -> Result<()> {
    blocks.into_iter().try_for_each(f)
}

/// Rooms that blocks work in, kept for those that come after: as many as there were blocks at a
/// time.
#[derive(Debug)]
pub(crate) struct Rooms<R>(Mutex<Vec<R>>);

impl<R> Rooms<R> {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// A free room, or what `new` makes where there is none that `fits`.
    ///
    /// # Errors
    /// What `new` returns.
    pub(crate) fn take(
        &self,
        fits: impl FnOnce(&R) -> bool,
        new: impl FnOnce() -> Result<R>,
    ) -> Result<R> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.filter(fits).map_or_else(new, Ok)
    }

    /// Frees a room.
    pub(crate) fn give_back(&self, room: R) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(room);
    }
}

/// Values below which a second core costs more than it brings.
#[cfg(feature = "rayon")]
const WORTH_SHARING: usize = 32 * 1024;

/// Calls `f(first_row, rows)` on blocks of whole rows of `data`, in parallel where it pays.
/// What `f` writes must not depend on how the rows are cut.
pub(crate) fn par_rows(data: &mut [f32], cols: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
    if data.is_empty() {
        return;
    }
    #[cfg(feature = "rayon")]
    if data.len() >= WORTH_SHARING && cores() > 1 {
        use rayon::prelude::*;
        let rows = data.len() / cols;
        let block = rows.div_ceil(2 * cores()).max(1);
        data.par_chunks_mut(block * cols).enumerate().for_each(|(i, part)| f(i * block, part));
        return;
    }
    let _ = cols;
    f(0, data);
}

/// Cuts `data` into parts of the given sizes and calls `f(room, i, part)` on each, in parallel
/// where it pays. `room` makes what a core works in; parts that it takes in turn share one.
pub(crate) fn par_parts<R>(
    data: &mut [f32],
    sizes: &[usize],
    room: impl Fn() -> R + Sync + Send,
    f: impl Fn(&mut R, usize, &mut [f32]) + Sync + Send,
) {
    #[cfg(feature = "rayon")]
    if data.len() >= WORTH_SHARING && sizes.len() > 1 && cores() > 1 {
        use rayon::prelude::*;
        let mut rest = data;
        let mut parts = Vec::with_capacity(sizes.len());
        for size in sizes {
            let (part, after) = rest.split_at_mut(*size);
            parts.push(part);
            rest = after;
        }
        parts.par_iter_mut().enumerate().for_each_init(room, |room, (i, part)| f(room, i, part));
        return;
    }
    let (mut room, mut rest) = (room(), data);
    for (i, size) in sizes.iter().enumerate() {
        let (part, after) = rest.split_at_mut(*size);
        f(&mut room, i, part);
        rest = after;
    }
}

/// As [`par_rows`] over two slices with the same number of rows.
pub(crate) fn par_rows2(
    a: (&mut [f32], usize),
    b: (&mut [f32], usize),
    f: impl Fn(usize, &mut [f32], &mut [f32]) + Sync,
) {
    if a.0.is_empty() {
        return;
    }
    #[cfg(feature = "rayon")]
    if a.0.len().max(b.0.len()) >= WORTH_SHARING && cores() > 1 {
        use rayon::prelude::*;
        let rows = a.0.len() / a.1;
        let block = rows.div_ceil(2 * cores()).max(1);
        a.0.par_chunks_mut(block * a.1)
            .zip(b.0.par_chunks_mut(block * b.1))
            .enumerate()
            .for_each(|(i, (x, y))| f(i * block, x, y));
        return;
    }
    f(0, a.0, b.0);
}

/// Calls `f(first_value, values)` on equal blocks of three slices of one length, in parallel
/// where it pays.
pub(crate) fn par_values3(all: [&mut [f32]; 3], f: impl Fn(usize, [&mut [f32]; 3]) + Sync) {
    #[cfg(feature = "rayon")]
    if all[0].len() >= WORTH_SHARING && cores() > 1 {
        use rayon::prelude::*;
        let [a, b, c] = all;
        let block = a.len().div_ceil(2 * cores());
        a.par_chunks_mut(block)
            .zip(b.par_chunks_mut(block))
            .zip(c.par_chunks_mut(block))
            .enumerate()
            .for_each(|(i, ((a, b), c))| f(i * block, [a, b, c]));
        return;
    }
    f(0, all);
}
