//! The view “Try”, fetched when first visited.

use lnsp_app::page::trial::Try;
use lnsp_app::page::tabs::Tab;

fn main() {
    lnsp_app::page::start_part(Tab::Try, Try);
}
