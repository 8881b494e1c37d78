//! `<lnsp-claims>`: the note's claims, all or some.

use leptos::prelude::*;

use crate::page::claims::ClaimList;

/// The view.
#[component]
pub fn ClaimsWidget() -> impl IntoView {
    view! { <ClaimList /> }
}
