//! Light or dark: as the system has it, until the visitor chooses.

use leptos::prelude::*;

const KEY: &str = "lnsp-theme";

fn system_is_dark() -> bool {
    let query = window().match_media("(prefers-color-scheme: dark)");
    query.ok().flatten().is_some_and(|query| query.matches())
}

/// What was chosen before; a browser may refuse to keep anything.
fn kept() -> Option<bool> {
    let storage = window().local_storage().ok().flatten()?;
    Some(storage.get_item(KEY).ok().flatten()? == "dark")
}

/// Changes between light and dark.
#[component]
pub fn ThemeButton() -> impl IntoView {
    let dark = RwSignal::new(kept().unwrap_or_else(system_is_dark));
    let toggle = move |_| {
        let now = !dark.get_untracked();
        dark.set(now);
        let name = if now { "dark" } else { "light" };
        if let Some(root) = document().document_element() {
            let _ = root.set_attribute("data-theme", name);
        }
        if let Ok(Some(storage)) = window().local_storage() {
            let _ = storage.set_item(KEY, name);
        }
    };
    view! {
        <button type="button" class="theme" on:click=toggle>
            {move || if dark.get() { "Light" } else { "Dark" }}
        </button>
    }
}
