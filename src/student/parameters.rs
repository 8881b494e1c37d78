//! The parameters of a student in host memory, in f32.

use crate::arch::{Arch, ParameterShape};
use crate::error::{Error, Result};
use crate::matrix::Matrix;

/// Every parameter of an architecture, in the order of [`Arch::parameters`]; vectors are
/// matrices of one row.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    arch: Arch,
    values: Vec<Matrix>,
}

impl Parameters {
    /// All zeros.
    pub fn zeros(arch: &Arch) -> Self {
        let values = arch.parameters().iter().map(|p| Matrix::zeros(p.rows, p.cols)).collect();
        Self { arch: arch.clone(), values }
    }

    /// Takes values in the order of [`Arch::parameters`].
    ///
    /// # Errors
    /// [`Error::Arch`] if a shape is not that of the architecture.
    pub fn new(arch: &Arch, values: Vec<Matrix>) -> Result<Self> {
        let shapes = arch.parameters();
        let fits = |(shape, value): (&ParameterShape, &Matrix)| {
            (shape.rows, shape.cols) == (value.rows(), value.cols())
        };
        if shapes.len() != values.len() || !shapes.iter().zip(&values).all(fits) {
            return Err(Error::Arch {
                given: arch.to_string(),
                message: "the parameters have other shapes than the architecture".into(),
            });
        }
        Ok(Self { arch: arch.clone(), values })
    }

    /// The architecture.
    pub fn arch(&self) -> &Arch {
        &self.arch
    }

    /// Name and shape of each parameter beside its values.
    pub fn iter(&self) -> impl Iterator<Item = (ParameterShape, &Matrix)> {
        self.arch.parameters().into_iter().zip(&self.values)
    }

    /// The values in order.
    pub fn values(&self) -> &[Matrix] {
        &self.values
    }

    /// The values of the parameter called `name`, such as `input_proj.weight`.
    pub fn get(&self, name: &str) -> Option<&Matrix> {
        self.index(name).map(|i| &self.values[i])
    }

    /// As [`Self::get`], to write.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Matrix> {
        self.index(name).map(|i| &mut self.values[i])
    }

    fn index(&self, name: &str) -> Option<usize> {
        self.arch.parameters().iter().position(|p| p.name == name)
    }
}
