//! The worker with the core.

fn main() {
    lnsp_app::worker::start_core();
}
