//! `lnsp export` as a person or a script runs it. What other programs make of its output is checked
//! with these programs, in `tests/elsewhere`.
#![cfg(feature = "cli")]

mod command;
mod formulas;
mod small_bert;
mod tiny_teacher;

use std::path::{Path, PathBuf};

use command::{names, refuse, succeed, word};
use lnsp::student::{Parameters, StudentFile, StudentInfo};
use lnsp::{Arch, Precision, Variant};
use safetensors::SafeTensors;

/// A folder with a student of widths that the tiny teacher goes with.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, variant) in [("s", Variant::Plain), ("sn727", Variant::Sn727)] {
            let arch: Arch = "20-14-6-14-20".parse().unwrap();
            let arch = arch.with_variant(variant).unwrap();
            let info =
                StudentInfo { training_set: "a few texts".into(), ..StudentInfo::new(&arch) };
            let file = StudentFile { info, parameters: Parameters::random(&arch, 9), code: None };
            std::fs::write(folder.at(&format!("{name}.safetensors")), file.to_bytes().unwrap())
                .unwrap();
        }
        tiny_teacher::write(&folder.at("teacher"));
        folder
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The words of `lnsp export` of `student` to `out`, and `more`.
    fn words(&self, student: &str, format: &str, out: &str, more: &[&str]) -> Vec<String> {
        let (student, out) = (self.at(student), self.at(out));
        let words =
            ["export", "--student", word(&student), "--format", format, "--out", word(&out)];
        words.iter().chain(more).map(|w| (*w).to_string()).collect()
    }

    fn export(&self, student: &str, format: &str, out: &str, more: &[&str]) -> String {
        let words = self.words(student, format, out, more);
        succeed(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn refuse(
        &self,
        student: &str,
        format: &str,
        out: &str,
        more: &[&str],
        code: i32,
        say: &[&str],
    ) {
        let before = names(self.0.path());
        let words = self.words(student, format, out, more);
        refuse(&words.iter().map(String::as_str).collect::<Vec<_>>(), code, say);
        assert_eq!(names(self.0.path()), before, "{words:?} left something behind");
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.at(name)).unwrap()
    }
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

#[test]
fn onnx_files_say_what_they_are() {
    let folder = Folder::new();
    for student in ["s.safetensors", "sn727.safetensors"] {
        let said = folder.export(student, "onnx", "a.onnx", &[]);
        assert!(said.contains("opset 17") && said.contains("f32"), "{said}");
        folder.export(student, "onnx", "b.onnx", &[]);
        let whole = folder.read("a.onnx");
        assert_eq!(whole, folder.read("b.onnx"), "equal students are equal files");
        for text in ["vectors", "latent", "reconstruction", "20-14-6-14-20", "a few texts"] {
            assert!(holds(&whole, text), "{text}");
        }
        let said = folder.export(
            student,
            "onnx",
            "c.onnx",
            &["--dtype", "int8", "--part", "encoder", "--json"],
        );
        let said = json(&said);
        assert_eq!((&said["part"], &said["precision"]), (&"encoder".into(), &"int8".into()));
        assert_eq!(said["opset"], 17);
        let small = folder.read("c.onnx");
        assert_eq!(said["bytes"].as_u64(), Some(small.len() as u64));
        assert!(small.len() < whole.len() && !holds(&small, "reconstruction"));
    }
}

#[test]
fn the_web_folder_has_what_quantize_writes() {
    let folder = Folder::new();
    for dtype in ["f16", "int8"] {
        // The second time in place of the first.
        folder.export("s.safetensors", "web", "web", &["--dtype", dtype]);
        let inside = names(&folder.at("web"));
        assert_eq!(inside, ["lnsp.json", "student.mjs", "student.safetensors"]);
        let (from, to) = (folder.at("s.safetensors"), folder.at("q.safetensors"));
        succeed(&["quantize", "--in", word(&from), "--precision", dtype, "--out", word(&to)]);
        assert_eq!(folder.read("web/student.safetensors"), folder.read("q.safetensors"));
    }
    // What is int8 already gains nothing.
    let again = ["--dtype", "f16"];
    folder.refuse("q.safetensors", "web", "new", &again, 1, &["stored at int8"]);
}

#[test]
fn a_state_dict_has_no_scales() {
    let folder = Folder::new();
    folder.export("s.safetensors", "web", "web", &["--dtype", "int8"]);
    folder.export("web/student.safetensors", "safetensors", "plain.safetensors", &[]);
    let bytes = folder.read("plain.safetensors");
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(tensors.len(), 8);
    assert_eq!(tensors.tensor("expansion.weight").unwrap().shape(), [14, 6]);
    let student = StudentFile::from_bytes("plain", &bytes).unwrap();
    assert_eq!(student.info.precision, Precision::F32);
    let small = StudentFile::from_bytes("web", &folder.read("web/student.safetensors")).unwrap();
    assert_eq!(student.parameters, small.parameters);
}

#[test]
fn sentence_transformers_get_a_module_a_layer() {
    let folder = Folder::new();
    let teacher = folder.at("teacher");
    for (part, layers) in [("encoder", 2), ("both", 4)] {
        let more = ["--teacher", word(&teacher), "--part", part, "--max-tokens", "40"];
        folder.export("s.safetensors", "sentence-transformers", "st", &more);
        let modules = json(&String::from_utf8(folder.read("st/modules.json")).unwrap());
        let modules = modules.as_array().unwrap();
        assert_eq!(modules.len(), 3 + layers);
        for module in modules {
            let path = folder.at("st").join(module["path"].as_str().unwrap());
            let config =
                if module["idx"] == 0 { "sentence_bert_config.json" } else { "config.json" };
            assert!(path.join(config).is_file(), "{}", path.display());
        }
        assert!(folder.read("st/sentence_bert_config.json").windows(2).any(|w| w == b"40"));
    }
    let dense = folder.read("st/4_Dense/model.safetensors");
    let dense = SafeTensors::deserialize(&dense).unwrap();
    let student = StudentFile::from_bytes("s", &folder.read("s.safetensors")).unwrap();
    let wanted = student.parameters.get("compression.weight").unwrap();
    let stored = dense.tensor("linear.weight").unwrap();
    assert_eq!(stored.shape(), [6, 14]);
    let bytes: Vec<u8> = wanted.data().iter().flat_map(|v| v.to_le_bytes()).collect();
    assert_eq!(stored.data(), bytes);
    let config = json(&String::from_utf8(folder.read("st/4_Dense/config.json")).unwrap());
    assert!(config["activation_function"].as_str().unwrap().ends_with("Identity"));
    // The teacher's tensors as they were, under a header that transformers reads.
    let (teacher, copy) =
        (folder.read("teacher/model.safetensors"), folder.read("st/model.safetensors"));
    let (_, header) = SafeTensors::read_metadata(&copy).unwrap();
    assert_eq!(header.metadata().as_ref().unwrap()["format"], "pt");
    let (teacher, copy) =
        (SafeTensors::deserialize(&teacher).unwrap(), SafeTensors::deserialize(&copy).unwrap());
    assert_eq!(teacher.len(), copy.len());
    for (name, view) in teacher.iter() {
        assert_eq!(copy.tensor(name).unwrap().data(), view.data(), "{name}");
    }
    assert_eq!(folder.read("st/tokenizer.json"), folder.read("teacher/tokenizer.json"));
}

#[test]
fn what_dense_modules_cannot_say_is_refused() {
    let folder = Folder::new();
    let teacher = folder.at("teacher");
    let teacher = ["--teacher", word(&teacher)];
    let refuse = |student: &str, more: &[&str], say: &[&str]| {
        let more = [&teacher[..], more].concat();
        folder.refuse(student, "sentence-transformers", "st", &more, 1, say);
    };
    refuse("sn727.safetensors", &[], &["sn727", "--format onnx"]);
    refuse("s.safetensors", &["--part", "decoder"], &["--part encoder"]);
    refuse("s.safetensors", &["--max-tokens", "1000"], &["--max-tokens", "48"]);
    let wide: Arch = "24-9-5-9-24".parse().unwrap();
    let file = StudentFile {
        info: StudentInfo::new(&wide),
        parameters: Parameters::random(&wide, 1),
        code: None,
    };
    std::fs::write(folder.at("wide.safetensors"), file.to_bytes().unwrap()).unwrap();
    refuse("wide.safetensors", &[], &["24", "20", "--teacher"]);
}

#[test]
fn teachers_that_are_not_there_or_too_small_are_refused() {
    let folder = Folder::new();
    let refuse = |teacher: &Path, say: &[&str]| {
        let more = ["--teacher", word(teacher)];
        folder.refuse("s.safetensors", "sentence-transformers", "st", &more, 1, say);
    };
    refuse(&folder.at("nowhere"), &["nowhere", "model.safetensors"]);
    let (from, to) =
        (folder.at("teacher/model.safetensors"), folder.at("teacher/int8.safetensors"));
    succeed(&["quantize", "--in", word(&from), "--precision", "int8", "--out", word(&to)]);
    refuse(&to, &["int8", "full weights"]);
}

#[test]
fn flags_that_would_be_ignored_are_refused() {
    let folder = Folder::new();
    let refuse = |format: &str, more: &[&str], say: &[&str]| {
        folder.refuse("s.safetensors", format, "x", more, 2, say);
    };
    refuse("onnx", &["--teacher", "t"], &["--teacher"]);
    refuse("web", &["--max-tokens", "64"], &["--max-tokens"]);
    refuse("web", &["--part", "encoder"], &["--part"]);
    refuse("safetensors", &["--dtype", "int8"], &["int8", "lnsp quantize"]);
    refuse("sentence-transformers", &["--dtype", "f16"], &["--dtype"]);
    refuse("tflite", &[], &["tflite"]);
}

#[test]
fn help_states_the_opset() {
    let said = succeed(&["export", "--help"]);
    for word in ["opset 17", "Dense", "student.mjs", "Examples"] {
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[test]
fn nothing_of_others_is_replaced() {
    let folder = Folder::new();
    std::fs::create_dir(folder.at("mine")).unwrap();
    std::fs::write(folder.at("mine/notes.txt"), "keep").unwrap();
    folder.refuse("s.safetensors", "web", "mine", &[], 1, &["mine", "did not write"]);
    folder.refuse("s.safetensors", "web", "s.safetensors", &[], 1, &["is a file"]);
    folder.refuse("s.safetensors", "onnx", "mine", &[], 1, &["no regular file"]);
    folder.refuse("s.safetensors", "onnx", "none/s.onnx", &[], 1, &["none/s.onnx"]);
    assert_eq!(folder.read("mine/notes.txt"), b"keep");
    std::fs::create_dir(folder.at("empty")).unwrap();
    folder.export("s.safetensors", "web", "empty", &[]);
    std::fs::write(folder.at("cut.safetensors"), &folder.read("s.safetensors")[..300]).unwrap();
    folder.refuse("cut.safetensors", "onnx", "x", &[], 1, &["cut.safetensors", "not a whole"]);
    folder.refuse("gone.safetensors", "onnx", "x", &[], 1, &["gone.safetensors"]);
}
