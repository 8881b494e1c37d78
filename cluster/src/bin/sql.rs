//! `lnsp-sql`.

use std::process::ExitCode;

fn main() -> ExitCode {
    lnsp_cluster::shell::main()
}
