//! What is wrong with the files that a query reads: the engine's errors do not say which is damaged, and
//! call a store that refuses a table that is not found.

#![expect(deprecated, reason = "ParquetObjectReader: the engine's own reader of stores is private")]

use std::sync::Arc;

use datafusion::common::DataFusionError;
use datafusion::execution::object_store::ObjectStoreRegistry;
use datafusion::parquet::arrow::ParquetRecordBatchStreamBuilder;
use datafusion::parquet::arrow::async_reader::ParquetObjectReader;
use futures::TryStreamExt;
use object_store::{ObjectMeta, ObjectStore};

use crate::session::Session;
use crate::tables::files_of;

/// What every error of a store that speaks S3 says.
const STORE: &str = "Generic S3 error";

/// Whether an error is about what files hold, here or, by its words, on another machine. What a store
/// says names the file itself.
pub fn suspected(error: &DataFusionError) -> bool {
    match error.find_root() {
        root if root.to_string().contains(STORE) => false,
        DataFusionError::ParquetError(_) | DataFusionError::ArrowError(..) => true,
        // Ends are looked for before anything is known to be Parquet.
        root => {
            let words = root.message();
            ["arquet", "rrow", "EOF", "not found"].iter().any(|word| words.contains(word))
        }
    }
}

/// The first place that cannot be listed, or file at `places` that cannot be read, and why; every footer
/// is looked at first.
pub async fn find(session: &Session, places: &[String]) -> Option<String> {
    let state = session.context().state();
    let mut files: Vec<(Arc<dyn ObjectStore>, ObjectMeta)> = Vec::new();
    // Others are names of tables.
    for place in places.iter().filter(|place| place.contains('/')) {
        let list = async {
            let url = files_of(place)?;
            let store = session.stores().get_store(url.get_url())?;
            let listed = url.list_all_files(&state, &store, "").await?;
            let listed = listed.try_collect::<Vec<_>>().await?;
            Ok::<_, DataFusionError>(listed.into_iter().map(move |meta| (Arc::clone(&store), meta)))
        };
        match list.await {
            Ok(listed) => files.extend(listed),
            Err(cause) => return Some(format!("{place}: {}", cause.strip_backtrace())),
        }
        if files.is_empty() {
            return Some(format!("{place}: there are no such files"));
        }
    }
    files.retain(|(_, meta)| meta.location.as_ref().ends_with(".parquet"));
    for whole in [false, true] {
        for (store, meta) in &files {
            if let Err(cause) = read(store, meta, whole).await {
                let cause = cause.to_string();
                let cause = cause.lines().next().unwrap_or_default().to_owned();
                return Some(format!(
                    "{} is damaged: {cause}; copy or download it again",
                    meta.location
                ));
            }
        }
    }
    None
}

async fn read(
    store: &Arc<dyn ObjectStore>,
    meta: &ObjectMeta,
    whole: bool,
) -> datafusion::parquet::errors::Result<()> {
    let reader = ParquetObjectReader::new(Arc::clone(store), meta.location.clone());
    let builder = ParquetRecordBatchStreamBuilder::new(reader).await?;
    if whole {
        builder.build()?.try_for_each(|_| async { Ok(()) }).await?;
    }
    Ok(())
}
