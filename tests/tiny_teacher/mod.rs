//! A teacher of one small layer with numbers drawn from a seed, and its tokenizer: enough to run
//! what takes text, without the weights of the real one.
#![allow(dead_code)] // not every test needs all of it

use std::collections::BTreeMap;
use std::path::Path;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Values of its vectors.
pub const WIDTH: usize = 20;
const HEADS: usize = 2;
const INNER: usize = 28;
/// Tokens of its longest text.
pub const POSITIONS: usize = 48;
/// Every word that it knows, apart from letters and digits.
const WORDS: &str = "[PAD] [UNK] [CLS] [SEP] the a cat cats dog dogs purr bark sat lay on mat rug \
                     king queen man woman boy girl fell shares rose market athens greece oslo \
                     norway which animals do";

/// Writes `model.safetensors` and `tokenizer.json` into `folder`.
pub fn write(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let mut vocabulary: Vec<String> = WORDS.split_whitespace().map(String::from).collect();
    for c in ('a'..='z').chain('0'..='9') {
        vocabulary.push(format!("##{c}"));
        if c != 'a' {
            vocabulary.push(c.to_string());
        }
    }
    std::fs::write(folder.join("tokenizer.json"), tokenizer(&vocabulary)).unwrap();
    std::fs::write(folder.join("model.safetensors"), model(vocabulary.len())).unwrap();
}

fn tokenizer(vocabulary: &[String]) -> String {
    let ids: BTreeMap<&String, usize> = vocabulary.iter().zip(0..).collect();
    let special =
        |word: &str, id: usize| serde_json::json!({ "id": word, "ids": [id], "tokens": [word] });
    serde_json::json!({
        "version": "1.0",
        // As the file of all-MiniLM-L6-v2 has them; nobody must heed them.
        "truncation": { "max_length": 8, "strategy": "LongestFirst", "stride": 0,
                        "direction": "Right" },
        "padding": { "strategy": { "Fixed": 8 }, "direction": "Right", "pad_to_multiple_of": null,
                     "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]" },
        "added_tokens": [],
        "normalizer": { "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                        "strip_accents": null, "lowercase": true },
        "pre_tokenizer": { "type": "BertPreTokenizer" },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{ "SpecialToken": { "id": "[CLS]", "type_id": 0 } },
                       { "Sequence": { "id": "A", "type_id": 0 } },
                       { "SpecialToken": { "id": "[SEP]", "type_id": 0 } }],
            "pair": [{ "Sequence": { "id": "A", "type_id": 0 } },
                     { "Sequence": { "id": "B", "type_id": 1 } }],
            "special_tokens": { "[CLS]": special("[CLS]", 2), "[SEP]": special("[SEP]", 3) }
        },
        "decoder": null,
        "model": { "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                   "max_input_chars_per_word": 100, "vocab": ids }
    })
    .to_string()
}

fn model(vocabulary: usize) -> Vec<u8> {
    let mut shapes: Vec<(String, Vec<usize>)> = vec![
        ("embeddings.word_embeddings.weight".into(), vec![vocabulary, WIDTH]),
        ("embeddings.position_embeddings.weight".into(), vec![POSITIONS, WIDTH]),
        ("embeddings.token_type_embeddings.weight".into(), vec![2, WIDTH]),
    ];
    let layer = "encoder.layer.0.";
    for (part, outputs, inputs) in [
        ("attention.self.query", WIDTH, WIDTH),
        ("attention.self.key", WIDTH, WIDTH),
        ("attention.self.value", WIDTH, WIDTH),
        ("attention.output.dense", WIDTH, WIDTH),
        ("intermediate.dense", INNER, WIDTH),
        ("output.dense", WIDTH, INNER),
    ] {
        shapes.push((format!("{layer}{part}.weight"), vec![outputs, inputs]));
        shapes.push((format!("{layer}{part}.bias"), vec![outputs]));
    }
    for norm in ["embeddings.", &format!("{layer}attention.output."), &format!("{layer}output.")] {
        shapes.push((format!("{norm}LayerNorm.weight"), vec![WIDTH]));
        shapes.push((format!("{norm}LayerNorm.bias"), vec![WIDTH]));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let (mut header, mut bytes) = (serde_json::Map::new(), Vec::new());
    let info = serde_json::json!({ "format": 1, "heads": HEADS, "precision": "f32" });
    header.insert("__metadata__".into(), serde_json::json!({ "lnsp.teacher": info.to_string() }));
    for (name, shape) in shapes {
        let begin = bytes.len();
        let scale = if name.ends_with("LayerNorm.weight") { 1.0 } else { 0.0 };
        for _ in 0..shape.iter().product::<usize>() {
            let value: f32 = scale + rng.random_range(-0.5..0.5);
            bytes.extend(value.to_le_bytes());
        }
        let entry = serde_json::json!({
            "dtype": "F32", "shape": shape, "data_offsets": [begin, bytes.len()]
        });
        header.insert(name, entry);
    }
    let mut header = serde_json::Value::Object(header).to_string();
    header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &bytes].concat()
}
