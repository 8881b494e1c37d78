//! The browser's turn: work on the CPU lets messages and the event loop in now and then.

/// Lets the browser take its turn if this thread has worked for some time without one. Natively
/// there is nobody to wait for, and this is nothing.
#[cfg(not(target_arch = "wasm32"))]
pub async fn breathe() {}

/// Lets the browser take its turn if this thread has worked for some time without one.
#[cfg(target_arch = "wasm32")]
pub async fn breathe() {
    use std::cell::Cell;
    use wasm_bindgen::JsValue;
    use web_time::{Duration, Instant};

    /// Work between two turns: short enough for a stop to feel immediate.
    const WORK: Duration = Duration::from_millis(40);
    thread_local! {
        static LAST: Cell<Option<Instant>> = const { Cell::new(None) };
    }

    let due = LAST.get().is_none_or(|last| last.elapsed() >= WORK);
    if !due {
        return;
    }
    // A message to oneself comes after the messages that wait; a timer would be held back.
    if let Ok(channel) = web_sys::MessageChannel::new() {
        let turn = js_sys::Promise::new(&mut |resolve, _| {
            channel.port1().set_onmessage(Some(&resolve));
            let _ = channel.port2().post_message(&JsValue::NULL);
        });
        let _ = wasm_bindgen_futures::JsFuture::from(turn).await;
        channel.port1().close();
    }
    LAST.set(Some(Instant::now()));
}
