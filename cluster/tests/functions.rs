//! The functions as SQL calls them, in a session of this process.

mod made;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{Float32Type, Int64Type};
use futures::TryStreamExt;
use lnsp::Precision;
use lnsp::codes::CodeSearch;
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
        let few = folder.path().join("few.safetensors");
        made::coded_student(&few, 256);
        let named = [format!("s256={}", path.display()), format!("few={}", few.display())];
        let students = named.map(|text| StudentRef::declared(&text).unwrap()).into();
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

fn file(path: &str) -> StudentFile {
    StudentFile::from_bytes(path, &std::fs::read(path).unwrap()).unwrap()
}

fn student(file: &StudentFile) -> Student {
    Student::new(&Device::cpu(), &file.parameters, Precision::F32).unwrap()
}

fn floats(column: &dyn Array) -> Vec<f32> {
    column.as_primitive::<Float32Type>().values().to_vec()
}

/// Column `i` of all batches, each value by `f`.
fn all<T>(batches: &[RecordBatch], i: usize, f: impl Fn(&dyn Array) -> Vec<T>) -> Vec<T> {
    batches.iter().flat_map(|batch| f(batch.column(i))).collect()
}

#[test]
fn encoding_is_the_students_own_and_decoding_its_way_back() {
    let place = Place::new();
    let from = place.at("in/*.parquet");
    let found = place
        .query(&format!(
            "SELECT embedding, lnsp_encode(embedding, 's256') AS z FROM '{from}' ORDER BY id"
        ))
        .unwrap();
    let inputs = all(&found, 0, |column| floats(column.as_fixed_size_list().values()));
    let latents = all(&found, 1, |column| floats(column.as_list::<i32>().values()));
    let student = student(&file(&place.at("s256.safetensors")));
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
fn codes_of_few_bits_are_the_librarys_own() {
    let place = Place::new();
    let from = place.at("in/*.parquet");
    let few = file(&place.at("few.safetensors"));
    let (student, code) = (student(&few), few.code.unwrap());
    let search = CodeSearch::new(&Device::cpu(), &code).unwrap();
    let coded = format!(
        "(SELECT id, embedding AS v, lnsp_encode(embedding, 'few', 'bits') AS c FROM '{from}')"
    );
    // The scores of each row with its own code, with that of another row, and of one query with all.
    let sql = format!(
        "SELECT a.v, a.c, lnsp_decode(a.c, 'few'), lnsp_score(a.v, a.c, 'few'), \
                lnsp_score(b.v, a.c, 'few'), lnsp_score(q.v, a.c, 'few') \
         FROM {coded} a JOIN {coded} b ON a.id = (b.id + 1) % 500 CROSS JOIN (SELECT v FROM {coded} \
         WHERE id = 77) q ORDER BY a.id"
    );
    let mut before = None;
    // However the rows are cut into batches.
    for rows in [1024, 7, 1] {
        place.query(&format!("SET datafusion.execution.batch_size = {rows}")).unwrap();
        let found = place.query(&sql).unwrap();
        let inputs = all(&found, 0, |c| floats(c.as_fixed_size_list().values()));
        let x = lnsp::Matrix::new(500, 384, inputs).unwrap();
        let latents = pollster::block_on(student.encode_rows(&x)).unwrap();
        let codes = all(&found, 1, |c| c.as_binary::<i32>().value_data().to_vec());
        assert!(code.pack(&latents).unwrap() == codes, "the same bytes");
        let decoded = pollster::block_on(student.decode_rows(&code.unpack(&codes).unwrap()));
        let lists = all(&found, 2, |c| floats(c.as_list::<i32>().values()));
        assert!(decoded.unwrap().data() == lists, "the same vectors");
        // What `lnsp search` ranks by: documents × queries.
        let queries = search.queries(&latents).unwrap();
        let scores = pollster::block_on(search.scores(&queries, &codes)).unwrap();
        let want = |query: &dyn Fn(usize) -> usize| -> Vec<f32> {
            (0..500).map(|row| scores.row(row)[query(row)]).collect()
        };
        let score = |i: usize| all(&found, i, floats);
        assert!(score(3) == want(&|row| row), "each with its own");
        assert!(score(4) == want(&|row| (row + 499) % 500), "each with another");
        assert!(score(5) == want(&|_| 77), "one with all");
        assert!(before.replace(codes.clone()).is_none_or(|before| before == codes));
    }
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
    let bits = place.value(&format!(
        "WITH t AS (SELECT CASE WHEN id % 3 = 0 THEN NULL ELSE embedding END AS v FROM '{from}'), \
         u AS (SELECT v, lnsp_encode(v, 'few', 'bits') AS c FROM t) SELECT count(c), \
                count(lnsp_decode(c, 'few')), count(lnsp_score(v, c, 'few')), \
                min(lnsp_score(v, c, 'few')) FROM u"
    ));
    let counts: Vec<i64> =
        bits.columns()[..3].iter().map(|c| c.as_primitive::<Int64Type>().value(0)).collect();
    assert_eq!(counts, [333, 333, 333]);
    // Two bits a latent keep what is the same row much the same.
    assert!(floats(bits.column(3))[0] > 0.7, "{:?}", bits.column(3));
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
    place.refuse(
        &select("lnsp_encode(embedding, 's256', 'f8')"),
        &["\"f8\"", "'f32', 'f16' and 'bits'"],
    );
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
    place.refuse(
        &select("lnsp_encode(embedding, 's256', 'bits')"),
        &["the student s256 has no code of few bits", "lnsp train --latent-bits"],
    );
    for call in ["lnsp_decode(X'0102', 'few')", "lnsp_score(embedding, X'0102', 'few')"] {
        let words = ["a code of 2 bytes", "the student few have 384 ('f16') or 48 ('bits')"];
        place.refuse(&select(call), &words);
    }
    place.refuse(
        &select("lnsp_decode(lnsp_encode(embedding, 'few', 'bits'), 's256')"),
        &["a code of 48 bytes", "384 ('f16'); it has none of few bits"],
    );
    place.refuse(
        &select(
            "lnsp_decode(CASE WHEN id = 3 THEN lnsp_encode(embedding, 'few', 'f16') ELSE \
             lnsp_encode(embedding, 'few', 'bits') END, 'few')",
        ),
        &["a code of 384 bytes", "those before have 48"],
    );
    place.refuse(
        &select("lnsp_score(embedding, lnsp_encode(embedding, 'few', 'bits'))"),
        &["384 and of 24", "third argument"],
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
