//! The view “Claims”, fetched when first visited.

fn main() {
    lnsp_app::page::start_part("claims", lnsp_app::page::claims::Claims);
}
