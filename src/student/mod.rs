//! A student ready for inference, its parameters, its start and its file.

mod batch;
mod blocks;
mod code;
mod file;
mod forward;
mod graph;
mod init;
mod parameters;

pub use batch::Batch;
pub use file::{StudentFile, StudentInfo, TEACHER};
pub use forward::{Activations, Kept, forward};
pub use graph::{Graph, Op};
pub use init::Init;
pub use parameters::Parameters;

use blocks::Blocks;

use crate::arch::{Arch, ParameterShape, Precision};
use crate::device::{Device, Rooms, Tensor, breathe};
use crate::error::{Error, Result};
use crate::kernels::Weight;
use crate::matrix::Matrix;

/// Rows that [`Student`] runs at once.
const CHUNK: usize = 1024;

/// A student on a device.
#[derive(Debug)]
pub struct Student {
    arch: Arch,
    device: Device,
    precision: Precision,
    graph: Graph,
    weights: Vec<Weight>,
    /// Kept so that equal batches allocate nothing; as many as there were callers at a time.
    rooms: Rooms<Room>,
}

/// What a batch passes through.
#[derive(Debug)]
enum Room {
    Whole(Activations),
    Blocks(Blocks),
}

impl Student {
    /// Puts parameters on a device, the matrices at `precision`.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] and what the device reports.
    pub fn new(device: &Device, parameters: &Parameters, precision: Precision) -> Result<Self> {
        let arch = parameters.arch().clone();
        Ok(Self {
            device: device.clone(),
            precision,
            graph: Graph::new(&arch),
            weights: weights(device, parameters, precision)?,
            arch,
            rooms: Rooms::new(),
        })
    }

    /// The architecture.
    pub fn arch(&self) -> &Arch {
        &self.arch
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Precision of the matrices.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Bytes of the weights as they lie on the device; on the CPU a layer's outputs are rounded up to
    /// whole vectors.
    pub fn bytes(&self) -> u64 {
        self.weights.iter().map(Weight::bytes).sum()
    }

    /// Latents (`n × latent`) of vectors (`n × input`).
    ///
    /// # Errors
    /// [`Error::Invalid`] if the vectors have another width, and what the device reports.
    pub async fn encode(&self, vectors: &Matrix) -> Result<Matrix> {
        self.run(vectors, 0, self.graph.latent).await
    }

    /// Vectors (`n × output`) of latents (`n × latent`).
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub async fn decode(&self, latents: &Matrix) -> Result<Matrix> {
        self.run(latents, self.graph.latent, self.graph.ops.len()).await
    }

    /// As [`Self::encode`], with each row as it comes out of any other batch, bit for bit: one vector
    /// alone goes a faster way, which rounds otherwise in its last place.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub async fn encode_rows(&self, vectors: &Matrix) -> Result<Matrix> {
        self.run_rows(vectors, 0, self.graph.latent).await
    }

    /// As [`Self::decode`], with each row as it comes out of any other batch, bit for bit.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub async fn decode_rows(&self, latents: &Matrix) -> Result<Matrix> {
        self.run_rows(latents, self.graph.latent, self.graph.ops.len()).await
    }

    /// Output vectors (`n × output`) of vectors (`n × input`).
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub async fn reconstruct(&self, vectors: &Matrix) -> Result<Matrix> {
        self.run(vectors, 0, self.graph.ops.len()).await
    }

    /// Runs the whole network on a batch that is on the device already and leaves the output
    /// there: `f` is given it. Nothing is read back, so this is what a benchmark times.
    ///
    /// # Errors
    /// What the device reports.
    pub fn forward_on_device<T>(
        &self,
        batch: &mut Batch,
        f: impl FnOnce(&Tensor) -> T,
    ) -> Result<T> {
        batch.forward(&self.device, &self.graph, &self.weights)?;
        Ok(f(batch.output()))
    }

    /// Room for batches of `rows` on the device.
    ///
    /// # Errors
    /// Out of memory.
    pub fn batch(&self, rows: usize) -> Result<Batch> {
        Batch::new(&self.device, &self.graph, self.precision, rows)
    }

    async fn run(&self, vectors: &Matrix, from: usize, to: usize) -> Result<Matrix> {
        let (width, out) = (self.graph.widths[from], self.graph.widths[to]);
        if vectors.cols() != width {
            return Err(Error::invalid(
                "vectors",
                format!("are {} wide; the student {} takes {width}", vectors.cols(), self.arch),
            ));
        }
        let mut result = Vec::with_capacity(vectors.rows() * out);
        for start in (0..vectors.rows()).step_by(CHUNK) {
            let rows = CHUNK.min(vectors.rows() - start);
            let chunk = &vectors.data()[start * width..(start + rows) * width];
            let mut room = self.room(rows)?;
            match &mut room {
                Room::Whole(room) => {
                    self.device.write(&mut room.values[from], chunk)?;
                    forward(&self.device, &self.graph, &self.weights, room, from..to)?;
                    result.extend(self.device.read(&room.values[to]).await?);
                }
                Room::Blocks(blocks) => {
                    breathe().await;
                    let done = result.len();
                    result.resize(done + rows * out, 0.0);
                    let ends = (chunk, &mut result[done..]);
                    blocks.forward(&self.device, &self.graph, &self.weights, from..to, ends)?;
                }
            }
            self.rooms.give_back(room);
        }
        Matrix::new(vectors.rows(), out, result)
    }

    /// As [`Self::run`], never on one row alone.
    async fn run_rows(&self, vectors: &Matrix, from: usize, to: usize) -> Result<Matrix> {
        let rows = vectors.rows();
        let (most, last) = match rows % CHUNK {
            1 => (rows - 1, vectors.slice_rows(rows - 1, rows)),
            _ => return self.run(vectors, from, to).await,
        };
        let mut result = self.run(&vectors.slice_rows(0, most), from, to).await?;
        let pair = Matrix::new(2, last.cols(), [last.data(), last.data()].concat())?;
        result.append(&self.run(&pair, from, to).await?.slice_rows(0, 1))?;
        Ok(result)
    }

    /// Room for a batch of `rows`: that of the last one, if it fits.
    fn room(&self, rows: usize) -> Result<Room> {
        let fits = |room: &Room| match room {
            Room::Whole(room) => room.values[0].rows() == rows,
            Room::Blocks(blocks) => blocks.fit(self.precision, rows),
        };
        self.rooms.take(fits, || {
            Ok(match Blocks::of(&self.device, self.precision, rows) {
                Some(blocks) => Room::Blocks(blocks),
                None => Room::Whole(Activations::new(&self.device, &self.graph, rows, false)?),
            })
        })
    }
}

/// Parameters on a device for inference, the matrices at `precision`, vectors in f32.
fn weights(device: &Device, parameters: &Parameters, precision: Precision) -> Result<Vec<Weight>> {
    let corrected;
    let parameters = if precision == Precision::Int8 {
        corrected = parameters.corrected_for_int8();
        &corrected
    } else {
        parameters
    };
    let one = |(shape, values): (ParameterShape, &Matrix)| match shape.matrix {
        true => Weight::for_inference(device, precision, values),
        false => Weight::from_rows(device, values),
    };
    parameters.iter().map(one).collect()
}
