//! Nodes and weights of a graph in the making.

use half::f16;

use super::proto::{Attribute, DataType, Node, Tensor};
use crate::arch::{ParameterShape, Precision};
use crate::error::{Error, Result};
use crate::kernels::pack::int8_rows;
use crate::matrix::Matrix;
use crate::student::Parameters;

/// Nodes in the order in which they run, and the weights that they read.
pub(super) struct Builder<'p> {
    parameters: &'p Parameters,
    shapes: Vec<ParameterShape>,
    precision: Precision,
    nodes: Vec<Node>,
    weights: Vec<Tensor>,
}

impl<'p> Builder<'p> {
    /// A graph without nodes, whose weights will be stored at `precision`.
    pub(super) fn new(parameters: &'p Parameters, precision: Precision) -> Self {
        let shapes = parameters.arch().parameters();
        Self { parameters, shapes, precision, nodes: Vec::new(), weights: Vec::new() }
    }

    /// What was added.
    pub(super) fn into_parts(self) -> (Vec<Node>, Vec<Tensor>) {
        (self.nodes, self.weights)
    }

    /// Adds a node with one output, which it is called after.
    pub(super) fn node(&mut self, op: &str, inputs: &[&str], output: &str, how: Vec<Attribute>) {
        self.nodes.push(Node {
            input: inputs.iter().map(|s| (*s).into()).collect(),
            output: vec![output.into()],
            name: format!("{output}/{op}"),
            op_type: op.into(),
            attribute: how,
        });
    }

    /// `output = input · Wᵀ + b`; the bias is the parameter after the weight.
    pub(super) fn linear(&mut self, weight: usize, input: &str, output: &str) -> Result<()> {
        let (w, b) = (self.weight(weight)?, self.weight(weight + 1)?);
        self.gemm([input, &w, &b], output);
        Ok(())
    }

    /// The last third of the linear layer of q, k and v.
    pub(super) fn value_projection(&mut self, qkv: usize, x: &str, y: &str) -> Result<()> {
        let values = self.parameters.values();
        let (weight, bias) = (&values[qkv], &values[qkv + 1]);
        let width = weight.cols();
        let last = &weight.data()[2 * width * width..];
        let weight = Matrix::new(width, width, last.to_vec())?;
        let bias = Matrix::new(1, width, bias.data()[2 * width..].to_vec())?;
        let w = self.stored("attention.value.weight", &weight, true)?;
        let b = self.stored("attention.value.bias", &bias, false)?;
        self.gemm([x, &w, &b], y);
        Ok(())
    }

    /// `output = input · Φ(input)`, in the order of operations that runtimes know as gelu.
    pub(super) fn gelu(&mut self, input: &str, output: &str) {
        let constants =
            [("gelu.root_2", std::f32::consts::SQRT_2), ("gelu.one", 1.0), ("gelu.half", 0.5)];
        for (name, value) in constants {
            if self.weights.iter().all(|w| w.name != name) {
                self.push(name, DataType::Float, &[], value.to_le_bytes().to_vec());
            }
        }
        let part = |name: &str| format!("{output}.{name}");
        let (scaled, erf) = (part("scaled"), part("erf"));
        let (shifted, doubled) = (part("shifted"), part("doubled"));
        self.node("Div", &[input, "gelu.root_2"], &scaled, vec![]);
        self.node("Erf", &[&scaled], &erf, vec![]);
        self.node("Add", &[&erf, "gelu.one"], &shifted, vec![]);
        self.node("Mul", &[input, &shifted], &doubled, vec![]);
        self.node("Mul", &[&doubled, "gelu.half"], output, vec![]);
    }

    /// Stores parameter `index`; the name of its values in f32.
    ///
    /// # Errors
    /// [`Error::Invalid`] if f16 is asked for and cannot hold a value.
    pub(super) fn weight(&mut self, index: usize) -> Result<String> {
        let shape = &self.shapes[index];
        let (name, matrix) = (shape.name.clone(), shape.matrix);
        self.stored(&name, &self.parameters.values()[index], matrix)
    }

    fn gemm(&mut self, inputs: [&str; 3], output: &str) {
        self.node("Gemm", &inputs, output, vec![Attribute::int("transB", 1)]);
    }

    fn stored(&mut self, name: &str, values: &Matrix, matrix: bool) -> Result<String> {
        let dims = [values.rows(), values.cols()];
        let dims = if matrix { &dims[..] } else { &dims[1..] };
        let wide = format!("{name}.f32");
        match (self.precision, matrix) {
            (Precision::F32, _) | (Precision::Int8, false) => {
                self.push(name, DataType::Float, dims, little_endian(values.data()));
                return Ok(name.into());
            }
            (Precision::F16, _) => {
                let bytes = halves(name, values.data())?;
                self.push(name, DataType::Float16, dims, bytes);
                let to = vec![Attribute::int("to", DataType::Float as i64)];
                self.node("Cast", &[name], &wide, to);
            }
            (Precision::Int8, true) => {
                let (integers, scales) = int8_rows(values);
                self.push(name, DataType::Int8, dims, bytemuck::cast_slice(&integers).to_vec());
                let scale = format!("{name}.scale");
                self.push(&scale, DataType::Float, &dims[..1], little_endian(&scales));
                let axis = vec![Attribute::int("axis", 0)];
                self.node("DequantizeLinear", &[name, &scale], &wide, axis);
            }
        }
        Ok(wide)
    }

    fn push(&mut self, name: &str, data_type: DataType, dims: &[usize], raw_data: Vec<u8>) {
        let dims = dims.iter().map(|d| *d as i64).collect();
        self.weights.push(Tensor {
            dims,
            data_type: data_type as i32,
            name: name.into(),
            raw_data,
        });
    }
}

fn little_endian(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn halves(name: &str, values: &[f32]) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(2 * values.len());
    for value in values {
        let half = f16::from_f32(*value);
        if half.is_infinite() {
            let message = format!("f16 cannot hold {value} of {name}; use f32 or int8");
            return Err(Error::invalid("--dtype", message));
        }
        bytes.extend(half.to_le_bytes());
    }
    Ok(bytes)
}
