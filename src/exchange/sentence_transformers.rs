//! The folder that `SentenceTransformer(path)` loads: the teacher, its pooling and length, then a
//! Dense module for each linear layer of a student.
//!
//! Only `plain` can be said in Dense modules. The small files are made here, the teacher's configuration
//! among them, so that its weights and tokenizer are all that is needed.

use std::collections::HashMap;
use std::io::{Read, Seek, Write};

use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};

use crate::arch::{Activation, Variant};
use crate::error::{Error, Result};
use crate::exchange::Part;
use crate::format::safetensors::read_header;
use crate::matrix::Matrix;
use crate::student::StudentFile;
use crate::teacher::{LAYER_NORM_EPSILON, Shape};

/// The teacher's weights in the folder.
pub const WEIGHTS_NAME: &str = "model.safetensors";
/// The teacher's tokenizer in the folder.
pub const TOKENIZER_NAME: &str = "tokenizer.json";

/// The teacher as the folder describes it.
#[derive(Clone, Debug)]
pub struct TeacherParts {
    /// Sizes of the encoder.
    pub shape: Shape,
    /// Rows of its table of token types.
    pub types: usize,
    /// Texts are cut at so many tokens.
    pub max_tokens: usize,
    /// The text of its `tokenizer.json`.
    pub tokenizer: String,
}

/// Names and contents of all files but the teacher's weights, folders parted by `/`.
///
/// # Errors
/// [`Error::Invalid`] for the variant `sn727`, for the decoder alone, and for a student of another
/// width than the teacher; [`Error::Format`] for a tokenizer that cannot be read.
pub fn files(
    file: &StudentFile,
    part: Part,
    teacher: &TeacherParts,
) -> Result<Vec<(String, Vec<u8>)>> {
    let arch = &file.info.arch;
    let refuse = |message: &str| Err(Error::invalid("--format sentence-transformers", message));
    if arch.variant() == Variant::Sn727 {
        return refuse(
            "a student of the variant sn727 has LayerNorms and attention, which Dense modules \
             cannot say; use --format onnx",
        );
    }
    if part == Part::Decoder {
        return refuse("text goes in there, so the decoder alone makes none; use --part encoder");
    }
    let width = teacher.shape.width;
    if width != arch.input() {
        return refuse(&format!(
            "the student {arch} takes {} values, the teacher gives {width}; name its own teacher \
             with --teacher",
            arch.input()
        ));
    }
    let mut modules = vec![module(0, "", "Transformer"), module(1, "1_Pooling", "Pooling")];
    modules.push(module(2, "2_Normalize", "Normalize"));
    let mut all = vec![
        ("config.json".into(), text(&bert(&teacher.shape, teacher.types))),
        ("tokenizer_config.json".into(), text(&tokenizer_config(teacher)?)),
        (TOKENIZER_NAME.into(), teacher.tokenizer.clone().into_bytes()),
        ("sentence_bert_config.json".into(), text(&sentence_bert(teacher))),
        (
            "config_sentence_transformers.json".into(),
            text(&json!({ "similarity_fn_name": "cosine" })),
        ),
        ("1_Pooling/config.json".into(), text(&pooling(width))),
        ("2_Normalize/config.json".into(), text(&json!({}))),
    ];
    let layers = if part == Part::Encoder { arch.latent_index() } else { arch.layers() };
    for layer in 0..layers {
        let name = arch.layer_name(layer);
        let linear = layer + 1 == arch.latent_index() || layer + 1 == arch.layers();
        let activation = (!linear).then_some(arch.activation());
        let parameter = |end: &str| {
            file.parameters.get(&format!("{name}.{end}")).expect("a layer of this architecture")
        };
        let (weight, bias) = (parameter("weight"), parameter("bias"));
        let folder = format!("{}_Dense", layer + 3);
        modules.push(module(layer + 3, &folder, "Dense"));
        all.push((format!("{folder}/config.json"), text(&dense(weight, activation))));
        all.push((format!("{folder}/{WEIGHTS_NAME}"), dense_weights(weight, bias)?));
    }
    all.push(("modules.json".into(), text(&Value::Array(modules))));
    Ok(all)
}

/// Copies the teacher's weights with the mark that transformers asks for in their metadata.
///
/// # Errors
/// [`Error::Format`] if the header is damaged; [`Error::Io`].
pub fn copy_weights<R: Read + Seek>(name: &str, mut from: R, mut to: impl Write) -> Result<()> {
    let header = read_header(name, &mut from)?;
    let refuse = |e: &dyn std::fmt::Display| Error::format(name, e.to_string());
    let mut json = serde_json::to_value(&header).map_err(|e| refuse(&e))?;
    json["__metadata__"] = json!({ "format": "pt" });
    let mut json = json.to_string();
    json.push_str(&" ".repeat(json.len().next_multiple_of(8) - json.len()));
    let mut copy = || {
        to.write_all(&(json.len() as u64).to_le_bytes())?;
        to.write_all(json.as_bytes())?;
        std::io::copy(&mut from, &mut to)
    };
    copy().map(drop).map_err(|e| Error::io(name, e))
}

fn text(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

/// The names that folders of this kind have had so far; the library still takes them.
fn module(index: usize, path: &str, kind: &str) -> Value {
    json!({
        "idx": index, "name": index.to_string(), "path": path,
        "type": format!("sentence_transformers.models.{kind}")
    })
}

fn bert(shape: &Shape, types: usize) -> Value {
    json!({
        "architectures": ["BertModel"], "model_type": "bert",
        "hidden_size": shape.width, "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads, "intermediate_size": shape.inner,
        "vocab_size": shape.vocabulary, "max_position_embeddings": shape.positions,
        "type_vocab_size": types, "hidden_act": "gelu", "layer_norm_eps": LAYER_NORM_EPSILON,
        "attention_probs_dropout_prob": 0.1, "hidden_dropout_prob": 0.1, "pad_token_id": 0,
        "position_embedding_type": "absolute", "torch_dtype": "float32"
    })
}

/// What a tokenizer.json leaves to its user: the special tokens by their roles.
fn tokenizer_config(teacher: &TeacherParts) -> Result<Value> {
    let json: Value = serde_json::from_str(&teacher.tokenizer)
        .map_err(|e| Error::format(TOKENIZER_NAME, format!("cannot be read: {e}")))?;
    let vocabulary = &json["model"]["vocab"];
    let mut config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": teacher.max_tokens,
        "model_input_names": ["input_ids", "token_type_ids", "attention_mask"]
    });
    for role in ["cls", "sep", "pad", "unk", "mask"] {
        let token = format!("[{}]", role.to_uppercase());
        if vocabulary.get(&token).is_some() {
            config[format!("{role}_token")] = token.into();
        }
    }
    Ok(config)
}

fn sentence_bert(teacher: &TeacherParts) -> Value {
    json!({ "max_seq_length": teacher.max_tokens, "do_lower_case": false })
}

fn pooling(width: usize) -> Value {
    json!({ "word_embedding_dimension": width, "pooling_mode_mean_tokens": true })
}

fn dense(weight: &Matrix, activation: Option<Activation>) -> Value {
    let function = match activation {
        None => "torch.nn.modules.linear.Identity",
        // Its default is the erf form.
        Some(Activation::Gelu) => "torch.nn.modules.activation.GELU",
        Some(Activation::Relu) => "torch.nn.modules.activation.ReLU",
    };
    json!({
        "in_features": weight.cols(), "out_features": weight.rows(), "bias": true,
        "activation_function": function
    })
}

fn dense_weights(weight: &Matrix, bias: &Matrix) -> Result<Vec<u8>> {
    let bytes = |values: &Matrix| -> Vec<u8> {
        values.data().iter().flat_map(|v| v.to_le_bytes()).collect()
    };
    let (w, b) = (bytes(weight), bytes(bias));
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    let shape = vec![weight.rows(), weight.cols()];
    let views = TensorView::new(Dtype::F32, shape, &w).and_then(|weight| {
        let bias = TensorView::new(Dtype::F32, vec![bias.cols()], &b)?;
        safetensors::serialize([("linear.weight", weight), ("linear.bias", bias)], Some(metadata))
    });
    views.map_err(|e| Error::format("Dense", e.to_string()))
}
