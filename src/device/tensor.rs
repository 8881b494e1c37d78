//! A matrix of 32-bit words in device memory.

use crate::device::gpu::GpuBuffer;
use crate::device::lanes::Words;
use crate::device::ledger::Share;

/// `rows × cols` words of 32 bits on a device, row after row: `f32` values, or packed weights
/// (two f16 or four int8 in a word). Made by a [`Device`](crate::device::Device), freed on drop.
#[derive(Debug)]
pub struct Tensor {
    rows: usize,
    cols: usize,
    storage: Storage,
}

/// Where the words are.
#[derive(Debug)]
pub(crate) enum Storage {
    Host(HostBuffer),
    Gpu(GpuBuffer),
}

/// Words in host memory, with their share of the ledger.
#[derive(Debug)]
pub(crate) struct HostBuffer {
    pub(crate) words: Words,
    pub(crate) _share: Share,
}

impl Tensor {
    pub(crate) fn from_storage(rows: usize, cols: usize, storage: Storage) -> Self {
        Self { rows, cols, storage }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Words in a row.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.cols)
    }

    /// Number of words.
    pub fn len(&self) -> usize {
        self.rows * self.cols
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of its words.
    pub fn bytes(&self) -> u64 {
        4 * self.len() as u64
    }

    /// Whether the tensor of the CPU device has room for so many rows.
    pub(crate) fn holds(&self, rows: usize) -> bool {
        match &self.storage {
            Storage::Host(buffer) => rows * self.cols <= buffer.words.room(),
            Storage::Gpu(_) => false,
        }
    }

    /// From now on the tensor of the CPU device has so many rows; what they hold is left from
    /// before, or zero.
    ///
    /// # Panics
    /// If it was made with fewer rows, or is on a GPU.
    pub(crate) fn set_rows(&mut self, rows: usize) {
        assert!(self.holds(rows), "{rows} rows in a tensor made as {:?}", self.shape());
        if let Storage::Host(buffer) = &mut self.storage {
            buffer.words.resize(rows * self.cols);
        }
        self.rows = rows;
    }

    /// The words of a tensor of the CPU device.
    ///
    /// # Panics
    /// If the tensor is on a GPU: kernels choose their side by the device they are given, so
    /// this is a tensor of another device, a bug in the caller.
    pub(crate) fn host(&self) -> &[f32] {
        match &self.storage {
            Storage::Host(buffer) => &buffer.words,
            Storage::Gpu(_) => panic!("a GPU tensor was given to the CPU device"),
        }
    }

    /// As [`Self::host`], to write.
    pub(crate) fn host_mut(&mut self) -> &mut [f32] {
        match &mut self.storage {
            Storage::Host(buffer) => &mut buffer.words,
            Storage::Gpu(_) => panic!("a GPU tensor was given to the CPU device"),
        }
    }

    /// As [`Self::host`], as unsigned words.
    pub(crate) fn host_words(&self) -> &[u32] {
        bytemuck::cast_slice(self.host())
    }

    /// The buffers of a GPU tensor; panics like [`Self::host`] otherwise.
    pub(crate) fn gpu(&self) -> &GpuBuffer {
        match &self.storage {
            Storage::Gpu(buffer) => buffer,
            Storage::Host(_) => panic!("a CPU tensor was given to a GPU device"),
        }
    }
}
