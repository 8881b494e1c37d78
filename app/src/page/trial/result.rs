//! What came out: the sentence, the table, the pictures, the neighbours.

use leptos::prelude::*;
use lnsp::experiment::{Kept, Kind, SideBySide, monthly_price};
use lnsp::metrics::Interval;
use lnsp::number::{count, decimal};

use super::super::address::Address;
use super::super::choice::Choice;
use super::super::html::{Cell, Markup, Table, escape};
use super::super::number;
use super::drawing;
use super::pareto::{self, Axes, COSTS, SCORES};
use super::picture::heat_map;
use crate::protocol::{CodeTimes, Compared};

/// A comparison and what its vectors stand for.
#[derive(Clone, PartialEq)]
pub(crate) struct Outcome {
    /// The codes.
    pub compared: Compared,
    /// Empty for a file: its rows are counted.
    pub texts: Vec<String>,
    /// Whether the baselines are in it, too.
    pub whole: bool,
}

impl Outcome {
    /// The shown sentences.
    pub(crate) fn sentences(&self) -> Vec<String> {
        self.sides().shown.iter().map(|row| self.text(*row)).collect()
    }

    fn text(&self, row: usize) -> String {
        self.texts.get(row).cloned().unwrap_or_else(|| format!("vector {}", row + 1))
    }

    /// Whether it says how many neighbours are of the same topic.
    fn labelled(&self) -> bool {
        self.sides().codes.iter().any(|code| code.same_label.is_some())
    }

    fn sides(&self) -> &SideBySide {
        &self.compared.side_by_side
    }
}

/// Codes whose pictures and neighbours are shown before the visitor chooses.
pub(super) const PICKED: [&str; 7] = [
    "teacher",
    "default-256, int8 latents",
    "coded-96, 96 bytes",
    "coded-48, 48 bytes",
    "PCA-192, uncentred, int8",
    "PCA transform coding, 192 bytes",
    "rotated teacher, 1 bit",
];

/// Everything below the button.
#[component]
pub(super) fn Results(
    /// What was compared.
    outcome: RwSignal<Option<Outcome>>,
    /// How long its codes take, once that is known.
    times: RwSignal<Option<CodeTimes>>,
) -> impl IntoView {
    let address = Address::use_it();
    let price = address.text("price", "0.25");
    let vectors = address.text("vectors", "10000000");
    let off = RwSignal::new(Vec::<String>::new());
    let on = RwSignal::new(Vec::<String>::new());
    let chosen = RwSignal::new(0usize);
    let is_on = move |name: &str| {
        let usual = PICKED.contains(&name);
        (usual && !off.with(|off| off.iter().any(|n| n == name)))
            || on.with(|on| on.iter().any(|n| n == name))
    };
    let picked = move |outcome: &Outcome| -> Vec<Kept> {
        outcome.sides().codes.iter().filter(|code| is_on(&code.name)).cloned().collect()
    };
    let shown = move || outcome.with(Option::is_some);
    let with = move |f: &dyn Fn(&Outcome) -> String| {
        outcome.with(|outcome| outcome.as_ref().map(f).unwrap_or_default())
    };
    let set = move |name: &'static str, default: &'static str| {
        move |event| address.set(name, &event_target_value(&event), default)
    };
    let costs = move || {
        let number = |text: String| number::read(&text).unwrap_or(0.0);
        (number(price.get()), number(vectors.get()))
    };
    let (against, score) =
        (address.text("against", COSTS[0].0), address.text("score", SCORES[0].0));
    let labelled = Memo::new(move |_| outcome.with(|o| o.as_ref().is_some_and(Outcome::labelled)));
    let chart = move || {
        let axes = Axes {
            time: against.with(|name| name == COSTS[1].0),
            topic: labelled.get() && score.with(|name| name == SCORES[1].0),
        };
        times.with(|times| with(&|o| drawing::chart(o, axes, times.as_ref())))
    };
    let codes = move || -> Vec<String> {
        outcome.with(|outcome| {
            let Some(outcome) = outcome else { return Vec::new() };
            outcome.sides().codes.iter().map(|code| code.name.clone()).collect()
        })
    };
    let sentences = move || -> Vec<String> {
        outcome.with(|outcome| outcome.as_ref().map(Outcome::sentences).unwrap_or_default())
    };
    let pick = move |name: String| {
        let (label, now) = (name.clone(), name.clone());
        let change = move |event| {
            let (add, take) = if event_target_checked(&event) { (on, off) } else { (off, on) };
            take.update(|names| names.retain(|n| *n != name));
            add.update(|names| names.push(name.clone()));
        };
        view! {
            <label class="pick">
                <input type="checkbox" prop:checked=move || is_on(&now) on:change=change />{label}
            </label>
        }
    };
    view! {
        <div hidden=move || !shown()>
            <div role="status">
                <Markup class="meaning" label="What it means" html=move || with(&meaning) />
            </div>
            <h3>"What each code keeps and costs"</h3>
            <form class="controls" on:submit=|event| event.prevent_default()>
                <label>"Vectors to store "
                    <input type="number" min="0" step="any" prop:value=vectors
                        on:change=set("vectors", "10000000") />
                </label>
                <label>"Price of a GB for a month "
                    <input type="number" min="0" step="any" prop:value=price
                        on:change=set("price", "0.25") />
                </label>
            </form>
            <Markup class="scroll" label="Codes"
                html=move || {
                    let costs = costs();
                    times.with(|times| with(&|o| table(o, costs, times.as_ref()).html()))
                } />
            <h3>"Which code is best for what it costs"</h3>
            <form class="controls" on:submit=|event| event.prevent_default()>
                <Choice label="To the right" name="against" options=&COSTS />
                <div hidden=move || !labelled.get()>
                    <Choice label="Upwards" name="score" options=&SCORES />
                </div>
            </form>
            <Markup class="curve pareto" label="Codes in one picture" html=chart />
            <h3>"Cosines before and after"</h3>
            <p>
                "Each square is the cosine of two of the sentences, the darker the nearer; a dot \
                 marks a cosine that moved by more than 0.1 against the teacher's."
            </p>
            <fieldset>
                <legend>"Codes shown"</legend>
                <div class="row picks">{move || codes().into_iter().map(pick).collect_view()}</div>
            </fieldset>
            <Markup class="heats" label="Cosine matrices"
                html=move || with(&|o| pictures(o, &picked(o))) />
            <details>
                <summary>"The cosines as numbers"</summary>
                <Markup class="scroll" label="Cosines as numbers"
                    html=move || with(&|o| numbers(o, &picked(o))) />
            </details>
            <h3>"Nearest neighbours before and after"</h3>
            <form class="controls" on:submit=|event| event.prevent_default()>
                <label class="wide">"Neighbours of "
                    <select id="sentence"
                        on:change=move |e| chosen.set(event_target_value(&e).parse().unwrap_or(0))>
                        {move || sentences().into_iter().enumerate().map(|(i, text)| view! {
                            <option value=i.to_string() prop:selected=move || chosen.get() == i>{text}</option>
                        }).collect_view()}
                    </select>
                </label>
            </form>
            <Markup class="scroll" label="Neighbours"
                html=move || { let i = chosen.get(); with(&|o| neighbours(o, &picked(o), i)) } />
            <Markup class="aside" label="How it was measured"
                html=move || times.with(|times| with(&|o| notes(o, times.as_ref()))) />
        </div>
    }
}

/// What the picture means, in a few sentences.
pub(crate) fn meaning(outcome: &Outcome) -> String {
    let sides = outcome.sides();
    let student = sides.codes.iter().filter(|c| c.kind == Kind::Student);
    let smallest = student.min_by_key(|code| code.bytes_per_vector);
    let mut lines: Vec<String> = smallest
        .map(|code| format!("<strong>{}</strong> ({})", escape(&code.sentence), escape(&code.name)))
        .into_iter()
        .collect();
    lines.extend(sides.verdict.iter().map(|line| escape(line)));
    if !outcome.whole {
        lines.push("The plain codes to compare with are being measured.".into());
    }
    lines.iter().map(|line| format!("<p>{line}</p>")).collect()
}

pub(super) fn table(
    outcome: &Outcome,
    (price, vectors): (f64, f64),
    times: Option<&CodeTimes>,
) -> Table {
    let sides = outcome.sides();
    let whole = sides.codes.first().map_or(0, |code| code.bytes_per_vector);
    let cost = |bytes| monthly_price(bytes, vectors, price);
    let mut codes: Vec<&Kept> = sides.codes.iter().collect();
    codes.sort_by(|a, b| {
        b.bytes_per_vector.cmp(&a.bytes_per_vector).then(b.overlap.total_cmp(&a.overlap))
    });
    let of_k = |share: f64| decimal(sides.k as f64 * share, 2);
    // In one line.
    let from_to = |i: Interval| format!("{}\u{a0}to\u{a0}{}", of_k(i.low), of_k(i.high));
    let (labelled, timed) = (outcome.labelled(), outcome.whole);
    let row = |code: &&Kept| {
        let bytes = code.bytes_per_vector;
        let class = if code.kind == Kind::Student { "student" } else { "" };
        let mut texts = vec![
            count(bytes as u64),
            format!("{} MB", decimal(bytes as f64, 0)),
            of_k(code.overlap),
            from_to(code.interval),
            code.reconstruction.map_or("–".into(), |c| decimal(c, 4)),
        ];
        if let Some(topic) = code.same_label {
            texts.push(of_k(topic.mean));
            texts.push(from_to(topic));
        }
        if timed {
            let us = times.and_then(|times| pareto::time_of(times, &code.name));
            texts.push(us.map_or("–".into(), pareto::significant));
        }
        texts.push(decimal(cost(bytes), 2));
        texts.push(decimal(cost(whole) - cost(bytes), 2));
        let name = Cell::new(code.name.clone()).class(class);
        std::iter::once(name).chain(texts.into_iter().map(Cell::new)).collect()
    };
    let mut head = vec![
        "Code",
        "Bytes a vector",
        "A million",
        "Neighbours kept",
        "95 % interval",
        "Cosine of reconstruction",
    ];
    if labelled {
        head.extend(["Same topic", "95 % interval"]);
    }
    if timed {
        head.push("µs to encode");
    }
    head.extend(["Price a month", "Saved a month"]);
    Table {
        caption: format!(
            "Means over {} vectors; neighbours are the {} nearest of each among the others.",
            count(sides.vectors as u64),
            sides.k
        ),
        head,
        rows: codes.iter().map(row).collect(),
    }
}

pub(super) fn pictures(outcome: &Outcome, codes: &[Kept]) -> String {
    let sides = outcome.sides();
    let Some(teacher) = sides.codes.first() else { return String::new() };
    let n = sides.shown.len();
    codes.iter().map(|code| heat_map(&code.name, n, &code.cosines, &teacher.cosines)).collect()
}

fn numbers(outcome: &Outcome, codes: &[Kept]) -> String {
    let shown = &outcome.sides().shown;
    let mut out = String::new();
    for code in codes {
        out += &format!("<table><caption>{}</caption><tbody>", escape(&code.name));
        for (row, cosines) in shown.iter().zip(code.cosines.chunks(shown.len().max(1))) {
            let text = escape(&outcome.text(*row));
            out += &format!("<tr><th scope=\"row\" class=\"long\">{text}</th>");
            for cosine in cosines {
                out += &format!("<td>{cosine:.2}</td>");
            }
            out += "</tr>";
        }
        out += "</tbody></table>";
    }
    out
}

pub(super) fn neighbours(outcome: &Outcome, codes: &[Kept], chosen: usize) -> String {
    let sides = outcome.sides();
    let chosen = if chosen < sides.shown.len() { chosen } else { 0 };
    let mut out = String::from("<table class=\"near\"><thead><tr><th scope=\"col\">Place</th>");
    for code in codes {
        out += &format!("<th scope=\"col\">{}</th>", escape(&code.name));
    }
    out += "</tr></thead><tbody>";
    for place in 0..sides.k {
        out += &format!("<tr><th scope=\"row\">{}</th>", place + 1);
        for code in codes {
            let near = code.neighbours.get(chosen).and_then(|all| all.get(place));
            let Some(near) = near else {
                out += "<td></td>";
                continue;
            };
            let (class, mark) = match near.before {
                Some(before) if before == place + 1 => ("", String::new()),
                Some(before) => ("moved", format!("<small>was {before}</small>")),
                None => ("new", "<small>new here</small>".into()),
            };
            let text = escape(&outcome.text(near.row));
            out += &format!("<td class=\"left {class}\">{:.2} {text}{mark}</td>", near.cosine);
        }
        out += "</tr>";
    }
    out += "<tr><th scope=\"row\">Lost</th>";
    for code in codes {
        let lost = code.lost.get(chosen).map(Vec::as_slice).unwrap_or_default();
        let texts: Vec<String> =
            lost.iter().map(|row| format!("<s>{}</s>", escape(&outcome.text(*row)))).collect();
        let texts = if texts.is_empty() { "none".into() } else { texts.join("<br>") };
        out += &format!("<td class=\"left lost\">{texts}</td>");
    }
    out + "</tr></tbody></table>"
}

pub(super) fn notes(outcome: &Outcome, times: Option<&CodeTimes>) -> String {
    let compared = &outcome.compared;
    let mut notes = vec![format!(
        "Students ran on {}. Baselines were fitted on {}. Of codes that lose something, the \
         vector that searches keeps full precision. Shares of a few dozen vectors vary by chance: \
         lnsp eval measures 3,000.",
        compared.device, compared.fitted_on
    )];
    if let Some(times) = times.filter(|times| times.vectors > 0) {
        notes.push(format!(
            "Time to encode: from {} vectors at once to their stored bytes, all of a vector's share of \
             it, warm, the median of five samples; students on {}, the others on the CPU.",
            count(times.vectors as u64),
            compared.device
        ));
    }
    notes.extend(compared.notes.iter().cloned());
    notes.iter().map(|note| format!("<p>{}</p>", escape(note))).collect()
}
