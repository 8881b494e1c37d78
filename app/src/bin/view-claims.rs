//! The view “Claims”, fetched when first visited.

use lnsp_app::page::claims::Claims;
use lnsp_app::page::tabs::Tab;

fn main() {
    lnsp_app::page::start_part(Tab::Claims, Claims);
}
