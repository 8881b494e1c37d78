//! Parts of the page that are programs of their own, fetched when they are wanted: the shell stays
//! small.

use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use web_sys::{IntersectionObserver, IntersectionObserverEntry};

use super::lane::Lane;

#[wasm_bindgen]
extern "C" {
    /// Fetches the program and starts it; stands in the document (www/index.html).
    #[wasm_bindgen(js_name = lnspPart, catch)]
    async fn load(program: &str) -> Result<JsValue, JsValue>;
}

/// When a part is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// As soon as its place is there.
    Now,
    /// When its place comes into sight.
    Seen,
}

/// The id of the element that a part's program fills.
pub(super) fn place(name: &str) -> String {
    format!("part-{name}")
}

/// A place for a part, and what is said until its program fills it.
#[component]
pub(super) fn Part(
    /// The part's name; its program is `view-NAME`.
    name: &'static str,
    /// What it holds, for the visitor.
    title: &'static str,
    /// When it is fetched.
    when: When,
) -> impl IntoView {
    let line = RwSignal::new(Some(format!("{title}: loading.")));
    let begin = move || {
        spawn_local(async move {
            let loaded = load(&format!("view-{name}")).await;
            line.set(loaded.err().map(|_| {
                format!(
                    "{title} could not be loaded. Is there a network? Reload the page to try again."
                )
            }));
        });
        // These ask a worker as soon as they stand.
        match name {
            "try" => Lane::WORK.wake(),
            "train" => Lane::TRAIN.wake(),
            _ => {}
        }
    };
    let here = NodeRef::<leptos::html::Div>::new();
    // Once the place is in the document.
    Effect::new(move |begun: Option<bool>| {
        let begun = begun == Some(true);
        match here.get() {
            Some(_) if begun => {}
            None => return begun,
            Some(_) if when == When::Now => begin(),
            Some(place) => once_seen(&place, begin),
        }
        true
    });
    view! {
        <p class="aside" role="status" hidden=move || line.with(Option::is_none)>
            {move || line.get()}
        </p>
        <div class="part" id=place(name) node_ref=here></div>
    }
}

/// Calls `then` once when `element` comes into sight.
fn once_seen(element: &web_sys::Element, then: impl Fn() + 'static) {
    let seen = Closure::<dyn FnMut(js_sys::Array, IntersectionObserver)>::new(
        move |entries: js_sys::Array, observer: IntersectionObserver| {
            let in_sight = |entry: JsValue| {
                entry.unchecked_into::<IntersectionObserverEntry>().is_intersecting()
            };
            if entries.iter().any(in_sight) {
                observer.disconnect();
                then();
            }
        },
    );
    if let Ok(observer) = IntersectionObserver::new(seen.as_ref().unchecked_ref()) {
        observer.observe(element);
    }
    seen.forget();
}
