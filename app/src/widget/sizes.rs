//! `<lnsp-sizes>`: the table of sizes and the chart; what else there is if `show` names it.

use leptos::prelude::*;

use crate::page::address::Address;
use crate::page::sizes::{SizePaper, SizeTools};

/// What is shown where the element does not say.
const SHOWN: &str = "table,chart";

/// The view.
#[component]
pub fn SizesWidget() -> impl IntoView {
    let address = Address::use_it();
    if address.word("show").is_empty() {
        address.set("show", SHOWN, "");
    }
    // An element's `width` is the S of one's own size.
    let width = address.word("width");
    if !width.is_empty() {
        address.set("s", &width, "");
    }
    let paper = address.text("show", SHOWN);
    let hidden = move || !paper.with(|shown| shown.split(',').any(|part| part == "table"));
    view! {
        <div hidden=hidden><SizePaper /></div>
        <SizeTools />
    }
}
