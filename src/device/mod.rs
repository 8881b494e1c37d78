//! Where tensors live and kernels run: a GPU through wgpu, or the CPU.

mod breathe;
mod choice;
mod cpu;
mod gpu;
mod lanes;
mod ledger;
mod tensor;
mod widen;

pub use breathe::breathe;
pub use choice::{DeviceChoice, open};
pub use cpu::{Cpu, on_one_core};
pub use gpu::{AdapterDescription, AdapterKind, Gpu, GpuOptions, list_adapters, shader_sources};
pub use ledger::{Ledger, MemoryUse};
pub use tensor::Tensor;

pub(crate) use cpu::{Rooms, cores, in_blocks, par_parts, par_rows, par_rows2, par_values3};
pub(crate) use gpu::{Dispatch, Rows, TILED_ROWS, cut_rows, grid, only, word};
pub(crate) use lanes::{LANES, TILE_ROWS, Words, dot, sums, vector_registers, vectorised};
pub(crate) use widen::{Widen, widen_f16};

use tensor::{HostBuffer, Storage};

use crate::error::{Error, Result};
use crate::matrix::Matrix;

/// A device. Cheap to clone; clones share the device and its ledger.
#[derive(Clone, Debug)]
pub enum Device {
    /// The CPU twins.
    Cpu(Cpu),
    /// The WGSL kernels.
    Gpu(Gpu),
}

impl Device {
    /// The CPU, with no limit on memory.
    pub fn cpu() -> Self {
        Device::Cpu(Cpu::new(None))
    }

    /// A short name for people: `cpu`, or the adapter's.
    pub fn name(&self) -> String {
        match self {
            Device::Cpu(_) => "cpu".into(),
            Device::Gpu(gpu) => gpu.name(),
        }
    }

    /// Whether this is a GPU device.
    pub fn is_gpu(&self) -> bool {
        matches!(self, Device::Gpu(_))
    }

    /// The account of its memory.
    pub fn ledger(&self) -> &Ledger {
        match self {
            Device::Cpu(cpu) => cpu.ledger(),
            Device::Gpu(gpu) => gpu.ledger(),
        }
    }

    /// A tensor of zeros.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] if the device cannot hold it.
    pub fn zeros(&self, rows: usize, cols: usize) -> Result<Tensor> {
        let too_large = || Error::OutOfMemory {
            what: format!("a tensor of {rows} × {cols}"),
            needed: u64::MAX,
            available: "more than can be addressed".into(),
            advice: "choose a smaller width or batch".into(),
        };
        let bytes = rows.checked_mul(cols).and_then(|n| n.checked_mul(4)).ok_or_else(too_large)?;
        let share =
            self.ledger().take(bytes as u64, || format!("a tensor of {rows} × {cols} values"))?;
        let storage = match self {
            Device::Cpu(_) => {
                let words = Words::zeros(rows * cols).ok_or_else(too_large)?;
                Storage::Host(HostBuffer { words, _share: share })
            }
            Device::Gpu(gpu) => Storage::Gpu(gpu.allocate(rows, cols, share)?),
        };
        Ok(Tensor::from_storage(rows, cols, storage))
    }

    /// A tensor with the given values.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] if the device cannot hold it.
    ///
    /// # Panics
    /// If `values` has not `rows · cols` values.
    pub fn upload(&self, rows: usize, cols: usize, values: &[f32]) -> Result<Tensor> {
        let mut tensor = self.zeros(rows, cols)?;
        self.write(&mut tensor, values)?;
        Ok(tensor)
    }

    /// A tensor with the values of a matrix.
    ///
    /// # Errors
    /// As [`Self::upload`].
    pub fn upload_matrix(&self, matrix: &Matrix) -> Result<Tensor> {
        self.upload(matrix.rows(), matrix.cols(), matrix.data())
    }

    /// Replaces the values of a tensor, in order with the kernels before and after.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] and [`Error::Device`] from the GPU.
    ///
    /// # Panics
    /// If the number of values is not that of the tensor.
    pub fn write(&self, tensor: &mut Tensor, values: &[f32]) -> Result<()> {
        assert_eq!(tensor.len(), values.len(), "values for a tensor of {:?}", tensor.shape());
        match self {
            Device::Cpu(_) => {
                tensor.host_mut().copy_from_slice(values);
                Ok(())
            }
            Device::Gpu(gpu) => gpu.write(tensor, bytemuck::cast_slice(values)),
        }
    }

    /// Replaces the words of a tensor, as [`Self::write`].
    pub fn write_words(&self, tensor: &mut Tensor, words: &[u32]) -> Result<()> {
        // The words are carried bit for bit; as values they are never computed with.
        self.write(tensor, bytemuck::cast_slice(words))
    }

    /// The values of a tensor, after every kernel before.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] and [`Error::Device`] from the GPU.
    pub async fn read(&self, tensor: &Tensor) -> Result<Vec<f32>> {
        match self {
            Device::Cpu(_) => {
                breathe().await;
                Ok(tensor.host().to_vec())
            }
            Device::Gpu(gpu) => gpu.read(tensor).await,
        }
    }

    /// The words of a tensor, as [`Self::read`].
    pub async fn read_words(&self, tensor: &Tensor) -> Result<Vec<u32>> {
        Ok(bytemuck::cast_vec(self.read(tensor).await?))
    }

    /// A tensor as a matrix.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn read_matrix(&self, tensor: &Tensor) -> Result<Matrix> {
        Matrix::new(tensor.rows(), tensor.cols(), self.read(tensor).await?)
    }

    /// Hands the recorded kernels to the GPU without waiting; nothing on the CPU, whose kernels
    /// have run already.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] and [`Error::Device`] from the GPU.
    pub fn submit(&self) -> Result<()> {
        match self {
            Device::Cpu(_) => Ok(()),
            Device::Gpu(gpu) => gpu.submit(),
        }
    }

    /// Waits until every kernel so far has run.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] and [`Error::Device`] from the GPU.
    pub async fn wait(&self) -> Result<()> {
        match self {
            Device::Cpu(_) => {
                breathe().await;
                Ok(())
            }
            Device::Gpu(gpu) => gpu.wait().await,
        }
    }
}
