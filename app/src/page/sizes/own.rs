//! The visitor's own size: any S, or any list of widths.

use leptos::prelude::*;
use lnsp::number::{count, megabytes, metric};
use lnsp::sizes::SizeRow;

use super::device::Bench;
use super::settings::Settings;
use crate::page::address::Address;
use crate::page::html::{Markup, escape};

/// A slider, a number and a list of widths, and what follows from them.
#[component]
pub(super) fn Own(bench: Bench) -> impl IntoView {
    let address = Address::use_it();
    let s = move || Settings::read(address).s;
    let set = move |event| {
        address.set("widths", "", "");
        address.set("s", &event_target_value(&event), "300");
    };
    let facts = move || match Settings::read(address).own() {
        Ok(row) => facts(&row),
        Err(error) => format!("<p class=\"wrong\">{}</p>", escape(&error.to_string())),
    };
    let own = move || Settings::read(address).own().is_err();
    view! {
        <h3>"Your own size"</h3>
        <form class="controls" on:submit=|event| event.prevent_default()>
            <label class="wide">"S of 384→S→192→S→384 "
                <input type="range" min="16" max="4096" step="8" prop:value=s on:input=set />
            </label>
            <label>"as a number "
                <input type="number" id="own-s" min="1" max="100000" step="1" prop:value=s on:change=set />
            </label>
            <label>"or any widths "
                <input type="text" id="own-widths" placeholder="768-512-128-512-768" autocomplete="off"
                    spellcheck="false" prop:value=address.text("widths", "")
                    on:change=move |event| address.set("widths", event_target_value(&event).trim(), "") />
            </label>
            <button type="button" id="own-measure" disabled=own on:click=move |_| bench.measure_own()>
                "Measure here"
            </button>
        </form>
        <Markup class="facts" label="Your own size" html=facts />
    }
}

fn facts(row: &SizeRow) -> String {
    let fact = |name: &str, value: &str| format!("<div><dt>{name}</dt><dd>{value}</dd></div>");
    let mb = |bytes| format!("{} MB", megabytes(bytes));
    let mut out = format!("<p><strong>{}</strong></p><dl>", row.architecture);
    out += &fact("parameters", &count(row.parameters));
    out += &fact("f32", &mb(row.bytes.f32));
    out += &fact("f16", &mb(row.bytes.f16));
    out += &fact("int8", &mb(row.bytes.int8));
    out += &fact("FLOPs a vector", &metric(row.flops_per_vector));
    let training = format!("training, batch {}", row.training.batch);
    out += &fact(&training, &mb(row.training.total));
    let latent = row.arch.latent();
    let share = format!("{latent} of {} values", row.arch.input());
    out += &fact("a latent keeps", &share);
    out + &format!("</dl><p>{}</p>", escape(&row.explanation))
}
