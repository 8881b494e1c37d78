//! Which vectors: bundled sentences by topic, typed ones, or a file of the visitor's.

use js_sys::ArrayBuffer;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{DragEvent, File, HtmlInputElement};

use super::super::address::Address;
use super::super::job::Job;
use super::super::lane::Lane;
use super::teacher::TeacherLine;
use super::{MOST_SHOWN, Pick};
use crate::protocol::{DropVectors, Dropped, Examples, VectorSet};

/// Sentences of a topic that are shown.
const OF_A_TOPIC: usize = 6;
/// Rows of a file that are shown.
const OF_A_FILE: usize = 12;
/// A larger file is not read into the page.
const MOST_BYTES: f64 = (512u32 << 20) as f64;
/// Topics at the start.
const TOPICS: &str = "0,1,2";

/// The visitor's choice.
#[derive(Clone, Copy)]
pub(super) struct Source {
    pub kind: RwSignal<VectorSet>,
    pub examples: RwSignal<Examples>,
    pub typed: RwSignal<String>,
    pub file: RwSignal<Option<Dropped>>,
    /// What was wrong with a file, before the worker saw it.
    pub refused: RwSignal<Option<String>>,
    /// Counts the times the teacher was loaded.
    pub loads: RwSignal<u32>,
    topics: Signal<String>,
}

/// Vectors to compare.
#[derive(Clone)]
pub(super) struct Chosen {
    pub set: VectorSet,
    /// Which of them are shown.
    pub shown: Vec<usize>,
    /// What each of them stands for; rows of a file are counted instead.
    pub texts: Vec<String>,
    /// Vectors that go with the question.
    pub buffers: Vec<ArrayBuffer>,
}

impl Source {
    pub fn new(address: Address) -> Self {
        Self {
            kind: RwSignal::default(),
            examples: RwSignal::default(),
            typed: RwSignal::default(),
            file: RwSignal::new(None),
            refused: RwSignal::new(None),
            loads: RwSignal::new(0),
            topics: address.text("topics", TOPICS).into(),
        }
    }

    /// Sentences typed, one a line.
    pub fn sentences(self) -> Vec<String> {
        self.typed.with(|text| {
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            lines.take(MOST_SHOWN).map(Into::into).collect()
        })
    }

    /// All bundled sentences, in the order of their vectors.
    pub fn bundled(self) -> Vec<String> {
        self.examples.with_untracked(|e| {
            e.topics.iter().flat_map(|topic| topic.sentences.iter().cloned()).collect()
        })
    }

    pub fn chosen_examples(self) -> Chosen {
        let names = self.topics.get_untracked();
        let shown = self.examples.with_untracked(|all| rows_of(all, &names, MOST_SHOWN));
        Chosen { set: VectorSet::Examples, shown, texts: self.bundled(), buffers: Vec::new() }
    }

    pub fn chosen_file(self) -> Option<Chosen> {
        let rows = self.file.with_untracked(|file| file.as_ref().map(|file| file.rows))?;
        Some(Chosen {
            set: VectorSet::Dropped,
            shown: (0..rows.min(OF_A_FILE)).collect(),
            texts: Vec::new(),
            buffers: Vec::new(),
        })
    }

    /// Takes a file: text into the box for sentences, vectors into the worker.
    pub async fn take(self, file: File, job: Job) {
        let name = file.name();
        self.refused.set(None);
        if job.running_now() {
            self.refused.set(Some(format!(
                "{name}: the page is still at work; stop that, or give the file again afterwards"
            )));
            return;
        }
        if file.size() > MOST_BYTES {
            self.refused.set(Some(format!(
                "{name}: {:.0} MB are more than the page reads at once; use `lnsp eval` for it",
                file.size() / 1e6
            )));
            return;
        }
        let is_text = name.to_ascii_lowercase().ends_with(".txt");
        let reading = if is_text { file.text() } else { file.array_buffer() };
        let Ok(content) = JsFuture::from(reading).await else {
            self.refused.set(Some(format!("{name}: the browser cannot read it")));
            return;
        };
        if is_text {
            self.typed.set(content.as_string().unwrap_or_default());
            self.kind.set(VectorSet::Typed);
            return;
        }
        let bytes: ArrayBuffer = content.unchecked_into();
        let taken = job.ask(Lane::WORK, DropVectors { name }, &[bytes]).await;
        if let Ok(answered) = taken {
            self.file.set(Some(answered.answer));
            self.kind.set(VectorSet::Dropped);
        }
    }
}

/// Rows of the first sentences of the topics that `names` counts (`0,2`), at most so many.
pub(crate) fn rows_of(examples: &Examples, names: &str, most: usize) -> Vec<usize> {
    let wanted = |i: usize| names.split(',').any(|name| name.parse() == Ok(i));
    let (mut rows, mut first) = (Vec::new(), 0);
    for (i, topic) in examples.topics.iter().enumerate() {
        if wanted(i) {
            rows.extend(first..first + topic.sentences.len().min(OF_A_TOPIC));
        }
        first += topic.sentences.len();
    }
    rows.truncate(most);
    rows
}

/// The choice of vectors.
#[component]
pub(super) fn SourceForm(source: Source, job: Job) -> impl IntoView {
    let take = move |file: Option<File>| {
        if let Some(file) = file {
            spawn_local(source.take(file, job));
        }
    };
    let chosen = move |event| {
        let input: HtmlInputElement = event_target(&event);
        take(input.files().and_then(|files| files.get(0)));
        // The same file may be chosen again.
        input.set_value("");
    };
    let dropped = move |event: DragEvent| {
        event.prevent_default();
        take(event.data_transfer().and_then(|d| d.files()).and_then(|files| files.get(0)));
    };
    let kind = |set: VectorSet, label: &'static str| {
        let checked = move || source.kind.get() == set;
        view! {
            <label class="pick">
                <input type="radio" name="vectors" prop:checked=checked
                    on:change=move |_| source.kind.set(set) />
                {label}
            </label>
        }
    };
    let topics = move || {
        source.examples.with(|examples| {
            let one = |(i, topic): (usize, &crate::protocol::Topic)| {
                let (name, label) = (i.to_string(), topic.name.clone());
                view! { <Pick name label list="topics" usual=TOPICS /> }
            };
            examples.topics.iter().enumerate().map(one).collect_view()
        })
    };
    let file_line = move || {
        source.file.with(|file| match file {
            Some(file) => {
                let left_out = file.left_out.as_ref().map(|l| format!(", {l}")).unwrap_or_default();
                format!("{}: {} vectors{left_out}.", file.name, file.rows)
            }
            None => "Vectors of 384 values from the same teacher, .npy or .safetensors, or \
                     sentences in a .txt file; drop the file anywhere in this frame."
                .into(),
        })
    };
    view! {
        <fieldset class="drop" on:dragover=|event: DragEvent| event.prevent_default() on:drop=dropped>
            <legend>"Vectors"</legend>
            <div class="row">
                {kind(VectorSet::Examples, "bundled sentences")}
                {kind(VectorSet::Typed, "my own sentences")}
                {kind(VectorSet::Dropped, "a file of mine")}
            </div>
            <div class="row" hidden=move || source.kind.get() != VectorSet::Examples>{topics}</div>
            <div hidden=move || source.kind.get() != VectorSet::Typed>
                <label class="stack">
                    {format!("Sentences, one a line, two at least and at most {MOST_SHOWN}")}
                    <textarea id="sentences" rows="6" prop:value=source.typed
                        on:input=move |event| source.typed.set(event_target_value(&event))></textarea>
                </label>
                <TeacherLine source />
            </div>
            <div hidden=move || source.kind.get() != VectorSet::Dropped>
                <label class="stack">
                    "File of vectors or of sentences"
                    <input type="file" id="file" accept=".npy,.safetensors,.txt" on:change=chosen />
                </label>
                <p class="aside">{file_line}</p>
            </div>
            <p class="wrong" role="alert">{move || source.refused.get()}</p>
        </fieldset>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Topic;

    #[test]
    fn rows_count_over_all_topics() {
        let topic = |n: usize| Topic { name: String::new(), sentences: vec![String::new(); n] };
        let examples = Examples { topics: vec![topic(8), topic(2), topic(9)] };
        assert_eq!(rows_of(&examples, "1,2", 24), [8, 9, 10, 11, 12, 13, 14, 15]);
        assert_eq!(rows_of(&examples, "0,x,7", 4), [0, 1, 2, 3]);
    }
}
