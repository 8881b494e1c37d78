//! Codes on the command line: training for them, encoding, decoding and searching.
#![cfg(feature = "cli")]

mod command;

use std::path::{Path, PathBuf};

use command::{refuse, succeed, vectors, word, write};
use lnsp::Matrix;
use lnsp::format::{ReadOptions, files, read_to_matrix};
use lnsp::metrics::Neighbours;
use lnsp::student::StudentFile;

struct Place(tempfile::TempDir);

impl Place {
    /// A folder with 400 vectors of 24 values and a student for them whose code has `bits` bits a
    /// latent.
    fn with_student(bits: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        write(&place.at("v.npy"), &vectors(400, 24, 1));
        let (student, input) = (place.at("s.safetensors"), place.at("v.npy"));
        succeed(&[
            "train",
            "--vectors",
            word(&input),
            "--arch",
            "24-32-16-32-24",
            "--latent-bits",
            bits,
            "--epochs",
            "2",
            "--batch",
            "64",
            "--out",
            word(&student),
            "--device",
            "cpu",
        ]);
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `lnsp VERB --student s.safetensors --in FROM --out TO MORE…`.
    fn convert(&self, verb: &str, from: &str, to: &str, more: &[&str]) {
        let (student, from, to) = (self.at("s.safetensors"), self.at(from), self.at(to));
        let mut args = vec![verb, "--student", word(&student), "--in", word(&from)];
        args.extend(["--out", word(&to), "--device", "cpu"]);
        args.extend(more);
        succeed(&args);
    }
}

fn rows(path: &Path) -> Matrix {
    read_to_matrix(&mut *files::open(path, &ReadOptions::default()).unwrap(), None).unwrap()
}

#[test]
fn codes_there_back_and_searched() {
    let place = Place::with_student("4");
    for codes in ["c.npy", "c.safetensors"] {
        place.convert("encode", "v.npy", codes, &["--bits", "4"]);
        place.convert("decode", codes, "back.npy", &[]);
    }
    place.convert("encode", "v.npy", "latents.npy", &[]);
    let student = std::fs::read(place.at("s.safetensors")).unwrap();
    let student = StudentFile::from_bytes("s", &student).unwrap();
    let code = student.code.expect("a student of --latent-bits has a code");
    assert_eq!(code.bytes(), 8);
    // What decodes is near what went in: the latents of the code's own rows.
    let (given, back) = (rows(&place.at("v.npy")), rows(&place.at("back.npy")));
    let cosine = |a: &[f32], b: &[f32]| {
        let dot = |a: &[f32], b: &[f32]| -> f32 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    };
    let mean = given.iter_rows().zip(back.iter_rows()).map(|(a, b)| cosine(a, b)).sum::<f32>();
    assert!(mean / 400.0 > 0.6, "{}", mean / 400.0);
    // The search finds what comparing with the unpacked rows finds.
    let (s, codes, queries) =
        (place.at("s.safetensors"), place.at("c.safetensors"), place.at("v.npy"));
    let found = succeed(&[
        "search",
        "--student",
        word(&s),
        "--codes",
        word(&codes),
        "--queries",
        word(&queries),
        "--limit",
        "7",
        "-k",
        "3",
        "--json",
        "--device",
        "cpu",
    ]);
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found["documents"], 400);
    let latents = rows(&place.at("latents.npy"));
    let documents = code.unpack(&code.pack(&latents).unwrap()).unwrap();
    let want = Neighbours::between(&latents.slice_rows(0, 7), &documents, 3).unwrap();
    for query in 0..7 {
        let list: Vec<u64> = found["neighbours"][query]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_u64().unwrap())
            .collect();
        let want: Vec<u64> = want.row(query).iter().map(|i| u64::from(*i)).collect();
        assert_eq!(list, want, "query {query}");
    }
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let (place, other) = (Place::with_student("2"), Place::with_student("1"));
    place.convert("encode", "v.npy", "c.safetensors", &["--bits", "2"]);
    let [s, v, c, out] = ["s.safetensors", "v.npy", "c.safetensors", "o.npy"].map(|n| place.at(n));
    let encode = ["encode", "--student", word(&s), "--in", word(&v), "--out", word(&out)];
    refuse(&[&encode[..], &["--bits", "4"]].concat(), 1, &["that is --bits 2"]);
    let stranger = other.at("s.safetensors");
    let decode = ["decode", "--student", word(&stranger), "--in", word(&c), "--out", word(&out)];
    refuse(&decode, 1, &["another student"]);
    let search = ["search", "--student", word(&s), "--codes", word(&v), "--queries", word(&v)];
    refuse(&search, 1, &["lnsp encode --bits"]);
    let train = ["train", "--vectors", word(&v), "--out", word(&out)];
    let odd = ["--arch", "24-32-13-32-24", "--latent-bits", "3"];
    refuse(&[&train[..], &odd].concat(), 1, &["no whole bytes"]);
    let many = ["--arch", "24-32-16-32-24", "--latent-bits", "9"];
    refuse(&[&train[..], &many].concat(), 1, &["--latent-bits"]);
    assert!(!out.exists());
}
