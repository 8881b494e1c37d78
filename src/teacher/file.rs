//! A teacher's file: safetensors, read one tensor at a time.

use std::io::{Read, Seek, SeekFrom};

use safetensors::tensor::{Dtype, Metadata as Header};

use super::host::{HostWeight, Values, zeroed};
use super::shape::{KEY, Shape, TYPES, TeacherInfo, WORDS};
use crate::arch::Precision;
use crate::error::{Error, Result};
use crate::format::safetensors::read_header;

/// An open file of weights.
#[derive(Debug)]
pub(super) struct WeightFile<R> {
    name: String,
    stream: R,
    header: Header,
    /// Where the tensors begin.
    begin: u64,
    shape: Shape,
}

impl<R: Read + Seek> WeightFile<R> {
    /// Reads the header and checks name, shape and type of every tensor that will be needed.
    ///
    /// # Errors
    /// [`Error::Format`] if it is not a whole safetensors file of a BERT encoder.
    pub(super) fn open(name: &str, mut stream: R) -> Result<Self> {
        let header = read_header(name, &mut stream)?;
        let io = |e| Error::io(name, e);
        let begin = stream.stream_position().map_err(io)?;
        let there = stream.seek(SeekFrom::End(0)).map_err(io)?.saturating_sub(begin);
        let promised = header.data_len() as u64;
        if promised != there {
            return Err(Error::format(
                name,
                format!(
                    "the header promises {promised} bytes of tensors, {there} follow it; the \
                     file is damaged or truncated: download it again"
                ),
            ));
        }
        let info = read_info(name, &header)?;
        let shape = Shape::read(name, &header, info.as_ref())?;
        let file = Self { name: name.into(), stream, header, begin, shape };
        for (tensor, dims) in file.shape.tensors(file.types()) {
            file.check(&tensor, &dims)?;
        }
        Ok(file)
    }

    /// The sizes of the model.
    pub(super) fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Rows of the table of token types, of which the first is used.
    pub(super) fn types(&self) -> usize {
        self.header.info(TYPES).and_then(|info| info.shape.first().copied()).unwrap_or(1).max(1)
    }

    /// How most of its weights are stored.
    pub(super) fn precision(&self) -> Precision {
        match self.header.info(WORDS).map(|info| info.dtype) {
            Some(Dtype::F16) => Precision::F16,
            Some(Dtype::I8) => Precision::Int8,
            _ => Precision::F32,
        }
    }

    /// The matrix called `tensor`, `rows × cols`; one of one row for a vector.
    ///
    /// # Errors
    /// As [`Self::open`], [`Error::Io`], and [`Error::Format`] for a value that is not finite.
    pub(super) fn read(&mut self, tensor: &str, dims: &[usize]) -> Result<HostWeight> {
        let (dtype, at) = self.check(tensor, dims)?;
        let cols = dims[dims.len() - 1];
        let rows = if dims.len() == 2 { dims[0] } else { 1 };
        let count = rows * cols;
        let values = match dtype {
            Dtype::F16 => Values::F16(self.values(tensor, at, count)?),
            Dtype::I8 => {
                let scales = scale_name(tensor);
                let (_, scales_at) = self.check(&scales, &[rows])?;
                let scale = self.values(&scales, scales_at, rows)?;
                Values::Int8(self.values(tensor, at, count)?, scale)
            }
            _ => Values::F32(self.values(tensor, at, count)?),
        };
        let weight = HostWeight { rows, cols, values };
        match weight.not_finite() {
            None => Ok(weight),
            Some((at, value)) => Err(self.refuse(format!("{tensor} holds {value} at {at}"))),
        }
    }

    /// The type of a tensor and where its bytes begin.
    fn check(&self, tensor: &str, dims: &[usize]) -> Result<(Dtype, u64)> {
        let Some(info) = self.header.info(tensor) else {
            return Err(self.refuse(format!("the tensor {tensor} is missing")));
        };
        if info.shape != dims {
            return Err(self.refuse(format!(
                "{tensor} has shape {:?}, {dims:?} goes with the other tensors",
                info.shape
            )));
        }
        let bytes = match info.dtype {
            Dtype::F32 => 4,
            Dtype::F16 => 2,
            Dtype::I8 if dims.len() == 2 => 1,
            other => {
                return Err(self.refuse(format!(
                    "{tensor} is of type {other:?}, not f32, f16 or (a matrix) int8"
                )));
            }
        };
        // The header was held against the file's length, so what it says can be allocated.
        let (begin, end) = info.data_offsets;
        let count = dims.iter().try_fold(bytes, |n: usize, d| n.checked_mul(*d));
        if end.checked_sub(begin) != count || end > self.header.data_len() {
            return Err(self.refuse(format!("{tensor} does not lie where the header says")));
        }
        if info.dtype == Dtype::I8 {
            let (scales, _) = self.check(&scale_name(tensor), &dims[..1])?;
            if scales != Dtype::F32 {
                return Err(self.refuse(format!("the scales of {tensor} are not f32")));
            }
        }
        Ok((info.dtype, self.begin + begin as u64))
    }

    fn values<T: bytemuck::Pod>(&mut self, tensor: &str, at: u64, count: usize) -> Result<Vec<T>> {
        let mut values = zeroed::<T>(tensor, count)?;
        let io = |e| Error::io(&self.name, e);
        self.stream.seek(SeekFrom::Start(at)).map_err(io)?;
        self.stream.read_exact(bytemuck::cast_slice_mut(&mut values)).map_err(io)?;
        Ok(values)
    }

    fn refuse(&self, message: String) -> Error {
        Error::format(&self.name, message)
    }
}

/// Where the scales of an int8 matrix stand.
pub(super) fn scale_name(tensor: &str) -> String {
    format!("{tensor}.scale")
}

fn read_info(name: &str, header: &Header) -> Result<Option<TeacherInfo>> {
    let Some(text) = header.metadata().as_ref().and_then(|all| all.get(KEY)) else {
        return Ok(None);
    };
    let info: TeacherInfo = serde_json::from_str(text)
        .map_err(|e| Error::format(name, format!("its description cannot be read: {e}")))?;
    if info.format != 1 {
        let message =
            format!("is of format {}, this version reads format 1; update lnsp", info.format);
        return Err(Error::format(name, message));
    }
    Ok(Some(info))
}
