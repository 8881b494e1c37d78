//! What the visitor does with sizes: one of their own, measurements, a chart, files.

use leptos::prelude::*;

use super::device::Bench;
use super::own::Own;
use super::settings::Settings;
use super::{chart, paper};
use crate::page::address::Address;
use crate::page::choice::Choice;
use crate::page::download;
use crate::page::html::Markup;
use crate::widget::Host;

/// What there is: the table stands above.
const ALL: &str = "table,own,device,chart";

/// Everything below the table on paper.
#[component]
pub fn SizeTools() -> impl IntoView {
    let address = Address::use_it();
    let settings = move || Settings::read(address);
    let bench = Bench::new();
    let quantity = address.text("chart", "parameters");
    // A widget may show some of it.
    let shown = address.text("show", ALL);
    let hides =
        move |part: &'static str| move || !shown.with(|all| all.split(',').any(|p| p == part));
    if let Some(host) = use_context::<Host>() {
        host.follow(bench.job());
        host.on_run(move || bench.measure_all());
        Effect::new(move || host.tell("result", &paper::document(&settings(), &bench.results())));
    }
    let drawn = move || chart::draw(&settings(), &quantity.get(), &bench.results());
    view! {
        <div hidden=hides("own")><Own bench /></div>
        <div hidden=hides("device")>
        <h3>"On this device"</h3>
        <p>
            "Cold is from opening the device to the first answer; warm is the median once \
             everything is there. The weights are random numbers: only the time counts."
        </p>
        {bench.view()}
        </div>
        <div hidden=hides("chart")>
        <h3>"In one picture"</h3>
        <form class="controls" on:submit=|event| event.prevent_default()>
            <Choice label="Show" name="chart" options=&chart::QUANTITIES />
        </form>
        <Markup class="scroll figure" label="Chart of sizes" html=drawn />
        </div>
        <div class="row">
            <button type="button" on:click=move |_| {
                let all = paper::everything(&settings(), &bench.results());
                download::save_text("lnsp-sizes.csv", "text/csv", &all.csv());
            }>"Save CSV"</button>
            <button type="button" on:click=move |_| {
                let all = paper::document(&settings(), &bench.results());
                download::save_text("lnsp-sizes.json", "application/json", &download::json(&all));
            }>"Save JSON"</button>
            <button type="button" on:click=move |_| {
                download::save_text("lnsp-sizes.svg", "image/svg+xml", &drawn());
            }>"Save SVG"</button>
        </div>
    }
}
