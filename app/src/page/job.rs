//! A piece of work in the worker as a view shows it: progress, a way to stop, the outcome.

use js_sys::ArrayBuffer;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::lane::{Answered, Lane};
use crate::protocol::{Failure, Progress, Question};

/// A piece of work that a view starts, shows and stops; one at a time.
#[derive(Clone, Copy)]
pub struct Job {
    lane: Lane,
    current: RwSignal<Option<(Lane, u32)>>,
    progress: RwSignal<Progress>,
    failure: RwSignal<Option<Failure>>,
}

impl Job {
    /// No work yet.
    pub fn new(lane: Lane) -> Self {
        let job = Self {
            lane,
            current: RwSignal::new(None),
            progress: RwSignal::default(),
            failure: RwSignal::new(None),
        };
        // Nobody waits for the answer once the view is gone.
        on_cleanup(move || job.cancel());
        job
    }

    /// Whether work is going on.
    pub fn running(self) -> bool {
        self.current.get().is_some()
    }

    /// As [`Self::running`], asked once: nothing follows when it changes. A view that is gone can
    /// start nothing more: it counts as at work.
    pub fn running_now(self) -> bool {
        self.current.try_get_untracked().is_none_or(|current| current.is_some())
    }

    /// How far the work is.
    pub fn progress(self) -> Progress {
        self.progress.get()
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
        if self.running_now() {
            return;
        }
        let outcome = self.ask(self.lane, question, buffers);
        spawn_local(async move { done(outcome.await.map(|answered| answered.answer)) });
    }

    /// Asks a worker, handing over `buffers`, and waits; one question of a job after the other.
    ///
    /// # Errors
    /// Why there is no answer; the view shows it, too. [`Failure::Cancelled`], and nothing asked,
    /// if work is going on already.
    pub fn ask<Q: Question + 'static>(
        self,
        lane: Lane,
        question: Q,
        buffers: &[ArrayBuffer],
    ) -> impl Future<Output = Result<Answered<Q::Answer>, Failure>> + use<Q> {
        let asked = (!self.running_now()).then(|| {
            self.failure.set(None);
            self.progress.set(Progress { share: None, text: "starting".into() });
            let (id, answer) =
                lane.ask(&question, buffers, move |progress| self.progress.set(progress));
            self.current.set(Some((lane, id)));
            answer
        });
        async move {
            let Some(answer) = asked else { return Err(Failure::Cancelled) };
            let outcome = answer.await;
            self.current.set(None);
            self.failure.set(outcome.as_ref().err().cloned());
            outcome
        }
    }

    /// Shows that work could not even be asked for.
    pub fn fail(self, failure: Failure) {
        self.failure.set(Some(failure));
    }

    /// Stops the work.
    pub fn cancel(self) {
        if let Some((lane, id)) = self.current.try_get_untracked().flatten() {
            lane.cancel(id);
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
