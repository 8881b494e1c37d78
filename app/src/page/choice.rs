//! A choice among a few words that stands in the address.

use leptos::prelude::*;

use super::address::Address;

/// A labelled list to choose from; the choice is the address's value called `name`.
#[component]
pub fn Choice(
    /// What is chosen.
    label: &'static str,
    /// Its name in the address, and the list's id.
    name: &'static str,
    /// Each choice as it stands in the address, and as it is shown; the first is the default.
    options: &'static [(&'static str, &'static str)],
) -> impl IntoView {
    let address = Address::use_it();
    let default = options.first().map_or("", |option| option.0);
    let value = address.text(name, default);
    let known = move |value: &str| options.iter().any(|option| option.0 == value);
    let chosen = move |option: &str| {
        value.with(|value| if known(value) { value == option } else { option == default })
    };
    view! {
        <label>
            {label} " "
            <select id=name
                on:change=move |event| address.set(name, &event_target_value(&event), default)>
                {options.iter().map(|&(word, title)| view! {
                    <option value=word prop:selected=move || chosen(word)>{title}</option>
                }).collect_view()}
            </select>
        </label>
    }
}
