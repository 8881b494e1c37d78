//! The state of the page in its address: `#sizes?s=300&dtype=f16`, so that a link restores it.

use std::str::FromStr;

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;

use super::named::Named;
use super::tabs::Tab;

/// What stands after the `#`: the view, and values by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The view.
    pub tab: Tab,
    /// The values, by name.
    pub values: Named<String>,
}

impl State {
    /// Reads `#tab?name=value&name=value`; what cannot be read is left out.
    pub fn parse(hash: &str) -> Self {
        let hash = hash.trim_start_matches('#');
        let (tab, values) = hash.split_once('?').unwrap_or((hash, ""));
        let mut state = Self { tab: Tab::named(tab).unwrap_or_default(), ..Self::default() };
        for (name, value) in values.split('&').filter_map(|pair| pair.split_once('=')) {
            if let Some(value) = decode(value) {
                state.values.set(name, value);
            }
        }
        state
    }

    /// The same as text.
    pub fn hash(&self) -> String {
        let mut text = format!("#{}", self.tab.name());
        for (i, (name, value)) in self.values.iter().enumerate() {
            text.push(if i == 0 { '?' } else { '&' });
            text.push_str(&format!("{name}={}", encode(value)));
        }
        text
    }
}

/// Leaves letters, digits and what the lists of widths need, and escapes the rest.
pub(super) fn encode(value: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.,~".contains(&b);
    let mut out = String::new();
    for b in value.bytes() {
        match b {
            b if plain(b) => out.push(char::from(b)),
            b => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}

fn decode(value: &str) -> Option<String> {
    let mut bytes = value.bytes();
    let mut out = Vec::new();
    while let Some(b) = bytes.next() {
        out.push(match b {
            b'%' => {
                let digit = |b: Option<u8>| char::from(b?).to_digit(16);
                let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
                (16 * high + low) as u8
            }
            b => b,
        });
    }
    String::from_utf8(out).ok()
}

/// The state, kept in step with the browser's address. Given to every view as a context.
#[derive(Clone, Copy)]
pub struct Address(RwSignal<State>);

impl Address {
    /// Reads the address, and follows it from now on.
    pub fn follow() -> Self {
        let read = || State::parse(&location().hash().unwrap_or_default());
        let address = Self(RwSignal::new(read()));
        let listen = Closure::<dyn FnMut()>::new(move || {
            let now = read();
            if address.0.with_untracked(|state| *state != now) {
                address.0.set(now);
            }
        });
        let listener = listen.as_ref().unchecked_ref();
        // The page lives as long as its window.
        let _ = window().add_event_listener_with_callback("hashchange", listener);
        listen.forget();
        Effect::new(move || {
            let hash = address.0.with(State::hash);
            if location().hash().is_ok_and(|now| now != hash)
                && let Ok(history) = window().history()
            {
                // Replaced, not pushed: a slider would fill the history.
                let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(&hash));
                // Every program of the page follows the address, each by itself.
                if let Ok(event) = web_sys::Event::new("hashchange") {
                    let _ = window().dispatch_event(&event);
                }
            }
        });
        address
    }

    /// With these values, apart from the browser's address: a widget leaves its page's alone.
    pub fn apart(values: Vec<(String, String)>) -> Self {
        let mut state = State::default();
        for (name, value) in values {
            state.values.set(&name, value);
        }
        Self(RwSignal::new(state))
    }

    /// The one that [`Self::follow`] or [`Self::apart`] made.
    pub fn use_it() -> Self {
        expect_context()
    }

    /// The view.
    pub fn tab(self) -> Memo<Tab> {
        Memo::new(move |_| self.0.with(|state| state.tab))
    }

    /// Where a link to another view leads: the same values.
    pub fn link(self, tab: Tab) -> String {
        self.0.with(|state| State { tab, values: state.values.clone() }.hash())
    }

    /// The value called `name`, or `default`.
    pub fn text(self, name: &'static str, default: &'static str) -> Memo<String> {
        Memo::new(move |_| {
            self.0.with(|state| state.values.get(name).map_or(default, String::as_str).to_string())
        })
    }

    /// The value called `name`, `default` if it is absent or cannot be read as a `T`.
    pub fn read<T: FromStr>(self, name: &str, default: T) -> T {
        let read = |state: &State| state.values.get(name).and_then(|value| value.parse().ok());
        self.0.with(read).unwrap_or(default)
    }

    /// The value called `name`, empty if it is absent.
    #[inline(never)]
    pub fn word(self, name: &str) -> String {
        self.0.with(|state| state.values.get(name).cloned().unwrap_or_default())
    }

    /// Follows every value from here on.
    pub fn track(self) {
        self.0.track();
    }

    /// Sets the value called `name`; who follows is not told.
    pub fn set_quietly(self, name: &str, value: &str) {
        self.0.update_untracked(|state| state.values.set(name, value.into()));
    }

    /// Sets the value called `name`; the `default` is left out of the address.
    pub fn set(self, name: &str, value: &str, default: &str) {
        self.0.update(|state| {
            if value == default {
                state.values.remove(name);
            } else {
                state.values.set(name, value.into());
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_the_round_trip() {
        let mut state = State { tab: Tab::Claims, ..State::default() };
        for (name, value) in [("widths", "384-256, 9 ä&=%"), ("s", "300")] {
            state.values.set(name, value.into());
        }
        assert_eq!(State::parse(&state.hash()), state);
        assert_eq!(State::parse(""), State::default());
        assert_eq!(State::parse("#sizes?s=%G1&d=cpu&x").values.iter().len(), 1);
    }
}
