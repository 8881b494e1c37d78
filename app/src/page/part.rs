//! Views that are programs of their own, fetched when first visited: the shell stays small.

use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::prelude::*;

use super::lane::Lane;
use super::tabs::Tab;

#[wasm_bindgen]
extern "C" {
    /// Fetches the program and starts it; stands in the document (www/index.html).
    #[wasm_bindgen(js_name = lnspPart, catch)]
    async fn load(program: &str) -> Result<JsValue, JsValue>;
}

/// The id of the element that a view's program fills.
pub(super) fn place(tab: Tab) -> String {
    format!("part-{}", tab.name())
}

/// A place for a view, and what is said until its program fills it.
#[component]
pub(super) fn Part(
    /// The view.
    tab: Tab,
) -> impl IntoView {
    let line = RwSignal::new(Some("Loading this view."));
    let begin = move || {
        spawn_local(async move {
            // The views ask these as soon as they stand.
            match tab {
                Tab::Try => Lane::WORK.wake(),
                Tab::Train => Lane::TRAIN.wake(),
                _ => {}
            }
            let loaded = load(&format!("view-{}", tab.name())).await;
            line.set(loaded.err().map(|_| {
                "This view could not be loaded. Is there a network? Reload the page to try again."
            }));
        });
    };
    let here = NodeRef::<leptos::html::Div>::new();
    // Only once the place is in the document.
    Effect::new(move |begun: Option<bool>| {
        let ready = here.get().is_some();
        if ready && begun != Some(true) {
            begin();
        }
        ready || begun == Some(true)
    });
    view! {
        <p class="aside" role="status" hidden=move || line.with(Option::is_none)>
            {move || line.get()}
        </p>
        <div id=place(tab) node_ref=here></div>
    }
}
