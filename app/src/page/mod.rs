//! The page itself: shell, views, and the page's side of the wire.

pub mod address;
mod axes;
pub mod choice;
pub mod claims;
pub mod download;
mod embed;
mod hooks;
pub mod html;
pub mod job;
pub mod lane;
pub mod memory;
mod named;
mod number;
pub mod part;
mod shell;
pub mod sizes;
pub mod tabs;
mod theme;
pub mod training;
pub mod trial;
mod webgpu;
pub mod wire;

use leptos::prelude::*;
use wasm_bindgen::JsCast;

/// From now on a panic is told to the browser's console.
pub(crate) fn say_panics() {
    std::panic::set_hook(Box::new(|info| {
        web_sys::console::error_1(&info.to_string().into());
    }));
}

/// Puts the page into the document; called once, by the page's program.
pub fn start() {
    say_panics();
    // What the document shows until now.
    if let Some(waiting) = document().get_element_by_id("waiting") {
        waiting.remove();
    }
    mount_to_body(shell::Shell);
}

/// Puts a part of the page into the place that the shell made for it; called once, by the part's
/// program.
pub fn start_part<V: IntoView + 'static>(name: &str, view: fn() -> V) {
    say_panics();
    let place = document().get_element_by_id(&part::place(name));
    let Some(Ok(place)) = place.map(|place| place.dyn_into::<web_sys::HtmlElement>()) else {
        return;
    };
    let mounted = mount_to(place, move || {
        provide_context(address::Address::follow());
        view()
    });
    // It stays as long as the page.
    mounted.forget();
}
