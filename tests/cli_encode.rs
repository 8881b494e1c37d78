//! `lnsp encode` and `lnsp decode` as a person or a script runs them.
#![cfg(feature = "cli")]

mod command;

use std::path::{Path, PathBuf};

use command::{SmallDisk, names, refuse, run, succeed, text, vectors, word, write};
use lnsp::device::Device;
use lnsp::format::{ReadOptions, WriteOptions, files, read_to_matrix};
use lnsp::student::{Parameters, Student, StudentFile, StudentInfo};
use lnsp::{Arch, Matrix, Precision};

struct Place {
    _folder: tempfile::TempDir,
    student: PathBuf,
    parameters: Parameters,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let arch: Arch = "20-14-7-11-20".parse().unwrap();
        let parameters = Parameters::random(&arch, 9);
        let file = StudentFile { info: StudentInfo::new(&arch), parameters, code: None };
        let student = folder.path().join("s.safetensors");
        std::fs::write(&student, file.to_bytes().unwrap()).unwrap();
        Self { _folder: folder, student, parameters: file.parameters }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.student.with_file_name(name)
    }

    fn args<'a>(&'a self, verb: &'a str, from: &'a Path, to: &'a Path) -> Vec<&'a str> {
        let student = word(&self.student);
        vec![verb, "--student", student, "--in", word(from), "--out", word(to), "--device", "cpu"]
    }
}

fn read(path: &Path) -> Matrix {
    read_to_matrix(&mut *files::open(path, &ReadOptions::default()).unwrap(), None).unwrap()
}

fn assert_close(a: &Matrix, b: &Matrix, within: f32) {
    assert_eq!((a.rows(), a.cols()), (b.rows(), b.cols()));
    for (i, (x, y)) in a.data().iter().zip(b.data()).enumerate() {
        assert!((x - y).abs() <= within, "value {i}: {x} and {y}");
    }
}

#[test]
fn there_and_back_is_the_whole_student() {
    let place = Place::new();
    // Two whole batches and a part of one.
    let rows = vectors(2500, 20, 1);
    let student = Student::new(&Device::cpu(), &place.parameters, Precision::F32).unwrap();
    let latents = pollster::block_on(student.encode(&rows)).unwrap();
    let outputs = pollster::block_on(student.reconstruct(&rows)).unwrap();
    let mut inputs = vec!["v.npy", "v.safetensors"];
    if cfg!(feature = "parquet") {
        inputs.push("v.parquet");
    }
    for input in inputs {
        let (from, between, to) = (place.at(input), place.at("z.npy"), place.at("back.npy"));
        write(&from, &rows);
        let json = [&place.args("encode", &from, &between)[..], &["--json"]].concat();
        let summary: serde_json::Value = serde_json::from_str(&succeed(&json)).unwrap();
        assert_eq!((&summary["rows"], &summary["width"]), (&2500.into(), &7.into()), "{input}");
        assert!(summary["seconds"].as_f64().unwrap() > 0.0);
        assert!(summary["vectors_per_second"].as_f64().unwrap() > 0.0);
        assert_close(&read(&between), &latents, 1e-6);
        let out = succeed(&place.args("decode", &between, &to));
        assert!(out.contains("2,500 vectors of 20 values"), "{out}");
        assert_close(&read(&to), &outputs, 1e-5);
    }
    // Half precision, by way of the other format.
    let (from, between, to) = (place.at("v.npy"), place.at("z.safetensors"), place.at("h.npy"));
    for (verb, from, to) in [("encode", &from, &between), ("decode", &between, &to)] {
        succeed(&[&place.args(verb, from, to)[..], &["--dtype", "f16"]].concat());
    }
    assert_close(&read(&to), &outputs, 2e-3);
    let size = |path: &Path| std::fs::metadata(path).unwrap().len();
    assert!(size(&to) < size(&place.at("back.npy")) / 2 + 200);
}

#[test]
fn wrong_widths_name_the_file_and_both() {
    let place = Place::new();
    let (wide, latents, out) = (place.at("w.npy"), place.at("z.npy"), place.at("o.npy"));
    write(&wide, &vectors(5, 21, 1));
    write(&latents, &vectors(5, 7, 1));
    let words = ["w.npy", "21 wide", "vectors of 20", "20→14→7→11→20"];
    refuse(&place.args("encode", &wide, &out), 1, &words);
    refuse(&place.args("encode", &latents, &out), 1, &["z.npy", "7 wide", "of 20"]);
    refuse(&place.args("decode", &wide, &out), 1, &["w.npy", "21 wide", "latents of 7"]);
    assert!(!out.exists());
}

#[test]
fn bad_rows_are_refused_by_number_or_counted() {
    let place = Place::new();
    let mut rows = vectors(1500, 20, 1);
    rows.row_mut(1200)[4] = f32::NAN;
    rows.row_mut(1201)[0] = f32::INFINITY;
    rows.row_mut(3).fill(0.0);
    let (from, to) = (place.at("v.npy"), place.at("z.npy"));
    write(&from, &rows);
    refuse(&place.args("encode", &from, &to), 1, &["v.npy, row 3", "zero", "--skip-bad"]);
    assert_eq!(names(to.parent().unwrap()), ["s.safetensors", "v.npy"], "nothing half done");
    let output = run(&[&place.args("encode", &from, &to)[..], &["--skip-bad"]].concat());
    assert!(output.status.success());
    let errors = text(&output.stderr);
    assert!(errors.contains("3 rows left out: 1 with NaN, 1 infinite, 1 zero"), "{errors}");
    assert_eq!(read(&to).rows(), 1497);
    let json = [&place.args("encode", &from, &to)[..], &["--skip-bad", "--json"]].concat();
    let summary: serde_json::Value = serde_json::from_str(&succeed(&json)).unwrap();
    assert_eq!((&summary["skipped"]["nan"], &summary["rows"]), (&1.into(), &1497.into()));
}

#[test]
fn files_that_are_none() {
    let place = Place::new();
    let (whole, out) = (place.at("v.npy"), place.at("z.npy"));
    write(&whole, &vectors(3000, 20, 1));
    let bytes = std::fs::read(&whole).unwrap();
    std::fs::write(place.at("cut.npy"), &bytes[..bytes.len() - 1]).unwrap();
    std::fs::write(place.at("empty.npy"), b"").unwrap();
    std::fs::write(place.at("noise.safetensors"), [200; 5000]).unwrap();
    files::create(&place.at("none.npy"), 20, &WriteOptions::default()).unwrap().finish().unwrap();
    for (name, words) in [
        ("cut.npy", "cut.npy"),
        ("empty.npy", "empty"),
        ("noise.safetensors", "noise.safetensors"),
        ("none.npy", "no rows"),
        ("missing.npy", "missing.npy"),
    ] {
        refuse(&place.args("encode", &place.at(name), &out), 1, &[words]);
    }
    // A student that is none, or another file altogether.
    let noise = place.at("noise.safetensors");
    for student in [&noise, &whole, &place.at("missing.safetensors")] {
        let mut args = place.args("decode", &whole, &out);
        args[2] = word(student);
        let name = student.file_name().unwrap().to_str().unwrap();
        refuse(&args, 1, &[name]);
    }
    refuse(&place.args("encode", &whole, &place.at("z.txt")), 1, &["z.txt", ".npy"]);
    assert!(!out.exists());
}

#[test]
fn a_full_disk_leaves_no_part_of_a_file() {
    let place = Place::new();
    let from = place.at("v.npy");
    write(&from, &vectors(5000, 20, 1));
    if Path::new("/dev/full").exists() {
        refuse(&place.args("encode", &from, Path::new("/dev/full")), 1, &["/dev/full"]);
    }
    let folder = place.at("disk");
    let Some(_disk) = SmallDisk::mount(&folder, 64) else { return };
    for name in ["z.npy", "z.safetensors"] {
        refuse(&place.args("encode", &from, &folder.join(name)), 1, &["No space left", name]);
        assert!(names(&folder).is_empty(), "{:?}", names(&folder));
    }
}
