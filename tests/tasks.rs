//! Tasks with human judgement, on vectors made here.
#![cfg(feature = "cli")]

use lnsp::Matrix;
use lnsp::arch::Arch;
use lnsp::device::Device;
use lnsp::error::Error;
use lnsp::experiment::tasks::{
    Beir, Task, TaskEvaluation, TaskKind, TaskReport, TaskRow, TaskSet, evaluate_tasks,
};
use lnsp::experiment::{EvalOptions, Kind, VectorSet};
use lnsp::metrics::spearman;
use lnsp::report::table::Terminal;
use lnsp::report::task_page::{task_report, task_sections};
use lnsp::report::task_tables::task_tables;
use lnsp::student::{StudentFile, StudentInfo};
use lnsp::train::{TrainConfig, start};

const WIDTH: usize = 20;

/// Rows on a noisy circle.
fn circle(rows: usize, phase: f32) -> Matrix {
    Matrix::from_fn(rows, WIDTH, |r, c| {
        let noise = ((r * 131 + c * 37) as f32 * 0.73 + phase).sin();
        ((r as f32 + phase) * 0.4 + c as f32).cos() + 0.3 * noise
    })
}

fn student(fit: &Matrix) -> StudentFile {
    let arch: Arch = "20-14-6-14-20".parse().unwrap();
    let config = TrainConfig { validation_rows: 0, ..TrainConfig::default() };
    let mut info = StudentInfo::new(&arch);
    (info.init, info.seed) = (config.init, config.seed);
    info.training.insert("validation_rows".into(), 0.into());
    StudentFile { parameters: start(&arch, &config, fit).unwrap(), info, code: None }
}

fn options(resamples: usize) -> EvalOptions {
    EvalOptions { resamples, ..EvalOptions::default() }
}

fn run(fit: &Matrix, tasks: &[TaskSet], resamples: usize) -> lnsp::Result<TaskReport> {
    let training = VectorSet { name: "fit", vectors: fit, left_out: 0 };
    let quiet = &mut |_: usize, _: usize, _: &str| Ok(());
    let (device, student, options) = (Device::cpu(), student(fit), options(resamples));
    pollster::block_on(evaluate_tasks(&device, &student, training, tasks, &options, quiet))
}

fn row<'a>(task: &'a TaskEvaluation, name: &str) -> &'a TaskRow {
    task.rows.iter().find(|row| row.name == name).expect(name)
}

/// Pairs of all kinds of texts, scored by a noisy cosine of the vectors that they will have.
fn pairs(count: usize, vectors: &Matrix) -> Task {
    let mut text = String::from("# made up\n");
    for i in 0..count {
        let (a, b) = (i % vectors.rows(), (i * 7 + 1) % vectors.rows());
        let dot: f32 = vectors.row(a).iter().zip(vectors.row(b)).map(|(x, y)| x * y).sum();
        text += &format!("text {a}\ttext {b}\t{}\n", dot + (i as f32 * 1.7).sin());
    }
    Task::sts("pairs.tsv", &mut text.as_bytes()).unwrap()
}

/// The row of each text in the order that a task wants them.
fn ordered(task: &Task, vectors: &Matrix) -> Matrix {
    let rows: Vec<usize> =
        task.texts().iter().map(|text| text.split(' ').nth(1).unwrap().parse().unwrap()).collect();
    vectors.gather_rows(&rows)
}

fn set(task: Task, vectors: Matrix) -> TaskSet {
    TaskSet { task, vectors, cut: 0 }
}

#[test]
fn pairs_are_ranked_by_every_code() {
    let (fit, vectors) = (circle(200, 0.0), circle(60, 0.5));
    let task = pairs(120, &vectors);
    assert_eq!((task.kind(), task.items(), task.texts().len()), (TaskKind::Sts, 120, 60));
    // The teacher's own correlation, from the definition.
    let mut cosines = Vec::new();
    let mut scores = Vec::new();
    for i in 0..120 {
        let (a, b) = (vectors.row(i % 60), vectors.row((i * 7 + 1) % 60));
        let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(p, q)| p * q).sum::<f32>();
        cosines.push(dot(a, b) / (dot(a, a) * dot(b, b)).sqrt());
        scores.push(dot(a, b) + (i as f32 * 1.7).sin());
    }
    let wanted = spearman(&scores, &cosines).unwrap().unwrap();
    let found = run(&fit, &[set(task.clone(), ordered(&task, &vectors))], 300).unwrap();
    let task = &found.tasks[0];
    let teacher = row(task, "teacher f32").main().unwrap();
    assert!((teacher.mean - wanted).abs() < 1e-3, "{teacher:?} {wanted}");
    assert!(teacher.low < teacher.mean && teacher.mean < teacher.high && wanted > 0.8);
    // An untrained spectral student is PCA, whose output has PCA's cosines, too.
    let (own, pca) = (row(task, "student, f32"), row(task, "PCA-6, uncentred, f32"));
    assert!((own.main().unwrap().mean - pca.main().unwrap().mean).abs() < 0.02);
    assert_eq!(own.measures[0].measure, "Spearman");
    let gap = own.measures[0].to_teacher.unwrap();
    assert!((gap.mean - (own.main().unwrap().mean - teacher.mean)).abs() < 1e-12);
    assert!(gap.low <= gap.mean && gap.mean <= gap.high);
    assert!(row(task, "teacher f32").measures[0].to_teacher.is_none());
    assert!(pca.measures[0].to_pca.is_none() && pca.measures[0].to_teacher.is_some());
    // Every baseline, the student's eight codes, and its start.
    let kinds = |kind| task.rows.iter().filter(|row| row.kind == kind).count();
    assert_eq!((kinds(Kind::Student), kinds(Kind::Start)), (8, 1));
    assert!(kinds(Kind::Baseline) >= 14);
    assert!(task.rows.is_sorted_by_key(|row| row.bytes_per_vector));
    assert_eq!(task.verdict.len(), 4);
    assert!(task.verdict[0].starts_with("By Spearman the student's latents "), "{task:?}");
    // The same twice, and another seed is another interval only.
    let again =
        run(&fit, &[set(pairs(120, &vectors), ordered(&pairs(120, &vectors), &vectors))], 300);
    assert_eq!(again.unwrap(), found);
}

#[test]
fn analogies_are_counted_by_section() {
    // Words are sums of two directions, so that b − a + c is d.
    let (first, second) = (circle(5, 0.2), circle(4, 3.0));
    let word = |i: usize, j: usize| format!("w {}", i * 4 + j).replace(' ', "");
    let mut text = String::new();
    for (section, pairs) in [("one", [(0, 1), (2, 3)]), ("two", [(1, 3), (0, 2)])] {
        text += &format!(": {section}\n");
        for (j, k) in pairs {
            for i in 0..4 {
                let words = [word(i, j), word(i, k), word(i + 1, j), word(i + 1, k)];
                text += &(words.join(" ") + "\n");
            }
        }
    }
    let task = Task::analogies("questions.txt", &mut text.as_bytes()).unwrap();
    let at = |word: &String| word[1..].parse::<usize>().unwrap();
    let rows: Vec<f32> = task
        .texts()
        .iter()
        .flat_map(|word| {
            let (i, j) = (at(word) / 4, at(word) % 4);
            first.row(i).iter().zip(second.row(j)).map(|(a, b)| a + b).collect::<Vec<_>>()
        })
        .collect();
    let vectors = Matrix::new(task.texts().len(), WIDTH, rows).unwrap();
    let found = run(&circle(200, 0.0), &[set(task, vectors)], 50).unwrap();
    let task = &found.tasks[0];
    assert_eq!((task.items, task.texts, task.sections.len()), (16, 20, 2));
    assert_eq!(task.sections[1].questions, 8);
    for row in &task.rows {
        let mean = row.by_section.iter().sum::<f64>() / 2.0;
        assert!((mean - row.main().unwrap().mean).abs() < 1e-6, "{row:?}");
    }
    let teacher = row(task, "teacher f32").main().unwrap().mean;
    assert!(teacher > 0.5, "{teacher}");
    assert!(task.notes.iter().any(|note| note.contains("share words")));
}

fn retrieval(documents: usize) -> Task {
    let line = |id: String, text: String| format!("{{\"_id\": \"{id}\", \"text\": \"{text}\"}}\n");
    let corpus: String = (0..documents).map(|i| line(format!("d{i}"), format!("t {i}"))).collect();
    let queries: String = (0..10).map(|i| line(format!("q{i}"), format!("t {}", 40 + i))).collect();
    let mut judged = "query-id\tcorpus-id\tscore\n".to_string();
    for i in 0..10 {
        judged +=
            &format!("q{i}\td{}\t2\nq{i}\td{}\t1\n", (i * 3) % documents, (i * 5 + 1) % documents);
    }
    Task::retrieval(
        "a set",
        Beir {
            corpus: ("corpus.jsonl", &mut corpus.as_bytes()),
            queries: ("queries.jsonl", &mut queries.as_bytes()),
            judgements: ("test.tsv", &mut judged.as_bytes()),
        },
    )
    .unwrap()
}

#[test]
fn several_tasks_make_tables_a_page_and_json() {
    let (fit, vectors) = (circle(200, 0.0), circle(60, 0.5));
    let (sts, beir) = (pairs(40, &vectors), retrieval(30));
    let words = "a b c d\n: other\nb a d c\n";
    let analogy = Task::analogies("<q>&.txt", &mut words.as_bytes()).unwrap();
    let sets = [
        set(sts.clone(), ordered(&sts, &vectors)),
        TaskSet { cut: 3, ..set(beir.clone(), ordered(&beir, &vectors)) },
        set(analogy, vectors.slice_rows(0, 4)),
    ];
    let found = run(&fit, &sets, 40).unwrap();
    assert_eq!(found.tasks.len(), 3);
    let task = &found.tasks[1];
    assert_eq!(task.rows[0].measures.len(), 2);
    assert_eq!(task.rows[0].measures[1].measure, "recall@100");
    assert!(task.rows.iter().all(|row| row.measures[1].value.unwrap().mean == 1.0));
    let notes = task.notes.join(" ");
    assert!(
        notes.contains("3 of 40 texts are longer") && notes.contains("recall@100 of 30"),
        "{notes}"
    );
    for task in &found.tasks {
        for table in task_tables(task, 40) {
            let shown = table.to_terminal(Terminal { width: 80, color: false, unicode: true });
            assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
            assert!(!shown.contains("n/a"), "{shown}");
        }
    }
    let page = task_report(&found, "lnsp eval").unwrap().to_html();
    for words in ["Similarity of pairs: pairs.tsv", "Retrieval: a set", "&lt;q&gt;&amp;.txt"] {
        assert!(page.contains(words), "{words}");
    }
    for load in ["<script", "<link", "src=", "href=", "@import", "url("] {
        assert!(!page.contains(load), "{load}");
    }
    assert_eq!(task_sections(&found.tasks, 40).unwrap().len(), 3);
    let json = serde_json::to_string(&found).unwrap();
    let back: TaskReport = serde_json::from_str(&json).unwrap();
    assert_eq!(back, found);
}

#[test]
fn what_does_not_fit_is_refused_and_work_can_be_ended() {
    let (fit, vectors) = (circle(60, 0.0), circle(60, 0.5));
    let sts = pairs(40, &vectors);
    let rows = ordered(&sts, &vectors);
    let refused = |vectors: Matrix, resamples| {
        run(&fit, &[set(sts.clone(), vectors)], resamples).unwrap_err().to_string()
    };
    assert!(refused(rows.slice_rows(1, rows.rows()), 5).contains("texts, and"));
    assert!(refused(Matrix::zeros(rows.rows(), 19), 5).contains("19 wide, the student"));
    let mut broken = rows.clone();
    broken.row_mut(3)[2] = f32::NAN;
    assert!(refused(broken, 5).contains("text 3 is not finite"));
    assert!(refused(rows.clone(), 0).contains("--resamples"));
    // A code for which all texts are one has no order.
    let found =
        run(&fit, &[set(sts.clone(), Matrix::from_fn(rows.rows(), 20, |_, c| c as f32))], 5);
    let found = found.unwrap();
    assert!(found.tasks[0].rows.iter().all(|row| row.main().is_none()));
    assert!(found.tasks[0].verdict[0].contains("nothing can be said"));
    task_report(&found, "").unwrap().to_html();
    let training = VectorSet { name: "fit", vectors: &fit, left_out: 0 };
    let cancel = &mut |_: usize, total: usize, _: &str| match total {
        0 => Ok(()),
        _ => Err(Error::Cancelled),
    };
    let (device, student, options) = (Device::cpu(), student(&fit), options(5));
    let sets = [set(sts, rows)];
    let ended =
        pollster::block_on(evaluate_tasks(&device, &student, training, &sets, &options, cancel));
    assert!(matches!(ended, Err(Error::Cancelled)));
}
