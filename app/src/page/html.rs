//! Tables as data: shown as HTML, saved as CSV.
//!
//! Tables and drawings are written as text: of the ways to show hundreds of cells this is the
//! smallest and the fastest.

use leptos::html::Div;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// The document, or the shadow root of a widget.
    type Root;

    #[wasm_bindgen(method, getter, js_name = activeElement)]
    fn active_element(this: &Root) -> Option<web_sys::Element>;

    #[wasm_bindgen(method, catch, js_name = getElementById)]
    fn element(this: &Root, id: &str) -> Result<Option<web_sys::Element>, JsValue>;
}

/// A frame with markup of our own. When the markup changes, the focus stays where it was.
#[component]
pub fn Markup(
    /// Class of the frame.
    class: &'static str,
    /// What it holds, for screen readers: a frame that scrolls can take the focus.
    label: &'static str,
    /// The markup, not escaped.
    html: impl Fn() -> String + 'static,
) -> impl IntoView {
    let frame = NodeRef::<Div>::new();
    Effect::new(move || {
        let html = html();
        let Some(frame) = frame.get() else { return };
        let root: Root = frame.get_root_node().unchecked_into();
        let focused = root.active_element().map(|element| element.id());
        frame.set_inner_html(&html);
        let again = focused.filter(|id| !id.is_empty());
        let again = again.and_then(|id| root.element(&id).ok().flatten());
        if let Some(Ok(element)) = again.map(|e| e.dyn_into::<web_sys::HtmlElement>()) {
            let _ = element.focus();
        }
    });
    let scrolls = class.contains("scroll").then_some("0");
    view! { <div node_ref=frame class=class role="region" aria-label=label tabindex=scrolls></div> }
}

/// Text as it stands in HTML, SVG and their attributes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

/// A cell: what is shown, a class for the style, and markup of our own after it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    /// The text.
    pub text: String,
    /// A class, empty for none.
    pub class: &'static str,
    /// Markup after the text, not escaped: only our own.
    pub markup: String,
}

impl Cell {
    /// A cell of plain text.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// The same with a class.
    pub fn class(mut self, class: &'static str) -> Self {
        self.class = class;
        self
    }
}

/// A table; the first cell of each row is its header.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// What it shows.
    pub caption: String,
    /// The columns' headers.
    pub head: Vec<&'static str>,
    /// The rows.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// As HTML. What a phone cannot show at once scrolls inside the frame around it.
    pub fn html(&self) -> String {
        let mut out =
            format!("<table><caption><span>{}</span></caption><thead><tr>", escape(&self.caption));
        for head in &self.head {
            out += &format!("<th scope=\"col\">{}</th>", escape(head));
        }
        out += "</tr></thead><tbody>";
        for row in &self.rows {
            out += "<tr>";
            for (i, cell) in row.iter().enumerate() {
                let (tag, scope) = if i == 0 { ("th", " scope=\"row\"") } else { ("td", "") };
                let text = escape(&cell.text);
                out += &format!(
                    "<{tag}{scope} class=\"{}\">{text}{}</{tag}>",
                    cell.class, cell.markup
                );
            }
            out += "</tr>";
        }
        out + "</tbody></table>"
    }

    /// As CSV, markup left out.
    pub fn csv(&self) -> String {
        let line = |cells: &mut dyn Iterator<Item = &str>| -> String {
            let fields: Vec<String> =
                cells.map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect();
            fields.join(",") + "\r\n"
        };
        let mut out = line(&mut self.head.iter().copied());
        for row in &self.rows {
            out += &line(&mut row.iter().map(|cell| cell.text.as_str()));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_everywhere() {
        let table = Table {
            caption: "a<b".into(),
            head: vec!["x & y"],
            rows: vec![vec![Cell::new("\"<script>\"").class("c")]],
        };
        let html = table.html();
        assert!(html.contains("a&lt;b") && html.contains("x &amp; y"));
        assert!(
            html.contains("class=\"c\">&quot;&lt;script&gt;&quot;</th>")
                && !html.contains("<script")
        );
        assert_eq!(table.csv(), "\"x & y\"\r\n\"\"\"<script>\"\"\"\r\n");
    }
}
