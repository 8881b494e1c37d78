//! `lnsp eval` as the library and the command give it.
#![cfg(feature = "cli")]

use std::path::Path;
use std::process::{Command, Output};

use lnsp::Matrix;
use lnsp::arch::{Activation, Arch, Variant};
use lnsp::device::Device;
use lnsp::error::Error;
use lnsp::experiment::{EvalOptions, Evaluation, Kind, Outcome, VectorSet, evaluate};
use lnsp::format::{ReadOptions, files, read_to_matrix};
use lnsp::linalg::Pca;
use lnsp::report::eval_page::eval_report;
use lnsp::student::{Init, Parameters, StudentFile, StudentInfo};
use lnsp::train::{TrainConfig, start};

const TRAINING: &str = "data/vectors_train_20k.safetensors";
const HELD_OUT: &str = "data/vectors_heldout_3k.safetensors";

fn vectors(path: &str, limit: usize) -> Matrix {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let mut reader = files::open(&path, &ReadOptions::default()).unwrap();
    read_to_matrix(&mut *reader, Some(limit)).unwrap()
}

/// The start of a training that sets no rows aside, so that its PCA is that of the baselines.
fn untrained(arch: &Arch, data: &Matrix) -> StudentFile {
    let config = TrainConfig { validation_rows: 0, ..TrainConfig::default() };
    let mut info = StudentInfo::new(arch);
    (info.init, info.seed) = (config.init, config.seed);
    info.training.insert("validation_rows".into(), 0.into());
    StudentFile { parameters: start(arch, &config, data).unwrap(), info, code: None }
}

fn run(student: &StudentFile, fit: &Matrix, on: &Matrix, options: &EvalOptions) -> Evaluation {
    let set = |name, vectors| VectorSet { name, vectors, left_out: 0 };
    let quiet = &mut |_: usize, _: usize, _: &str| Ok(());
    let (fit, on) = (set("fit", fit), set("on", on));
    pollster::block_on(evaluate(&Device::cpu(), student, fit, on, options, quiet)).unwrap()
}

fn few(resamples: usize) -> EvalOptions {
    EvalOptions { resamples, ..EvalOptions::default() }
}

/// Rows on a noisy circle in `width` dimensions.
fn small(rows: usize, width: usize, phase: f32) -> Matrix {
    Matrix::from_fn(rows, width, |r, c| {
        let noise = ((r * 131 + c * 37) as f32 * 0.73 + phase).sin();
        ((r as f32 + phase) * 0.4 + c as f32).cos() + 0.3 * noise
    })
}

#[test]
fn an_untrained_spectral_student_is_pca() {
    let (fit, on) = (vectors(TRAINING, 20_000), vectors(HELD_OUT, 3_000));
    // Of relu, which has no norm coordinate.
    let relu = Arch::new(vec![384, 512, 192, 512, 384], Activation::Relu, Variant::Plain).unwrap();
    let student = untrained(&relu, &fit);
    let found = run(&student, &fit, &on, &few(200));
    let row = |name: &str| found.rows.iter().find(|row| row.name == name).expect(name);
    let (own, pca) = (row("student, f32"), row("PCA-192, uncentred, f32"));
    let close = |a: Option<f64>, b: Option<f64>| (a.unwrap() - b.unwrap()).abs() < 1e-3;
    assert!(close(own.overlap(), pca.overlap()), "{own:?} {pca:?}");
    assert!(close(own.spearman, pca.spearman) && close(own.cosine, pca.cosine));
    assert!(close(own.explained_variance, pca.explained_variance));
    assert_eq!((own.bytes_per_vector, own.asymmetric), (768, false));
    // Figures that are known for these vectors from another implementation.
    let known = [
        ("PCA-192, uncentred, f32", 0.886),
        ("teacher int8", 0.995),
        ("PCA transform coding, 192 bytes", 0.966),
        ("first 192 coordinates, f32", 0.671),
    ];
    for (name, overlap) in known {
        let got = row(name).overlap().unwrap();
        assert!((got - overlap).abs() < 0.003, "{name}: {got}");
    }
    // The start is the student itself, and its int8 latents are a byte a value.
    let start = found.comparisons.start.as_ref().unwrap();
    assert_eq!((start.outcome, start.difference.mean), (Outcome::Even, 0.0));
    let bytes = row("student, int8 latents");
    assert_eq!((bytes.bytes_per_vector, bytes.asymmetric), (192, true));
    assert!((bytes.overlap().unwrap() - own.overlap().unwrap()).abs() < 0.005);
    // At equal bytes it loses, and that is said.
    let equal: Vec<_> =
        found.comparisons.equal_bytes.iter().map(|c| (c.bytes, c.outcome)).collect();
    assert_eq!(equal, [192, 384, 768].map(|bytes| (bytes, Outcome::Worse)));
    let said = found.verdict.join(" ");
    assert!(said.contains("At 192 bytes a vector the best code is PCA transform coding"), "{said}");
    assert!(said.contains("the student loses there"), "{said}");
    let sorted = found.rows.windows(2).all(|w| w[0].bytes_per_vector <= w[1].bytes_per_vector);
    assert!(sorted);
    let interval = own.overlap_at_10.unwrap();
    assert!(interval.low < interval.mean && interval.mean < interval.high);

    let page = eval_report(&found, "lnsp eval").unwrap().to_html();
    assert!(page.contains("At equal bytes the student loses: at 192, 384 and 768 bytes"));
    self_contained(&page);
    let json = serde_json::to_string(&found).unwrap();
    assert!(json.len() < 60_000, "values of single vectors stay out: {}", json.len());
    let back: Evaluation = serde_json::from_str(&json).unwrap();
    assert_eq!((back.rows.len(), &back.verdict), (found.rows.len(), &found.verdict));
    let (a, b) = (back.rows[0].overlap().unwrap(), found.rows[0].overlap().unwrap());
    assert!((a - b).abs() < 1e-12);
}

fn self_contained(page: &str) {
    for load in ["<script", "<link", "src=", "href=", "@import", "url("] {
        assert!(!page.contains(load), "{load}");
    }
    let name = "xmlns=\"http://www.w3.org/2000/svg\"";
    let rest = page.replace(name, "");
    assert!(!rest.contains("http://") && !rest.contains("https://"));
}

#[test]
fn few_vectors_leave_measures_out_and_say_so() {
    let arch: Arch = "20-12-6-12-20".parse().unwrap();
    let fit = small(40, 20, 0.0);
    for rows in [1, 2, 3, 12] {
        let found = run(&untrained(&arch, &fit), &fit, &small(rows, 20, 0.5), &few(20));
        let own = found.rows.iter().find(|row| row.name == "student, f32").unwrap();
        assert_eq!(own.overlap_at_1.is_some(), rows > 1);
        assert_eq!(own.overlap_at_10.is_some(), rows == 12);
        assert!(own.overlap_at_100.is_none() && own.cosine.is_some());
        assert!(
            found.notes.iter().any(|n| n.contains("overlap@100 left out")),
            "{:?}",
            found.notes
        );
        assert_eq!(found.verdict[0].contains("too few"), rows < 12, "{:?}", found.verdict);
        self_contained(&eval_report(&found, "").unwrap().to_html());
    }
}

#[test]
fn a_random_student_loses_to_pca_and_training_against_its_start_is_seen() {
    let arch: Arch = "20-12-6-12-20".parse().unwrap();
    let (fit, on) = (small(300, 20, 0.0), small(200, 20, 0.5));
    let mut student = untrained(&arch, &fit);
    // A "training" that spoilt everything.
    student.parameters = Parameters::random(&arch, 3);
    let found = run(&student, &fit, &on, &few(200));
    assert_eq!(found.comparisons.pca.as_ref().unwrap().outcome, Outcome::Worse);
    assert_eq!(found.comparisons.start.as_ref().unwrap().outcome, Outcome::Worse);
    assert!(found.verdict[0].contains("loses to PCA") && found.verdict[1].contains("lost"));
    student.info.init = Init::Random;
    let without = run(&student, &fit, &on, &few(20));
    assert!(without.rows.iter().all(|row| row.kind != Kind::Start));
    let with = run(&student, &fit, &on, &EvalOptions { start: true, ..few(20) });
    assert!(with.rows.iter().any(|row| row.kind == Kind::Start));
}

#[test]
fn vectors_seen_in_training_are_counted() {
    let arch: Arch = "20-12-6-12-20".parse().unwrap();
    let fit = small(60, 20, 0.0);
    let mut on = small(20, 20, 0.5);
    on.row_mut(3).copy_from_slice(fit.row(7));
    let found = run(&untrained(&arch, &fit), &fit, &on, &few(20));
    assert!(found.notes.iter().any(|n| n.starts_with("1 of 20 held-out")), "{:?}", found.notes);
}

#[test]
fn hostile_names_and_histories_stay_text() {
    let arch: Arch = "20-12-6-12-20".parse().unwrap();
    let fit = small(60, 20, 0.0);
    let mut student = untrained(&arch, &fit);
    let evil = "<script>alert(1)</script>\"&'";
    student.info.training_set = evil.into();
    student.info.teacher = evil.into();
    student.info.training.insert("history".into(), serde_json::json!([{ "epoch": evil }]));
    let mut found = run(&student, &fit, &small(30, 20, 0.5), &few(20));
    found.held_out.name = evil.into();
    found.device = evil.into();
    let page = eval_report(&found, evil).unwrap().to_html();
    assert!(page.contains("&lt;script&gt;"));
    assert!(!page.contains("Loss by epoch"), "a history that cannot be read is left out");
    self_contained(&page);
    let record = |epoch: u32| {
        serde_json::json!({
            "epoch": epoch, "learning_rate": 0.001, "validation_overlap": 0.5 + 0.01 * f64::from(epoch),
            "losses": { "alignment": 0.1, "geometry": 0.1, "diversity": 0.0, "mse": 0.0,
                        "head": 0.0, "total": 0.2, "gradient_norm": 1.0 }
        })
    };
    let history: Vec<_> = (0..4).map(record).collect();
    student.info.training.insert("history".into(), history.into());
    let found = run(&student, &fit, &small(30, 20, 0.5), &few(20));
    let page = eval_report(&found, "").unwrap().to_html();
    assert!(page.contains("Loss by epoch") && page.contains("Validation by epoch"));
}

#[test]
fn what_does_not_fit_is_refused_and_work_can_be_ended() {
    let arch: Arch = "20-12-6-12-20".parse().unwrap();
    let fit = small(60, 20, 0.0);
    let student = untrained(&arch, &fit);
    let wrong = small(5, 19, 0.0);
    let empty = Matrix::zeros(0, 20);
    let set = |vectors| VectorSet { name: "a set", vectors, left_out: 0 };
    let go = |student: &StudentFile, on, options: &EvalOptions, cancel: bool| {
        let progress = &mut |_: usize, _: usize, _: &str| match cancel {
            true => Err(Error::Cancelled),
            false => Ok(()),
        };
        let device = Device::cpu();
        pollster::block_on(evaluate(&device, student, set(&fit), set(on), options, progress))
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    assert!(go(&student, &wrong, &few(5), false).contains("19 wide, the student"));
    assert!(go(&student, &empty, &few(5), false).contains("no vectors"));
    assert!(go(&student, &fit, &few(0), false).contains("--resamples"));
    assert_eq!(go(&student, &fit, &few(5), true), "cancelled");
    let odd: Arch = "20-12-6-12-19".parse().unwrap();
    let odd = StudentFile {
        info: StudentInfo::new(&odd),
        parameters: Parameters::random(&odd, 0),
        code: None,
    };
    assert!(go(&odd, &fit, &few(5), false).contains("cannot be compared"));
    let mut huge = student.clone();
    for value in huge.parameters.get_mut("compression.weight").unwrap().data_mut() {
        *value = 3e38;
    }
    assert!(go(&huge, &fit, &few(5), false).contains("not finite"));
}

fn lnsp(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lnsp"))
        .args(args)
        .current_dir(folder)
        .env("LC_ALL", "C.UTF-8")
        .env("COLUMNS", "80")
        .output()
        .unwrap()
}

fn write_vectors(path: &Path, vectors: &Matrix) {
    let mut writer = files::create(path, vectors.cols(), &Default::default()).unwrap();
    writer.write(vectors).unwrap();
    writer.finish().unwrap();
}

#[test]
fn an_untrained_spectral_student_of_gelu_is_better_than_pca() {
    let (fit, on) = (vectors(TRAINING, 20_000), vectors(HELD_OUT, 3_000));
    let found = run(&untrained(&Arch::family_b(384).unwrap(), &fit), &fit, &on, &few(200));
    let own = found.rows.iter().find(|row| row.name == "student, f32").unwrap();
    assert!(own.to_pca.unwrap().low > 0.001, "{own:?}");
    assert!(own.spearman.unwrap() > 0.985, "{own:?}");
}

#[test]
fn the_command_prints_writes_and_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let arch: Arch = "20-12-6-12-20".parse().unwrap();
    let fit = small(60, 20, 0.0);
    let pca = Pca::fit(&fit, false).unwrap().truncated(6).unwrap();
    let mut student = untrained(&arch, &fit);
    student.parameters = Parameters::spectral(&arch, &pca, 1).unwrap();
    std::fs::write(at.join("student.safetensors"), student.to_bytes().unwrap()).unwrap();
    write_vectors(&at.join("fit.npy"), &fit);
    let mut on = small(12, 20, 0.5);
    write_vectors(&at.join("on.npy"), &on);
    on.row_mut(4).fill(0.0);
    write_vectors(&at.join("bad.npy"), &on);
    write_vectors(&at.join("wide.npy"), &small(12, 21, 0.5));
    let args = ["eval", "--training", "fit.npy", "--resamples", "50", "--vectors"];
    let with = |more: &[&str]| lnsp(at, &[&args[..], more].concat());

    let output = with(&["on.npy", "--report", "it's <b>.html"]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    assert!(shown.contains("student, int8 latents *") && shown.contains("overlap@100 left out"));
    let page = std::fs::read_to_string(at.join("it's <b>.html")).unwrap();
    self_contained(&page);
    assert!(page.contains(r"'it'\''s &lt;b&gt;.html'"), "the command is quoted");

    let output = with(&["on.npy", "--json", "--quiet", "--limit", "11"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.stderr.is_empty());
    assert_eq!(json["held_out"]["rows"], 11);
    assert!(json["rows"].as_array().unwrap().len() > 20);
    let again = with(&["on.npy", "--json", "--limit", "11"]);
    assert_eq!(output.stdout, again.stdout, "the same twice");

    let output = with(&["bad.npy", "--skip-bad", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["held_out"]["rows"], &json["held_out"]["left_out"]), (&11.into(), &1.into()));
    std::fs::write(at.join("garbage"), [7; 99]).unwrap();
    let refused: [(&[&str], &str); 6] = [
        (&["bad.npy"], "row 4"),
        (&["wide.npy"], "21 wide, the student 20"),
        (&["none.npy"], "none.npy"),
        (&["on.npy", "--student", "none"], "lnsp train"),
        (&["on.npy", "--student", "garbage"], "not a safetensors file"),
        (&["on.npy", "--report", "no/folder/x.html"], "x.html"),
    ];
    for (more, words) in refused {
        let output = with(more);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{more:?}: {message}");
        let last = message.lines().last().unwrap();
        assert!(last.starts_with("error: ") && last.contains(words), "{more:?}: {message}");
        assert!(output.stdout.is_empty());
    }
}
