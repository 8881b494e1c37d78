//! How much memory a tab may take.

use js_sys::Reflect;

/// A browser's 32-bit memory, with room left for the program itself.
const MOST: u64 = 7 << 29;

/// Bytes that a computation here may take: what 32 bits can address, or half of what the browser
/// says the machine has. Works in a page and in a worker.
pub fn limit() -> u64 {
    let machine = Reflect::get(&js_sys::global(), &"navigator".into())
        .and_then(|navigator| Reflect::get(&navigator, &"deviceMemory".into()))
        .ok()
        .and_then(|gib| gib.as_f64());
    match machine {
        Some(gib) if gib > 0.0 => MOST.min((gib * f64::from(1 << 29)) as u64),
        _ => MOST,
    }
}
