//! Files that the visitor takes along.

use js_sys::{Array, JSON};
use leptos::prelude::*;
use serde::Serialize;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use web_sys::{Blob, BlobPropertyBag, HtmlAnchorElement, Url};

/// Saves a text under a name.
pub fn save_text(name: &str, kind: &str, text: &str) {
    save(name, kind, &text.into());
}

/// Saves bytes (an `ArrayBuffer` or a view of one) or a text under a name.
pub fn save(name: &str, kind: &str, content: &JsValue) {
    // A browser that refuses shows its own message.
    let _ = try_save(name, kind, content);
}

fn try_save(name: &str, kind: &str, content: &JsValue) -> Result<(), JsValue> {
    let options = BlobPropertyBag::new();
    options.set_type(kind);
    let blob = Blob::new_with_buffer_source_sequence_and_options(&Array::of1(content), &options)?;
    let url = Url::create_object_url_with_blob(&blob)?;
    let link: HtmlAnchorElement = document().create_element("a")?.unchecked_into();
    link.set_href(&url);
    link.set_download(name);
    link.click();
    Url::revoke_object_url(&url)
}

/// A value as JSON for people: indented.
pub fn json(value: &impl Serialize) -> String {
    let object = value.serialize(&crate::protocol::wire()).unwrap_or(JsValue::NULL);
    JSON::stringify_with_replacer_and_space(&object, &JsValue::NULL, &JsValue::from_f64(2.0))
        .map(String::from)
        .unwrap_or_default()
}
