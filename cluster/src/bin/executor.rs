//! `lnsp-executor`.

use std::process::ExitCode;

use clap::Parser;
use lnsp_cluster::process::{ExecutorArgs, executor, run};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    lnsp_cluster::shell::exit(run(executor(ExecutorArgs::parse())))
}
