//! What the browser offers, looked at before any worker is started.

use js_sys::{Function, Promise, Reflect};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};

/// Says in one line what will work here.
pub fn look(line: RwSignal<String>) {
    spawn_local(async move { line.set(offered().await.into()) });
}

fn get(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap_or(JsValue::UNDEFINED)
}

async fn offered() -> &'static str {
    let gpu = get(&window().navigator(), "gpu");
    if !gpu.is_truthy() {
        return if window().is_secure_context() {
            "This browser has no WebGPU: everything runs on the CPU."
        } else {
            "WebGPU needs HTTPS or localhost, and this page came over plain HTTP: everything \
             runs on the CPU."
        };
    }
    let asked = get(&gpu, "requestAdapter")
        .dyn_into::<Function>()
        .and_then(|request| request.call0(&gpu))
        .and_then(|promise| promise.dyn_into::<Promise>());
    let adapter = match asked {
        Ok(promise) => JsFuture::from(promise).await.unwrap_or(JsValue::NULL),
        Err(_) => JsValue::NULL,
    };
    let fallback = |object: &JsValue| get(object, "isFallbackAdapter").is_truthy();
    if !adapter.is_truthy() {
        "This browser has WebGPU but no GPU for it: everything runs on the CPU."
    } else if fallback(&adapter) || fallback(&get(&adapter, "info")) {
        "WebGPU here is a program, slower than our CPU path: everything runs on the CPU."
    } else {
        "WebGPU is there; the first measurement finds out whether it or the CPU is faster."
    }
}
