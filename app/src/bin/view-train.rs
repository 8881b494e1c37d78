//! The view “Train here”, fetched when first visited.

use lnsp_app::page::training::Train;
use lnsp_app::page::tabs::Tab;

fn main() {
    lnsp_app::page::start_part(Tab::Train, Train);
}
