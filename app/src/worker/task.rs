//! A question at work: its buffers, its progress, and whether the visitor still wants it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use js_sys::{ArrayBuffer, Float32Array, Uint8Array, Uint32Array};
use lnsp::{Error, Result};
use serde::Serialize;
use wasm_bindgen::JsValue;
use web_time::{Duration, Instant};

use super::post;
use crate::protocol::Progress;

/// Progress is told at most this often.
const TELL: Duration = Duration::from_millis(60);

/// A question at work. Cheap to clone.
#[derive(Clone)]
pub struct Task {
    id: u32,
    buffers: Rc<RefCell<Vec<ArrayBuffer>>>,
    stopped: Arc<AtomicBool>,
    told: Rc<Cell<Option<Instant>>>,
}

impl Task {
    pub(crate) fn new(id: u32, buffers: Vec<ArrayBuffer>) -> Self {
        Self {
            id,
            buffers: Rc::new(RefCell::new(buffers)),
            stopped: Arc::default(),
            told: Rc::default(),
        }
    }

    /// Names the question.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The bytes of buffer `index` that came with the question, if there is one.
    pub fn buffer(&self, index: usize) -> Option<Vec<u8>> {
        self.buffers.borrow().get(index).map(|buffer| Uint8Array::new(buffer).to_vec())
    }

    /// The values of buffer `index`, in f32; none if it did not come along.
    pub fn floats(&self, index: usize) -> Vec<f32> {
        let buffers = self.buffers.borrow();
        buffers.get(index).map(|buffer| Float32Array::new(buffer).to_vec()).unwrap_or_default()
    }

    /// The visitor wants no more.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Set when the visitor wants no more, for the library's own loops.
    pub fn stopped(&self) -> Arc<AtomicBool> {
        self.stopped.clone()
    }

    /// Lets messages in, if some milliseconds have passed since the last time.
    ///
    /// # Errors
    /// [`Error::Cancelled`] if the visitor wants no more.
    pub async fn check(&self) -> Result<()> {
        lnsp::device::breathe().await;
        self.still_wanted()
    }

    /// As [`Self::check`] without letting messages in.
    ///
    /// # Errors
    /// [`Error::Cancelled`] if the visitor wants no more.
    pub fn still_wanted(&self) -> Result<()> {
        if self.stopped.load(Ordering::Relaxed) { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// Tells how far the work is; `share` between 0 and 1. What comes too soon after the last is
    /// left out.
    pub fn progress(&self, share: Option<f64>, text: &str) {
        if self.told.get().is_some_and(|told| told.elapsed() < TELL) {
            return;
        }
        self.told.set(Some(Instant::now()));
        post::progress(self.id, &Progress { share, text: text.into() });
    }
}

/// An answer on its way to the page.
pub struct Reply {
    pub(crate) answer: JsValue,
    pub(crate) buffers: Vec<ArrayBuffer>,
}

impl Reply {
    /// An answer without large arrays.
    ///
    /// # Errors
    /// If it cannot be written, a bug.
    pub fn of(answer: &impl Serialize) -> Result<Self> {
        let answer = answer
            .serialize(&crate::protocol::wire())
            .map_err(|error| Error::invalid("answer", error.to_string()))?;
        Ok(Self { answer, buffers: Vec::new() })
    }

    /// With values beside it, as its next buffer.
    pub fn with(mut self, values: &[f32]) -> Self {
        self.buffers.push(Float32Array::from(values).buffer());
        self
    }

    /// With whole numbers beside it, as its next buffer.
    #[cfg_attr(
        not(feature = "text"),
        expect(dead_code, reason = "the tokenizer's answers alone are whole numbers")
    )]
    pub fn with_words(mut self, words: &[u32]) -> Self {
        self.buffers.push(Uint32Array::from(words).buffer());
        self
    }

    /// With bytes beside it, as its next buffer.
    pub fn with_bytes(mut self, bytes: &[u8]) -> Self {
        self.buffers.push(Uint8Array::from(bytes).buffer());
        self
    }
}
