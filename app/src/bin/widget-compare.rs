//! `<lnsp-compare>`, fetched when an element comes near the viewport.

use js_sys::{Function, Object};
use lnsp_app::widget;
use wasm_bindgen::prelude::wasm_bindgen;

fn main() {
    widget::start();
}

/// Puts the view into an element; called by the widget's loader.
#[wasm_bindgen]
pub fn mount(place: web_sys::HtmlElement, attributes: &Object, tell: Function) -> Object {
    widget::mount(place, attributes, tell, widget::CompareWidget)
}
