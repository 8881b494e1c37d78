//! `lnsp-scheduler`.

use std::process::ExitCode;

use clap::Parser;
use lnsp_cluster::process::{SchedulerArgs, run, scheduler};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    lnsp_cluster::shell::exit(run(scheduler(SchedulerArgs::parse())))
}
