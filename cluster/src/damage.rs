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

/// What a store says in an error of the engine's, without the names of types around it, and what to do;
/// none if the error is about something else.
pub fn of_store(error: &str) -> Option<String> {
    let said = match error.split_once(STORE) {
        Some((_, said)) => said.trim_start_matches(": ").trim().to_owned(),
        None => from_afar(error)?,
    };
    let advice = match ["HTTP error", "Http(HttpError"].iter().any(|word| error.contains(word)) {
        true => "; look whether it is up and can be reached, then run it again",
        false => "",
    };
    Some(format!("from the store: {said}{advice}"))
}

/// The same of an error on another machine, of which only its fields come here.
fn from_afar(error: &str) -> Option<String> {
    let (_, fields) = error.split_once("RetryErrorImpl { ")?;
    let field = |before: &str, after: &str| {
        fields
            .split_once(before)
            .and_then(|(_, rest)| rest.split_once(after))
            .map(|(value, _)| value)
    };
    let (method, uri) = (field("method: ", ",")?, field("uri: Some(", ")")?);
    let cause = field("message: \"", "\"").or(field("status: ", ",")).or(field("inner: ", "}"))?;
    Some(format!("{method} {uri}: {cause}"))
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_store_says() {
        let refused = "Parquet error: External: Generic S3 error: Server returned 403 Forbidden";
        assert_eq!(of_store(refused).unwrap(), "from the store: Server returned 403 Forbidden");
        let broken = of_store("Generic S3 error: Error performing GET x - HTTP error: y").unwrap();
        assert!(broken.starts_with("from the store: Error performing GET x - HTTP error: y; "));
        let far = "Shared(External(Generic { store: \"S3\", source: RetryError(RetryErrorImpl { method: PUT, \
                   uri: Some(http://host/bucket/x), retries: 3, inner: Http(HttpError { kind: Interrupted, \
                   source: Io(Os { code: 104, message: \"Connection reset by peer\" }) }) }) }))";
        let far = of_store(far).unwrap();
        let words = "from the store: PUT http://host/bucket/x: Connection reset by peer; look";
        assert!(far.starts_with(words), "{far}");
        assert!(of_store("Parquet error: EOF").is_none());
    }
}
