//! The workers as a view asks them. Every program of the page speaks to the one keeper of the
//! workers ([`super::wire`]), which the shell puts on the window, so that all share them.

use js_sys::{Array, ArrayBuffer, Promise};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::protocol::{Failure, Progress, Question};

#[wasm_bindgen]
extern "C" {
    /// The keeper of the workers.
    type Keeper;

    #[wasm_bindgen(thread_local_v2, js_name = lnspWorkers)]
    static KEEPER: Keeper;

    /// Asks the worker `lane`; answers the question's number and a promise of the message that
    /// answers it, which is refused with a failure.
    #[wasm_bindgen(method)]
    fn ask(
        this: &Keeper,
        lane: &str,
        question: &JsValue,
        buffers: &Array,
        progress: &JsValue,
    ) -> Array;

    #[wasm_bindgen(method)]
    fn wake(this: &Keeper, lane: &str);

    #[wasm_bindgen(method)]
    fn cancel(this: &Keeper, lane: &str, id: u32);

    #[wasm_bindgen(method)]
    fn close(this: &Keeper, lane: &str);
}

/// One worker, started when first asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane(&'static str);

/// An answer, and the buffers beside it.
pub struct Answered<A> {
    /// The answer.
    pub answer: A,
    /// The buffers, in the order in which the worker put them.
    pub buffers: Vec<ArrayBuffer>,
}

impl Lane {
    /// For timings; may be ended at any time.
    pub const MEASURE: Lane = Lane("measure");
    /// For what is to stay: students, vectors.
    pub const WORK: Lane = Lane("work");
    /// The trainer, with the training of this tab and the teacher.
    pub const TRAIN: Lane = Lane("train");
    /// A trainer for claims; may be ended at any time.
    pub const CLAIMS: Lane = Lane("claims");
    /// For text; the tokenizer is a program of its own.
    pub const TEXT: Lane = Lane("text");

    /// What the keeper calls it.
    pub fn name(self) -> &'static str {
        self.0
    }

    /// Asks, handing over `buffers`, which are empty here afterwards; the future gives the answer.
    /// The number names the question to [`Self::cancel`].
    pub fn ask<Q: Question, P: Fn(Progress) + 'static>(
        self,
        question: &Q,
        buffers: &[ArrayBuffer],
        progress: P,
    ) -> (u32, impl Future<Output = Result<Answered<Q::Answer>, Failure>> + use<Q, P>) {
        let progress = Closure::<dyn Fn(JsValue)>::new(move |words: JsValue| {
            if let Ok(words) = serde_wasm_bindgen::from_value(words) {
                progress(words);
            }
        });
        let (id, promise) = self.post(question.words(), buffers, progress.as_ref());
        // Awaited from now on, so that a failure always finds a listener.
        let outcome = JsFuture::from(promise);
        let answer = async move {
            let outcome = outcome.await;
            drop(progress);
            let parts: Array = outcome.map_err(failed)?.unchecked_into();
            let answer = serde_wasm_bindgen::from_value(parts.get(2))
                .map_err(|error| Failure::Error(format!("the answer cannot be read: {error}")))?;
            let buffers = parts.iter().skip(3).filter_map(|part| part.dyn_into().ok()).collect();
            Ok(Answered { answer, buffers })
        };
        (id, answer)
    }

    fn post(
        self,
        words: Result<JsValue, serde_wasm_bindgen::Error>,
        buffers: &[ArrayBuffer],
        progress: &JsValue,
    ) -> (u32, Promise) {
        let words = match words {
            Ok(words) => words,
            Err(error) => return (0, Promise::reject(&error.to_string().into())),
        };
        let handed = Array::new();
        for buffer in buffers {
            handed.push(buffer);
        }
        let asked = KEEPER.with(|keeper| keeper.ask(self.0, &words, &handed, progress));
        (asked.get(0).as_f64().unwrap_or_default() as u32, asked.get(1).unchecked_into())
    }

    /// Starts the worker before it is asked, if there is none.
    pub fn wake(self) {
        KEEPER.with(|keeper| keeper.wake(self.0));
    }

    /// Asks the worker to stop working on a question, and ends the worker if it does not.
    pub fn cancel(self, id: u32) {
        KEEPER.with(|keeper| keeper.cancel(self.0, id));
    }

    /// Ends the worker and with it everything it holds; the next question starts another.
    pub fn close(self) {
        KEEPER.with(|keeper| keeper.close(self.0));
    }
}

/// Why there is no answer, as the keeper or the worker said it.
fn failed(words: JsValue) -> Failure {
    let text = words.as_string();
    serde_wasm_bindgen::from_value(words)
        .unwrap_or_else(|_| Failure::Error(text.unwrap_or_else(|| "no answer came".into())))
}
