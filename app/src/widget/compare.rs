//! `<lnsp-compare>`: sentences before and after compression, code beside code.

use std::cell::Cell;
use std::rc::Rc;

use js_sys::ArrayBuffer;
use leptos::prelude::*;
use leptos::task::spawn_local;
use lnsp::experiment::Kind;
use serde::Serialize;

use super::Host;
use crate::page::address::Address;
use crate::page::html::{Markup, escape};
use crate::page::job::{Job, JobBar};
use crate::page::lane::Lane;
use crate::page::trial::{Outcome, embed, glance, neighbours, rows_of};
use crate::protocol::{
    CompareAll, CompareCodes, Compared, Examples, Failure, LoadExamples, VectorSet,
};

/// Sentences that are looked at one by one, at most.
const MOST: usize = 24;
/// Widths whose students ship, and their names.
const WIDTHS: [(&str, &str); 3] =
    [("256", "default-256"), ("512", "student-512"), ("1024", "student-1024")];
/// What loading the teacher fetches, said before the reader asks for it.
const PRICE: &str = "Sentences other than the shipped ones need the teacher, all-MiniLM-L6-v2: 0.9 MB \
                     of code and 91 MB of weights from huggingface.co, unless this site or this \
                     browser keeps them. The sentences stay on this device.";

/// What the element tells of a result.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    compared: &'a Compared,
    /// The sentences shown, in the order of `side_by_side.shown`.
    sentences: Vec<String>,
}

/// What the element says is to be compared.
struct Wish {
    device: String,
    students: Vec<String>,
    /// Sentences of the author's, or of the reader's.
    sentences: Vec<String>,
    topics: String,
    baselines: String,
}

impl Wish {
    fn read(address: Address) -> Result<Self, Failure> {
        let text = |name: &str| address.word(name);
        let or = |text: String, usual: &str| if text.is_empty() { usual.into() } else { text };
        let lines = |text: &str| -> Vec<String> {
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            lines.take(MOST).map(Into::into).collect()
        };
        let (width, student) = (text("width"), or(text("student"), &text("students")));
        let students = match (&*width, &*student) {
            ("", "") => vec![WIDTHS[0].1.to_string()],
            ("", names) => names.split(',').map(|name| name.trim().to_string()).collect(),
            (width, _) => {
                let known = WIDTHS.iter().find(|(s, _)| *s == width);
                let (_, name) = known.ok_or_else(|| {
                    Failure::Error(format!(
                        "width=\"{width}\": students of 256, 512 and 1024 ship; name another by \
                         its file, student=\"https://…/mine.safetensors\""
                    ))
                })?;
                vec![(*name).to_string()]
            }
        };
        Ok(Self {
            device: or(text("device"), "auto"),
            students,
            sentences: lines(&text("sentences")),
            topics: or(text("topics"), "0,1,2"),
            baselines: or(text("baselines"), "all"),
        })
    }

    /// Takes out the baselines that are not wanted.
    fn thin(&self, compared: &mut Compared) {
        if self.baselines != "all" {
            let wanted = |name: &str| self.baselines.split(',').any(|w| name.contains(w.trim()));
            // The teacher comes first and stays.
            let mut first = true;
            compared.side_by_side.codes.retain(|code| {
                std::mem::take(&mut first) || code.kind != Kind::Baseline || wanted(&code.name)
            });
        }
    }
}

/// The comparisons of one element.
#[derive(Clone)]
struct Trial {
    address: Address,
    host: Host,
    job: Job,
    outcome: RwSignal<Option<Outcome>>,
    /// Whether the sentences asked for wait for the teacher.
    waits: RwSignal<bool>,
    /// Set while comparing, and if it is to be done once more.
    state: Rc<Cell<(bool, bool)>>,
}

impl Trial {
    /// Compares as the element says; with the teacher if the reader asked for it.
    fn go(&self, teacher: bool) {
        let (busy, _) = self.state.get();
        self.state.set((true, busy));
        if busy {
            return;
        }
        let trial = self.clone();
        spawn_local(async move {
            loop {
                trial.state.set((true, false));
                let done = trial.once(teacher).await;
                if trial.outcome.is_disposed() {
                    break;
                }
                // What a worker refused the job knows.
                if let Err(failure) = done
                    && failure != Failure::Cancelled
                    && untrack(|| trial.job.failure()).is_none()
                {
                    trial.job.fail(failure);
                }
                if !trial.state.get().1 {
                    break;
                }
            }
            trial.state.set((false, false));
        });
    }

    async fn once(&self, teacher: bool) -> Result<(), Failure> {
        // An element may go before its work begins.
        if self.outcome.is_disposed() {
            return Err(Failure::Cancelled);
        }
        let wish = untrack(|| Wish::read(self.address))?;
        let examples = self.job.ask(Lane::WORK, LoadExamples, &[]).await?.answer;
        let bundled = bundled(&examples);
        let place = |sentence: &String| bundled.iter().position(|known| known == sentence);
        let known: Option<Vec<usize>> = wish.sentences.iter().map(place).collect();
        let (mut set, mut buffers) = (VectorSet::Examples, Vec::new());
        let (shown, texts) = match known.filter(|known| known.len() > 1) {
            Some(shown) => (shown, bundled),
            None if teacher && wish.sentences.len() > 1 => {
                set = VectorSet::Typed;
                buffers = embed(self.job, &wish.sentences, &wish.device).await?;
                let shown = (0..wish.sentences.len()).collect();
                (shown, wish.sentences.iter().cloned().chain(bundled).collect())
            }
            None => (rows_of(&examples, &wish.topics, MOST), bundled),
        };
        if self.outcome.is_disposed() {
            return Err(Failure::Cancelled);
        }
        let asked_for_others = !wish.sentences.is_empty() && wish.sentences.len() > 1;
        self.waits.set(
            asked_for_others && shown.iter().any(|row| !wish.sentences.contains(&texts[*row])),
        );
        let codes = CompareCodes {
            device: wish.device.clone(),
            set,
            shown,
            students: wish.students.clone(),
        };
        let whole = wish.baselines != "none";
        // The student's result at once; vectors of other sentences go along, so they are asked once.
        if set == VectorSet::Examples || !whole {
            let answered = self.job.ask(Lane::WORK, codes.clone(), &buffers).await?;
            self.show(&wish, answered.answer, &texts, !whole);
        }
        if whole {
            let buffers: &[ArrayBuffer] = if set == VectorSet::Typed { &buffers } else { &[] };
            let answered = self.job.ask(Lane::WORK, CompareAll { codes }, buffers).await?;
            self.show(&wish, answered.answer, &texts, true);
        }
        Ok(())
    }

    fn show(&self, wish: &Wish, mut compared: Compared, texts: &[String], whole: bool) {
        wish.thin(&mut compared);
        if whole {
            let rows = compared.side_by_side.shown.iter();
            let sentences = rows.map(|row| texts[*row].clone()).collect();
            self.host.tell("result", &Told { compared: &compared, sentences });
        }
        self.outcome.set(Some(Outcome { compared, texts: texts.to_vec(), whole }));
    }
}

/// All bundled sentences, in the order of their vectors.
fn bundled(examples: &Examples) -> Vec<String> {
    examples.topics.iter().flat_map(|topic| topic.sentences.iter().cloned()).collect()
}

/// The view.
#[component]
pub fn CompareWidget() -> impl IntoView {
    let address = Address::use_it();
    let host = expect_context::<Host>();
    let trial = Trial {
        address,
        host,
        job: Job::new(Lane::WORK),
        outcome: RwSignal::new(None),
        waits: RwSignal::new(false),
        state: Rc::default(),
    };
    let (job, outcome, waits) = (trial.job, trial.outcome, trial.waits);
    host.follow(job);
    let go = trial.clone();
    host.on_run(move || go.go(false));
    // At once, and whenever the element says something else.
    let go = trial.clone();
    Effect::new(move || {
        address.track();
        go.go(false);
    });
    let typed = RwSignal::new(untrack(|| address.word("sentences")));
    let (compare, again) = (trial.clone(), trial);
    let own = move |_| {
        address.set_quietly("sentences", &typed.get_untracked());
        compare.go(true);
    };
    let chosen = RwSignal::new(0usize);
    let html = move |f: &dyn Fn(&Outcome) -> String| {
        outcome.with(|outcome| outcome.as_ref().map(f).unwrap_or_default())
    };
    let failed = move || !job.running() && job.failure().is_some();
    let options = move |outcome: &Outcome| {
        let option = |(i, text): (usize, String)| {
            let selected = if i == chosen.get_untracked() { " selected" } else { "" };
            format!("<option value=\"{i}\"{selected}>{}</option>", escape(&text))
        };
        outcome.sentences().into_iter().enumerate().map(option).collect::<String>()
    };
    view! {
        <div class="row">
            <JobBar job />
            <button type="button" hidden=move || !failed() on:click=move |_| again.go(false)>
                "Try again"
            </button>
        </div>
        <div role="status">
            <Markup class="meaning" label="What it means"
                html=move || html(&|o| glance::meaning(o)) />
        </div>
        <Markup class="scroll" label="Codes" html=move || html(&|o| glance::codes(o)) />
        <Markup class="heats" label="Cosine matrices" html=move || html(&|o| glance::pictures(o)) />
        <div hidden=move || outcome.with(Option::is_none)>
            <label class="stack">"Nearest neighbours of "
                <select id="sentence" inner_html=move || html(&options)
                    on:change=move |e| chosen.set(event_target_value(&e).parse().unwrap_or(0))>
                </select>
            </label>
            <Markup class="scroll" label="Neighbours"
                html=move || { let i = chosen.get(); html(&|o| neighbours(o, i)) } />
            <p class="notice" role="status">{move || waits.get().then_some(
                "These are shipped sentences. The page's own need the teacher: see below.")}</p>
            <details prop:open=move || waits.get()>
                <summary>"Your own sentences"</summary>
                <p class="aside">{PRICE}</p>
                <label class="stack">{format!("One a line, two at least and at most {MOST}")}
                    <textarea id="sentences" rows="5" prop:value=typed
                        on:input=move |event| typed.set(event_target_value(&event))></textarea>
                </label>
                <p><button type="button" id="own" disabled=move || job.running()
                    || typed.with(|text| text.lines().filter(|l| !l.trim().is_empty()).count() < 2)
                    on:click=own>"Load the teacher and compare"</button></p>
            </details>
        </div>
    }
}
