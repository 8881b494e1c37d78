//! The compute worker.

fn main() {
    lnsp_app::worker::start();
}
