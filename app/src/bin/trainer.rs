//! The trainer.

fn main() {
    lnsp_app::worker::start_trainer();
}
