//! The command `lnsp`; everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    quiet_wayland();
    lnsp::cli::main()
}

/// Where there is no desktop session, Mesa's Vulkan drivers print an error about this variable
/// whenever adapters are listed. It means nothing to a program without a window.
#[cfg(target_os = "linux")]
fn quiet_wayland() {
    const NAME: &str = "XDG_RUNTIME_DIR";
    if std::env::var_os(NAME).is_none() {
        // SAFETY: this is the first thing the program does; no other thread runs yet that could
        // read the environment.
        unsafe { std::env::set_var(NAME, std::env::temp_dir()) };
    }
}

#[cfg(not(target_os = "linux"))]
fn quiet_wayland() {}
