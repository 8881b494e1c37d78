//! “Embed this”: the lines that put what is on the screen into another page.

use js_sys::{Promise, Reflect};
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::HtmlTextAreaElement;

use super::address::{Address, encode};
use super::html::escape;
use super::tabs::Tab;
use crate::protocol::TRAINED_HERE;

#[wasm_bindgen]
extern "C" {
    /// Refused where the page is in no secure context.
    #[wasm_bindgen(js_namespace = ["navigator", "clipboard"], js_name = writeText, catch)]
    fn copy(text: &str) -> Result<Promise, JsValue>;
}

/// The element of a view, and the values of the address that it knows as attributes.
fn element(tab: Tab) -> Option<(&'static str, &'static [&'static str])> {
    match tab {
        Tab::Sizes => {
            Some(("sizes", &["dtype", "variant", "batch", "s", "widths", "chart", "device"]))
        }
        Tab::Try => Some(("compare", &["students", "topics", "device"])),
        Tab::Train => None,
        Tab::Claims => Some(("claims", &["cache", "device"])),
    }
}

/// What is on the screen.
#[derive(Default)]
struct Screen {
    element: &'static str,
    attributes: Vec<(&'static str, String)>,
    /// Sentences of the visitor's own.
    sentences: Vec<String>,
    /// What stays behind, in words.
    left_out: Vec<&'static str>,
}

impl Screen {
    fn read(tab: Tab, address: Address) -> Option<Self> {
        let (element, names) = element(tab)?;
        let mut screen = Screen { element, ..Self::default() };
        if tab == Tab::Sizes {
            screen.attributes.push(("show", "table,own,device,chart".into()));
        }
        for name in names {
            let mut value = address.word(name);
            if *name == "students" && value.contains(TRAINED_HERE) {
                let others = value.split(',').filter(|one| *one != TRAINED_HERE);
                value = others.collect::<Vec<_>>().join(",");
                screen
                    .left_out
                    .push("the student trained here: keep its file, and name its address");
            }
            if !value.is_empty() {
                screen.attributes.push((name, value));
            }
        }
        if tab == Tab::Try {
            let find = |what: &str| {
                let shown = format!("#try div:not([hidden]) > label > {what}");
                document().query_selector(&shown).ok().flatten()
            };
            if let Some(typed) = find("#sentences") {
                let text = typed.unchecked_into::<HtmlTextAreaElement>().value();
                let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
                screen.sentences = lines.map(Into::into).collect();
            }
            if find("#file").is_some() {
                screen.left_out.push("your file");
            }
        }
        Some(screen)
    }

    /// A script tag and an element.
    fn tag(&self, folder: &str, integrity: &str) -> String {
        let element = self.element;
        let sealed = match integrity {
            "" => String::new(),
            hash => format!(" integrity=\"{hash}\" crossorigin=\"anonymous\""),
        };
        let mut out = format!(
            "<script type=\"module\" src=\"{folder}lnsp.js\"{sealed}></script>\n<lnsp-{element}"
        );
        for (name, value) in &self.attributes {
            out += &format!(" {name}=\"{}\"", escape(value));
        }
        out += ">";
        for sentence in &self.sentences {
            out += &format!("\n  <p>{}</p>", escape(sentence));
        }
        out + if self.sentences.is_empty() { "" } else { "\n" } + &format!("</lnsp-{element}>\n")
    }

    /// An iframe.
    fn frame(&self, folder: &str) -> String {
        let mut query = format!("view={}", self.element);
        let sentences = self.sentences.join("\n");
        let own = (!sentences.is_empty()).then_some(("sentences", &sentences));
        for (name, value) in self.attributes.iter().map(|(n, v)| (*n, v)).chain(own) {
            query += &format!("&amp;{name}={}", encode(value));
        }
        format!(
            "<iframe src=\"{folder}embed.html?{query}\" title=\"lnsp\" sandbox=\"allow-scripts\" \
             loading=\"lazy\" style=\"width: 100%; height: 60rem; border: 0\"></iframe>\n"
        )
    }
}

/// The folder of the widget's package.
fn folder() -> String {
    let here = location().href().unwrap_or_default();
    let here = here.split(['#', '?']).next().unwrap_or_default();
    let end = here.rfind('/').map_or(0, |at| at + 1);
    format!("{}widget/", &here[..end])
}

/// The hash of the loader; empty if the package does not tell.
async fn integrity() -> Option<String> {
    let answer = JsFuture::from(window().fetch_with_str("./widget/integrity.json")).await.ok()?;
    let answer: web_sys::Response = answer.unchecked_into();
    let seal = JsFuture::from(answer.json().ok()?).await.ok()?;
    let files = Reflect::get(&seal, &"files".into()).ok()?;
    Reflect::get(&files, &"lnsp.js".into()).ok()?.as_string()
}

/// The lines for a view, made when asked for.
#[component]
pub(super) fn EmbedThis() -> impl IntoView {
    let address = Address::use_it();
    let tab = address.tab();
    let open = RwSignal::new(false);
    let seal = RwSignal::new(None::<String>);
    let said = RwSignal::new("");
    // Read anew on every opening: what was typed stands in no address.
    let toggle = move |event: web_sys::Event| {
        let details: web_sys::Element = event_target(&event);
        open.set(details.has_attribute("open"));
        said.set("");
        if open.get_untracked() && seal.get_untracked().is_none() {
            spawn_local(async move { seal.set(Some(integrity().await.unwrap_or_default())) });
        }
    };
    let screen = move || if open.get() { Screen::read(tab.get(), address) } else { None };
    let tag = move || {
        let hash = seal.get().unwrap_or_default();
        screen().map(|screen| screen.tag(&folder(), &hash)).unwrap_or_default()
    };
    let frame = move || screen().map(|screen| screen.frame(&folder())).unwrap_or_default();
    let left_out = move || {
        let left_out = screen().map(|screen| screen.left_out).unwrap_or_default();
        if left_out.is_empty() {
            String::new()
        } else {
            format!("Left out: {}.", left_out.join("; "))
        }
    };
    let take = move |text: String| {
        said.set(match copy(&text) {
            Ok(_) => "Copied.",
            Err(_) => "The browser refuses; select the lines and copy them.",
        });
    };
    view! {
        <details class="embed" hidden=move || element(tab.get()).is_none() on:toggle=toggle>
            <summary>"Embed this"</summary>
            <label class="stack">"In a page of yours: a script tag and one element"
                <textarea id="embed-tag" readonly rows="4" prop:value=tag></textarea>
            </label>
            <p><button type="button" on:click=move |_| take(untrack(tag))>"Copy the element"</button></p>
            <label class="stack">"Where scripts are forbidden: an iframe"
                <textarea id="embed-frame" readonly rows="3" prop:value=frame></textarea>
            </label>
            <p><button type="button" on:click=move |_| take(untrack(frame))>"Copy the iframe"</button></p>
            <p class="aside" role="status">{move || said.get()} " " {left_out}</p>
        </details>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_escaped() {
        let screen = Screen {
            element: "compare",
            attributes: vec![("device", "a\"b".into())],
            sentences: vec!["1 < 2 & 3".into()],
            left_out: Vec::new(),
        };
        let tag = screen.tag("https://x.org/", "");
        assert!(tag.contains("<p>1 &lt; 2 &amp; 3</p>") && tag.contains("device=\"a&quot;b\""));
        assert!(screen.frame("/").contains("&amp;sentences=1%20%3C%202%20%26%203\""));
    }
}
