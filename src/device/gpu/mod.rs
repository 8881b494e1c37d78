//! The GPU device over wgpu: memory, and kernels recorded into one open compute pass.

mod adapters;
mod buffer;
mod faults;
mod record;
mod shaders;
mod signal;
mod transfer;

pub use adapters::{AdapterDescription, AdapterKind, list_adapters};
pub use shaders::shader_sources;

pub(crate) use adapters::pick;
pub(crate) use buffer::{Chunk, GpuBuffer, Rows, cut_rows, only, word};
pub(crate) use record::{Dispatch, grid};

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::device::Ledger;
use crate::device::ledger::Share;
use crate::error::Result;
use buffer::Freed;
use faults::Faults;
use record::Recorder;

/// The most buffers that one tensor is split into: 512 GiB at the default limits. More is a
/// mistake, and would be found out only after filling the memory.
const MAX_CHUNKS: usize = 4096;

/// Rows that one dispatch of a tiled product takes at most: 65,535 workgroups of 64.
pub(crate) const TILED_ROWS: usize = 65_535 * 64;

/// How to choose and open an adapter. The default takes the best adapter at WebGPU's default
/// limits.
#[derive(Clone, Debug, Default)]
pub struct GpuOptions {
    /// An index in [`list_adapters`], or a part of a name without regard to case.
    pub adapter: Option<String>,
    /// The most bytes that tensors may hold, for the ledger.
    pub memory_limit: Option<u64>,
    /// Split tensors into buffers of at most this many bytes; the device's own limit if that is
    /// less. For tests of the splitting.
    pub max_binding_bytes: Option<u64>,
    /// Ask for the largest bindings that the adapter offers instead of WebGPU's default of
    /// 128 MiB: large weights then need not be split.
    pub large_bindings: bool,
}

/// A GPU. Cheap to clone; clones share the device, its memory and its open pass.
#[derive(Clone)]
pub struct Gpu {
    shared: Arc<Shared>,
}

struct Shared {
    description: AdapterDescription,
    device: wgpu::Device,
    queue: wgpu::Queue,
    faults: Faults,
    ledger: Ledger,
    max_chunk_bytes: u64,
    freed: Freed,
    recorder: Mutex<Recorder>,
    /// Bound where a shader has a binding that this call does not use: one to read, one to
    /// write, since no buffer may be bound both ways.
    unused: [Chunk; 2],
    /// Parts of a sum on the way to one value.
    parts: Chunk,
}

impl fmt::Debug for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gpu").field("name", &self.shared.description.name).finish_non_exhaustive()
    }
}

impl Gpu {
    /// Parts that [`Self::parts`] has room for.
    pub(crate) const PARTS: usize = 256;

    /// Opens an adapter.
    ///
    /// # Errors
    /// [`Error::NoDevice`](crate::Error::NoDevice) if there is none, none of that name, or it
    /// does not reach WebGPU's default limits.
    pub async fn open(options: &GpuOptions) -> Result<Self> {
        let (description, device, queue) = adapters::request(options).await?;
        let faults = Faults::listen(&device, &description.name);
        let limits = device.limits();
        let bindable = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
        let freed = Freed::default();
        let small = |words: usize| {
            Chunk::new(device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: 4 * words as u64,
                usage: wgpu::BufferUsages::STORAGE,
                mapped_at_creation: false,
            }))
        };
        let shared = Shared {
            ledger: Ledger::new(options.memory_limit),
            max_chunk_bytes: options.max_binding_bytes.map_or(bindable, |most| most.min(bindable)),
            recorder: Mutex::new(Recorder::new(&device, freed.clone())),
            unused: [small(1), small(1)],
            parts: small(Self::PARTS),
            description,
            device,
            queue,
            faults,
            freed,
        };
        shared.faults.check()?;
        #[cfg_attr(
            target_arch = "wasm32",
            expect(
                clippy::arc_with_non_send_sync,
                reason = "natively it is shared between threads; a browser has one"
            )
        )]
        let shared = Arc::new(shared);
        Ok(Self { shared })
    }

    /// The adapter's name.
    pub fn name(&self) -> String {
        self.shared.description.name.clone()
    }

    /// What is known of the adapter.
    pub fn description(&self) -> &AdapterDescription {
        &self.shared.description
    }

    /// The limits that the device was opened with.
    pub fn limits(&self) -> wgpu::Limits {
        self.shared.device.limits()
    }

    /// The account of its memory.
    pub fn ledger(&self) -> &Ledger {
        &self.shared.ledger
    }

    /// Gives the device up, as a driver reset would: every call from now on is an error.
    pub fn destroy(&self) {
        self.shared.device.destroy();
        self.shared.faults.lose("it was destroyed".into());
    }

    /// A tensor of zeros; wgpu clears new buffers.
    pub(crate) fn allocate(&self, rows: usize, cols: usize, share: Share) -> Result<GpuBuffer> {
        let Shared { device, faults, max_chunk_bytes, freed, .. } = &*self.shared;
        faults.check()?;
        let row_bytes = 4 * cols.max(1) as u64;
        let needed = row_bytes * rows as u64;
        let refuse = |why: String| {
            Err(faults.out_of_memory(format!("a tensor of {rows} × {cols} values"), needed, why))
        };
        let rows_per_chunk = (max_chunk_bytes / row_bytes) as usize;
        if rows_per_chunk == 0 {
            return refuse(format!("and one row may take at most {max_chunk_bytes}"));
        }
        if rows.div_ceil(rows_per_chunk) > MAX_CHUNKS {
            return refuse(format!(
                "and at most {} are possible",
                MAX_CHUNKS as u64 * max_chunk_bytes
            ));
        }
        let mut buffer = GpuBuffer {
            chunks: Vec::new(),
            rows_per_chunk,
            freed: freed.clone(),
            _share: Some(share),
        };
        let mut first = 0;
        while first < rows || buffer.chunks.is_empty() {
            let count = rows_per_chunk.min(rows - first);
            buffer.chunks.push(Chunk::new(device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                // A tensor without values still has a buffer that can be bound.
                size: (row_bytes * count as u64).max(4),
                usage: wgpu::BufferUsages::STORAGE
                    | wgpu::BufferUsages::COPY_DST
                    | wgpu::BufferUsages::COPY_SRC,
                mapped_at_creation: false,
            })));
            if faults.take_out_of_memory() {
                return refuse("and the driver had no more".into());
            }
            first += count.max(1);
        }
        faults.check()?;
        Ok(buffer)
    }

    /// Records a run of a shader, after those before.
    pub(crate) fn run(&self, dispatch: &Dispatch<'_>) -> Result<()> {
        self.run_together(std::slice::from_ref(dispatch))
    }

    /// Records several runs; none of another thread comes between them.
    pub(crate) fn run_together(&self, dispatches: &[Dispatch<'_>]) -> Result<()> {
        let mut recorder = self.recorder();
        for dispatch in dispatches {
            if recorder.record(&self.shared.device, dispatch) {
                recorder.submit(&self.shared.queue);
            }
        }
        drop(recorder);
        self.shared.faults.check()
    }

    /// Bound for reading where a shader has an input that this call does not use.
    pub(crate) fn no_input(&self) -> &Chunk {
        &self.shared.unused[0]
    }

    /// Bound for writing where a shader has an output that this call does not use.
    pub(crate) fn no_output(&self) -> &Chunk {
        &self.shared.unused[1]
    }

    /// [`Self::PARTS`] values between the two dispatches of a sum.
    pub(crate) fn parts(&self) -> &Chunk {
        &self.shared.parts
    }

    /// The recorder holds its own state only between whole calls of wgpu.
    fn recorder(&self) -> MutexGuard<'_, Recorder> {
        self.shared.recorder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
