//! The command `lnsp`; everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    lnsp::cli::main()
}
