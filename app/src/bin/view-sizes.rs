//! The view “Sizes” below its table, fetched when it comes into sight.

fn main() {
    lnsp_app::page::start_part("sizes", lnsp_app::page::sizes::SizeTools);
}
