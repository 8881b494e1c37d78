//! Sizes.

use leptos::prelude::*;
use lnsp::{Arch, Precision};

use super::job::{Job, JobBar};
use super::lane::Lanes;
use crate::protocol::{Measure, Measured};

/// The view.
#[component]
pub fn Sizes() -> impl IntoView {
    let lanes = Lanes::use_it();
    let job = Job::new(lanes.measure);
    let measured = RwSignal::new(None::<Measured>);
    let go = move |_| {
        let Ok(arch) = Arch::family_b(256) else { return };
        let question = Measure {
            device: "auto".into(),
            arch,
            precision: Precision::F32,
            batches: vec![1, 32, 1024],
            training: None,
            seconds: 0.2,
        };
        job.start(question, move |answer| measured.set(Some(answer)));
    };
    view! {
        <button type="button" on:click=go>"Measure here"</button>
        <JobBar job />
        <pre>{move || measured.get().map(|m| format!("{m:?}"))}</pre>
    }
}
