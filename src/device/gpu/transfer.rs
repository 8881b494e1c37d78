//! Between host and GPU: writing, reading, waiting and timing.

use super::signal::{Receiver, signal};
use super::{Gpu, Shared};
use crate::device::Tensor;
use crate::error::{Error, Result};

/// Bytes after which written values are handed on at once, so that wgpu's copies of them do not
/// pile up until the next submission.
const HAND_ON: usize = 16 << 20;

impl Gpu {
    /// Replaces the words of a tensor, after the kernels recorded so far.
    pub(crate) fn write(&self, tensor: &mut Tensor, bytes: &[u8]) -> Result<()> {
        // A write takes effect before the next submission: what is recorded must go first.
        self.submit()?;
        let queue = &self.shared.queue;
        let buffer = tensor.gpu();
        let chunk_bytes = (4 * tensor.cols() * buffer.rows_per_chunk).max(1);
        for (chunk, part) in buffer.chunks.iter().zip(bytes.chunks(chunk_bytes)) {
            queue.write_buffer(&chunk.buffer, 0, part);
            if part.len() >= HAND_ON {
                queue.submit([]);
            }
        }
        self.shared.faults.check()
    }

    /// The words of a tensor, after the kernels recorded so far.
    pub(crate) async fn read(&self, tensor: &Tensor) -> Result<Vec<f32>> {
        self.submit()?;
        let mut values = Vec::new();
        values.try_reserve_exact(tensor.len()).map_err(|_| Error::OutOfMemory {
            what: "reading a tensor".into(),
            needed: tensor.bytes(),
            available: "which the host does not have".into(),
            advice: "read fewer rows".into(),
        })?;
        if !tensor.is_empty() {
            for chunk in &tensor.gpu().chunks {
                let bytes = self.read_buffer(&chunk.buffer).await?;
                values.extend_from_slice(bytemuck::cast_slice(&bytes));
            }
        }
        Ok(values)
    }

    /// Hands the recorded kernels to the GPU.
    pub(crate) fn submit(&self) -> Result<()> {
        self.shared.faults.check()?;
        self.recorder().submit(&self.shared.queue);
        self.shared.faults.check()
    }

    /// Waits until everything so far has run.
    pub(crate) async fn wait(&self) -> Result<()> {
        self.submit()?;
        let (sender, receiver) = signal();
        self.shared.queue.on_submitted_work_done(move || sender.send(()));
        self.shared.receive(receiver).await
    }

    /// The nanoseconds that the GPU spends on the kernels that `record` runs, by its own clock;
    /// `None` if the adapter cannot tell or they were too many.
    ///
    /// # Errors
    /// What `record` returns, and [`Error::DeviceLost`] and [`Error::Device`].
    pub async fn time_pass(&self, record: impl FnOnce() -> Result<()>) -> Result<Option<u64>> {
        self.submit()?;
        let device = &self.shared.device;
        if !device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            record()?;
            self.wait().await?;
            return Ok(None);
        }
        self.recorder().begin_timing(device);
        let outcome = record().and_then(|()| self.submit());
        let timing = self.recorder().end_timing();
        outcome?;
        let Some(timing) = timing.filter(|timing| timing.complete()) else {
            self.wait().await?;
            return Ok(None);
        };
        if timing.passes == 0 {
            return Ok(Some(0));
        }
        let resolved = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("timestamps"),
            size: 16 * u64::from(timing.passes),
            usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        let mut encoder = device.create_command_encoder(&Default::default());
        encoder.resolve_query_set(&timing.queries, 0..2 * timing.passes, &resolved, 0);
        self.shared.queue.submit([encoder.finish()]);
        let bytes = self.read_buffer(&resolved).await?;
        let ticks: u64 = bytes
            .chunks_exact(16)
            .map(|pair| {
                let at = |i: usize| u64::from_le_bytes(pair[i..i + 8].try_into().expect("8 bytes"));
                at(8).saturating_sub(at(0))
            })
            .sum();
        Ok(Some((ticks as f64 * f64::from(self.shared.queue.get_timestamp_period())) as u64))
    }

    /// The bytes of one buffer, through a copy that the host can map.
    async fn read_buffer(&self, buffer: &wgpu::Buffer) -> Result<Vec<u8>> {
        let Shared { device, queue, faults, .. } = &*self.shared;
        let staging = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("reading"),
            size: buffer.size(),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(buffer, 0, &staging, 0, buffer.size());
        queue.submit([encoder.finish()]);
        let (sender, receiver) = signal();
        staging.map_async(wgpu::MapMode::Read, .., move |result| sender.send(result));
        let mapped = self.shared.receive(receiver).await?;
        faults.check()?;
        let failed = |message: String| Error::Device { name: self.name(), message };
        mapped.map_err(|error| failed(error.to_string()))?;
        let view = staging.get_mapped_range(..).map_err(|error| failed(error.to_string()))?;
        let bytes = view.to_vec();
        drop(view);
        staging.unmap();
        Ok(bytes)
    }
}

impl Shared {
    /// Awaits a callback of wgpu; natively nothing calls it unless the device is polled.
    async fn receive<T>(&self, receiver: Receiver<T>) -> Result<T> {
        #[cfg(not(target_arch = "wasm32"))]
        {
            self.poll();
            // A device that fails may keep the callback for ever. One that works has called it,
            // or another thread that polled at the same time is about to.
            self.faults.check()?;
        }
        let value = receiver.await;
        self.faults.check()?;
        value.ok_or_else(|| Error::DeviceLost {
            name: self.description.name.clone(),
            message: "it gave no answer".into(),
        })
    }

    /// Blocks until the GPU is idle.
    #[cfg(not(target_arch = "wasm32"))]
    fn poll(&self) {
        // wgpu 30 panics here when the driver reports the device lost while it waits; its own
        // state stays sound, and the loss is an error like any other to us.
        let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            self.device.poll(wgpu::PollType::wait_indefinitely())
        }));
        match polled {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => self.faults.lose(error.to_string()),
            Err(_) => self.faults.lose("the driver stopped answering".into()),
        }
    }
}
