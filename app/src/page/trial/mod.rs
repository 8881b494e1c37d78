//! Try: sentences or vectors before and after compression, code beside code.

mod drawing;
pub(crate) mod glance;
mod pareto;
mod picture;
mod result;
mod source;
mod teacher;

use leptos::prelude::*;
use leptos::task::spawn_local;

pub(crate) use self::glance::neighbours;
pub(crate) use self::result::Outcome;
use self::result::Results;
pub(crate) use self::source::rows_of;
use self::source::{Chosen, Source, SourceForm};
pub(crate) use self::teacher::embed;
use super::address::Address;
use super::job::{Job, JobBar};
use super::lane::Lane;
use crate::protocol::{
    CodeTimes, CompareBaselines, CompareCodes, Examples, LoadExamples, TRAINED_HERE, TimeCodes,
    VectorSet,
};

/// Students that ship with the page: name, what to call it, megabytes.
const STUDENTS: [(&str, &str, &str); 5] = [
    ("default-256", "S = 256, int8 weights", "0.3 MB"),
    ("student-512", "S = 512, f16 weights", "1.2 MB"),
    ("student-1024", "S = 1024, f16 weights", "2.4 MB"),
    ("coded-96", "96 bytes a vector, S = 512", "0.8 MB"),
    ("coded-48", "48 bytes a vector, S = 384", "0.6 MB"),
];
/// Sentences that are shown one by one, at most.
pub(super) const MOST_SHOWN: usize = 24;

/// The view.
#[component]
pub fn Try() -> impl IntoView {
    let address = Address::use_it();
    let job = Job::new(Lane::WORK);
    let device = address.text("device", "auto");
    let students = address.text("students", STUDENTS[0].0);
    let source = Source::new(address);
    let outcome = RwSignal::new(None::<Outcome>);
    let times = RwSignal::new(None::<CodeTimes>);
    // The question that times codes, in the background: whatever the visitor does goes before it.
    let timing = StoredValue::new(0u32);
    let compare = move |chosen: Chosen| {
        Lane::WORK.cancel(timing.get_value());
        spawn_local(async move {
            let names = students.get_untracked();
            let question = CompareCodes {
                device: device.get_untracked(),
                set: chosen.set,
                shown: chosen.shown.clone(),
                students: names.split(',').filter(|n| !n.is_empty()).map(Into::into).collect(),
            };
            let texts = chosen.texts;
            let Ok(answered) = job.ask(Lane::WORK, question, &chosen.buffers).await else { return };
            // The student's result at once, the baselines when they are there.
            let compared = answered.answer;
            times.set(None);
            outcome.set(Some(Outcome { compared, texts: texts.clone(), whole: false }));
            let Ok(answered) = job.ask(Lane::WORK, CompareBaselines, &[]).await else { return };
            outcome.set(Some(Outcome { compared: answered.answer, texts, whole: true }));
            let (id, answer) = Lane::WORK.ask(&TimeCodes, &[], |_| ());
            timing.set_value(id);
            let timed = answer.await.map(|answered| answered.answer).unwrap_or_default();
            if timing.get_value() == id {
                times.set(Some(timed));
            }
        });
    };
    // The examples at once, so that there is something to see.
    spawn_local(async move {
        let found = job.ask(Lane::WORK, LoadExamples, &[]).await;
        if let Ok(answered) = found {
            source.examples.set(answered.answer);
            if source.kind.get_untracked() == VectorSet::Examples {
                compare(source.chosen_examples());
            }
        }
    });
    let go = move |_| match source.kind.get_untracked() {
        VectorSet::Examples => compare(source.chosen_examples()),
        VectorSet::Dropped => {
            if let Some(chosen) = source.chosen_file() {
                compare(chosen);
            }
        }
        VectorSet::Typed => spawn_local(async move {
            if let Some(chosen) = teacher::typed(job, source, &device.get_untracked()).await {
                compare(chosen);
            }
        }),
    };
    let ready = move || {
        !job.running()
            && match source.kind.get() {
                VectorSet::Examples => source.examples.with(|e: &Examples| !e.topics.is_empty()),
                VectorSet::Typed => source.sentences().len() > 1,
                VectorSet::Dropped => source.file.with(Option::is_some),
            }
    };
    view! {
        <h2>"Try"</h2>
        <p class="lead">
            "A student stores a sentence's vector in fewer bytes. See which neighbours it keeps, \
             beside plain ways to spend the same bytes."
        </p>
        <SourceForm source job />
        <fieldset>
            <legend>"Students"</legend>
            <div class="row">
                {STUDENTS.map(|(name, title, size)| view! {
                    <Pick name label=format!("{title} ({size})") list="students" usual=STUDENTS[0].0 />
                })}
                <Pick name=TRAINED_HERE label="the one trained here".into() list="students"
                    usual=STUDENTS[0].0 />
            </div>
        </fieldset>
        <div class="row">
            <button type="button" id="compare" class="first" disabled=move || !ready() on:click=go>
                "Compare"
            </button>
            <JobBar job />
        </div>
        <Results outcome times />
    }
}

/// A checkbox that puts a name into a list of the address, or takes it out.
#[component]
fn Pick(
    /// The name in the list.
    #[prop(into)]
    name: String,
    /// What it says.
    label: String,
    /// The list's name in the address.
    list: &'static str,
    /// The list where the address says nothing.
    usual: &'static str,
) -> impl IntoView {
    let address = Address::use_it();
    let names = address.text(list, usual);
    let is_in = {
        let name = name.clone();
        move || names.with(|names| names.split(',').any(|one| one == name))
    };
    let change = move |event| {
        let old = names.get_untracked();
        let mut new: Vec<&str> =
            old.split(',').filter(|one| *one != name && !one.is_empty()).collect();
        if event_target_checked(&event) {
            new.push(&name);
        }
        address.set(list, &new.join(","), usual);
    };
    view! {
        <label class="pick"><input type="checkbox" prop:checked=is_in on:change=change />{label}</label>
    }
}
