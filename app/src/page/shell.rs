//! Head, navigation, the views, and the line about the device.

use leptos::prelude::*;

use super::address::Address;
use super::lane::Lanes;
use super::sizes::Sizes;
use super::tabs::Tab;

/// The whole page.
#[component]
pub fn Shell() -> impl IntoView {
    let address = Address::follow();
    provide_context(address);
    let lanes = Lanes::new();
    provide_context(lanes);
    let tab = address.tab();
    view! {
        <header>
            <h1>"lnsp"</h1>
            <nav aria-label="Views">
                {Tab::ALL.map(|one| view! {
                    <a href=move || address.link(one) aria-current=move || (tab.get() == one).then_some("page")>
                        {one.title()}
                    </a>
                })}
            </nav>
        </header>
        <main>
            <p class="notice" role="status">{move || lanes.notice.get()}</p>
            {Tab::ALL.map(|one| view! { <View tab=one /> })}
        </main>
    }
}

/// A view, made when first visited and then kept.
#[component]
fn View(tab: Tab) -> impl IntoView {
    let now = Address::use_it().tab();
    let visited = Memo::new(move |before: Option<&bool>| {
        before.copied().unwrap_or(false) || now.get() == tab
    });
    view! {
        <section id=tab.name() aria-label=tab.title() hidden=move || now.get() != tab>
            <Show when=move || visited.get()>
                {match tab {
                    Tab::Sizes => view! { <Sizes /> }.into_any(),
                    Tab::Claims => view! { <p>"soon"</p> }.into_any(),
                }}
            </Show>
        </section>
    }
}
