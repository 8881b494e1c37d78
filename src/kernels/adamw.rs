//! One step of AdamW with decoupled weight decay and clipping by the global gradient norm.

use crate::device::{
    Device, Dispatch, Gpu, Tensor, cut_rows, grid, only, par_values3, vectorised, word,
};
use crate::error::Result;
use crate::kernels::expect_shape;

/// The numbers of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamW {
    /// Learning rate of this step.
    pub learning_rate: f32,
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// Decoupled weight decay: the weight shrinks by `learning_rate · weight_decay` first.
    pub weight_decay: f32,
    /// This step, counted from one, for the bias corrections.
    pub step: u64,
    /// The gradient is scaled down to this norm if it is longer; infinity never clips.
    pub clip_norm: f32,
}

impl AdamW {
    /// `1 − beta1^step` and `1 − beta2^step`.
    pub(crate) fn bias_corrections(&self) -> (f32, f32) {
        let correct = |beta: f32| (1.0 - f64::from(beta).powf(self.step as f64)) as f32;
        (correct(self.beta1), correct(self.beta2))
    }
}

/// Updates `parameter` and both moments (all of one shape) from `gradient`. `squared_norm`
/// (`1 × 1`) is the squared norm of the gradient of *all* parameters.
///
/// # Errors
/// [`crate::Error::Shape`], and what the device reports.
#[allow(clippy::too_many_arguments, reason = "the five tensors of the optimiser are one update")]
pub fn adamw(
    device: &Device,
    settings: &AdamW,
    gradient: &Tensor,
    squared_norm: &Tensor,
    parameter: &mut Tensor,
    first_moment: &mut Tensor,
    second_moment: &mut Tensor,
) -> Result<()> {
    let (rows, cols) = parameter.shape();
    expect_shape("adamw", "gradient", gradient, rows, cols)?;
    expect_shape("adamw", "squared_norm", squared_norm, 1, 1)?;
    expect_shape("adamw", "first_moment", first_moment, rows, cols)?;
    expect_shape("adamw", "second_moment", second_moment, rows, cols)?;
    match device {
        Device::Cpu(_) => {
            on_cpu(settings, gradient, squared_norm, parameter, first_moment, second_moment);
            Ok(())
        }
        Device::Gpu(gpu) => {
            on_gpu(gpu, settings, gradient, squared_norm, parameter, first_moment, second_moment)
        }
    }
}

fn on_gpu(
    gpu: &Gpu,
    settings: &AdamW,
    gradient: &Tensor,
    squared_norm: &Tensor,
    parameter: &mut Tensor,
    first_moment: &mut Tensor,
    second_moment: &mut Tensor,
) -> Result<()> {
    let AdamW { learning_rate, beta1, beta2, epsilon, weight_decay, clip_norm, .. } = *settings;
    let (correct1, correct2) = settings.bias_corrections();
    let (step, root) = (learning_rate / correct1, 1.0 / correct2.sqrt());
    let keep = 1.0 - learning_rate * weight_decay;
    // Shaders need not know infinity.
    let numbers = [step, root, keep, beta1, beta2, epsilon, clip_norm.min(f32::MAX)];
    for rows in cut_rows(&[gradient, parameter, first_moment, second_moment], usize::MAX) {
        let count = rows.count * parameter.cols();
        let (chunk, at) = rows.of(gradient);
        let mut params = vec![word(count), at];
        params.extend(numbers.map(f32::to_bits));
        gpu.run(&Dispatch {
            shader: "adamw",
            variant: 0,
            params: &params,
            reads: &[chunk, only(squared_norm)],
            writes: &[rows.of(parameter).0, rows.of(first_moment).0, rows.of(second_moment).0],
            groups: grid(count.div_ceil(256)),
        })?;
    }
    Ok(())
}

fn on_cpu(
    settings: &AdamW,
    gradient: &Tensor,
    squared_norm: &Tensor,
    parameter: &mut Tensor,
    first_moment: &mut Tensor,
    second_moment: &mut Tensor,
) {
    let AdamW { learning_rate, beta1, beta2, epsilon, weight_decay, clip_norm, .. } = *settings;
    let (correct1, correct2) = settings.bias_corrections();
    let norm = squared_norm.host()[0].sqrt();
    // A NaN norm must reach the parameters: hiding it here would hide where it came from.
    let clip = if norm > clip_norm { clip_norm / norm } else { 1.0 };
    let (step, root) = (learning_rate / correct1, 1.0 / correct2.sqrt());
    let keep = 1.0 - learning_rate * weight_decay;
    let gradient = gradient.host();
    let moments = first_moment.host_mut();
    let second = second_moment.host_mut();
    par_values3([parameter.host_mut(), moments, second], |first, [p, m, v]| {
        let g = &gradient[first..first + p.len()];
        vectorised(
            #[inline(always)]
            || {
                for (((p, m), v), g) in p.iter_mut().zip(m).zip(v).zip(g) {
                    let g = g * clip;
                    *m = beta1 * *m + (1.0 - beta1) * g;
                    *v = beta2 * *v + (1.0 - beta2) * g * g;
                    *p = *p * keep - step * *m / (v.sqrt() * root + epsilon);
                }
            },
        );
    });
}
