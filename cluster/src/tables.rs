//! Files that a query names as tables: the engine takes `*` in a path for a pattern; here it is one in
//! the URL of a store, too.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{DynamicFileCatalog, TableProvider, UrlTableFactory};
use datafusion::common::{DataFusionError, Result, internal_datafusion_err, plan_datafusion_err};
use datafusion::datasource::dynamic_file::DynamicListTableFactory;
use datafusion::datasource::listing::{
    ListingTable, ListingTableConfig, ListingTableConfigExt, ListingTableUrl,
};
use datafusion::execution::SessionState;
use datafusion::prelude::SessionContext;
use glob::Pattern;
use url::Url;

/// What begins a pattern.
const PATTERN: [char; 3] = ['*', '?', '['];

/// The files that a place in a query stands for: a file, a folder that ends in `/`, or a pattern such as
/// `s3://BUCKET/FOLDER/*.parquet`.
///
/// # Errors
/// What is no place, or no pattern.
pub fn files_of(place: &str) -> Result<ListingTableUrl> {
    let in_store = ["s3://", "s3a://"].iter().any(|scheme| place.starts_with(scheme));
    let Some(at) = place.find(PATTERN).filter(|_| in_store) else {
        return ListingTableUrl::parse(place);
    };
    let (folder, pattern) = place.split_at(place[..at].rfind('/').map_or(0, |slash| slash + 1));
    let url = Url::parse(folder).map_err(|e| DataFusionError::External(e.into()))?;
    let pattern = Pattern::new(pattern).map_err(|e| plan_datafusion_err!("{place}: {e}"))?;
    ListingTableUrl::try_new(url, Some(pattern))
}

/// Makes tables of places.
#[derive(Debug, Default)]
struct Places {
    engine: DynamicListTableFactory,
}

#[async_trait]
impl UrlTableFactory for Places {
    async fn try_new(&self, place: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let files = files_of(place)?;
        if files.get_glob().is_none() || !place.contains("://") {
            return self.engine.try_new(place).await;
        }
        let session = self.engine.session_store().get_session().upgrade();
        let state = session.and_then(|s| s.read().as_any().downcast_ref::<SessionState>().cloned());
        let state = state.ok_or_else(|| internal_datafusion_err!("the session is gone"))?;
        // As the engine does: what cannot be listed is no table, and `damage` says why.
        let Ok(config) = ListingTableConfig::new(files).infer_options(&state).await else {
            return Ok(None);
        };
        let config = config.infer_partitions_from_path(&state).await?.infer_schema(&state).await?;
        Ok(Some(Arc::new(ListingTable::try_new(config)?)))
    }
}

/// A session whose queries may name places as tables.
pub fn by_place(context: SessionContext) -> SessionContext {
    let places = Arc::new(Places::default());
    let named = Arc::clone(context.state().catalog_list());
    let catalogs = DynamicFileCatalog::new(named, Arc::clone(&places) as Arc<dyn UrlTableFactory>);
    let id = context.session_id();
    let state = context.into_state_builder().with_session_id(id);
    let context: SessionContext = state.with_catalog_list(Arc::new(catalogs)).build().into();
    places.engine.session_store().with_state(context.state_weak_ref());
    context
}

#[cfg(test)]
mod tests {
    use object_store::path::Path;

    use super::*;

    #[test]
    fn patterns_in_urls() {
        let files = files_of("s3://bucket/in/v*.parquet").unwrap();
        assert_eq!((files.as_str(), files.is_collection()), ("s3://bucket/in/", true));
        let holds = |path: &str| files.contains(&Path::from(path), true);
        assert!(holds("in/v01.parquet"));
        assert!(!holds("in/w01.parquet") && !holds("in/v01.csv") && !holds("v01.parquet"));
        let plain = files_of("https://host/a.parquet?key=1").unwrap();
        assert!(plain.get_glob().is_none());
        assert!(files_of("s3://bucket/in/v[.parquet").is_err());
    }
}
