//! State dicts, as PyTorch and others write them to safetensors, with the note's layer names:
//! the architecture is read off the shapes.
//!
//! Names may stand behind a prefix (`model.input_proj.weight`), matrices may be stored as
//! `in × out` in all layers, values may be f16, bf16, f32 or f64, and the attention of `sn727` may
//! have the names of PyTorch's MultiheadAttention.

mod kind;
mod layers;

use std::collections::BTreeMap;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype as FileDtype, TensorView};

use self::layers::Layers;
use crate::arch::{Activation, Arch, ParameterShape, Variant};
use crate::error::{Error, Result};
use crate::format::Dtype;
use crate::format::raw::to_f32;
use crate::matrix::Matrix;
use crate::student::Parameters;

/// So many names stand in a message.
const NAMED: usize = 6;

/// How to read a state dict.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What stands before the layers' names, such as `model.`; else it is found.
    pub prefix: Option<String>,
    /// The non-linearity, of which a state dict says nothing.
    pub activation: Activation,
    /// The graph; else `sn727` if the file has its attention.
    pub variant: Option<Variant>,
    /// Take a file with tensors that the student has no place for.
    pub skip_unknown: bool,
}

/// What was read.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The student's parameters in f32.
    pub parameters: Parameters,
    /// What stood before the layers' names.
    pub prefix: String,
    /// Whether matrices were stored as `in × out`.
    pub transposed: bool,
    /// Tensors that were left out.
    pub left_out: Vec<String>,
}

/// Reads a student's parameters from the bytes of a state dict; `name` is for messages.
///
/// # Errors
/// [`Error::Format`] if it is no safetensors file, or not that of a student: the message names
/// the layer that is missing, of a wrong shape or type, or not finite. [`Error::Arch`] if the
/// widths make no architecture.
pub fn read(name: &str, bytes: &[u8], options: &Options) -> Result<Imported> {
    let refuse = |message: String| Error::format(name, message);
    kind::check(name, bytes)?;
    let tensors = SafeTensors::deserialize(bytes).map_err(|e| {
        refuse(format!("not a whole safetensors file ({e}); save or copy it again"))
    })?;
    let found = tensors.names();
    let prefix = match &options.prefix {
        Some(prefix) => prefix.clone(),
        None => find_prefix(&found).map_err(refuse)?,
    };
    let (mut named, mut outside) = (BTreeMap::new(), Vec::new());
    for (full, view) in tensors.iter() {
        match full.strip_prefix(&prefix) {
            Some(rest) => drop(named.insert(note_name(rest).to_string(), view)),
            None => outside.push(full.to_string()),
        }
    }
    let shapes = named.iter().map(|(name, view)| (name.clone(), view.shape().to_vec())).collect();
    let layers = Layers::read(&shapes).map_err(refuse)?;
    let variant = options.variant.unwrap_or(match named.contains_key("attention.qkv.weight") {
        true => Variant::Sn727,
        false => Variant::Plain,
    });
    let arch = Arch::new(layers.widths.clone(), options.activation, variant)?;
    layers.check_names(&arch).map_err(refuse)?;
    let mut values = Vec::new();
    for shape in arch.parameters() {
        values.push(parameter(name, &mut named, &shape, layers.transposed)?);
    }
    let unknown: Vec<String> = named.into_keys().collect();
    if !unknown.is_empty() && !options.skip_unknown {
        return Err(refuse(format!(
            "a student {arch} ({variant}) has no place for {}; if the network works without, \
             leave them out with --skip-unknown",
            list(&unknown)
        )));
    }
    let parameters = Parameters::new(&arch, values)?;
    let left_out = unknown.into_iter().map(|n| format!("{prefix}{n}")).chain(outside).collect();
    Ok(Imported { parameters, prefix, transposed: layers.transposed, left_out })
}

/// What stands before `compression.weight`, the layer that every student has.
fn find_prefix(names: &[&str]) -> std::result::Result<String, String> {
    let anchor = "compression.weight";
    let mut prefixes: Vec<&str> = names
        .iter()
        .filter_map(|name| name.strip_suffix(anchor))
        .filter(|prefix| prefix.is_empty() || prefix.ends_with(['.', '/']))
        .collect();
    prefixes.sort_unstable();
    match prefixes[..] {
        [only] => Ok(only.into()),
        [] => Err(format!(
            "{anchor} is missing, by which a student is known; rename the layers to input_proj, \
             compression, expansion and teacher_align (it has {})",
            list(&names.iter().map(|n| (*n).to_string()).collect::<Vec<_>>())
        )),
        _ => Err(format!(
            "holds several students; choose one with --prefix: {}",
            prefixes.iter().map(|p| format!("{p:?}")).collect::<Vec<_>>().join(", ")
        )),
    }
}

/// The name of a tensor in a student's file.
fn note_name(name: &str) -> &str {
    match name {
        "attention.in_proj_weight" => "attention.qkv.weight",
        "attention.in_proj_bias" => "attention.qkv.bias",
        "attention.out_proj.weight" => "attention.out.weight",
        "attention.out_proj.bias" => "attention.out.bias",
        other => other,
    }
}

/// Takes the tensor of `shape` out of `named`.
fn parameter(
    file: &str,
    named: &mut BTreeMap<String, TensorView<'_>>,
    shape: &ParameterShape,
    transposed: bool,
) -> Result<Matrix> {
    let refuse = |message: String| Error::format(file, message);
    let name = &shape.name;
    let Some(view) = named.remove(name) else {
        let zeros = match shape.matrix {
            true => String::new(),
            false => format!("; a layer without one needs {} zeros", shape.cols),
        };
        return Err(refuse(format!("{name} is missing{zeros}")));
    };
    let (rows, cols) = if transposed && shape.matrix {
        (shape.cols, shape.rows)
    } else {
        (shape.rows, shape.cols)
    };
    let wanted = if shape.matrix { vec![rows, cols] } else { vec![cols] };
    if view.shape() != wanted {
        return Err(refuse(format!(
            "{name} has shape {:?}, {wanted:?} goes with the other layers",
            view.shape()
        )));
    }
    let dtype = match view.dtype() {
        FileDtype::F16 => Dtype::F16,
        FileDtype::BF16 => Dtype::Bf16,
        FileDtype::F32 => Dtype::F32,
        FileDtype::F64 => Dtype::F64,
        other => {
            return Err(refuse(format!("{name} is of type {other}, not F16, BF16, F32 or F64")));
        }
    };
    let mut values = Vec::new();
    to_f32(dtype, view.data(), &mut values);
    if let Some(at) = values.iter().position(|v| !v.is_finite()) {
        return Err(refuse(format!("{name} holds {} at position {at}", values[at])));
    }
    let stored = Matrix::new(rows, cols, values)?;
    Ok(match transposed && shape.matrix {
        true => Matrix::from_fn(shape.rows, shape.cols, |r, c| stored.row(c)[r]),
        false => stored,
    })
}

/// The first few of `names`, and how many more there are.
fn list(names: &[String]) -> String {
    let shown = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 if names.is_empty() => "no tensors".into(),
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file() -> Vec<u8> {
        let arch: Arch = "6-5-3-5-6".parse().unwrap();
        let parameters = Parameters::random(&arch, 2);
        let stored: Vec<_> = parameters
            .iter()
            .map(|(shape, values)| {
                let dims =
                    if shape.matrix { vec![shape.rows, shape.cols] } else { vec![shape.cols] };
                let bytes: Vec<u8> = values.data().iter().flat_map(|v| v.to_le_bytes()).collect();
                (shape.name, dims, bytes)
            })
            .collect();
        let views = stored.iter().map(|(name, dims, bytes)| {
            (name, TensorView::new(FileDtype::F32, dims.clone(), bytes).unwrap())
        });
        safetensors::serialize(views, None).unwrap()
    }

    #[test]
    fn reads_what_was_written() {
        let read = read("x", &file(), &Options::default()).unwrap();
        assert_eq!(read.parameters.arch().widths(), [6, 5, 3, 5, 6]);
        assert!(read.left_out.is_empty() && read.prefix.is_empty());
    }

    proptest! {
        #[test]
        fn damage_never_panics(at in 0usize..2000, value: u8, cut in 0usize..2000) {
            let mut bytes = file();
            let at = at % bytes.len();
            bytes[at] = value;
            let _ = read("x", &bytes, &Options::default());
            let _ = read("x", &bytes[..cut.min(bytes.len())], &Options::default());
        }
    }
}
