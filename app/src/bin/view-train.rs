//! The view “Train here”, fetched when first visited.

fn main() {
    lnsp_app::page::start_part("train", lnsp_app::page::training::Train);
}
