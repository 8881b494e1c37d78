//! What tests may force, with `?test=1` in the address: `lnspTest.destroyDevice()` and
//! `lnspTest.trap()` give promises.

use js_sys::{Object, Reflect};
use leptos::prelude::*;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;

use super::lane::Lane;
use crate::protocol::{DestroyDevice, Question, Trap};

/// Installs the hooks if the address asks for them.
pub fn install() {
    if !window().location().search().is_ok_and(|search| search.contains("test=1")) {
        return;
    }
    let hooks = Object::new();
    for (lane, suffix) in [(Lane::MEASURE, ""), (Lane::WORK, "Work"), (Lane::TRAIN, "Train")] {
        add(&hooks, &format!("destroyDevice{suffix}"), lane, || DestroyDevice);
        add(&hooks, &format!("trap{suffix}"), lane, || Trap);
    }
    let _ = Reflect::set(&window(), &"lnspTest".into(), &hooks);
}

fn add<Q: Question + 'static>(hooks: &Object, name: &str, lane: Lane, question: fn() -> Q) {
    let call = Closure::<dyn FnMut() -> js_sys::Promise>::new(move || {
        let (_, answer) = lane.ask(&question(), &[], |_| ());
        future_to_promise(async move {
            match answer.await {
                Ok(_) => Ok(JsValue::UNDEFINED),
                Err(failure) => Err(failure.to_string().into()),
            }
        })
    });
    let _ = Reflect::set(hooks, &name.into(), call.as_ref());
    call.forget();
}
