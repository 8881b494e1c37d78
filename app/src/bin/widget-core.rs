//! The worker of `<lnsp-compare>`.

fn main() {
    lnsp_app::worker::start_comparer();
}
