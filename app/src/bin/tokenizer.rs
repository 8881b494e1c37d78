//! The tokenizer in the browser.

fn main() {
    lnsp_app::tokenizer::start();
}
