//! The mean over the tokens of each sequence.

use crate::device::{Device, Dispatch, Gpu, Tensor, grid, only, par_rows, vectorised, word};
use crate::error::Result;
use crate::kernels::attention::whole;
use crate::kernels::{Sequences, expect_shape};

/// `y_s = mean of x_t over the tokens t of sequence s`: x `tokens × n`, y `sequences × n`.
///
/// # Errors
/// [`crate::Error::Shape`], also if the tokens take more than one buffer of the GPU; and what the
/// device reports.
pub fn mean_pool(device: &Device, x: &Tensor, sequences: &Sequences, y: &mut Tensor) -> Result<()> {
    let n = x.cols();
    expect_shape("mean_pool", "x", x, sequences.tokens(), n)?;
    expect_shape("mean_pool", "y", y, sequences.count(), n)?;
    match device {
        Device::Cpu(_) => {
            on_cpu(x, sequences, y);
            Ok(())
        }
        Device::Gpu(gpu) => on_gpu(gpu, x, sequences, y),
    }
}

fn on_gpu(gpu: &Gpu, x: &Tensor, sequences: &Sequences, y: &mut Tensor) -> Result<()> {
    let tokens = whole("mean_pool", &[x])?;
    let rows = whole("mean_pool", &[y])?;
    gpu.run(&Dispatch {
        shader: "mean_pool",
        variant: 0,
        params: &[word(rows.count), word(x.cols())],
        reads: &[tokens.of(x).0, only(sequences.starts())],
        writes: &[rows.of(y).0],
        groups: grid(rows.count),
    })
}

fn on_cpu(x: &Tensor, sequences: &Sequences, y: &mut Tensor) {
    let n = x.cols();
    let (x, offsets) = (x.host(), sequences.offsets());
    par_rows(y.host_mut(), n, |first, y| {
        vectorised(
            #[inline(always)]
            || {
                for (y, ends) in y.chunks_exact_mut(n).zip(offsets[first..].windows(2)) {
                    y.fill(0.0);
                    for x in x[ends[0] * n..ends[1] * n].chunks_exact(n) {
                        y.iter_mut().zip(x).for_each(|(y, x)| *y += x);
                    }
                    let share = 1.0 / (ends[1] - ends[0]) as f32;
                    y.iter_mut().for_each(|y| *y *= share);
                }
            },
        );
    });
}
