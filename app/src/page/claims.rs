//! Claims.

use leptos::prelude::*;

/// The view.
#[component]
pub fn Claims() -> impl IntoView {
    view! { <h2>"Claims"</h2> }
}
