//! Linear algebra on host matrices: products, principal components, seeded rotations.

mod blocks;
mod near;
pub(crate) mod panels;
mod pca;
pub mod product;
mod random;
mod rows;
mod tile;

pub(crate) use blocks::map_blocks;
pub use near::near_rows;
pub use pca::Pca;
pub use random::{random_projection, random_rotation};
pub use rows::{column_deviations, column_means, norm, unit_rows};
