//! The teacher, for sentences of the visitor's own: what loading it fetches is said before.

use js_sys::ArrayBuffer;
use leptos::prelude::*;
use leptos::task::spawn_local;
use lnsp::Precision;
use lnsp::number::megabytes;

use super::super::job::Job;
use super::super::lane::Lane;
use super::source::{Chosen, Source};
use crate::protocol::{
    EmbedTokens, Failure, ForgetTeacher, LoadTeacher, PlanTeacher, TeacherPlan, TeacherSource,
    Tokenize, VectorSet,
};

/// What loading the teacher would fetch, and a way to clear what is kept.
#[component]
pub(super) fn TeacherLine(source: Source) -> impl IntoView {
    let job = Job::new(Lane::TRAIN);
    let plan = RwSignal::new(None::<TeacherPlan>);
    let ask = move || {
        spawn_local(async move {
            let found = job.ask(Lane::TRAIN, PlanTeacher { address: None }, &[]).await;
            plan.set(found.ok().map(|answered| answered.answer));
        });
    };
    // Asked when sentences are first wanted, and again after each comparison might have loaded it.
    Effect::new(move || {
        source.loads.track();
        if source.kind.get() == VectorSet::Typed {
            ask();
        }
    });
    let forget = move |_| {
        spawn_local(async move {
            if job.ask(Lane::TRAIN, ForgetTeacher, &[]).await.is_ok() {
                ask();
            }
        });
    };
    let kept = move || plan.with(|plan| plan.as_ref().is_some_and(|plan| plan.cached > 0));
    view! {
        <div class="row">
            <p class="aside" role="status">{move || plan.with(|plan| line(plan.as_ref()))}</p>
            <button type="button" hidden=move || !kept() on:click=forget>"Clear the kept teacher"</button>
        </div>
        <p class="wrong" role="alert">{move || job.failure().map(|failure| failure.to_string())}</p>
    }
}

fn line(plan: Option<&TeacherPlan>) -> String {
    let who = "The teacher all-MiniLM-L6-v2 turns sentences into vectors";
    let Some(plan) = plan else { return format!("{who}.") };
    let size = match plan.download {
        Some(bytes) => format!("{} MB", megabytes(bytes)),
        None => "a size that its server tells".into(),
    };
    match plan.source {
        TeacherSource::Cache => format!(
            "{who}. It is kept in this browser from an earlier visit ({} MB): nothing is \
             downloaded but the tokenizer.",
            megabytes(plan.cached)
        ),
        TeacherSource::Hub => format!(
            "{who}. “Compare” downloads it from huggingface.co ({size}) and keeps a quarter of \
             that for later visits. Your sentences stay here."
        ),
        TeacherSource::Origin | TeacherSource::Address => format!(
            "{who}. “Compare” downloads it from this page's own server ({size}) and keeps it in a \
             smaller form for later visits. Your sentences stay here."
        ),
    }
}

/// The vectors of `texts`, for which the teacher is loaded.
///
/// # Errors
/// What failed; the job shows it, too.
pub(crate) async fn embed(
    job: Job,
    texts: &[String],
    device: &str,
) -> Result<Vec<ArrayBuffer>, Failure> {
    let load = LoadTeacher { address: None, precision: Precision::Int8 };
    job.ask(Lane::TRAIN, load, &[]).await?;
    let question = Tokenize { address: None, texts: texts.to_vec() };
    let tokens = job.ask(Lane::TEXT, question, &[]).await?;
    let question = EmbedTokens { device: device.into() };
    Ok(job.ask(Lane::TRAIN, question, &tokens.buffers).await?.buffers)
}

/// The vectors of the typed sentences; none if something failed, which the job shows.
pub(super) async fn typed(job: Job, source: Source, device: &str) -> Option<Chosen> {
    let texts = source.sentences();
    let buffers = embed(job, &texts, device).await.ok()?;
    source.loads.update(|n| *n += 1);
    let shown = (0..texts.len()).collect();
    let texts = texts.into_iter().chain(source.bundled()).collect();
    Some(Chosen { set: VectorSet::Typed, shown, texts, buffers })
}
