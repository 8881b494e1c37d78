//! The page itself: shell, views, and the page's side of the wire.

pub mod address;
pub mod choice;
mod claims;
pub mod download;
mod hooks;
pub mod html;
pub mod job;
pub mod lane;
pub mod memory;
mod shell;
mod sizes;
pub mod tabs;
mod theme;
mod training;
mod trial;
mod webgpu;

use leptos::prelude::*;

/// Puts the page into the document; called once, by the page's program.
pub fn start() {
    console_error_panic_hook::set_once();
    // What the document shows until now.
    if let Some(waiting) = document().get_element_by_id("waiting") {
        waiting.remove();
    }
    mount_to_body(shell::Shell);
}
