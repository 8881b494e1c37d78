//! A teacher of one small layer with random weights, and a tokenizer that spells: the teacher's
//! file formats without its 90 MB.
#![allow(dead_code, reason = "each test program uses its part")]

use std::collections::BTreeMap;
use std::path::Path;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::json;

/// As wide as all-MiniLM-L6-v2, so that its file needs no description.
pub const WIDTH: usize = 384;
const INNER: usize = 6;
const POSITIONS: usize = 64;
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz0123456789.,!?";

/// `[PAD]`, `[UNK]`, `[CLS]`, `[SEP]`, every letter at the start of a word and inside it.
fn vocabulary() -> BTreeMap<String, u32> {
    let marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"].map(str::to_owned).into_iter();
    let words = marks.chain(LETTERS.chars().map(String::from));
    let all = words.chain(LETTERS.chars().map(|c| format!("##{c}")));
    all.zip(0..).collect()
}

/// As the teacher's, padding and truncation included.
fn tokenizer() -> String {
    let mark = |id: u32, content: &str| {
        json!({"id": id, "content": content, "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true})
    };
    let part = |name: &str| json!({"SpecialToken": {"id": name, "type_id": 0}});
    let id = |name: &str, id: u32| json!({"id": name, "ids": [id], "tokens": [name]});
    let sequence = json!({"Sequence": {"id": "A", "type_id": 0}});
    json!({
        "version": "1.0",
        "truncation": {"max_length": 8, "strategy": "LongestFirst", "stride": 0,
            "direction": "Right"},
        "padding": {"strategy": {"Fixed": 8}, "direction": "Right", "pad_to_multiple_of": null,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
        "added_tokens": [mark(2, "[CLS]"), mark(3, "[SEP]")],
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing",
            "single": [part("[CLS]"), sequence, part("[SEP]")],
            "pair": [sequence, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"[CLS]": id("[CLS]", 2), "[SEP]": id("[SEP]", 3)}},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocabulary()}
    })
    .to_string()
}

/// Writes both files to `folder`, which is made.
pub fn tiny_teacher(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("tokenizer.json"), tokenizer()).unwrap();
    let mut shapes = vec![
        ("embeddings.word_embeddings.weight".to_owned(), vec![vocabulary().len(), WIDTH]),
        ("embeddings.position_embeddings.weight".into(), vec![POSITIONS, WIDTH]),
        ("embeddings.token_type_embeddings.weight".into(), vec![2, WIDTH]),
    ];
    let layer = "encoder.layer.0";
    let norms =
        ["embeddings".to_owned(), format!("{layer}.attention.output"), format!("{layer}.output")];
    for norm in norms {
        shapes.push((format!("{norm}.LayerNorm.weight"), vec![WIDTH]));
        shapes.push((format!("{norm}.LayerNorm.bias"), vec![WIDTH]));
    }
    for (part, outputs, inputs) in [
        ("attention.self.query", WIDTH, WIDTH),
        ("attention.self.key", WIDTH, WIDTH),
        ("attention.self.value", WIDTH, WIDTH),
        ("attention.output.dense", WIDTH, WIDTH),
        ("intermediate.dense", INNER, WIDTH),
        ("output.dense", WIDTH, INNER),
    ] {
        shapes.push((format!("{layer}.{part}.weight"), vec![outputs, inputs]));
        shapes.push((format!("{layer}.{part}.bias"), vec![outputs]));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = shapes
        .into_iter()
        .map(|(name, shape)| {
            let values = 0..shape.iter().product::<usize>();
            let bytes = values.flat_map(|_| rng.random_range(-0.1f32..0.1).to_le_bytes());
            (name, shape, bytes.collect())
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    let file = safetensors::serialize(views, None).unwrap();
    std::fs::write(folder.join("model.safetensors"), file).unwrap();
}
