//! Sizes: both of the note's families and any other architecture, on paper and on this device. The
//! table on paper is part of the shell; the rest is a program of its own ([`SizeTools`]).

mod chart;
mod device;
mod own;
mod paper;
mod settings;
mod tools;

pub use tools::SizeTools;

use leptos::prelude::*;
use lnsp::Variant;
use lnsp::sizes::{SN727_IS_INFERRED, SizeRow, Verdict};

use self::settings::Settings;
use super::address::Address;
use super::choice::Choice;
use super::html::Markup;
use super::part::{Part, When};

const DTYPES: [(&str, &str); 3] = [("f32", "f32"), ("f16", "f16"), ("int8", "int8")];
const VARIANTS: [(&str, &str); 2] = [("plain", "plain layers"), ("sn727", "sn727 (inferred)")];

/// The view: the table on paper, and a place for the rest.
#[component]
pub fn Sizes() -> impl IntoView {
    let address = Address::use_it();
    let settings = move || Settings::read(address);
    view! {
        <h2>"Sizes"</h2>
        <p class="lead">
            "What the note says each student weighs, and what it weighs when its layers are counted. "
            {move || meaning(&settings().rows())}
        </p>
        <SizePaper />
        <Part name="sizes" title="Your own size, measurements and charts" when=When::Seen />
    }
}

/// The table on paper, and what it is computed for.
#[component]
pub fn SizePaper() -> impl IntoView {
    let address = Address::use_it();
    let settings = move || Settings::read(address);
    let inferred = move || settings().variant == Variant::Sn727;
    view! {
        <form class="controls" on:submit=|event| event.prevent_default()>
            <Choice label="Weights in" name="dtype" options=&DTYPES />
            <Choice label="Graph of family B" name="variant" options=&VARIANTS />
            <label>"Training batch "
                <input type="number" min="1" max="65536" step="1"
                    prop:value=move || settings().batch
                    on:change=move |event| address.set("batch", &event_target_value(&event), "256") />
            </label>
        </form>
        <p class="aside" hidden=move || !inferred()>{format!("{SN727_IS_INFERRED}.")}</p>
        <Markup class="scroll" label="Sizes on paper" html=move || paper::table(&settings()).html() />
        <p class="aside">
            "MB are 10⁶ bytes. Training memory is what the tensors of a step take, in f32; a figure \
             of the note within 5 % counts as right."
        </p>
    }
}

/// What the table means, in a sentence.
fn meaning(rows: &[SizeRow]) -> String {
    let over = |row: &&SizeRow| {
        row.checks.is_some_and(|checks| checks.parameters.verdict == Verdict::Overstated)
    };
    let noted = rows.iter().filter(|row| row.checks.is_some()).count();
    match rows.iter().filter(over).count() {
        0 => format!("All {noted} rows have about as many parameters as the note says."),
        n if n == noted => format!(
            "In every one of its {noted} rows the note has more parameters than the layers it \
             lists: a student is lighter than the note says."
        ),
        n => format!(
            "In {n} of its {noted} rows the note has more parameters than the layers it lists."
        ),
    }
}
