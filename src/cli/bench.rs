//! `lnsp bench`: latency, throughput and memory.

use std::sync::atomic::Ordering;

use serde::Serialize;

use super::family_b;
use super::machine::{Machine, peak_process_bytes};
use super::sizes::FamilyChoice;
use super::ui::{Ui, Usage};
use super::{DeviceChoice, memory};
use crate::arch::{Activation, Arch, Precision, Variant};
use crate::device::{AdapterKind, Cpu, Device, Gpu, GpuOptions, list_adapters};
use crate::error::{Error, Result};
use crate::experiment::bench::{BenchOptions, BenchReport, bench_inference, bench_training};
use crate::note::{FAMILY_A, FAMILY_B};
use crate::number::megabytes;
use crate::report::bench_tables::bench_tables;
use crate::report::table::wrap;

/// Arguments of `lnsp bench`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lnsp bench --width 256                      one size, on the CPU and the GPU if there is one\n  \
    lnsp bench --family all --no-training       both of the note's tables\n  \
    lnsp bench --width 1024 --precision f32 --batch 1,1024 --with-transfer --json")]
pub struct Args {
    /// Hidden width S of 384→S→192→S→384; may be given several times.
    #[arg(long, value_name = "S")]
    pub width: Vec<usize>,
    /// Any other architecture, such as 768-512-128-512-768; may be given several times.
    #[arg(long, value_name = "LIST")]
    pub arch: Vec<Arch>,
    /// Which of the note's tables: a, b or all [default: b; with --width or --arch, none].
    #[arg(long, value_enum, hide_possible_values = true)]
    pub family: Option<FamilyChoice>,
    /// plain, or sn727 (family B and your own).
    #[arg(long, default_value_t)]
    pub variant: Variant,
    /// gelu or relu.
    #[arg(long, default_value_t)]
    pub activation: Activation,
    /// Weights in inference: f32, f16, int8; several parted by commas.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "f32,f16,int8")]
    pub precision: Vec<Precision>,
    /// Vectors answered together; several parted by commas.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1,32,1024")]
    pub batch: Vec<usize>,
    /// Vectors in a training step.
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub training_batch: usize,
    /// Leave the training step out.
    #[arg(long)]
    pub no_training: bool,
    /// Time the way to the device and back, too.
    #[arg(long)]
    pub with_transfer: bool,
    /// Seconds spent on each figure.
    #[arg(long, value_name = "S", default_value_t = 1.0)]
    pub seconds: f64,
    /// Threads on the CPU [default: one a core].
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// What the device can do at most in f32, in TFLOP/s, to print the share that is reached.
    #[arg(long, value_name = "T")]
    pub peak_tflops: Option<f64>,
}

/// Everything that `--json` prints.
#[derive(Serialize)]
struct Document {
    version: &'static str,
    machine: Machine,
    seconds: f64,
    peak_process_bytes: Option<u64>,
    #[serde(flatten)]
    report: BenchReport,
}

/// Runs `lnsp bench`.
///
/// # Errors
/// [`Usage`] for arguments that do not fit together, and what the devices report.
pub fn run(args: &Args, ui: &Ui) -> anyhow::Result<()> {
    let archs = architectures(args)?;
    let options = BenchOptions { stop: ui.cancel(), ..options(args) };
    options.check()?;
    if args.threads == Some(0) {
        return Err(Usage("--threads must be at least 1".into()).into());
    }
    let machine = Machine::look();
    let report = pollster::block_on(measure(&archs, &options, !args.no_training, ui))?;
    let document = Document {
        version: env!("CARGO_PKG_VERSION"),
        machine,
        seconds: args.seconds,
        peak_process_bytes: peak_process_bytes(),
        report,
    };
    if ui.json() { ui.print_json(&document) } else { print(&document, ui) }
}

fn architectures(args: &Args) -> anyhow::Result<Vec<Arch>> {
    let mut own = Vec::new();
    for &width in &args.width {
        own.push(family_b(width)?);
    }
    own.extend(args.arch.iter().cloned());
    let (a, b) = match args.family {
        Some(FamilyChoice::A) => (true, false),
        Some(FamilyChoice::B) => (false, true),
        Some(FamilyChoice::All) => (true, true),
        None => (false, own.is_empty()),
    };
    let mut archs = Vec::new();
    if a {
        for row in &FAMILY_A {
            archs.push(row.arch()?.with_activation(args.activation));
        }
    }
    let noted: Vec<Arch> = FAMILY_B.iter().filter(|_| b).flat_map(|row| row.arch()).collect();
    for arch in noted.iter().chain(&own) {
        archs.push(arch.with_activation(args.activation).with_variant(args.variant)?);
    }
    Ok(archs)
}

fn options(args: &Args) -> BenchOptions {
    BenchOptions {
        precisions: args.precision.clone(),
        batches: args.batch.clone(),
        transfer: args.with_transfer,
        training_batch: args.training_batch,
        seconds: args.seconds,
        peak_flops: args.peak_tflops.map(|t| 1e12 * t),
        ..BenchOptions::default()
    }
}

/// Opens one device anew.
#[derive(Clone, Copy)]
enum Opener {
    Cpu,
    Gpu,
}

impl Opener {
    async fn open(self) -> Result<Device> {
        match self {
            Opener::Cpu => Ok(Device::Cpu(Cpu::new(None))),
            Opener::Gpu => Ok(Device::Gpu(Gpu::open(&GpuOptions::default()).await?)),
        }
    }
}

/// The CPU, the GPU, or both: with `auto` the GPU too, unless it is a program.
async fn openers(choice: DeviceChoice) -> Vec<Opener> {
    match choice {
        DeviceChoice::Cpu => vec![Opener::Cpu],
        DeviceChoice::Gpu => vec![Opener::Gpu],
        DeviceChoice::Auto => {
            let adapters = list_adapters().await;
            let real = adapters.iter().any(|a| a.kind != AdapterKind::Software);
            if real { vec![Opener::Cpu, Opener::Gpu] } else { vec![Opener::Cpu] }
        }
    }
}

async fn measure(
    archs: &[Arch],
    options: &BenchOptions,
    training: bool,
    ui: &Ui,
) -> anyhow::Result<BenchReport> {
    let openers = openers(ui.device()).await;
    let each = options.precisions.len() * (1 + options.batches.len()) + usize::from(training);
    let progress = ui.progress("measuring", Some((each * archs.len() * openers.len()) as u64));
    let cancel = ui.cancel();
    let mut done = 0;
    let mut announce = |what: &str| {
        progress.set(done, what);
        done += 1;
        if cancel.load(Ordering::SeqCst) { Err(Error::Cancelled) } else { Ok(()) }
    };
    let mut all = BenchReport::default();
    for opener in openers {
        let open = async || opener.open().await;
        let device = open().await?;
        for arch in archs {
            // What a GPU has left is not told; it refuses what it cannot hold.
            let available = (!device.is_gpu()).then(memory::available);
            let options = BenchOptions { available, ..options.clone() };
            all.extend(bench_inference(&device, open, arch, &options, &mut announce).await?);
            if training {
                all.extend(bench_training(&device, arch, &options, &mut announce).await?);
            }
        }
    }
    Ok(all)
}

fn print(document: &Document, ui: &Ui) -> anyhow::Result<()> {
    for table in bench_tables(&document.report) {
        ui.table(&table)?;
        ui.print("")?;
    }
    let machine = &document.machine;
    let peak = match document.peak_process_bytes {
        Some(bytes) => format!(" This process held at most {} MB in all.", megabytes(bytes)),
        None => String::new(),
    };
    let line = format!(
        "{}, {} threads, {}. Each figure is the median of {} s of samples, five at least.{peak}",
        machine.cpu, machine.threads, machine.system, document.seconds
    );
    ui.print(&wrap(&line, ui.terminal().width))
}
