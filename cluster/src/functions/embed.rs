//! `lnsp_embed`: the teacher's vectors of texts.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use lnsp::Matrix;
use lnsp::cli::teacher::TeacherArgs;
use lnsp::cli::ui::Ui;
use lnsp::cli::{DeviceChoice, Global};
use lnsp::teacher::sentences::SentenceEncoder;

use super::vectors::Vectors;

/// Where the teacher is, if a flag says so.
static PLACE: OnceLock<PathBuf> = OnceLock::new();

/// Takes the teacher from `place` in this process: a folder, or a file of weights. Without a call, it
/// comes from the cache or the hub, as in `lnsp embed`.
pub fn use_teacher(place: PathBuf) {
    // A second call changes nothing: the teacher may have been read.
    let _ = PLACE.set(place);
}

/// Texts are cut at so many tokens, as by `lnsp embed`.
const MAX_TOKENS: usize = 256;

/// The teacher, read when it is first asked for.
fn teacher() -> Result<Arc<SentenceEncoder>> {
    static TEACHER: Mutex<Option<Arc<SentenceEncoder>>> = Mutex::new(None);
    let mut teacher = TEACHER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(teacher) = &*teacher {
        return Ok(Arc::clone(teacher));
    }
    let ui = Ui::new(&Global {
        json: false,
        device: DeviceChoice::Cpu,
        quiet: true,
        color: clap::ColorChoice::Never,
    });
    let args = TeacherArgs {
        teacher: PLACE.get().cloned(),
        teacher_precision: None,
        max_tokens: MAX_TOKENS,
    };
    let read = Arc::new(args.open(&ui).map_err(|e| exec_datafusion_err!("lnsp_embed: {e:#}"))?);
    *teacher = Some(Arc::clone(&read));
    Ok(read)
}

/// Unit vectors of a column of texts.
///
/// # Errors
/// A teacher that is not to be had.
pub fn embed(column: &ArrayRef) -> Result<ArrayRef> {
    let len = column.len();
    let texts: Vec<Option<&str>> = match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().iter().collect(),
        DataType::LargeUtf8 => column.as_string::<i64>().iter().collect(),
        DataType::Utf8View => column.as_string_view().iter().collect(),
        DataType::Null => vec![None; len],
        other => return exec_err!("lnsp_embed: takes a text, not {other}"),
    };
    let there: Vec<&str> = texts.into_iter().flatten().collect();
    let rows = if there.is_empty() {
        Matrix::zeros(0, 0)
    } else {
        let teacher = teacher()?;
        let embedded = lnsp::device::on_one_core(|| {
            pollster::block_on(teacher.embed(&there, &mut |_| Ok(())))
        });
        embedded.map_err(|e| exec_datafusion_err!("lnsp_embed: {e}"))?.vectors
    };
    let valid = column.logical_nulls().filter(|nulls| nulls.null_count() > 0);
    let vectors = Vectors { rows: Matrix::zeros(0, 0), valid, len };
    vectors.lists(rows)
}
