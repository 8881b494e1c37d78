//! Bytes from an address, with true progress, and the browser's cache for what is worth keeping.

use js_sys::{Reflect, Uint8Array};
use lnsp::{Error, Result};
use sha2::{Digest, Sha256};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Cache, ReadableStreamDefaultReader, Response};

use super::{Task, post};

/// More than any file that is fetched here.
const MOST: usize = 512 << 20;
/// The cache's name; another layout gets another.
const CACHE: &str = "lnsp-teacher-1";

/// Fetches `address`, saying how far it is as `what`. `expected` is its length, for servers that
/// do not tell.
///
/// # Errors
/// If it is out of reach, refused, or far too long; [`Error::Cancelled`].
pub(crate) async fn fetch(
    address: &str,
    what: &str,
    expected: Option<u64>,
    task: &Task,
) -> Result<Vec<u8>> {
    let failed = |why: String| Error::invalid(address, format!("cannot be fetched: {why}"));
    let words = |error: &JsValue| match error.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => format!("{error:?}"),
    };
    let answer = JsFuture::from(post::scope().fetch_with_str(address)).await;
    let response: Response = answer.map_err(|e| failed(words(&e)))?.unchecked_into();
    if !response.ok() {
        return Err(failed(format!("the server answers {}", response.status())));
    }
    // Of a compressed body the header counts the compressed bytes.
    let header = |name: &str| response.headers().get(name).ok().flatten();
    let told = header("content-length").filter(|_| header("content-encoding").is_none());
    let total = told.and_then(|text| text.parse().ok()).or(expected);
    let body = response.body().ok_or_else(|| failed("the answer has no body".into()))?;
    let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
    let mut bytes = Vec::new();
    loop {
        let part = JsFuture::from(reader.read()).await.map_err(|e| failed(words(&e)))?;
        let get = |name: &str| Reflect::get(&part, &name.into()).unwrap_or(JsValue::UNDEFINED);
        if get("done").is_truthy() {
            return Ok(bytes);
        }
        let part: Uint8Array = get("value").unchecked_into();
        let at = bytes.len();
        if at + part.length() as usize > MOST {
            let _ = reader.cancel();
            return Err(failed(format!("it is longer than {} MB", MOST >> 20)));
        }
        bytes.resize(at + part.length() as usize, 0);
        part.copy_to(&mut bytes[at..]);
        tell(task, what, bytes.len() as u64, total);
        if let Err(stopped) = task.check().await {
            let _ = reader.cancel();
            return Err(stopped);
        }
    }
}

fn tell(task: &Task, what: &str, done: u64, total: Option<u64>) {
    let total = total.filter(|total| *total >= done);
    let (unit, bytes) = if total.unwrap_or(done) < 1_000_000 { ("KB", 1e3) } else { ("MB", 1e6) };
    let digits = usize::from(unit == "MB");
    let size = |size: u64| format!("{:.digits$}", size as f64 / bytes);
    match total {
        Some(total) => task.progress(
            Some(done as f64 / total.max(1) as f64),
            &format!("{what}: {} of {} {unit}", size(done), size(total)),
        ),
        None => task.progress(None, &format!("{what}: {} {unit}", size(done))),
    }
}

/// The SHA-256 of bytes, in hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The address under which the cache keeps `key`: one that needs no page, since a widget's worker has
/// none to count from.
fn place(key: &str) -> String {
    format!("https://lnsp.invalid/{}", key.trim_start_matches("./"))
}

/// The cache; none where the page is not in a secure context or storage is switched off.
async fn cache() -> Option<Cache> {
    let caches = post::scope().caches().ok().filter(|caches| !caches.is_undefined())?;
    Some(JsFuture::from(caches.open(CACHE)).await.ok()?.unchecked_into())
}

async fn entry(key: &str) -> Option<Response> {
    let found = JsFuture::from(cache().await?.match_with_str(&place(key))).await.ok()?;
    found.dyn_into().ok()
}

/// What is kept under `key`.
pub(crate) async fn kept(key: &str) -> Option<Vec<u8>> {
    let bytes = JsFuture::from(entry(key).await?.array_buffer().ok()?).await.ok()?;
    Some(Uint8Array::new(&bytes).to_vec())
}

/// Bytes that are kept under `key`.
pub(crate) async fn kept_bytes(key: &str) -> Option<u64> {
    entry(key).await?.headers().get("content-length").ok()??.parse().ok()
}

/// Keeps bytes under `key`; whether that worked: storage may be full or switched off.
pub(crate) async fn keep(key: &str, bytes: &[u8]) -> bool {
    let Some(cache) = cache().await else { return false };
    let body = Uint8Array::from(bytes);
    let Ok(response) = Response::new_with_opt_js_u8_array(Some(&body)) else { return false };
    if response.headers().set("content-length", &bytes.len().to_string()).is_err() {
        return false;
    }
    JsFuture::from(cache.put_with_str(&place(key), &response)).await.is_ok()
}

/// Drops everything that is kept.
pub(crate) async fn forget() {
    if let Ok(caches) = post::scope().caches()
        && !caches.is_undefined()
    {
        let _ = JsFuture::from(caches.delete(CACHE)).await;
    }
}
