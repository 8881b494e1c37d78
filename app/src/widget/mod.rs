//! The widget: views of the page as elements of other people's pages. The loader (www/widget)
//! fetches a view's program when its element comes near the viewport, and calls [`mount`].

mod claims;
mod compare;
mod sizes;

pub use claims::ClaimsWidget;
pub use compare::CompareWidget;
pub use sizes::SizesWidget;

use js_sys::{Array, Function, Object, Reflect};
use leptos::prelude::*;
use serde::Serialize;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;

use crate::page::address::Address;
use crate::page::job::Job;
use crate::page::wire;

/// The element that a view stands in, to a view of the widget; the page gives none.
#[derive(Clone, Copy)]
pub struct Host {
    tell: StoredValue<Function, LocalStorage>,
    /// Counts how often the element's `run()` was called.
    runs: RwSignal<u32>,
}

impl Host {
    /// Tells the element: an event of this name, with that.
    pub fn tell(self, name: &str, detail: &impl Serialize) {
        let detail = detail.serialize(&crate::protocol::wire()).unwrap_or(JsValue::NULL);
        // None if the element is gone.
        self.tell.try_with_value(|tell| {
            let _ = tell.call2(&JsValue::NULL, &name.into(), &detail);
        });
    }

    /// Calls `then` whenever the element is asked to run.
    pub fn on_run(self, then: impl Fn() + 'static) {
        Effect::new(move || {
            if self.runs.get() > 0 {
                untrack(&then);
            }
        });
    }

    /// Tells of the progress and the failures of a piece of work.
    pub fn follow(self, job: Job) {
        Effect::new(move || {
            if job.running() {
                self.tell("progress", &job.progress());
            }
        });
        Effect::new(move || {
            if let Some(failure) = job.failure() {
                self.tell("error", &failure.to_string());
            }
        });
    }
}

/// Called once by each program of the widget. The first on a page becomes the keeper of the
/// workers, which all elements share.
pub fn start() {
    crate::page::say_panics();
    if !Reflect::has(&window(), &"lnspWorkers".into()).unwrap_or(false) {
        let news = wire::keep();
        let Ok(nowhere) = document().create_element("div") else { return };
        // For as long as the page lives.
        mount_to(nowhere.unchecked_into(), move || {
            Effect::new(move || {
                if let Some(notice) = news.notice.get() {
                    web_sys::console::info_1(&format!("lnsp: {notice}").into());
                }
            });
        })
        .forget();
    }
}

/// Puts a view into `place`. `attributes` are those of the element, by name; `tell` is called with
/// the name of an event and what goes with it. Answers an object with `set(name, value)`, `run()`
/// and `dispose()`.
pub fn mount<V: IntoView + 'static>(
    place: web_sys::HtmlElement,
    attributes: &Object,
    tell: Function,
    view: fn() -> V,
) -> Object {
    let read = |entry: JsValue| {
        let entry: Array = entry.unchecked_into();
        Some((entry.get(0).as_string()?, entry.get(1).as_string()?))
    };
    let values: Vec<_> = Object::entries(attributes).iter().filter_map(read).collect();
    let made = std::rc::Rc::new(std::cell::Cell::new(None));
    let keep = made.clone();
    let handle = mount_to(place, move || {
        let address = Address::apart(values);
        let host = Host { tell: StoredValue::new_local(tell), runs: RwSignal::new(0) };
        keep.set(Some((address, host)));
        provide_context(address);
        provide_context(host);
        view()
    });
    let mounted = Object::new();
    let add = |name: &str, call: JsValue| {
        // Refused by frozen objects only.
        let _ = Reflect::set(&mounted, &name.into(), &call);
    };
    if let Some((address, host)) = made.get() {
        let set = Closure::<dyn Fn(String, String)>::new(move |name: String, value: String| {
            address.set(&name, &value, "");
        });
        add("set", set.into_js_value());
        let run = Closure::<dyn Fn()>::new(move || {
            host.runs.try_update(|n| *n += 1);
        });
        add("run", run.into_js_value());
    }
    let mut handle = Some(handle);
    let dispose = Closure::<dyn FnMut()>::new(move || drop(handle.take()));
    add("dispose", dispose.into_js_value());
    mounted
}
