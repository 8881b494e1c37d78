//! Head, navigation, the views, and the line about the device.

use leptos::prelude::*;

use super::address::Address;
use super::choice::Choice;
use super::embed::EmbedThis;
use super::part::{Part, When};
use super::sizes::Sizes;
use super::tabs::Tab;
use super::theme::ThemeButton;
use super::webgpu;
use super::wire::{self, News};

const DEVICES: [(&str, &str); 3] = [("auto", "auto"), ("gpu", "GPU"), ("cpu", "CPU")];

/// The whole page.
#[component]
pub fn Shell() -> impl IntoView {
    let address = Address::follow();
    provide_context(address);
    let news = wire::keep();
    super::hooks::install();
    let tab = address.tab();
    Effect::new(move || document().set_title(&format!("{} – lnsp", tab.get().title())));
    view! {
        <a class="skip" href="#main" on:click=skip>"Skip to content"</a>
        <header>
            <h1>"lnsp"</h1>
            <nav aria-label="Views">
                {Tab::ALL.map(|one| view! {
                    <a
                        href=move || address.link(one)
                        aria-current=move || (tab.get() == one).then_some("page")
                    >
                        {one.title()}
                    </a>
                })}
            </nav>
            <ThemeButton />
        </header>
        <main id="main" tabindex="-1">
            <DeviceLine news />
            <p class="notice" role="status">{move || news.notice.get()}</p>
            {Tab::ALL.map(|one| view! { <View tab=one /> })}
            <EmbedThis />
        </main>
        <footer>
            <p>
                "Everything runs on this device; nothing you type or drop leaves it. The note: "
                {lnsp::note::SOURCE} "."
            </p>
        </footer>
    }
}

/// The address after `#` is the state of the page, so the link moves the focus itself.
fn skip(event: web_sys::MouseEvent) {
    use wasm_bindgen::JsCast;
    event.prevent_default();
    let main = document().get_element_by_id("main");
    if let Some(main) = main.and_then(|main| main.dyn_into::<web_sys::HtmlElement>().ok()) {
        let _ = main.focus();
    }
}

/// A view, made when first visited and then kept.
#[component]
fn View(tab: Tab) -> impl IntoView {
    let now = Address::use_it().tab();
    let visited = Memo::new(move |before: Option<&bool>| {
        before.copied().unwrap_or(false) || now.get() == tab
    });
    let body = move || {
        visited.get().then(|| match tab {
            Tab::Sizes => view! { <Sizes /> }.into_any(),
            _ => view! { <Part name=tab.name() title=tab.title() when=When::Now /> }.into_any(),
        })
    };
    view! {
        <section id=tab.name() aria-label=tab.title() hidden=move || now.get() != tab>
            {body}
        </section>
    }
}

/// Which device works, why, and a choice.
#[component]
fn DeviceLine(
    /// What the workers say.
    news: News,
) -> impl IntoView {
    let address = Address::use_it();
    let before = RwSignal::new(String::new());
    webgpu::look(before);
    let choice = address.text("device", "auto");
    // What another choice opened says nothing about this one.
    Effect::new(move |last: Option<String>| {
        let now = choice.get();
        if last.is_some_and(|last| last != now) {
            news.device.set(None);
        }
        now
    });
    let line = move || match news.device.get() {
        Some(info) => info.line(),
        None => before.get(),
    };
    view! {
        <div class="device">
            <Choice label="Device" name="device" options=&DEVICES />
            <span id="device-line" role="status">{line}</span>
        </div>
    }
}
