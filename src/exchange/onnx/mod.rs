//! A student as an ONNX model.
//!
//! Opset 17, the first with LayerNormalization: runtimes have had it since 2022, and gelu,
//! which became an operator in opset 20, is written out with Erf, a pattern that runtimes fuse.
//! The number of vectors is left open; weights stand as in the student's file, `out × in`, which
//! is Gemm with `transB`.
//!
//! Left out is what does not change a result: the alignment head of `sn727`, and of its attention
//! the q and k projections, since the softmax over one token is 1.

mod builder;
mod proto;

use std::ops::Range;

use prost::Message;

use self::builder::Builder;
use self::proto::{Attribute, Graph as GraphProto, Model, OperatorSet, Property, Value};
use crate::arch::{Activation, Precision, Variant};
use crate::error::{Error, Result};
use crate::exchange::Part;
use crate::kernels::layer_norm::EPSILON;
use crate::student::{Graph, Op, StudentFile};

/// The version of ONNX's operators that the graph uses.
pub const OPSET: i64 = 17;
/// The version of the file's layout that goes with it.
const IR_VERSION: i64 = 8;
/// A message of protocol buffers is shorter than this.
const MAX_BYTES: usize = i32::MAX as usize;

/// The input: the teacher's vectors, `batch × input`.
pub const VECTORS: &str = "vectors";
/// An output, and the decoder's input: `batch × latent`.
pub const LATENT: &str = "latent";
/// The output: `batch × output`.
pub const RECONSTRUCTION: &str = "reconstruction";

/// The bytes of an ONNX file of `part` of a student, its weights stored at `precision` and
/// computed with in f32.
///
/// # Errors
/// [`Error::Invalid`] if the weights do not fit in f16, or the file would be 2 GiB or more.
pub fn to_onnx(file: &StudentFile, part: Part, precision: Precision) -> Result<Vec<u8>> {
    let arch = &file.info.arch;
    let stored = arch.bytes(precision);
    if stored >= MAX_BYTES as u64 {
        return Err(Error::invalid(
            "--format onnx",
            format!("{stored} bytes of weights do not fit in a file of 2 GiB; use --dtype int8"),
        ));
    }
    let corrected;
    let parameters = if precision == Precision::Int8 {
        corrected = file.parameters.corrected_for_int8();
        &corrected
    } else {
        &file.parameters
    };
    let graph = Graph::new(arch);
    let range = match part {
        Part::Encoder => 0..graph.latent,
        Part::Decoder => graph.latent..graph.ops.len(),
        Part::Both => 0..graph.ops.len(),
    };
    let mut builder = Builder::new(parameters, precision);
    for index in range.clone() {
        add(&mut builder, &graph, index, arch.activation())?;
    }
    let (node, initializer) = builder.into_parts();
    let (input, output) = ends(&graph, &range);
    let model = Model {
        ir_version: IR_VERSION,
        producer_name: "lnsp".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        doc_string: description(file, part),
        graph: Some(GraphProto { node, name: "student".into(), initializer, input, output }),
        opset_import: vec![OperatorSet { domain: Some(String::new()), version: OPSET }],
        metadata_props: properties(file, part, precision)?,
    };
    if model.encoded_len() >= MAX_BYTES {
        return Err(Error::invalid("--format onnx", "the file would be 2 GiB or more"));
    }
    Ok(model.encode_to_vec())
}

/// The name of value `index` of a student's graph.
fn value_name(graph: &Graph, index: usize) -> String {
    match index {
        0 => VECTORS.into(),
        i if i == graph.latent => LATENT.into(),
        i if i == graph.ops.len() => RECONSTRUCTION.into(),
        i => format!("value_{i}"),
    }
}

/// Inputs and outputs of a part.
fn ends(graph: &Graph, range: &Range<usize>) -> (Vec<Value>, Vec<Value>) {
    let value = |index: usize| Value::rows(&value_name(graph, index), graph.widths[index]);
    let mut outputs = vec![value(range.end)];
    if range.contains(&graph.latent) && range.start != graph.latent {
        outputs.insert(0, value(graph.latent));
    }
    (vec![value(range.start)], outputs)
}

/// Adds operation `index` of a student's graph.
fn add(builder: &mut Builder<'_>, graph: &Graph, index: usize, kind: Activation) -> Result<()> {
    let (x, y) = (value_name(graph, index), value_name(graph, index + 1));
    match graph.ops[index] {
        Op::Linear { weight, activation: None } => builder.linear(weight, &x, &y),
        Op::Linear { weight, activation: Some(_) } => {
            let linear = format!("{y}.linear");
            builder.linear(weight, &x, &linear)?;
            match kind {
                Activation::Gelu => builder.gelu(&linear, &y),
                Activation::Relu => builder.node("Relu", &[&linear], &y, vec![]),
            }
            Ok(())
        }
        Op::LayerNorm { weight } => {
            let scale = builder.weight(weight)?;
            let shift = builder.weight(weight + 1)?;
            let attributes = vec![Attribute::int("axis", -1), Attribute::float("epsilon", EPSILON)];
            builder.node("LayerNormalization", &[&x, &scale, &shift], &y, attributes);
            Ok(())
        }
        Op::Attention { qkv, .. } => {
            let (value, mixed) = (format!("{y}.attended"), format!("{y}.mixed"));
            builder.value_projection(qkv, &x, &value)?;
            builder.linear(qkv + 2, &value, &mixed)?;
            builder.node("Add", &[&mixed, &x], &y, vec![]);
            Ok(())
        }
    }
}

/// A sentence for those who open the model in a viewer.
fn description(file: &StudentFile, part: Part) -> String {
    let arch = &file.info.arch;
    let what = match part {
        Part::Encoder => "vectors to latents",
        Part::Decoder => "latents to vectors",
        Part::Both => "vectors to latents and back",
    };
    let inference = match arch.variant() {
        Variant::Plain => "",
        Variant::Sn727 => " The sn727 variant is an inference from a parameter count.",
    };
    format!(
        "LNSP student {arch} ({}, {}), {what}, for vectors of {}.{inference}",
        arch.variant(),
        arch.activation(),
        file.info.teacher
    )
}

/// What the file says about itself, by name.
fn properties(file: &StudentFile, part: Part, precision: Precision) -> Result<Vec<Property>> {
    let info = &file.info;
    let whole = serde_json::to_string(info).map_err(|e| Error::format("onnx", e.to_string()))?;
    let widths: Vec<String> = info.arch.widths().iter().map(usize::to_string).collect();
    let all = [
        ("arch", widths.join("-")),
        ("variant", info.arch.variant().to_string()),
        ("activation", info.arch.activation().to_string()),
        ("part", part.to_string()),
        ("precision", precision.to_string()),
        ("teacher", info.teacher.clone()),
        ("training_set", info.training_set.clone()),
        ("lnsp", whole),
    ];
    Ok(all.into_iter().map(|(key, value)| Property { key: key.into(), value }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::Arch;
    use crate::student::{Parameters, StudentInfo};

    fn student(variant: Variant) -> StudentFile {
        let arch: Arch = "10-7-6-7-10".parse().unwrap();
        let arch = arch.with_variant(variant).unwrap();
        StudentFile {
            info: StudentInfo::new(&arch),
            parameters: Parameters::random(&arch, 3),
            code: None,
        }
    }

    fn model(variant: Variant, part: Part, precision: Precision) -> Model {
        let bytes = to_onnx(&student(variant), part, precision).unwrap();
        Model::decode(&bytes[..]).unwrap()
    }

    fn names(values: &[Value]) -> Vec<&str> {
        values.iter().map(|v| v.name.as_str()).collect()
    }

    #[test]
    fn parts_have_their_inputs_and_outputs() {
        for variant in [Variant::Plain, Variant::Sn727] {
            for (part, input, outputs) in [
                (Part::Encoder, VECTORS, &[LATENT][..]),
                (Part::Decoder, LATENT, &[RECONSTRUCTION]),
                (Part::Both, VECTORS, &[LATENT, RECONSTRUCTION]),
            ] {
                let graph = model(variant, part, Precision::F32).graph.unwrap();
                assert_eq!(names(&graph.input), [input]);
                assert_eq!(names(&graph.output), outputs);
            }
        }
    }

    /// Every node reads what an input, a weight or a node before it gives, and every weight is
    /// read.
    #[test]
    fn graphs_are_in_order_and_nothing_is_left_over() {
        for variant in [Variant::Plain, Variant::Sn727] {
            for part in [Part::Encoder, Part::Decoder, Part::Both] {
                for precision in Precision::ALL {
                    let graph = model(variant, part, precision).graph.unwrap();
                    let mut known: Vec<String> =
                        graph.input.iter().map(|v| v.name.clone()).collect();
                    known.extend(graph.initializer.iter().map(|t| t.name.clone()));
                    let mut read = Vec::new();
                    for node in &graph.node {
                        for input in &node.input {
                            assert!(known.contains(input), "{variant} {part}: {input}");
                            read.push(input.clone());
                        }
                        for output in &node.output {
                            assert!(!known.contains(output), "{output} twice");
                            known.push(output.clone());
                        }
                    }
                    for tensor in &graph.initializer {
                        assert!(read.contains(&tensor.name), "{} is not read", tensor.name);
                        let count: i64 = tensor.dims.iter().product();
                        let bytes = match tensor.data_type {
                            3 => 1,
                            10 => 2,
                            _ => 4,
                        };
                        assert_eq!(tensor.raw_data.len() as i64, bytes * count);
                    }
                }
            }
        }
    }

    #[test]
    fn says_what_it_is() {
        let model = model(Variant::Sn727, Part::Both, Precision::Int8);
        let of =
            |key: &str| model.metadata_props.iter().find(|p| p.key == key).unwrap().value.clone();
        assert_eq!(of("arch"), "10-7-6-7-10");
        assert_eq!((of("variant"), of("precision")), ("sn727".into(), "int8".into()));
        assert_eq!(of("training_set"), "unknown");
        assert!(model.doc_string.contains("inference"), "{}", model.doc_string);
        assert_eq!(model.opset_import[0].version, OPSET);
    }

    #[test]
    fn weights_beyond_f16_are_refused() {
        let mut file = student(Variant::Plain);
        file.parameters.get_mut("expansion.weight").unwrap().data_mut()[3] = 1e5;
        let message = to_onnx(&file, Part::Both, Precision::F16).unwrap_err().to_string();
        assert!(message.contains("expansion.weight"), "{message}");
    }
}
