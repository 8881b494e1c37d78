//! `lnsp import` as a person or a script runs it.
#![cfg(feature = "cli")]

mod command;

use std::path::Path;

use command::{refuse, succeed, word};
use half::{bf16, f16};
use lnsp::student::{Parameters, StudentFile};
use lnsp::{Activation, Arch, Matrix, Precision, Variant};
use safetensors::tensor::{Dtype, TensorView};

/// One tensor: name, shape, values.
type Tensor = (String, Vec<usize>, Vec<f32>);

/// The state dict of a random student of `arch`.
fn state_dict(arch: &Arch) -> (Parameters, Vec<Tensor>) {
    let parameters = Parameters::random(arch, 11);
    let tensors = parameters.iter().map(|(shape, values)| {
        let dims = if shape.matrix { vec![shape.rows, shape.cols] } else { vec![shape.cols] };
        (shape.name, dims, values.data().to_vec())
    });
    let tensors = tensors.collect();
    (parameters, tensors)
}

fn write(path: &Path, tensors: &[Tensor], dtype: Dtype) {
    let bytes = |values: &[f32]| -> Vec<u8> {
        let one = |v: &f32| match dtype {
            Dtype::F16 => f16::from_f32(*v).to_le_bytes().to_vec(),
            Dtype::BF16 => bf16::from_f32(*v).to_le_bytes().to_vec(),
            Dtype::F64 => f64::from(*v).to_le_bytes().to_vec(),
            Dtype::I32 => (*v as i32).to_le_bytes().to_vec(),
            _ => v.to_le_bytes().to_vec(),
        };
        values.iter().flat_map(one).collect()
    };
    let stored: Vec<_> =
        tensors.iter().map(|(name, dims, values)| (name, dims, bytes(values))).collect();
    let views = stored
        .iter()
        .map(|(name, dims, data)| (name, TensorView::new(dtype, (*dims).clone(), data).unwrap()));
    std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

fn plain() -> Arch {
    "12-9-5-9-12".parse().unwrap()
}

/// Writes `tensors`, imports them with `more`, and reads what came of it; and the JSON.
fn import(tensors: &[Tensor], dtype: Dtype, more: &[&str]) -> (StudentFile, serde_json::Value) {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("in.safetensors"), folder.path().join("out.safetensors"));
    write(&from, tensors, dtype);
    let words = ["import", "--in", word(&from), "--out", word(&to), "--json"];
    let said = succeed(&[&words[..], more].concat());
    let file = StudentFile::from_bytes("out", &std::fs::read(to).unwrap()).unwrap();
    (file, serde_json::from_str(&said).unwrap())
}

/// Imports `tensors`, wants an error with all of `say`, and no output.
fn refuse_import(tensors: &[Tensor], dtype: Dtype, more: &[&str], say: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("in.safetensors"), folder.path().join("out.safetensors"));
    write(&from, tensors, dtype);
    let words = ["import", "--in", word(&from), "--out", word(&to)];
    refuse(&[&words[..], more].concat(), 1, say);
    assert!(!to.exists());
}

#[test]
fn every_type_is_read() {
    let (parameters, tensors) = state_dict(&plain());
    for (dtype, error) in
        [(Dtype::F32, 0.0), (Dtype::F64, 0.0), (Dtype::F16, 3e-4), (Dtype::BF16, 3e-3)]
    {
        let (file, said) = import(&tensors, dtype, &[]);
        assert_eq!(file.info.arch, plain());
        assert_eq!(said["parameters"].as_u64(), Some(plain().parameter_count()));
        for (got, wanted) in file.parameters.values().iter().zip(parameters.values()) {
            for (got, wanted) in got.data().iter().zip(wanted.data()) {
                assert!((got - wanted).abs() <= error, "{dtype:?}: {got} {wanted}");
            }
        }
    }
}

#[test]
fn flags_describe_what_the_file_does_not() {
    let (_, tensors) = state_dict(&plain());
    let flags = ["--activation", "relu", "--teacher-name", "mine", "--training-set", "my texts"];
    let (file, _) = import(&tensors, Dtype::F32, &[&flags[..], &["--dtype", "int8"]].concat());
    assert_eq!(file.info.arch.activation(), Activation::Relu);
    assert_eq!((&file.info.teacher[..], &file.info.training_set[..]), ("mine", "my texts"));
    assert_eq!(file.info.precision, Precision::Int8);
    assert_eq!(file.info.training["imported"], "in.safetensors");
}

#[test]
fn prefixes_are_found_and_chosen() {
    let (parameters, tensors) = state_dict(&plain());
    let behind = |prefix: &str| -> Vec<Tensor> {
        let one = |(name, dims, values): &Tensor| {
            (format!("{prefix}{name}"), dims.clone(), values.clone())
        };
        tensors.iter().map(one).collect()
    };
    let mut wrapped = behind("module.model.");
    wrapped.push(("module.teacher.weight".into(), vec![2], vec![1.0, 2.0]));
    let (file, said) = import(&wrapped, Dtype::F32, &[]);
    assert_eq!(file.parameters, parameters);
    assert_eq!(said["prefix"], "module.model.");
    assert_eq!(said["left_out"][0], "module.teacher.weight");
    let both = [behind("a."), behind("b.")].concat();
    refuse_import(&both, Dtype::F32, &[], &["--prefix", "a.", "b."]);
    let (file, _) = import(&both, Dtype::F32, &["--prefix", "b."]);
    assert_eq!(file.parameters, parameters);
}

#[test]
fn transposed_matrices_are_turned() {
    let (parameters, mut tensors) = state_dict(&plain());
    for (_, dims, values) in tensors.iter_mut().filter(|(_, dims, _)| dims.len() == 2) {
        let stored = Matrix::new(dims[0], dims[1], values.clone()).unwrap();
        *values = Matrix::from_fn(dims[1], dims[0], |r, c| stored.row(c)[r]).into_data();
        dims.reverse();
    }
    let (file, said) = import(&tensors, Dtype::F32, &[]);
    assert_eq!(file.parameters, parameters);
    assert_eq!(said["transposed"], true);
}

#[test]
fn sn727_comes_with_the_names_of_torch() {
    let arch: Arch = "12-9-6-9-12".parse().unwrap();
    let arch = arch.with_variant(Variant::Sn727).unwrap();
    let (parameters, mut tensors) = state_dict(&arch);
    for (name, ..) in &mut tensors {
        *name = name
            .replace("attention.qkv.weight", "attention.in_proj_weight")
            .replace("attention.qkv.bias", "attention.in_proj_bias")
            .replace("attention.out.", "attention.out_proj.");
    }
    let (file, _) = import(&tensors, Dtype::F32, &[]);
    assert_eq!((file.info.arch, file.parameters), (arch, parameters));
    // As plain it has layers that there is no place for.
    let plain = ["--variant", "plain"];
    refuse_import(&tensors, Dtype::F32, &plain, &["no place", "--skip-unknown"]);
    let (file, said) = import(&tensors, Dtype::F32, &[&plain[..], &["--skip-unknown"]].concat());
    assert_eq!(file.info.arch.variant(), Variant::Plain);
    assert!(said["left_out"].as_array().unwrap().len() > 8);
    tensors.retain(|(name, ..)| name != "output_norm.bias");
    refuse_import(&tensors, Dtype::F32, &[], &["output_norm.bias is missing"]);
}

#[test]
fn errors_name_the_layer() {
    let (_, tensors) = state_dict(&plain());
    for layer in ["input_proj", "compression", "expansion", "teacher_align"] {
        let without: Vec<Tensor> =
            tensors.iter().filter(|(name, ..)| !name.starts_with(layer)).cloned().collect();
        refuse_import(&without, Dtype::F32, &[], &[layer, "missing"]);
        let mut broken = tensors.clone();
        let at = broken.iter().position(|(name, ..)| *name == format!("{layer}.weight")).unwrap();
        broken[at].2[3] = f32::NAN;
        let say = [&format!("{layer}.weight holds NaN")[..]];
        refuse_import(&broken, Dtype::F32, &[], &say);
        broken[at] = (format!("{layer}.weight"), vec![4, 4], vec![0.0; 16]);
        refuse_import(&broken, Dtype::F32, &[], &[layer, "[4, 4]"]);
        broken[at] = (format!("{layer}.weight"), vec![16], vec![0.0; 16]);
        refuse_import(&broken, Dtype::F32, &[], &[layer, "matrix"]);
    }
    refuse_import(&tensors, Dtype::I32, &[], &["input_proj.weight", "I32"]);
    refuse_import(&[], Dtype::F32, &[], &["compression.weight is missing"]);
    let mut more = tensors.clone();
    more.push(("dropout_norm.weight".into(), vec![1], vec![1.0]));
    refuse_import(&more, Dtype::F32, &[], &["dropout_norm.weight", "--skip-unknown"]);
    more[0].2[0] = 1e9;
    let flags = ["--skip-unknown", "--dtype", "f16"];
    refuse_import(&more, Dtype::F32, &flags, &["f16 cannot hold", "input_proj.weight"]);
}

#[test]
fn other_files_are_refused_with_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("in.pt"), folder.path().join("out.safetensors"));
    let words = ["import", "--in", word(&from), "--out", word(&to)];
    let mut zip = b"PK\x03\x04".to_vec();
    zip.resize(200, 0);
    for (bytes, say) in [
        (&zip[..], &["PyTorch", "weights_only=True", "save_file"][..]),
        (b"\x80\x02}q\x00.", &["PyTorch"]),
        (b"", &["too short"]),
        (&[255; 64], &["not a whole safetensors file"]),
    ] {
        std::fs::write(&from, bytes).unwrap();
        refuse(&words, 1, say);
    }
    std::fs::remove_file(&from).unwrap();
    refuse(&words, 1, &["in.pt"]);
    assert!(!to.exists());
}
