//! `lnsp devices`: what can compute here, and what `auto` picks and why.

use serde::Serialize;

use super::DeviceChoice;
use super::device::choose;
use super::machine::Machine;
use super::ui::{Ui, Usage};
use crate::arch::MAX_WIDTH;
use crate::device::{AdapterDescription, AdapterKind, list_adapters};
use crate::number::decimal;
use crate::report::table::{Cell, Column, Table, Tone, wrap};

/// Arguments of `lnsp devices`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lnsp devices                                what is there, and what auto picks for S = 256\n  \
    lnsp devices --width 4096                   for a wide student the answer may be another")]
pub struct Args {
    /// Hidden width S that `auto` is asked about.
    #[arg(long, value_name = "S", default_value_t = 256)]
    pub width: usize,
}

/// Everything that `--json` prints.
#[derive(Serialize)]
struct Document {
    machine: Machine,
    adapters: Vec<AdapterDescription>,
    auto: Picked,
}

/// What `auto` picks.
#[derive(Serialize)]
struct Picked {
    width: usize,
    device: String,
    gpu: bool,
    reason: String,
}

/// The widest layer that is tried out.
const WIDEST: usize = 8192;

/// Runs `lnsp devices`.
///
/// # Errors
/// [`Usage`] for a width that cannot be tried out.
pub fn run(args: &Args, ui: &Ui) -> anyhow::Result<()> {
    if args.width == 0 || args.width > MAX_WIDTH {
        return Err(Usage(format!("--width {} is not in 1..={MAX_WIDTH}", args.width)).into());
    }
    let adapters = pollster::block_on(list_adapters());
    // Whoever wins there wins beyond, too, and the trial stays short.
    let (device, reason) = choose(DeviceChoice::Auto, args.width.min(WIDEST))?;
    let auto = Picked { width: args.width, device: device.name(), gpu: device.is_gpu(), reason };
    let document = Document { machine: Machine::look(), adapters, auto };
    if ui.json() {
        return ui.print_json(&document);
    }
    ui.table(&table(&document))?;
    let auto = &document.auto;
    let line = format!("auto, at S = {}: {}.", auto.width, auto.reason);
    ui.print(&format!("\n{}", wrap(&line, ui.terminal().width)))
}

fn table(document: &Document) -> Table {
    let mut table = Table::new(
        "",
        vec![
            Column::left("name", "device"),
            Column::left("kind", "kind"),
            Column::left("backend", "system or driver"),
            Column::right("memory", "memory"),
            Column::left("features", "has"),
        ],
    );
    let machine = &document.machine;
    let tone = |picked: bool| if picked { Tone::Good } else { Tone::Plain };
    let gib = |bytes: u64| format!("{} GiB", decimal(bytes as f64 / f64::from(1 << 30), 1));
    table.row(vec![
        Cell::text(format!("cpu: {}", machine.cpu)).tone(tone(!document.auto.gpu)),
        Cell::text("cpu"),
        Cell::text(&machine.system),
        Cell::shown_as(gib(machine.memory_bytes), machine.memory_bytes),
        Cell::text(format!("{} threads", machine.threads)),
    ]);
    for adapter in &document.adapters {
        let picked = document.auto.gpu && adapter.name == document.auto.device;
        table.row(vec![
            Cell::text(&adapter.name).tone(tone(picked)),
            Cell::text(kind(adapter.kind)),
            Cell::text(format!("{}: {}", adapter.backend, adapter.driver)),
            Cell::shown_as(gib(adapter.max_binding_bytes), adapter.max_binding_bytes),
            Cell::text(features(adapter)),
        ]);
    }
    if !document.adapters.is_empty() {
        table.note("Memory of an adapter is the most that a shader may bind at a time.");
    } else {
        table.note("No GPU adapter: none is there, or its driver is not installed.");
    }
    table
}

fn kind(kind: AdapterKind) -> &'static str {
    match kind {
        AdapterKind::Discrete => "card",
        AdapterKind::Integrated => "integrated",
        AdapterKind::Virtual => "virtual",
        AdapterKind::Unknown => "unknown",
        AdapterKind::Software => "software",
    }
}

/// Features that matter to the kernels or the benchmark.
fn features(adapter: &AdapterDescription) -> String {
    let all = [
        (adapter.timestamps, "clock"),
        (adapter.f16, "f16"),
        (adapter.subgroups, "subgroups"),
        (!adapter.cooperative_matrices.is_empty(), "matrices"),
    ];
    let there: Vec<&str> = all.iter().filter(|(has, _)| *has).map(|(_, name)| *name).collect();
    if there.is_empty() { "–".into() } else { there.join(", ") }
}
