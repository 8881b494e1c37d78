//! What the visitor's device makes of the sizes.

use std::collections::VecDeque;

use leptos::prelude::*;
use lnsp::experiment::bench::inference_bytes;
use lnsp::note;
use lnsp::number::{decimal, megabytes};
use lnsp::sizes::SizeRow;
use wasm_bindgen::JsCast;

use super::paper::label;
use super::settings::Settings;
use crate::page::address::Address;
use crate::page::html::{Cell, Markup, Table};
use crate::page::job::{Job, JobBar};
use crate::page::lane::Lane;
use crate::page::memory;
use crate::page::named::Named;
use crate::protocol::{Failure, Measure, Measured};

/// Vectors answered together.
pub(super) const BATCHES: [usize; 3] = [1, 32, 1024];
/// A worker that has held more than this is started anew: its memory never shrinks.
const LARGE: u64 = 1 << 29;
/// Seconds of samples behind each figure.
const SECONDS: f64 = 0.3;

/// What was measured, by [`key`].
pub(super) type Results = Named<Measured>;

/// Names a measurement: architecture, graph, precision and the device asked for.
pub(super) fn key(settings: &Settings, row: &SizeRow) -> String {
    format!(
        "{} {} {} {}",
        row.architecture,
        row.arch.variant(),
        settings.precision,
        settings.device
    )
}

/// The measurements of this visit.
#[derive(Clone, Copy)]
pub(super) struct Bench {
    address: Address,
    job: Job,
    results: RwSignal<Results>,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self {
            address: Address::use_it(),
            job: Job::new(Lane::MEASURE),
            results: RwSignal::default(),
        }
    }

    pub(super) fn job(self) -> Job {
        self.job
    }

    pub(super) fn results(self) -> Results {
        self.results.get()
    }

    pub(super) fn measure_own(self) {
        let settings = untrack(|| Settings::read(self.address));
        self.measure(settings.own().into_iter().collect(), settings);
    }

    fn measure_one(self, index: usize) {
        let settings = untrack(|| Settings::read(self.address));
        self.measure(settings.all().into_iter().skip(index).take(1).collect(), settings);
    }

    /// Measures every row.
    pub(super) fn measure_all(self) {
        let settings = untrack(|| Settings::read(self.address));
        self.measure(settings.all().into(), settings);
    }

    /// One row after the other, until one is stopped.
    fn measure(self, mut rows: VecDeque<SizeRow>, settings: Settings) {
        let Some(row) = rows.pop_front() else { return };
        if too_large(&settings, &row).is_some() {
            return self.measure(rows, settings);
        }
        let question = Measure {
            device: settings.device.clone(),
            arch: row.arch.clone(),
            precision: settings.precision,
            batches: BATCHES.to_vec(),
            seconds: SECONDS,
        };
        let large = inference_bytes(&row.arch, settings.precision, 1024) > LARGE;
        self.job.run(question, move |outcome| {
            if large {
                Lane::MEASURE.close();
            }
            let stopped = matches!(outcome, Err(Failure::Cancelled));
            if let Ok(measured) = outcome {
                self.results.update(|results| {
                    results.set(&key(&settings, &row), measured);
                });
            }
            if !stopped && !rows.is_empty() {
                self.measure(rows, settings);
            }
        });
    }

    /// The table of measurements, with a button a row.
    pub(super) fn view(self) -> impl IntoView {
        let html = move || {
            let settings = Settings::read(self.address);
            self.results.with(|results| table(&settings, results, self.job.running()).html())
        };
        // One listener for all buttons: the table is written as text.
        let click = move |event: web_sys::MouseEvent| {
            let target = event.target().and_then(|t| t.dyn_into::<web_sys::HtmlElement>().ok());
            let index = target.and_then(|element| element.dataset().get("row"));
            if let Some(index) = index.and_then(|index| index.parse().ok()) {
                self.measure_one(index);
            }
        };
        view! {
            <div class="row">
                <button type="button" id="measure-all" disabled=move || self.job.running()
                    on:click=move |_| self.measure_all()>"Measure all rows"</button>
                <JobBar job=self.job />
            </div>
            <div on:click=click>
                <Markup class="scroll" label="Sizes on this device" html=html />
            </div>
        }
    }
}

/// Why a row cannot run here at all, if so.
fn too_large(settings: &Settings, row: &SizeRow) -> Option<String> {
    let (needed, limit) = (inference_bytes(&row.arch, settings.precision, 1), memory::limit());
    (needed > limit).then(|| {
        format!(
            "does not fit: it needs {} MB, this tab may take {} MB",
            megabytes(needed),
            megabytes(limit)
        )
    })
}

fn table(settings: &Settings, results: &Results, running: bool) -> Table {
    let rows = settings.all();
    Table {
        caption: format!("Milliseconds here, weights in {}", settings.precision),
        head: vec![
            "Size",
            "needs MB",
            "cold start",
            "one vector",
            "the note's",
            "32: each",
            "1,024: each",
            "held MB",
            "device",
            "measure",
        ],
        rows: rows
            .iter()
            .enumerate()
            .map(|(i, row)| line(settings, row, results.get(&key(settings, row)), i, running))
            .collect(),
    }
}

fn line(
    settings: &Settings,
    row: &SizeRow,
    measured: Option<&Measured>,
    index: usize,
    running: bool,
) -> Vec<Cell> {
    let name = label(row);
    let needs = inference_bytes(&row.arch, settings.precision, 1024);
    let mut cells = vec![Cell::new(&name), Cell::new(megabytes(needs))];
    let cold = measured.and_then(|m| m.cold.as_ref());
    cells.push(Cell::new(cold.map_or(String::new(), |cold| ms(cold.total_ms()))));
    for batch in BATCHES {
        let warm = measured.and_then(|m| m.warm.iter().find(|warm| warm.batch == batch));
        cells.push(Cell::new(warm.map_or(String::new(), |warm| ms(warm.ms_per_vector()))));
        if batch == 1 {
            let noted = row.note.filter(|row| row.family == note::Family::B);
            let figure = noted.and_then(|row| note::inference_ms(row.width));
            cells.push(
                Cell::new(figure.map_or(String::new(), |ms| format!("~{ms:.1}, M4"))).class("note"),
            );
        }
    }
    let held = measured.and_then(|m| m.warm.iter().map(|warm| warm.peak_bytes).max());
    cells.push(Cell::new(held.map_or(String::new(), megabytes)));
    let mut device = Cell::new(measured.map_or(String::new(), |m| m.device.clone()));
    if let Some(skip) = measured.and_then(|m| m.skipped.first()) {
        device.text += &format!("; left out: {} ({})", skip.what, skip.reason);
    }
    let mut last = Cell::default();
    match too_large(settings, row) {
        Some(why) => device = Cell::new(why).class("wrong"),
        None => {
            let disabled = if running { " disabled" } else { "" };
            last.markup = format!(
                "<button type=\"button\" id=\"measure-{index}\" data-row=\"{index}\" \
                 aria-label=\"Measure {name}\"{disabled}>Measure</button>"
            );
        }
    }
    cells.extend([device, last]);
    cells
}

/// Milliseconds with three digits or so.
fn ms(value: f64) -> String {
    decimal(
        value,
        match value {
            v if v >= 100.0 => 0,
            v if v >= 10.0 => 1,
            v if v >= 1.0 => 2,
            v if v >= 0.1 => 3,
            _ => 4,
        },
    )
}
