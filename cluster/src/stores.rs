//! Where files are: this machine's, and stores that speak S3 or HTTP, by DataFusion's object stores.
//!
//! Credentials, region and endpoint come from each process's own environment (`AWS_ACCESS_KEY_ID`,
//! `AWS_ENDPOINT`, `AWS_ALLOW_HTTP`, …) and never travel with a query.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::execution::object_store::ObjectStoreRegistry;
use object_store::aws::AmazonS3Builder;
use object_store::http::HttpBuilder;
use object_store::local::LocalFileSystem;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use url::Url;

/// How often a store that refuses is asked again, and for how long.
const RETRIES: usize = 3;
const RETRY_FOR: Duration = Duration::from_secs(30);
const CONNECT_FOR: Duration = Duration::from_secs(10);

/// The stores of this process, each opened when its first file is asked for.
#[derive(Debug, Default)]
pub struct Stores {
    open: Mutex<HashMap<String, Arc<dyn ObjectStore>>>,
}

/// What the store of a file is known by: scheme and host.
fn key(url: &Url) -> String {
    match url.scheme() {
        "s3" | "s3a" => format!("s3://{}", url.host_str().unwrap_or_default()),
        "http" | "https" => url.origin().ascii_serialization(),
        scheme => format!("{scheme}://"),
    }
}

fn retries() -> RetryConfig {
    RetryConfig { max_retries: RETRIES, retry_timeout: RETRY_FOR, ..RetryConfig::default() }
}

fn open(url: &Url) -> Result<Arc<dyn ObjectStore>> {
    let client = || ClientOptions::new().with_connect_timeout(CONNECT_FOR);
    match url.scheme() {
        "file" => Ok(Arc::new(LocalFileSystem::new())),
        "s3" | "s3a" => {
            let Some(bucket) = url.host_str() else {
                return exec_err!("{url} names no bucket: s3://BUCKET/PATH is wanted");
            };
            // Sets options itself, so that the environment's are not lost with them.
            let store = AmazonS3Builder::from_env().with_bucket_name(bucket);
            Ok(Arc::new(store.with_retry(retries()).build()?))
        }
        "http" | "https" => {
            let store = HttpBuilder::new()
                .with_url(url.origin().ascii_serialization())
                .with_client_options(client().with_allow_http(true))
                .with_retry(retries());
            Ok(Arc::new(store.build()?))
        }
        scheme => {
            exec_err!("{url}: {scheme} is no kind of store that is known here (file, s3, http)")
        }
    }
}

impl ObjectStoreRegistry for Stores {
    fn register_store(
        &self,
        url: &Url,
        store: Arc<dyn ObjectStore>,
    ) -> Option<Arc<dyn ObjectStore>> {
        let mut stores = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        stores.insert(key(url), store)
    }

    fn get_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        let mut stores = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = stores.get(&key(url)) {
            return Ok(Arc::clone(store));
        }
        let store = open(url)?;
        stores.insert(key(url), Arc::clone(&store));
        Ok(store)
    }
}

/// A path or URL as a URL: paths are taken from the folder of this process.
///
/// # Errors
/// What cannot be written as a URL.
pub fn url_of(place: &str) -> Result<Url> {
    // One letter and a colon begin a path on Windows.
    if let Ok(url) = Url::parse(place)
        && url.scheme().len() > 1
    {
        return Ok(url);
    }
    let path = std::path::absolute(place)?;
    let url = match place.ends_with(std::path::is_separator) {
        true => Url::from_directory_path(path),
        false => Url::from_file_path(path),
    };
    url.map_err(|()| DataFusionError::Execution(format!("{place} is no path of a file")))
}

/// All bytes of a file at a path or URL.
///
/// # Errors
/// What the system or the store says.
pub fn fetch(place: &str) -> Result<Vec<u8>> {
    let url = url_of(place)?;
    if let Ok(path) = url.to_file_path() {
        return Ok(std::fs::read(path)?);
    }
    let read = async {
        let path = object_store::path::Path::from_url_path(url.path())
            .map_err(|e| DataFusionError::External(e.into()))?;
        let store = open(&url)?;
        let bytes = object_store::ObjectStoreExt::get(&*store, &path).await?.bytes().await?;
        Ok(bytes.to_vec())
    };
    // A function of a query runs inside the engine's own runtime, which must not be blocked on.
    std::thread::scope(|scope| {
        let download = move || {
            tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(read)
        };
        scope.spawn(download).join().expect("no panic in a download")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_urls() {
        assert_eq!(url_of("/a/b.parquet").unwrap().as_str(), "file:///a/b.parquet");
        assert_eq!(url_of("/a/b/").unwrap().as_str(), "file:///a/b/");
        assert!(url_of("b c").unwrap().as_str().ends_with("/b%20c"));
        assert_eq!(url_of("s3://bucket/a/b").unwrap().as_str(), "s3://bucket/a/b");
        assert_eq!(key(&url_of("s3a://bucket/x").unwrap()), "s3://bucket");
        let refused = Stores::default().get_store(&Url::parse("ftp://x/y").unwrap()).unwrap_err();
        assert!(refused.to_string().contains("ftp is no kind of store"), "{refused}");
    }
}
