//! A comparison at a glance: what the widget shows of it.

use super::result::{Outcome, PICKED, notes, table};
use crate::protocol::Compared;
use lnsp::experiment::{Kept, Kind};

pub(crate) use super::result::meaning;

/// The codes that are looked at more closely: the usual ones, and every student stored in bytes.
fn picked(compared: &Compared) -> Vec<Kept> {
    let codes = &compared.side_by_side.codes;
    let smallest =
        codes.iter().filter(|code| code.kind == Kind::Student).map(|c| c.bytes_per_vector).min();
    let is_picked = |code: &&Kept| {
        PICKED.contains(&code.name.as_str())
            || code.kind == Kind::Student && Some(code.bytes_per_vector) == smallest
    };
    codes.iter().filter(is_picked).cloned().collect()
}

/// The table of codes, without prices, and how it was measured.
pub(crate) fn codes(outcome: &Outcome) -> String {
    let mut table = table(outcome, (0.0, 0.0), None);
    table.head.truncate(6);
    for row in &mut table.rows {
        row.truncate(6);
    }
    format!("{}<div class=\"aside\">{}</div>", table.html(), notes(outcome, None))
}

/// The cosines of the picked codes.
pub(crate) fn pictures(outcome: &Outcome) -> String {
    super::result::pictures(outcome, &picked(&outcome.compared))
}

/// Neighbours of the shown sentence `chosen` under the picked codes.
pub(crate) fn neighbours(outcome: &Outcome, chosen: usize) -> String {
    super::result::neighbours(outcome, &picked(&outcome.compared), chosen)
}
