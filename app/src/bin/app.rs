//! The page.

fn main() {
    lnsp_app::page::start();
}
