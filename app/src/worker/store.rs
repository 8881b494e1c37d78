//! Values that the browser keeps between visits, by name, in IndexedDB.

use js_sys::{Promise, Uint8Array};
use lnsp::{Error, Result};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{IdbDatabase, IdbFactory, IdbObjectStore, IdbRequest, IdbTransactionMode};

/// The database, and its one store.
const NAME: &str = "lnsp";
const STORE: &str = "training";

/// What is kept as `key`; `None` if nothing is.
///
/// # Errors
/// If the browser keeps nothing for this page.
pub(super) async fn get(key: &str) -> Result<Option<Vec<u8>>> {
    let store = open(IdbTransactionMode::Readonly).await?;
    let value = done(&store.get(&key.into()).map_err(refuse)?).await?;
    Ok(value.dyn_into::<Uint8Array>().ok().map(|bytes| bytes.to_vec()))
}

/// Keeps `bytes` as `key`, in place of what was there.
///
/// # Errors
/// If there is no room, or the browser keeps nothing for this page.
pub(super) async fn put(key: &str, bytes: &[u8]) -> Result<()> {
    let store = open(IdbTransactionMode::Readwrite).await?;
    let value = Uint8Array::from(bytes);
    done(&store.put_with_key(&value, &key.into()).map_err(refuse)?).await?;
    Ok(())
}

/// Drops everything.
///
/// # Errors
/// If the browser keeps nothing for this page.
pub(super) async fn clear() -> Result<()> {
    let store = open(IdbTransactionMode::Readwrite).await?;
    done(&store.clear().map_err(refuse)?).await?;
    Ok(())
}

async fn open(mode: IdbTransactionMode) -> Result<IdbObjectStore> {
    let global = js_sys::global();
    let factory = js_sys::Reflect::get(&global, &"indexedDB".into())
        .ok()
        .and_then(|factory| factory.dyn_into::<IdbFactory>().ok())
        .ok_or_else(|| refuse("it has no IndexedDB here".into()))?;
    let request = factory.open_with_u32(NAME, 1).map_err(refuse)?;
    let opening = request.clone();
    let create = Closure::once_into_js(move || {
        if let Ok(database) = opening.result().map(JsCast::unchecked_into::<IdbDatabase>) {
            let _ = database.create_object_store(STORE);
        }
    });
    request.set_onupgradeneeded(Some(create.unchecked_ref()));
    let database: IdbDatabase = done(&request).await?.unchecked_into();
    let transaction = database.transaction_with_str_and_mode(STORE, mode).map_err(refuse)?;
    let store = transaction.object_store(STORE).map_err(refuse)?;
    // The transaction holds it open until it is over.
    database.close();
    Ok(store)
}

/// Waits for a request.
async fn done(request: &IdbRequest) -> Result<JsValue> {
    let promise = Promise::new(&mut |resolve, reject| {
        request.set_onsuccess(Some(&resolve));
        request.set_onerror(Some(&reject));
    });
    match JsFuture::from(promise).await {
        Ok(_) => request.result().map_err(refuse),
        Err(_) => {
            let error = request.error().ok().flatten();
            Err(refuse(error.map_or(JsValue::NULL, |error| error.message().into())))
        }
    }
}

fn refuse(error: JsValue) -> Error {
    let words = error.as_string().or_else(|| {
        js_sys::Reflect::get(&error, &"message".into()).ok().and_then(|text| text.as_string())
    });
    let words = words.unwrap_or_else(|| "it gives no reason".into());
    Error::invalid("storage", format!("the browser keeps nothing for this page ({words})"))
}
