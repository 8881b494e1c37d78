//! The functions as SQL calls them, in a session of this process.

mod made;

use std::path::Path;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{Float32Type, Int64Type};
use futures::TryStreamExt;
use lnsp::Precision;
use lnsp::device::Device;
use lnsp::student::{Student, StudentFile};
use lnsp_cluster::session::{Options, Session};
use lnsp_cluster::students::StudentRef;

struct Place {
    folder: tempfile::TempDir,
    session: Session,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s256.safetensors");
        made::student(&path, 256);
        made::vectors(&folder.path().join("in"), 500);
        let students = vec![StudentRef::declared(&format!("s256={}", path.display())).unwrap()];
        let session = Session::open(Options { students, ..Options::default() }).unwrap();
        Self { folder, session }
    }

    fn at(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn query(&self, sql: &str) -> datafusion::error::Result<Vec<RecordBatch>> {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let frame = self.session.context().sql(sql).await?;
            let plan = self.session.plan(&frame.into_optimized_plan()?).await?;
            self.session.execute(plan).await?.try_collect().await
        })
    }

    /// A query that gives one value.
    fn value(&self, sql: &str) -> RecordBatch {
        let batches = self.query(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
        let mut batches = batches.into_iter().filter(|b| b.num_rows() > 0);
        batches.next().expect("a row")
    }

    fn refuse(&self, sql: &str, words: &[&str]) {
        let message = match self.query(sql) {
            Ok(_) => panic!("{sql} is not refused"),
            Err(e) => e.find_root().message().into_owned(),
        };
        for word in words {
            assert!(message.contains(word), "{sql}: {message}");
        }
    }
}

fn student(path: &Path) -> Student {
    let bytes = std::fs::read(path).unwrap();
    let file = StudentFile::from_bytes("s", &bytes).unwrap();
    Student::new(&Device::cpu(), &file.parameters, Precision::F32).unwrap()
}

#[test]
fn encoding_is_the_students_own_and_decoding_its_way_back() {
    let place = Place::new();
    let from = place.at("in/*.parquet");
    let all = place
        .query(&format!(
            "SELECT embedding, lnsp_encode(embedding, 's256') AS z FROM '{from}' ORDER BY id"
        ))
        .unwrap();
    let floats = |column: &dyn Array| column.as_primitive::<Float32Type>().values().to_vec();
    let (mut inputs, mut latents) = (Vec::new(), Vec::new());
    for batch in &all {
        inputs.extend(floats(batch.column(0).as_fixed_size_list().values()));
        latents.extend(floats(batch.column(1).as_list::<i32>().values()));
    }
    let student = student(Path::new(&place.at("s256.safetensors")));
    let x = lnsp::Matrix::new(500, 384, inputs).unwrap();
    let want = pollster::block_on(student.encode_rows(&x)).unwrap();
    assert!(want.data() == latents, "the same bits");
    let found = place.value(&format!(
        "SELECT min(cosine(lnsp_decode(lnsp_encode(embedding, 's256'), 's256'), \
                lnsp_decode(lnsp_encode(embedding, 's256', 'f16'), 's256'))), count(*) FROM '{from}'"
    ));
    let least = found.column(0).as_primitive::<Float32Type>().value(0);
    assert!(least > 0.999, "{least}");
    assert_eq!(found.column(1).as_primitive::<Int64Type>().value(0), 500);
}

#[test]
fn null_gives_null() {
    let place = Place::new();
    let from = place.at("in/*.parquet");
    let found = place.value(&format!(
        "WITH t AS (SELECT CASE WHEN id % 3 = 0 THEN NULL ELSE embedding END AS v FROM '{from}'), \
         u AS (SELECT v, lnsp_encode(v, 's256') AS z, lnsp_encode(v, 's256', 'f16') AS c FROM t) \
         SELECT count(z), count(c), count(lnsp_decode(c, 's256')), count(cosine(v, v)), \
                count(lnsp_score(v, c, 's256')), count(*) FROM u"
    ));
    let counts: Vec<i64> =
        found.columns().iter().map(|c| c.as_primitive::<Int64Type>().value(0)).collect();
    assert_eq!(counts, [333, 333, 333, 333, 333, 500]);
    let nulls = place.value("SELECT lnsp_encode(NULL, 's256') IS NULL, lnsp_embed(NULL) IS NULL");
    assert!(nulls.column(0).as_boolean().value(0) && nulls.column(1).as_boolean().value(0));
}

#[test]
fn a_query_is_scored_against_codes() {
    let place = Place::new();
    let from = place.at("in/*.parquet");
    let found = place.query(&format!(
        "WITH q AS (SELECT embedding AS v FROM '{from}' WHERE id = 77) \
         SELECT t.id, lnsp_score(q.v, lnsp_encode(t.embedding, 's256', 'f16'), 's256') AS s \
         FROM '{from}' t CROSS JOIN q ORDER BY s DESC LIMIT 1"
    ));
    let found = found.unwrap();
    assert_eq!(found[0].column(0).as_primitive::<Int64Type>().value(0), 77);
    assert!(found[0].column(1).as_primitive::<Float32Type>().value(0) > 0.9999);
    let one = place.value("SELECT cosine([1.0, 0.0], [1.0, 1.0])");
    let cosine = one.column(0).as_primitive::<Float32Type>().value(0);
    assert!((cosine - 0.5f32.sqrt()).abs() < 1e-6, "{cosine}");
}

#[test]
fn what_cannot_be_is_refused_in_words() {
    let place = Place::new();
    let from = place.at("in/*.parquet");
    let select = |what: &str| format!("SELECT {what} FROM '{from}'");
    place.refuse(
        &select("lnsp_encode(embedding, 's257')"),
        &["s257", "named are s256", "--student"],
    );
    place.refuse(&select("lnsp_encode(id, 's256')"), &["lnsp_encode", "Int64", "list of f16, f32"]);
    place.refuse(&select("lnsp_encode(embedding, id)"), &["named by a text"]);
    place.refuse(&select("lnsp_encode(embedding, 's256', 'f8')"), &["\"f8\"", "'f16'"]);
    place.refuse("SELECT lnsp_encode([1.0, 2.0], 's256')", &["row 0", "2 values, 384 are wanted"]);
    place.refuse(
        &select(
            "lnsp_encode(array_append(array_pop_back(embedding), CAST('NaN' AS FLOAT)), 's256')",
        ),
        &["holds NaN at position 383", "WHERE"],
    );
    place.refuse(&select("lnsp_decode(embedding, 's256')"), &["384 values, 192 are wanted"]);
    place.refuse(
        &select("lnsp_score(embedding, lnsp_encode(embedding, 's256'))"),
        &["384 and of 192", "third argument"],
    );
    place.refuse(&select("lnsp_embed(id)"), &["takes a text", "Int64"]);
}

/// With the real teacher, where its weights are at hand.
#[test]
fn texts_are_embedded_as_by_the_command() {
    let Some(teacher) = std::env::var_os("LNSP_TEACHER_DIR") else {
        eprintln!("skipped: LNSP_TEACHER_DIR names no folder with the teacher");
        return;
    };
    lnsp_cluster::functions::embed::use_teacher(teacher.into());
    let place = Place::new();
    let found = place.value(
        "SELECT cosine(lnsp_embed(a), lnsp_embed(b)), cosine(lnsp_embed(a), lnsp_embed(c)) FROM \
         (VALUES ('A cat sat on the mat.', 'A kitten lay on a rug.', 'Shares fell.')) AS t(a, b, c)",
    );
    let value = |i: usize| found.column(i).as_primitive::<Float32Type>().value(0);
    assert!(value(0) > 0.5 && value(1) < 0.2, "{} {}", value(0), value(1));
}
