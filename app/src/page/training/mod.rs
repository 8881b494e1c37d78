//! Train here: a student trained in this tab, watched, paused, taken up after a reload, taken along.

mod curves;

use leptos::prelude::*;
use leptos::task::spawn_local;
use lnsp::number::{count, decimal};
use lnsp::train::TrainConfig;
use lnsp::{Arch, Precision};

use self::curves::Curve;
use super::address::Address;
use super::choice::Choice;
use super::download;
use super::html::{Cell, Markup, Table};
use super::job::{Job, JobBar};
use super::lane::Lane;
use super::number;
use crate::protocol::{
    AdvanceTraining, BUNDLED_BYTES, DropTraining, FindTraining, KeepTraining, KeptTraining,
    PutStudent, ResumeTraining, StartTraining, TakeStudent, TakeVectors, TrainingSet,
    TrainingState,
};

/// Widths to choose from.
const WIDTHS: [(&str, &str); 7] = [
    ("256", "256"),
    ("192", "192"),
    ("384", "384"),
    ("512", "512"),
    ("768", "768"),
    ("1024", "1024"),
    ("2048", "2048"),
];
/// Vectors to choose from.
const ROWS: [(&str, &str); 3] = [
    ("5000", "bundled, the first 5,000"),
    ("20000", "bundled, all 20,000"),
    ("file", "my file, as chosen under Try"),
];
/// Precisions of the file.
const PRECISIONS: [(&str, &str); 3] = [("f16", "f16"), ("f32", "f32"), ("int8", "int8")];
/// Of a piece of training between two pictures.
const PIECE_MS: f64 = 400.0;
/// The fewest vectors that a training of this page takes.
const FEWEST: usize = 320;

/// What the view knows.
#[derive(Clone, Copy)]
struct Training {
    job: Job,
    device: Signal<String>,
    state: RwSignal<Option<TrainingState>>,
    losses: RwSignal<Vec<(f64, f64)>>,
    kept: RwSignal<Option<KeptTraining>>,
    running: RwSignal<bool>,
}

impl Training {
    fn take(self, mut state: TrainingState) {
        let losses = std::mem::take(&mut state.losses);
        self.losses.update(|all| {
            // After the loss of a device it goes on from an earlier step.
            if let Some((first, _)) = losses.first() {
                all.retain(|(at, _)| *at < *first as f64);
            }
            all.extend(losses.into_iter().map(|(step, loss)| (step as f64, f64::from(loss))));
            // What is drawn needs no more points than the drawing has.
            if all.len() > 1200 {
                let mut i = 0;
                all.retain(|_| {
                    i += 1;
                    i % 2 == 0
                });
            }
        });
        self.state.set(Some(state));
    }

    /// Looks for a training of an earlier visit.
    async fn find(self) {
        let found = self.job.ask(Lane::TRAIN, FindTraining, &[]).await;
        self.kept.set(found.ok().and_then(|answered| answered.answer));
    }

    /// Begins with what a question answers, and trains until it is over or paused.
    async fn begin(self, first: Result<TrainingState, ()>) {
        let Ok(first) = first else { return };
        self.losses.set(Vec::new());
        // A training that was taken up again shows its epochs' means.
        let mean = |record: &lnsp::train::EpochRecord| {
            (f64::from(record.epoch) * first.epoch_steps as f64, f64::from(record.losses.total))
        };
        let means: Vec<_> = first.epochs.iter().filter(|r| r.epoch > 0).map(mean).collect();
        self.losses.set(means);
        self.kept.set(None);
        self.take(first);
        self.go().await;
    }

    /// Trains piece by piece.
    async fn go(self) {
        self.running.set(true);
        while self.running.get_untracked() {
            let device = self.device.get_untracked();
            let question = AdvanceTraining { device, milliseconds: PIECE_MS };
            match self.job.ask(Lane::TRAIN, question, &[]).await {
                Ok(answered) => {
                    let finished = answered.answer.finished;
                    self.take(answered.answer);
                    if finished {
                        break;
                    }
                }
                Err(_) => break,
            }
        }
        self.running.set(false);
        match self.job.ask(Lane::TRAIN, KeepTraining, &[]).await {
            Ok(answered) if answered.answer.total_steps > 0 => self.take(answered.answer),
            // A worker that was started anew holds nothing: what the browser kept is offered.
            Ok(_) => {
                self.state.set(None);
                self.find().await;
            }
            Err(_) => {}
        }
    }
}

/// The view.
#[component]
pub fn Train() -> impl IntoView {
    let address = Address::use_it();
    let training = Training {
        job: Job::new(Lane::TRAIN),
        device: address.text("device", "auto").into(),
        state: RwSignal::new(None),
        losses: RwSignal::default(),
        kept: RwSignal::new(None),
        running: RwSignal::new(false),
    };
    spawn_local(training.find());
    let busy = move || training.running.get() || training.job.running();
    view! {
        <h2>"Train here"</h2>
        <p class="lead">
            "The trainer of the command, in this tab: it starts from PCA and tries to keep more \
             neighbours than PCA does. The file it gives is the one that the command reads."
        </p>
        <Kept training />
        <Settings training />
        <div class="row">
            <button type="button" id="pause" disabled=move || !training.running.get()
                on:click=move |_| training.running.set(false)>"Pause"</button>
            <button type="button" id="go-on"
                disabled=move || busy() || training.state.with(|s| s.as_ref().is_none_or(|s| s.finished))
                on:click=move |_| spawn_local(training.go())>"Go on"</button>
            <button type="button" id="drop"
                disabled=move || busy() || training.state.with(Option::is_none)
                on:click=move |_| spawn_local(async move {
                    if training.job.ask(Lane::TRAIN, DropTraining, &[]).await.is_ok() {
                        training.state.set(None);
                        training.losses.set(Vec::new());
                    }
                })>"Drop this training"</button>
            <Show when=move || !training.running.get()><JobBar job=training.job /></Show>
        </div>
        <Progress training />
        <Save training />
    }
}

/// A training of an earlier visit.
#[component]
fn Kept(training: Training) -> impl IntoView {
    let line = move || {
        training.kept.with(|kept| {
            kept.as_ref().map(|kept| {
                let lost = if kept.whole { "" } else { " Its vectors were not kept." };
                format!(
                    "This browser keeps a training of {} on {}, at step {}.{lost}",
                    kept.arch,
                    kept.vectors,
                    count(kept.step)
                )
            })
        })
    };
    let whole = move || training.kept.with(|kept| kept.as_ref().is_some_and(|kept| kept.whole));
    let resume = move |_| {
        spawn_local(async move {
            let question = ResumeTraining { device: training.device.get_untracked() };
            let first = training.job.ask(Lane::TRAIN, question, &[]).await;
            training.begin(first.map(|answered| answered.answer).map_err(|_| ())).await;
        });
    };
    let forget = move |_| {
        spawn_local(async move {
            if training.job.ask(Lane::TRAIN, DropTraining, &[]).await.is_ok() {
                training.kept.set(None);
            }
        });
    };
    view! {
        <Show when=move || training.kept.with(Option::is_some)>
            <div class="row kept" role="status">
                <p>{line}</p>
                <button type="button" id="resume" class="first" disabled=move || !whole()
                    on:click=resume>"Take it up again"</button>
                <button type="button" on:click=forget>"Clear it"</button>
            </div>
        </Show>
    }
}

/// What is trained, on what, and how.
#[component]
fn Settings(training: Training) -> impl IntoView {
    let address = Address::use_it();
    let text = move |name, default| address.text(name, default);
    let (width, epochs, rate) =
        (text("train-s", WIDTHS[0].0), text("epochs", "20"), text("rate", ""));
    let (alignment, geometry) = (text("alignment", "1"), text("geometry", ""));
    let (rows, seed) = (text("rows", ROWS[0].0), text("seed", "727"));
    let set = move |name: &'static str, default: &'static str| {
        move |event| address.set(name, &event_target_value(&event), default)
    };
    let arch = move || Arch::family_b(width.get().parse().unwrap_or(256)).ok();
    let suited = move || arch().map(|arch| TrainConfig::suited_to(&arch, None)).unwrap_or_default();
    let usual_rate = move || suited().learning_rate.to_string();
    let usual_geometry = move || suited().geometry_weight.to_string();
    let problem = RwSignal::new(None::<String>);
    let start = move |_| {
        let config =
            config(suited(), [epochs, rate, alignment, geometry, seed].map(|s| s.get_untracked()));
        let config = match config.and_then(|c| c.check().map(|()| c).map_err(|e| e.to_string())) {
            Ok(config) => config,
            Err(what) => return problem.set(Some(what)),
        };
        problem.set(None);
        let chosen = rows.get_untracked();
        let mut question = StartTraining {
            device: training.device.get_untracked(),
            width: width.get_untracked().parse().unwrap_or(256),
            set: TrainingSet::Bundled,
            name: String::new(),
            rows: chosen.parse().ok(),
            config,
        };
        spawn_local(async move {
            training.state.set(None);
            let mut vectors = Vec::new();
            if chosen == "file" {
                let taken = training.job.ask(Lane::WORK, TakeVectors, &[]).await;
                let Ok(taken) = taken else { return };
                question.set = TrainingSet::Dropped;
                question.name = taken.answer.name;
                vectors = taken.buffers;
            }
            let first = training.job.ask(Lane::TRAIN, question, &vectors).await;
            training.begin(first.map(|answered| answered.answer).map_err(|_| ())).await;
        });
    };
    let number = move |name: &'static str, default: &'static str, label: &'static str| {
        view! {
            <label>{label}
                <input type="number" min="0" step="any" prop:value=address.text(name, default)
                    on:change=set(name, default) />
            </label>
        }
    };
    let busy = move || training.running.get() || training.job.running();
    view! {
        <form class="controls" on:submit=|event| event.prevent_default()>
            <Choice label="Hidden width S" name="train-s" options=&WIDTHS />
            <Choice label="Vectors" name="rows" options=&ROWS />
            {number("epochs", "20", "Epochs ")}
            <label>"Learning rate "
                <input type="number" min="0" step="any" prop:value=rate
                    placeholder=usual_rate on:change=set("rate", "") />
            </label>
            {number("alignment", "1", "Weight of alignment ")}
            <label>"Weight of geometry "
                <input type="number" min="0" step="any" prop:value=geometry
                    placeholder=usual_geometry on:change=set("geometry", "") />
            </label>
            {number("seed", "727", "Seed ")}
            <button type="button" id="start" class="first" disabled=busy on:click=start>"Train"</button>
        </form>
        <p class="aside">
            {format!(
                "The bundled vectors are a download of {} MB, which this browser keeps. A training \
                 needs {FEWEST} vectors or more; 500 of them, a fifth at most, are set aside to \
                 measure on. PCA, from which a student starts and which it is to beat, is fitted on all of them, those \
                 set aside too, so the line stands a little too high: lnsp eval measures on \
                 vectors that neither has seen.",
                decimal(BUNDLED_BYTES as f64 / 1e6, 1)
            )}
        </p>
        <p class="wrong" role="alert">{move || problem.get()}</p>
    }
}

/// The settings that were chosen: epochs, learning rate, weights of alignment and geometry, seed.
/// An empty rate or weight of geometry is the suited one.
fn config(base: TrainConfig, texts: [String; 5]) -> Result<TrainConfig, String> {
    let [epochs, rate, alignment, geometry, seed] = texts;
    let read = |name: &str, text: &str| -> Result<f32, String> {
        let value = number::read(text).ok_or_else(|| format!("{name}: “{text}” is no number"))?;
        Ok(value as f32)
    };
    let whole = |name: &str, text: &str| -> Result<u64, String> {
        text.parse().map_err(|_| format!("{name}: “{text}” is no whole number"))
    };
    let epochs = whole("epochs", &epochs)?;
    if epochs == 0 || epochs > 10_000 {
        return Err("epochs: choose 1 to 10,000".into());
    }
    let or_suited = |name: &str, text: &str, suited: f32| match text {
        "" => Ok(suited),
        text => read(name, text),
    };
    Ok(TrainConfig {
        epochs: epochs as u32,
        learning_rate: or_suited("learning rate", &rate, base.learning_rate)?,
        alignment_weight: read("weight of alignment", &alignment)?,
        geometry_weight: or_suited("weight of geometry", &geometry, base.geometry_weight)?,
        // Numbers of the page are exact to 2⁵³.
        seed: whole("seed", &seed)?.min(1 << 53),
        ..base
    })
}

/// How it goes: in words, as curves, epoch by epoch.
#[component]
fn Progress(training: Training) -> impl IntoView {
    let shown = move || training.state.with(Option::is_some);
    let words = move || training.state.with(|state| state.as_ref().map(words).unwrap_or_default());
    let share = move || {
        training.state.with(|state| {
            state.as_ref().map_or(0.0, |s| s.step as f64 / s.total_steps.max(1) as f64).to_string()
        })
    };
    let loss = move || {
        training.state.with(|state| {
            let Some(state) = state else { return String::new() };
            training.losses.with(|points| {
                Curve {
                    title: "Loss",
                    across: "steps",
                    points,
                    most: state.total_steps as f64,
                    level: None,
                    digits: 4,
                }
                .svg()
            })
        })
    };
    let overlap = move || {
        training.state.with(|state| {
            let Some(state) = state else { return String::new() };
            let one =
                |r: &lnsp::train::EpochRecord| Some((f64::from(r.epoch), r.validation_overlap?));
            let points: Vec<_> = state.epochs.iter().filter_map(one).collect();
            Curve {
                title: "Held-out overlap@10",
                across: "epochs",
                points: &points,
                most: state.total_steps as f64 / state.epoch_steps.max(1) as f64,
                level: state.pca.map(|pca| (pca, "PCA-192")),
                digits: 4,
            }
            .svg()
        })
    };
    let epochs = move || {
        training.state.with(|state| state.as_ref().map(|s| table(s).html()).unwrap_or_default())
    };
    view! {
        <div hidden=move || !shown()>
            <progress id="training-progress" max="1" value=share aria-label="training"></progress>
            <p id="training-words">{words}</p>
            <div class="curves">
                <figure>
                    <figcaption>"Loss"</figcaption>
                    <Markup class="curve" label="Loss" html=loss />
                </figure>
                <figure>
                    <figcaption>"Neighbours kept, on vectors set aside"</figcaption>
                    <Markup class="curve" label="Held-out overlap" html=overlap />
                </figure>
            </div>
            <details>
                <summary>"Epoch by epoch"</summary>
                <Markup class="scroll" label="Epochs as numbers" html=epochs />
            </details>
        </div>
    }
}

fn words(state: &TrainingState) -> String {
    let last = state.epochs.iter().rev().find_map(|r| r.validation_overlap);
    let mut text = format!(
        "{} on {}: step {} of {}",
        state.arch,
        state.vectors,
        count(state.step),
        count(state.total_steps)
    );
    if state.rate > 0.0 {
        text += &format!(", {} vectors/s on {}", decimal(state.rate, 0), state.device);
    }
    text.push('.');
    if let (Some(kept), Some(pca)) = (last, state.pca) {
        let than = match kept - pca {
            d if d > 0.0005 => "more than",
            d if d < -0.0005 => "fewer than",
            _ => "as many as",
        };
        text += &format!(
            " It keeps {} of ten neighbours, {than} PCA with {}.",
            decimal(10.0 * kept, 2),
            decimal(10.0 * pca, 2)
        );
    }
    match state.kept_step {
        Some(step) => text += &format!(" Step {} is kept in this browser.", count(step)),
        None => text += " Nothing of it is kept yet.",
    }
    if state.finished {
        text += " It is finished.";
    }
    if let Some(note) = &state.note {
        text += &format!(" Note: {note}.");
    }
    text
}

fn table(state: &TrainingState) -> Table {
    let row = |r: &lnsp::train::EpochRecord| {
        let loss = |v: f32| if r.epoch == 0 { "–".into() } else { decimal(f64::from(v), 5) };
        vec![
            Cell::new(if r.epoch == 0 { "start".into() } else { r.epoch.to_string() }),
            Cell::new(loss(r.losses.total)),
            Cell::new(loss(r.losses.alignment)),
            Cell::new(loss(r.losses.geometry)),
            Cell::new(r.validation_overlap.map_or("–".into(), |v| decimal(v, 4))),
        ]
    };
    Table {
        caption: "Means of each epoch's steps; overlap@10 on the vectors set aside.".into(),
        head: vec!["Epoch", "Loss", "Alignment", "Geometry", "overlap@10"],
        rows: state.epochs.iter().map(row).collect(),
    }
}

/// The student as a file.
#[component]
fn Save(training: Training) -> impl IntoView {
    let precision = Address::use_it().text("save", PRECISIONS[0].0);
    let save = move |_| {
        spawn_local(async move {
            let chosen: Precision = precision.get_untracked().parse().unwrap_or_default();
            let question = TakeStudent { precision: chosen };
            let taken = training.job.ask(Lane::TRAIN, question, &[]).await;
            if let Ok(answered) = taken
                && let Some(bytes) = answered.buffers.first()
            {
                download::save("student.safetensors", "application/octet-stream", bytes);
                // For Try; a copy, since what is sent is handed over.
                let copy = bytes.slice(0);
                let _ = training.job.ask(Lane::WORK, PutStudent, &[copy]).await;
            }
        });
    };
    let none = move || {
        training.state.with(Option::is_none) || training.running.get() || training.job.running()
    };
    view! {
        <form class="controls" on:submit=|event| event.prevent_default()>
            <Choice label="Weights in" name="save" options=&PRECISIONS />
            <button type="button" id="save-student" disabled=none on:click=save>"Save the student"</button>
        </form>
        <p class="aside">
            "Saving also puts it among the students under Try, as the one trained here."
        </p>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_or_refused() {
        let texts = |t: [&str; 5]| t.map(String::from);
        let base = TrainConfig { learning_rate: 0.5, ..TrainConfig::default() };
        let read = config(base.clone(), texts(["3", "", "1", "0", "9"])).unwrap();
        assert_eq!((read.epochs, read.learning_rate, read.geometry_weight), (3, 0.5, 0.0));
        assert_eq!(read.seed, 9);
        let read = config(base.clone(), texts(["3", "", "1", "", "9"])).unwrap();
        assert_eq!(read.geometry_weight, base.geometry_weight);
        for wrong in
            [["0", "", "1", "1", "1"], ["1", "x", "1", "1", "1"], ["1", "", "1", "1", "-1"]]
        {
            assert!(config(base.clone(), texts(wrong)).is_err());
        }
    }

    #[test]
    fn words_say_where_it_stands() {
        let mut state = TrainingState { pca: Some(0.88), total_steps: 10, ..Default::default() };
        state.epochs.push(lnsp::train::EpochRecord {
            epoch: 0,
            losses: Default::default(),
            learning_rate: 0.0,
            validation_overlap: Some(0.87),
        });
        let said = words(&state);
        assert!(said.contains("keeps 8.70 of ten neighbours, fewer than PCA with 8.80"), "{said}");
        assert!(said.contains("Nothing of it is kept yet"));
    }
}
