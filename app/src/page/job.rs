//! A piece of work in the worker as a view shows it: progress, a way to stop, the outcome.

use js_sys::ArrayBuffer;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::lane::Lane;
use crate::protocol::{Failure, Progress, Question};

/// A piece of work that a view starts, shows and stops; one at a time.
#[derive(Clone, Copy)]
pub struct Job {
    lane: Lane,
    current: RwSignal<Option<u32>>,
    progress: RwSignal<Progress>,
    failure: RwSignal<Option<Failure>>,
}

impl Job {
    /// No work yet.
    pub fn new(lane: Lane) -> Self {
        Self {
            lane,
            current: RwSignal::new(None),
            progress: RwSignal::default(),
            failure: RwSignal::new(None),
        }
    }

    /// Whether work is going on.
    pub fn running(self) -> bool {
        self.current.get().is_some()
    }

    /// Why the last work ended without an answer.
    pub fn failure(self) -> Option<Failure> {
        self.failure.get()
    }

    /// Asks, and gives the answer to `done`; nothing if work is going on already.
    pub fn start<Q: Question + 'static>(self, question: Q, done: impl FnOnce(Q::Answer) + 'static) {
        self.run(question, move |outcome| {
            if let Ok(answer) = outcome {
                done(answer);
            }
        });
    }

    /// As [`Self::start`], telling of failures, too.
    pub fn run<Q: Question + 'static>(
        self,
        question: Q,
        done: impl FnOnce(Result<Q::Answer, Failure>) + 'static,
    ) {
        self.run_with(question, &[], done);
    }

    /// As [`Self::run`], with buffers that are handed over.
    pub fn run_with<Q: Question + 'static>(
        self,
        question: Q,
        buffers: &[ArrayBuffer],
        done: impl FnOnce(Result<Q::Answer, Failure>) + 'static,
    ) {
        if self.current.get_untracked().is_some() {
            return;
        }
        self.failure.set(None);
        self.progress.set(Progress { share: None, text: "starting".into() });
        let hear = move |progress| self.progress.set(progress);
        let (id, answer) = self.lane.ask_with(question, buffers, hear);
        self.current.set(Some(id));
        spawn_local(async move {
            let outcome = answer.await.map(|answered| answered.answer);
            self.current.set(None);
            self.failure.set(outcome.as_ref().err().cloned());
            done(outcome);
        });
    }

    /// Shows that work could not even be asked for.
    pub fn fail(self, failure: Failure) {
        self.failure.set(Some(failure));
    }

    /// Stops the work.
    pub fn cancel(self) {
        if let Some(id) = self.current.get_untracked() {
            self.lane.cancel(id);
        }
    }
}

/// Progress and a way to stop while work goes on; afterwards what went wrong, if anything.
#[component]
pub fn JobBar(
    /// The work.
    job: Job,
) -> impl IntoView {
    let share = move || job.progress.with(|p| p.share).map(|share| share.to_string());
    let percent = move || match job.progress.with(|p| p.share) {
        Some(share) => format!(" ({:.0} %)", 100.0 * share),
        None => String::new(),
    };
    view! {
        <div class="job" role="status" aria-live="polite">
            <Show when=move || job.running()>
                <progress max="1" value=share aria-label="progress"></progress>
                <span class="job-text">{move || job.progress.with(|p| p.text.clone())}{percent}</span>
                <button type="button" class="stop" on:click=move |_| job.cancel()>"Stop"</button>
            </Show>
            <Show when=move || !job.running() && job.failure().is_some()>
                <span class="job-failed">{move || job.failure().map(|f| f.to_string())}</span>
            </Show>
        </div>
    }
}
