//! One self-contained page: text, facts, tables and figures, light or dark as the reader's system
//! has it, and black on white on paper. It loads nothing from anywhere.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::svg::Svg;
use super::table::{Align, Table, Tone};

/// A page.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Heading and window title.
    pub title: String,
    /// A sentence or two below the heading; may be empty.
    pub lead: String,
    /// The body.
    pub sections: Vec<Section>,
    /// What made the page, and of what; stands at its foot.
    pub footer: String,
}

/// A heading and what stands below it.
#[derive(Clone, Debug, Default)]
pub struct Section {
    /// Its heading.
    pub heading: String,
    /// In reading order.
    pub blocks: Vec<Block>,
}

/// One piece of a section.
#[derive(Clone, Debug)]
pub enum Block {
    /// A paragraph.
    Text(String),
    /// A few names and values, such as `overlap@10` and `0.886`, set large.
    Facts(Vec<(String, String)>),
    /// A table with its remarks.
    Table(Table),
    /// A plot and its caption.
    Figure {
        /// The plot.
        svg: Svg,
        /// What to see in it.
        caption: String,
    },
    /// A command to type.
    Command(String),
    /// Statements, each with a verdict and why.
    Statements(Vec<Statement>),
}

/// A statement that was put to the test.
#[derive(Clone, Debug, Default)]
pub struct Statement {
    /// What is said.
    pub text: String,
    /// Figures and what else there is to it, in few words; may be empty.
    pub facts: String,
    /// What comes of it.
    pub verdict: String,
    /// How that is to be taken.
    pub tone: Tone,
    /// Why, in a sentence or more.
    pub why: String,
}

impl Section {
    /// A section without content.
    pub fn new(heading: impl Into<String>) -> Self {
        Self { heading: heading.into(), blocks: Vec::new() }
    }

    /// The same section with one more block.
    pub fn with(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }
}

impl Report {
    /// The page as HTML.
    pub fn to_html(&self) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta http-equiv="Content-Security-Policy"
                        content="default-src 'none'; style-src 'unsafe-inline'";
                    title { (self.title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    main {
                        header {
                            h1 { (self.title) }
                            @if !self.lead.is_empty() { p.lead { (self.lead) } }
                        }
                        @for section in &self.sections { (section_html(section)) }
                        @if !self.footer.is_empty() { footer { p { (self.footer) } } }
                    }
                }
            }
        };
        page.into_string()
    }
}

fn section_html(section: &Section) -> Markup {
    html! {
        section {
            @if !section.heading.is_empty() { h2 { (section.heading) } }
            @for block in &section.blocks {
                @match block {
                    Block::Text(text) => p { (text) },
                    Block::Facts(facts) => dl.facts {
                        @for (name, value) in facts { div { dt { (name) } dd { (value) } } }
                    },
                    Block::Table(table) => (table_html(table)),
                    Block::Figure { svg, caption } => figure {
                        (PreEscaped(svg.as_str()))
                        @if !caption.is_empty() { figcaption { (caption) } }
                    },
                    Block::Command(command) => pre { code { (command) } },
                    Block::Statements(all) => div.statements {
                        @for one in all { (statement_html(one)) }
                    },
                }
            }
        }
    }
}

fn statement_html(one: &Statement) -> Markup {
    html! {
        article {
            div {
                h3 { "“" (one.text) "”" }
                @if !one.facts.is_empty() { p.note { (one.facts) } }
            }
            div {
                p class={ "verdict " (tone_class(one.tone)) } { (one.verdict) }
                p { (one.why) }
            }
        }
    }
}

/// The class of a tone; none for the plain one.
fn tone_class(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "",
        Tone::Good => "good",
        Tone::Warn => "warn",
        Tone::Muted => "muted",
        Tone::Strong => "strong",
    }
}

fn table_html(table: &Table) -> Markup {
    let side = |column: usize| match table.columns[column].align {
        Align::Left => "l",
        Align::Right => "r",
    };
    let class = |column: usize, tone: Tone| match tone {
        Tone::Plain => side(column).to_string(),
        tone => format!("{} {}", side(column), tone_class(tone)),
    };
    html! {
        div.table {
            table {
                @if !table.title.is_empty() { caption { (table.title) } }
                thead { tr {
                    @for (c, column) in table.columns.iter().enumerate() {
                        th scope="col" class=(side(c)) { (column.title) }
                    }
                } }
                tbody {
                    @for row in 0..table.rows.len() {
                        tr {
                            @for c in 0..table.columns.len() {
                                @let cell = table.cell(row, c);
                                @if c == 0 {
                                    th scope="row" class=(class(c, cell.tone)) { (cell.shown) }
                                } @else {
                                    td class=(class(c, cell.tone)) { (cell.shown) }
                                }
                            }
                        }
                    }
                }
            }
        }
        @for note in &table.notes { p.note { (note) } }
    }
}

/// Type first: one measure, one accent, rules instead of boxes, figures that line up.
const STYLE: &str = include_str!("page.css");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::table::{Cell, Column};

    #[test]
    fn hostile_text_stays_text_and_nothing_is_loaded() {
        let evil = "<script>alert(\"1\")</script>&";
        let mut table = Table::new(evil, vec![Column::left("a", evil), Column::right("b", "b")]);
        table.row(vec![Cell::text(evil), Cell::count(1_000)]).row(vec![]).note(evil);
        let report = Report {
            title: evil.into(),
            lead: evil.into(),
            footer: evil.into(),
            sections: vec![
                Section::new(evil)
                    .with(Block::Text(evil.into()))
                    .with(Block::Facts(vec![(evil.into(), evil.into())]))
                    .with(Block::Command(evil.into()))
                    .with(Block::Table(table))
                    .with(Block::Statements(vec![Statement {
                        text: evil.into(),
                        facts: evil.into(),
                        verdict: evil.into(),
                        tone: Tone::Good,
                        why: evil.into(),
                    }])),
            ],
        };
        let page = report.to_html();
        assert!(!page.contains("<script"), "{page}");
        assert_eq!(page.matches("&lt;script&gt;").count(), 17);
        for outside in ["http://", "https://", "src=", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains(">1,000<") && page.starts_with("<!DOCTYPE html>"));
    }
}
