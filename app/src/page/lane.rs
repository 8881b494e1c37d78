//! The page's side of the wire: workers that are started when first asked, and started anew when
//! they trap.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use futures_channel::oneshot;
use js_sys::{Array, ArrayBuffer};
use leptos::prelude::*;
use serde::Serialize;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use web_sys::{ErrorEvent, MessageEvent, Worker};

use crate::protocol::{DeviceInfo, Failure, Progress, Question, Request, ToPage, ToWorker};

/// Where trunk puts the workers, relative to the page.
const WORKER: &str = "./worker_loader.js";
const TOKENIZER: &str = "./tokenizer_loader.js";
/// Milliseconds after which a worker that does not stop when asked is ended.
const PATIENCE: i32 = 1500;

/// The page's workers, and what they have to say. Given to every view as a context.
#[derive(Clone, Copy)]
pub struct Lanes {
    /// For timings; may be ended at any time.
    pub measure: Lane,
    /// For what is to stay: students, training.
    pub work: Lane,
    /// For text; the tokenizer is a program of its own.
    pub text: Lane,
    /// One line for the visitor, such as that a device was lost.
    pub notice: RwSignal<Option<String>>,
    /// The device that works, once one does.
    pub device: RwSignal<Option<DeviceInfo>>,
}

impl Lanes {
    /// Three lanes, whose workers start when first asked.
    pub fn new() -> Self {
        let (notice, device) = (RwSignal::new(None), RwSignal::new(None));
        let lane = |program| Lane::new(program, notice, device);
        let (measure, work, text) = (lane(WORKER), lane(WORKER), lane(TOKENIZER));
        Self { measure, work, text, notice, device }
    }

    /// The one that the shell made.
    pub fn use_it() -> Self {
        expect_context()
    }
}

impl Default for Lanes {
    fn default() -> Self {
        Self::new()
    }
}

/// One worker, started when first asked.
#[derive(Clone, Copy)]
pub struct Lane(StoredValue<Rc<Wire>, LocalStorage>);

/// An answer, and the buffers beside it.
pub struct Answered<A> {
    /// The answer.
    pub answer: A,
    /// The buffers, in the order in which the worker put them.
    pub buffers: Vec<ArrayBuffer>,
}

/// A question on its way.
struct Asked {
    /// What was sent, to send it once more to a new worker; absent if buffers went with it.
    message: Option<JsValue>,
    begun: bool,
    progress: Box<dyn Fn(Progress)>,
    answer: oneshot::Sender<Result<Array, Failure>>,
}

struct Wire {
    program: &'static str,
    notice: RwSignal<Option<String>>,
    device: RwSignal<Option<DeviceInfo>>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    worker: Option<Live>,
    /// Messages for a worker that does not listen yet.
    early: Vec<(JsValue, Array)>,
    asked: BTreeMap<u32, Asked>,
    last: u32,
}

/// A worker and what it calls.
struct Live {
    worker: Worker,
    listens: bool,
    _message: Closure<dyn FnMut(MessageEvent)>,
    _error: Closure<dyn FnMut(ErrorEvent)>,
}

impl Lane {
    fn new(
        program: &'static str,
        notice: RwSignal<Option<String>>,
        device: RwSignal<Option<DeviceInfo>>,
    ) -> Self {
        let wire = Wire { program, notice, device, state: RefCell::default() };
        Self(StoredValue::new_local(Rc::new(wire)))
    }

    /// Asks; the future gives the answer. The number names the question to [`Self::cancel`].
    pub fn ask<Q: Question>(
        self,
        question: Q,
        progress: impl Fn(Progress) + 'static,
    ) -> (u32, impl Future<Output = Result<Q::Answer, Failure>>) {
        let (id, answer) = self.ask_with(question, &[], progress);
        (id, async move { answer.await.map(|answered| answered.answer) })
    }

    /// As [`Self::ask`], with buffers that are handed over: they are empty here afterwards.
    pub fn ask_with<Q: Question, P: Fn(Progress) + 'static>(
        self,
        question: Q,
        buffers: &[ArrayBuffer],
        progress: P,
    ) -> (u32, impl Future<Output = Result<Answered<Q::Answer>, Failure>> + use<Q, P>) {
        let wire = self.0.get_value();
        let (id, answer) = wire.ask(question.into(), buffers, Box::new(progress));
        let read = async move {
            let parts = answer.await.unwrap_or(Err(Failure::Cancelled))?;
            let answer = serde_wasm_bindgen::from_value(parts.get(1))
                .map_err(|error| Failure::Error(format!("the answer cannot be read: {error}")))?;
            let buffers = parts.iter().skip(2).filter_map(|part| part.dyn_into().ok()).collect();
            Ok(Answered { answer, buffers })
        };
        (id, read)
    }

    /// Asks the worker to stop working on a question, and ends the worker if it does not.
    pub fn cancel(self, id: u32) {
        let wire = self.0.get_value();
        wire.post(&ToWorker::Cancel { id }, &[]);
        let later = Closure::once_into_js(move || {
            if wire.state.borrow().asked.contains_key(&id) {
                wire.end(&Failure::Cancelled);
            }
        });
        let _ = window()
            .set_timeout_with_callback_and_timeout_and_arguments_0(later.unchecked_ref(), PATIENCE);
    }

    /// Ends the worker and with it everything it holds; the next question starts another.
    pub fn close(self) {
        self.0.get_value().end(&Failure::Cancelled);
    }
}

impl Wire {
    fn ask(
        self: &Rc<Self>,
        request: Request,
        buffers: &[ArrayBuffer],
        progress: Box<dyn Fn(Progress)>,
    ) -> (u32, oneshot::Receiver<Result<Array, Failure>>) {
        let (sender, receiver) = oneshot::channel();
        let id = {
            let mut state = self.state.borrow_mut();
            state.last += 1;
            state.last
        };
        self.start();
        let message = self.post(&ToWorker::Ask { id, request }, buffers);
        let message = message.filter(|_| buffers.is_empty());
        let asked = Asked { message, begun: false, progress, answer: sender };
        self.state.borrow_mut().asked.insert(id, asked);
        (id, receiver)
    }

    /// Starts a worker if there is none.
    fn start(self: &Rc<Self>) {
        if self.state.borrow().worker.is_some() {
            return;
        }
        let worker = match Worker::new(self.program) {
            Ok(worker) => worker,
            Err(error) => {
                self.notice.set(Some(format!("the worker could not be started: {error:?}")));
                return;
            }
        };
        let wire = Rc::downgrade(self);
        let message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            if let Some(wire) = wire.upgrade() {
                wire.hear(&event);
            }
        });
        let wire = Rc::downgrade(self);
        let error = Closure::<dyn FnMut(ErrorEvent)>::new(move |event: ErrorEvent| {
            event.prevent_default();
            if let Some(wire) = wire.upgrade() {
                let text = event.message();
                let text = if text.is_empty() { "it could not be loaded".into() } else { text };
                wire.crashed(&text);
            }
        });
        worker.set_onmessage(Some(message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(error.as_ref().unchecked_ref()));
        let live = Live { worker, listens: false, _message: message, _error: error };
        self.state.borrow_mut().worker = Some(live);
    }

    /// Sends, or keeps the message until the worker listens. Returns what was sent.
    fn post(&self, message: &ToWorker, buffers: &[ArrayBuffer]) -> Option<JsValue> {
        let words = message.serialize(&crate::protocol::wire()).ok()?;
        let parts = Array::of1(&words);
        let handed = Array::new();
        for buffer in buffers {
            parts.push(buffer);
            handed.push(buffer);
        }
        self.send(parts.clone().into(), handed);
        Some(parts.into())
    }

    fn send(&self, parts: JsValue, handed: Array) {
        let mut state = self.state.borrow_mut();
        match &state.worker {
            Some(live) if live.listens => {
                let _ = live.worker.post_message_with_transfer(&parts, &handed);
            }
            _ => state.early.push((parts, handed)),
        }
    }

    fn hear(self: &Rc<Self>, event: &MessageEvent) {
        let Ok(parts) = event.data().dyn_into::<Array>() else { return };
        let Ok(message) = serde_wasm_bindgen::from_value(parts.get(0)) else { return };
        match message {
            ToPage::Ready => {
                let early = {
                    let mut state = self.state.borrow_mut();
                    if let Some(live) = &mut state.worker {
                        live.listens = true;
                    }
                    std::mem::take(&mut state.early)
                };
                for (parts, handed) in early {
                    self.send(parts, handed);
                }
            }
            ToPage::Begun { id } => {
                if let Some(asked) = self.state.borrow_mut().asked.get_mut(&id) {
                    asked.begun = true;
                }
            }
            ToPage::Progress { id, progress } => {
                if let Some(asked) = self.state.borrow().asked.get(&id) {
                    (asked.progress)(progress);
                }
            }
            ToPage::Done { id } => self.finish(id, Ok(parts)),
            ToPage::Failed { id, failure } => self.finish(id, Err(failure)),
            ToPage::Device { info } => self.device.set(Some(info)),
            ToPage::Notice { text } => self.notice.set(Some(text)),
            ToPage::Panic { text } => self.crashed(&text),
        }
    }

    fn finish(&self, id: u32, outcome: Result<Array, Failure>) {
        let asked = self.state.borrow_mut().asked.remove(&id);
        if let Some(asked) = asked {
            // Nobody may be waiting any more.
            let _ = asked.answer.send(outcome);
        }
    }

    /// The worker trapped: what it worked on fails, the rest goes to a new one.
    fn crashed(self: &Rc<Self>, text: &str) {
        if self.state.borrow().worker.is_none() {
            return;
        }
        let text = text.lines().last().unwrap_or(text);
        self.notice.set(Some(format!("The worker stopped ({text}) and was started anew.")));
        self.end(&Failure::Crashed(format!("the worker stopped: {text}")));
    }

    /// Ends the worker. What it worked on, and what cannot be sent again, fails with `failure`;
    /// other questions go to a new worker.
    fn end(self: &Rc<Self>, failure: &Failure) {
        let (failed, again) = {
            let mut state = self.state.borrow_mut();
            if let Some(live) = state.worker.take() {
                live.worker.set_onmessage(None);
                live.worker.set_onerror(None);
                live.worker.terminate();
            }
            let never_listened = !state.asked.values().any(|asked| asked.begun);
            state.early.clear();
            let asked = std::mem::take(&mut state.asked);
            let (again, failed): (BTreeMap<_, _>, BTreeMap<_, _>) = asked
                .into_iter()
                .partition(|(_, asked)| !asked.begun && asked.message.is_some() && !never_listened);
            let messages: Vec<_> = again.values().filter_map(|a| a.message.clone()).collect();
            state.asked = again;
            (failed, messages)
        };
        for (_, asked) in failed {
            let _ = asked.answer.send(Err(failure.clone()));
        }
        if !again.is_empty() {
            self.start();
            for message in again {
                self.send(message, Array::new());
            }
        }
    }
}
