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
            // One row alone would go another way through the kernels, which rounds otherwise; that
            // must not follow from how many cores there are.
            let pair = (x.len() == width).then(|| [x, x].concat());
            let x = pair.as_deref().unwrap_or(x);
            room.set_rows(x.len() / width);
            device.write(&mut room.values[from], x)?;
            forward(device, graph, parameters, &mut room, from..to)?;
            y.copy_from_slice(&room.values[to].host()[..y.len()]);
            self.rooms.give_back(room);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::{Arch, Variant};
    use crate::matrix::Matrix;
    use crate::student::{Parameters, Student};

    /// Runs `f` with two threads, so that there are blocks on any machine.
    fn on_two_threads<T: Send>(f: impl FnOnce() -> T + Send) -> T {
        #[cfg(feature = "rayon")]
        return rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap().install(f);
        #[cfg(not(feature = "rayon"))]
        f()
    }

    #[test]
    fn every_core_gets_as_many_blocks_and_none_too_large() {
        on_two_threads(|| {
            for precision in Precision::ALL {
                for rows in 1..1500 {
                    let block = block_rows(rows, precision);
                    assert!((1..=most(precision)).contains(&block), "{rows} by {block}");
                    let blocks = rows.div_ceil(block);
                    let even = block >= FEWEST && blocks.is_multiple_of(cores());
                    assert!(blocks == 1 || even, "{rows} by {block}");
                }
            }
        });
    }

    #[test]
    fn blocks_give_what_layer_after_layer_gives() {
        let plain: Arch = "20-14-6-14-20".parse().unwrap();
        let sn727 = plain.clone().with_variant(Variant::Sn727).unwrap();
        let x = Matrix::from_fn(301, 20, |r, c| ((r * 31 + c * 7) as f32 * 0.37).sin());
        for (arch, precision) in
            [(&plain, Precision::F32), (&plain, Precision::Int8), (&sn727, Precision::F16)]
        {
            let device = Device::cpu();
            let graph = Graph::new(arch);
            let student = Student::new(&device, &Parameters::random(arch, 5), precision).unwrap();
            let mut whole = Activations::new(&device, &graph, x.rows(), false).unwrap();
            device.write(whole.input_mut(), x.data()).unwrap();
            forward(&device, &graph, &student.weights, &mut whole, 0..graph.ops.len()).unwrap();
            let (latents, output) = on_two_threads(|| {
                let blocks = Blocks::of(&device, precision, x.rows()).expect("several blocks");
                let run = |range: Range<usize>, input: &[f32]| {
                    let mut values = vec![f32::NAN; x.rows() * graph.widths[range.end]];
                    let ends = (input, &mut values[..]);
                    blocks.forward(&device, &graph, &student.weights, range, ends).unwrap();
                    values
                };
                let latents = run(0..graph.latent, x.data());
                let output = run(graph.latent..graph.ops.len(), &latents);
                (latents, output)
            });
            for (got, value) in [(latents, graph.latent), (output, graph.ops.len())] {
                for (got, want) in got.iter().zip(whole.values[value].host()) {
                    assert!((got - want).abs() < 1e-6, "{arch} {precision}: {got} {want}");
                }
            }
        }
    }

    #[test]
    fn a_row_is_the_same_in_every_batch_and_on_any_cores() {
        let arch: Arch = "20-33-6-33-20".parse().unwrap();
        let x = Matrix::from_fn(1025, 20, |r, c| ((r * 31 + c * 7) as f32 * 0.37).sin());
        let student =
            Student::new(&Device::cpu(), &Parameters::random(&arch, 5), Precision::F32).unwrap();
        let encode = |from: usize, to: usize| {
            let rows = pollster::block_on(student.encode_rows(&x.slice_rows(from, to))).unwrap();
            (rows.rows() == to - from).then_some(rows).expect("a latent a row")
        };
        let whole = encode(0, 1025);
        // 568 rows on 64 cores leave a block of one.
        for (from, to) in [(0, 1), (7, 9), (1, 66), (100, 668), (0, 1024), (3, 133)] {
            let want = whole.slice_rows(from, to);
            assert_eq!(crate::device::on_one_core(|| encode(from, to)), want, "{from}..{to}");
            assert_eq!(encode(from, to), want, "{from}..{to}");
            #[cfg(feature = "rayon")]
            for threads in [3, 64] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                assert_eq!(pool.install(|| encode(from, to)), want, "{from}..{to} on {threads}");
            }
        }
    }
}
