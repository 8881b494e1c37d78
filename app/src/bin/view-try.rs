//! The view “Try”, fetched when first visited.

fn main() {
    lnsp_app::page::start_part("try", lnsp_app::page::trial::Try);
}
