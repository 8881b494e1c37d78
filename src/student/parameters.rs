//! The parameters of a student in host memory, in f32.

use crate::arch::{Arch, ParameterShape, Variant};
use crate::error::{Error, Result};
use crate::kernels::pack::int8_rows;
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

    /// The same student with biases that make up for rounding its matrices to int8.
    ///
    /// A unit whose values lie around a mean μ passes the rounding error of its outgoing weights
    /// on as a constant, error · μ; units shifted to the linear part of the activation (see
    /// [`Parameters::spectral`]) have a μ of 5, and the constants would drown the rest. The mean
    /// is taken from the unit's own bias, act(b). Rounded weights are left as they are, so this
    /// changes nothing the second time. Only `plain` is changed: in `sn727` a LayerNorm takes
    /// the mean off.
    pub fn corrected_for_int8(&self) -> Self {
        let mut corrected = self.clone();
        if self.arch.variant() != Variant::Plain {
            return corrected;
        }
        for layer in 1..self.arch.layers() {
            if layer == self.arch.latent_index() {
                continue;
            }
            let before = self.value(&format!("{}.bias", self.arch.layer_name(layer - 1)));
            let means: Vec<f32> =
                before.data().iter().map(|b| self.arch.activation().of(*b)).collect();
            let name = self.arch.layer_name(layer);
            let weight = self.value(&format!("{name}.weight"));
            let (integers, scales) = int8_rows(weight);
            let rounded = integers.chunks_exact(weight.cols()).zip(scales);
            let bias = corrected.get_mut(&format!("{name}.bias")).expect("a layer's bias");
            let rows = weight.iter_rows().zip(rounded).zip(bias.data_mut());
            for ((row, (integers, scale)), bias) in rows {
                let errors = row.iter().zip(integers).map(|(w, i)| w - f32::from(*i) * scale);
                *bias += errors.zip(&means).map(|(error, mean)| error * mean).sum::<f32>();
            }
        }
        corrected
    }

    fn value(&self, name: &str) -> &Matrix {
        self.get(name).expect("a parameter of this architecture")
    }

    fn index(&self, name: &str) -> Option<usize> {
        self.arch.parameters().iter().position(|p| p.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Device;
    use crate::linalg::Pca;
    use crate::student::Student;
    use crate::{Precision, metrics};

    #[test]
    fn int8_keeps_a_student_with_shifted_units() {
        let x = Matrix::from_fn(300, 40, |r, c| ((r * 41 + c * 17) as f32).sin() / (1 + c) as f32);
        let pca = Pca::fit(&x, false).unwrap().truncated(12).unwrap();
        let arch: Arch = "40-14-12-14-40".parse().unwrap();
        let parameters = Parameters::spectral(&arch, &pca, 1).unwrap();
        let cosine = |parameters: &Parameters, precision| {
            let student = Student::new(&Device::cpu(), parameters, precision).unwrap();
            let y = pollster::block_on(student.reconstruct(&x)).unwrap();
            let all = metrics::cosines(&x, &y).unwrap();
            all.iter().sum::<f32>() / all.len() as f32
        };
        let exact = cosine(&parameters, Precision::F32);
        assert!(exact - cosine(&parameters, Precision::Int8) < 2e-3);
        assert_eq!(parameters.corrected_for_int8().values()[0], parameters.values()[0]);
    }
}
