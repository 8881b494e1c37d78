//! `.safetensors`: eight bytes of header length, a JSON header, the tensors.
//! Format: <https://github.com/huggingface/safetensors#format>. The crate parses and checks the
//! header; the values are streamed here, since the crate wants the whole file in memory.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom, Write};

use ::safetensors::tensor::{Dtype as FileDtype, Metadata as Header, TensorInfo};
use ::safetensors::{SafeTensorError, SafeTensors};
use half::f16;

use super::raw::{Layout, RawReader, RawWriter, remaining};
use super::{Dtype, Metadata, WriteOptions};
use crate::error::{Error, Result};
use crate::matrix::Matrix;

/// The format's own limit for headers, in bytes.
const MAX_HEADER: u64 = 100_000_000;

/// So many tensors are named in a message.
const NAMED: usize = 12;

/// Opens the tensor `wanted`, else the one named `preferred`, else the only one of two
/// dimensions that can be read.
///
/// # Errors
/// [`Error::Format`] if the file is damaged or truncated, or no tensor can be chosen: the
/// message names those there are.
pub fn open<R: Read + Seek>(
    name: &str,
    mut stream: R,
    wanted: Option<&str>,
    preferred: &str,
) -> Result<RawReader<R>> {
    let header = read_header(name, &mut stream)?;
    let info = select(name, &header, wanted, preferred)?;
    let dtype = dtype(info.dtype).ok_or_else(|| {
        Error::format(
            name,
            format!("a tensor of {} is not read; use F16, BF16, F32 or F64", info.dtype),
        )
    })?;
    let &[rows, width] = info.shape.as_slice() else {
        return Err(Error::format(
            name,
            format!(
                "the tensor has {} dimension(s), vectors need two: rows × width",
                info.shape.len()
            ),
        ));
    };
    let available = remaining(name, &mut stream)?;
    let begin = info.data_offsets.0 as u64;
    let metadata =
        header.metadata().iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
    let layout = Layout { dtype, rows: rows as u64, width: width as u64, metadata };
    stream.seek(SeekFrom::Current(begin.min(available) as i64)).map_err(|e| Error::io(name, e))?;
    let reader = RawReader::new(name, stream, layout, available.saturating_sub(begin))?;
    // After the rows, so that a truncated file hears how many of them there are.
    let promised = header.data_len() as u64;
    if promised != available {
        return Err(Error::format(
            name,
            format!(
                "the header promises {promised} bytes of tensors, {available} follow it; the \
                 file is damaged or truncated: copy or download it again"
            ),
        ));
    }
    Ok(reader)
}

/// The tensor `wanted` of a small file, rows × width in f16. For files of our own: [`open`] reads
/// what a visitor may bring, and is ten times the code in the browser.
///
/// # Errors
/// [`Error::Format`] if the bytes are no safetensors file, or hold no such tensor.
pub fn halves(name: &str, bytes: &[u8], wanted: &str) -> Result<Matrix> {
    let refuse = |message: String| Error::format(name, message);
    let length = bytes.get(..8).map(|b| u64::from_le_bytes(b.try_into().expect("8 bytes")));
    if length.is_none_or(|length| length > MAX_HEADER) {
        return Err(refuse("is no safetensors file".into()));
    }
    let explain = |error: SafeTensorError| refuse(format!("{error}; copy or download it again"));
    let tensors = SafeTensors::deserialize(bytes).map_err(explain)?;
    let view = tensors.tensor(wanted).map_err(explain)?;
    match view.shape() {
        &[rows, width] if view.dtype() == FileDtype::F16 => {
            let bits = view.data().chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]]));
            Matrix::new(rows, width, bits.map(|bits| f16::from_bits(bits).to_f32()).collect())
        }
        _ => Err(refuse(format!("{wanted} is no matrix of f16"))),
    }
}

/// Reads and checks the header, leaving `stream` at the first byte of the tensors.
pub(crate) fn read_header<R: Read + Seek>(name: &str, stream: &mut R) -> Result<Header> {
    let total = remaining(name, stream)?;
    if total < 8 {
        let message = format!("{total} bytes are too few for a safetensors file");
        return Err(Error::format(name, message));
    }
    let mut length = [0; 8];
    stream.read_exact(&mut length).map_err(|e| Error::io(name, e))?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER {
        return Err(Error::format(
            name,
            format!(
                "its header claims {length} bytes, above the limit of {MAX_HEADER}: this is no \
                 safetensors file, or a damaged one"
            ),
        ));
    }
    if length > total - 8 {
        return Err(Error::format(
            name,
            format!(
                "its header claims {length} bytes, {} follow: truncated, or no safetensors file",
                total - 8
            ),
        ));
    }
    let mut json = vec![0; length as usize];
    stream.read_exact(&mut json).map_err(|e| Error::io(name, e))?;
    serde_json::from_slice(&json)
        .map_err(|e| Error::format(name, format!("its safetensors header is damaged: {e}")))
}

fn dtype(stored: FileDtype) -> Option<Dtype> {
    match stored {
        FileDtype::F16 => Some(Dtype::F16),
        FileDtype::BF16 => Some(Dtype::Bf16),
        FileDtype::F32 => Some(Dtype::F32),
        FileDtype::F64 => Some(Dtype::F64),
        FileDtype::U8 => Some(Dtype::U8),
        _ => None,
    }
}

fn select<'a>(
    name: &str,
    header: &'a Header,
    wanted: Option<&str>,
    preferred: &str,
) -> Result<&'a TensorInfo> {
    if let Some(wanted) = wanted {
        return header.info(wanted).ok_or_else(|| {
            let message = format!("it has no tensor {wanted:?}; {}", list(header));
            Error::format(name, message)
        });
    }
    if let Some(info) = header.info(preferred) {
        return Ok(info);
    }
    let tensors = header.tensors();
    let mut candidates =
        tensors.values().filter(|t| t.shape.len() == 2 && dtype(t.dtype).is_some());
    match (candidates.next(), candidates.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(Error::format(
            name,
            format!("no tensor of two dimensions that could be vectors; {}", list(header)),
        )),
        (Some(_), Some(_)) => Err(Error::format(
            name,
            format!(
                "no tensor is called {preferred:?} and several could be meant: choose one with \
                 --tensor NAME; {}",
                list(header)
            ),
        )),
    }
}

/// "it has a (F32 3×5), b (…)": the tensors in the order of the file.
fn list(header: &Header) -> String {
    let names = header.offset_keys();
    if names.is_empty() {
        return "it has no tensors".into();
    }
    let shown = names.iter().take(NAMED).filter_map(|n| {
        let info = header.info(n)?;
        let shape: Vec<_> = info.shape.iter().map(usize::to_string).collect();
        Some(format!("{n} ({} {})", info.dtype, shape.join("×")))
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => format!("it has {shown}"),
        more => format!("it has {shown} and {more} more"),
    }
}

/// A header to write. The crate's own keeps the metadata in a map of random order, and the same
/// run shall give the same bytes.
#[derive(serde::Serialize)]
struct NewHeader<'a> {
    #[serde(rename = "__metadata__", skip_serializing_if = "Metadata::is_empty")]
    metadata: &'a Metadata,
    #[serde(flatten)]
    tensor: BTreeMap<&'a str, TensorInfo>,
}

/// A writer of one tensor of `width` columns, named and described by `options`.
///
/// # Errors
/// [`Error::Invalid`] for a width of 0 or a type other than `F32`, `F16` and `U8`;
/// [`Error::Io`] if writing fails.
pub fn create<W: Write + Seek>(
    name: &str,
    stream: W,
    width: usize,
    options: &WriteOptions,
) -> Result<RawWriter<W>> {
    let stored = match options.dtype {
        Dtype::F16 => FileDtype::F16,
        Dtype::U8 => FileDtype::U8,
        _ => FileDtype::F32, // a type that cannot be written is refused by the writer itself
    };
    let (tensor, metadata) = (options.tensor.clone(), options.metadata.clone());
    let row_bytes = width.saturating_mul(options.dtype.bytes());
    let refuse = |e: &dyn std::fmt::Display| Error::format("safetensors header", e.to_string());
    let json = move |rows: u64| -> Result<Vec<u8>> {
        let rows = usize::try_from(rows).map_err(|e| refuse(&e))?;
        let end = rows.checked_mul(row_bytes).ok_or_else(|| refuse(&"too many rows"))?;
        let info = TensorInfo { dtype: stored, shape: vec![rows, width], data_offsets: (0, end) };
        let header = NewHeader { metadata: &metadata, tensor: [(tensor.as_str(), info)].into() };
        serde_json::to_vec(&header).map_err(|e| refuse(&e))
    };
    // Room for two numbers of twenty digits in place of two zeros, and values aligned to 8 bytes.
    let room = (json(0)?.len() + 38).next_multiple_of(8);
    let header = move |rows: u64| {
        let mut text = json(rows)?;
        text.resize(room, b' ');
        let mut bytes = (room as u64).to_le_bytes().to_vec();
        bytes.append(&mut text);
        Ok(bytes)
    };
    RawWriter::new(name, stream, options.dtype, width, Box::new(header))
}
