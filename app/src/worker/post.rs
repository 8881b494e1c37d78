//! The worker's side of the wire.

use js_sys::{Array, ArrayBuffer};
use serde::Serialize;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent};

use super::Reply;
use crate::protocol::{ToPage, ToWorker};

/// The worker itself.
pub(crate) fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// A message and the buffers beside it; none if it is not one of ours.
pub(crate) fn read(event: &MessageEvent) -> Option<(ToWorker, Vec<ArrayBuffer>)> {
    let parts: Array = event.data().dyn_into().ok()?;
    let message = serde_wasm_bindgen::from_value(parts.get(0)).ok()?;
    let buffers = parts.iter().skip(1).filter_map(|part| part.dyn_into().ok()).collect();
    Some((message, buffers))
}

/// Says something to the page.
pub(crate) fn say(message: &ToPage) {
    send(message, &JsValue::NULL, &[]);
}

/// Answers.
pub(crate) fn done(id: u32, reply: Reply) {
    send(&ToPage::Done { id }, &reply.answer, &reply.buffers);
}

fn send(message: &ToPage, answer: &JsValue, buffers: &[ArrayBuffer]) {
    let Ok(words) = message.serialize(&crate::protocol::wire()) else { return };
    let parts = Array::of2(&words, answer);
    let handed = Array::new();
    for buffer in buffers {
        parts.push(buffer);
        handed.push(buffer);
    }
    // The page may have gone; then there is nobody to tell.
    let _ = scope().post_message_with_transfer(&parts, &handed);
}

/// From now on a panic is told to the page before the program ends.
pub(crate) fn say_panics() {
    std::panic::set_hook(Box::new(|info| {
        console_error_panic_hook::hook(info);
        say(&ToPage::Panic { text: info.to_string() });
    }));
}
