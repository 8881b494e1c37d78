//! The worker's side of the wire.

use js_sys::{Array, ArrayBuffer};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent};

use super::{Reply, Task};
use crate::protocol::{ASK, CANCEL, DeviceInfo, Failure, Kind, Progress};

/// What the page wants.
pub(crate) enum Wanted<R> {
    /// An answer.
    Answer(R, Task),
    /// No more work on the question of this number.
    Stop(u32),
}

/// The worker itself.
pub(crate) fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// What a message wants; none if it is not one of ours. A question that cannot be read is answered
/// with that.
pub(crate) fn read<R: DeserializeOwned>(event: &MessageEvent) -> Option<Wanted<R>> {
    let parts: Array = event.data().dyn_into().ok()?;
    let id = parts.get(1).as_f64()? as u32;
    match &*parts.get(0).as_string()? {
        CANCEL => Some(Wanted::Stop(id)),
        ASK => match serde_wasm_bindgen::from_value(parts.get(2)) {
            Ok(request) => {
                let buffers = parts.iter().skip(3).filter_map(|part| part.dyn_into().ok());
                Some(Wanted::Answer(request, Task::new(id, buffers.collect())))
            }
            Err(error) => {
                failed(id, &Failure::Error(format!("the question cannot be read: {error}")));
                None
            }
        },
        _ => None,
    }
}

/// The worker listens.
pub(crate) fn ready() {
    send(Kind::Ready, 0, &JsValue::NULL, &[]);
}

/// Work on a question has begun.
pub(crate) fn begun(id: u32) {
    send(Kind::Begun, id, &JsValue::NULL, &[]);
}

/// How far it is.
pub(crate) fn progress(id: u32, progress: &Progress) {
    say(Kind::Progress, id, progress);
}

/// Answers.
pub(crate) fn done(id: u32, reply: &Reply) {
    send(Kind::Done, id, &reply.answer, &reply.buffers);
}

/// Says why there is no answer.
pub(crate) fn failed(id: u32, failure: &Failure) {
    say(Kind::Failed, id, failure);
}

/// Another device works.
pub(crate) fn device(info: &DeviceInfo) {
    say(Kind::Device, 0, info);
}

/// One line for the visitor.
pub(crate) fn notice(text: &str) {
    send(Kind::Notice, 0, &text.into(), &[]);
}

fn say(kind: Kind, id: u32, body: &impl Serialize) {
    if let Ok(body) = body.serialize(&crate::protocol::wire()) {
        send(kind, id, &body, &[]);
    }
}

fn send(kind: Kind, id: u32, body: &JsValue, buffers: &[ArrayBuffer]) {
    let parts = Array::of3(&kind.name().into(), &id.into(), body);
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
        let text = info.to_string();
        web_sys::console::error_1(&text.as_str().into());
        send(Kind::Panic, 0, &text.into(), &[]);
    }));
}
