//! The operations of students and teachers, each with its WGSL side and its CPU twin.
//!
//! Every function takes the device first, checks its shapes, and writes into tensors that the
//! caller owns, so that a training step allocates nothing. Shapes are `rows × cols`; `m` is the
//! number of vectors in a batch.

pub mod activation;
pub mod adamw;
pub mod add_scaled;
pub mod attention;
pub mod attention_grad;
pub mod code_scores;
pub mod column_sum;
pub mod cosine_loss;
pub mod gather;
pub mod gram_loss;
pub mod latent_noise;
pub mod layer_norm;
pub mod layer_norm_grad;
pub mod layer_norm_grad_parameters;
pub mod linear;
pub mod linear_grad_input;
pub mod linear_grad_weight;
mod linear_vector;
pub mod mean_pool;
pub mod mse_loss;
pub mod multiply;
pub mod normalize_rows;
pub mod normalize_rows_grad;
pub mod pack;
pub mod probe;
pub mod residual_norm;
pub mod sequence_attention;
mod sequences;
pub mod squared_norm;
mod weight;

pub use sequences::Sequences;
pub use weight::{Weight, WeightRef};

use crate::device::Tensor;
use crate::error::{Error, Result};

/// Refuses a tensor whose shape is not `(rows, cols)`.
pub(crate) fn expect_shape(
    kernel: &'static str,
    name: &str,
    tensor: &Tensor,
    rows: usize,
    cols: usize,
) -> Result<()> {
    if tensor.shape() == (rows, cols) {
        return Ok(());
    }
    Err(Error::Shape {
        kernel,
        message: format!(
            "{name} is {} × {}, expected {rows} × {cols}",
            tensor.rows(),
            tensor.cols()
        ),
    })
}
