//! The keeper of the workers: starts them when first asked, and anew when they trap. The shell
//! puts it on the window as `lnspWorkers`; [`super::lane`] is how a view speaks to it.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Array, Function, Object, Promise, Reflect};
use leptos::prelude::*;
use serde::Serialize;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use web_sys::{ErrorEvent, MessageEvent, Worker};

use super::lane::Lane;
use crate::protocol::{ASK, CANCEL, DeviceInfo, Failure, Kind};

/// The program of each worker.
const LANES: [(Lane, &str); 5] = [
    (Lane::MEASURE, "worker"),
    (Lane::WORK, "worker"),
    (Lane::TRAIN, "trainer"),
    (Lane::CLAIMS, "trainer"),
    (Lane::TEXT, "tokenizer"),
];

#[wasm_bindgen]
extern "C" {
    /// Starts a worker; stands in the document (www/index.html), or in the widget's loader.
    #[wasm_bindgen(js_name = lnspWorker, catch)]
    fn start_worker(program: &str, lane: &str) -> Result<Worker, JsValue>;
}
/// Milliseconds after which a worker that does not stop when asked is ended.
const PATIENCE: i32 = 1500;

/// What the workers have to say, whichever view asked.
#[derive(Clone, Copy)]
pub struct News {
    /// One line for the visitor, such as that a device was lost.
    pub notice: RwSignal<Option<String>>,
    /// The device that works, once one does.
    pub device: RwSignal<Option<DeviceInfo>>,
}

/// Puts the keeper on the window.
pub fn keep() -> News {
    let news = News { notice: RwSignal::new(None), device: RwSignal::new(None) };
    let wires: Rc<[(Lane, Rc<Wire>); 5]> = Rc::new(LANES.map(|(lane, program)| {
        (lane, Rc::new(Wire { lane, program, news, state: RefCell::default() }))
    }));
    let named = move |name: &str| {
        let found = wires.iter().find(|(lane, _)| lane.name() == name);
        found.unwrap_or(&wires[0]).1.clone()
    };
    let keeper = Object::new();
    let find = named.clone();
    let ask = Closure::<dyn Fn(String, JsValue, Array, Function) -> Array>::new(
        move |lane: String, question: JsValue, buffers: Array, progress: Function| {
            find(&lane).ask(&question, &buffers, progress)
        },
    );
    set(&keeper, "ask", ask.into_js_value());
    let find = named.clone();
    let wake = Closure::<dyn Fn(String)>::new(move |lane: String| find(&lane).start());
    set(&keeper, "wake", wake.into_js_value());
    let find = named.clone();
    let cancel = Closure::<dyn Fn(String, u32)>::new(move |lane: String, id: u32| {
        find(&lane).cancel(id);
    });
    set(&keeper, "cancel", cancel.into_js_value());
    let close = Closure::<dyn Fn(String)>::new(move |lane: String| {
        named(&lane).end(&Failure::Cancelled);
    });
    set(&keeper, "close", close.into_js_value());
    set(&window(), "lnspWorkers", keeper.into());
    news
}

fn set(object: &JsValue, name: &str, value: JsValue) {
    // Refused by frozen objects only.
    let _ = Reflect::set(object, &name.into(), &value);
}

/// A question on its way.
struct Asked {
    id: u32,
    /// What was sent, to send it once more to a new worker; absent if buffers went with it.
    message: Option<Array>,
    begun: bool,
    progress: Function,
    answer: Function,
    refuse: Function,
}

impl Asked {
    fn fail(&self, failure: &Failure) {
        let words = failure.serialize(&crate::protocol::wire()).unwrap_or(JsValue::NULL);
        let _ = self.refuse.call1(&JsValue::NULL, &words);
    }
}

struct Wire {
    lane: Lane,
    program: &'static str,
    news: News,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    worker: Option<Live>,
    /// Messages for a worker that does not listen yet, and what is handed over with them.
    early: Vec<(Array, Array)>,
    asked: Vec<Asked>,
    last: u32,
}

impl State {
    /// Where the question of this number stands.
    fn place(&self, id: u32) -> Option<usize> {
        self.asked.iter().position(|asked| asked.id == id)
    }
}

/// A worker and what it calls.
struct Live {
    worker: Worker,
    listens: bool,
    _message: Closure<dyn FnMut(MessageEvent)>,
    _error: Closure<dyn FnMut(ErrorEvent)>,
}

impl Wire {
    /// Asks; answers the question's number and a promise of the message that answers it.
    fn ask(self: &Rc<Self>, question: &JsValue, buffers: &Array, progress: Function) -> Array {
        let id = {
            let mut state = self.state.borrow_mut();
            state.last += 1;
            state.last
        };
        self.start();
        let message = Array::of3(&ASK.into(), &id.into(), question).concat(buffers);
        self.send(message.clone(), buffers.clone());
        let message = (buffers.length() == 0).then_some(message);
        let promise = Promise::new(&mut |answer, refuse| {
            let (message, progress) = (message.clone(), progress.clone());
            let asked = Asked { id, message, begun: false, progress, answer, refuse };
            self.state.borrow_mut().asked.push(asked);
        });
        Array::of2(&id.into(), &promise)
    }

    fn cancel(self: &Rc<Self>, id: u32) {
        self.send(Array::of2(&CANCEL.into(), &id.into()), Array::new());
        let wire = self.clone();
        let later = Closure::once_into_js(move || {
            if wire.state.borrow().place(id).is_some() {
                wire.end(&Failure::Cancelled);
            }
        });
        let _ = window()
            .set_timeout_with_callback_and_timeout_and_arguments_0(later.unchecked_ref(), PATIENCE);
    }

    /// Starts a worker if there is none.
    fn start(self: &Rc<Self>) {
        if self.state.borrow().worker.is_some() {
            return;
        }
        let worker = match start_worker(self.program, self.lane.name()) {
            Ok(worker) => worker,
            Err(error) => {
                let said = String::from(js_sys::Object::from(error).to_string());
                self.news.notice.set(Some(format!("the worker could not be started: {said}")));
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

    /// Sends, or keeps the message until the worker listens.
    fn send(&self, parts: Array, handed: Array) {
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
        let kind = parts.get(0).as_string().and_then(|name| Kind::named(&name));
        let (Some(kind), Some(id)) = (kind, parts.get(1).as_f64()) else { return };
        let (id, body) = (id as u32, parts.get(2));
        match kind {
            Kind::Ready => {
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
            Kind::Begun => {
                let mut state = self.state.borrow_mut();
                if let Some(at) = state.place(id) {
                    state.asked[at].begun = true;
                }
            }
            Kind::Progress => {
                let tell = {
                    let state = self.state.borrow();
                    state.place(id).map(|at| state.asked[at].progress.clone())
                };
                if let Some(tell) = tell {
                    let _ = tell.call1(&JsValue::NULL, &body);
                }
            }
            Kind::Done | Kind::Failed => {
                let asked = {
                    let mut state = self.state.borrow_mut();
                    state.place(id).map(|at| state.asked.remove(at))
                };
                if let Some(asked) = asked {
                    let _ = match kind {
                        Kind::Done => asked.answer.call1(&JsValue::NULL, &parts),
                        _ => asked.refuse.call1(&JsValue::NULL, &body),
                    };
                }
            }
            Kind::Device => self.news.device.set(serde_wasm_bindgen::from_value(body).ok()),
            Kind::Notice => self.news.notice.set(body.as_string()),
            Kind::Panic => self.crashed(&body.as_string().unwrap_or_default()),
        }
    }

    /// The worker trapped: what it worked on fails, the rest goes to a new one.
    fn crashed(self: &Rc<Self>, text: &str) {
        if self.state.borrow().worker.is_none() {
            return;
        }
        let text = text.lines().last().unwrap_or(text);
        self.news.notice.set(Some(format!("The worker stopped ({text}) and was started anew.")));
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
            let never_listened = !state.asked.iter().any(|asked| asked.begun);
            state.early.clear();
            let asked = std::mem::take(&mut state.asked);
            let (again, failed): (Vec<_>, Vec<_>) = asked
                .into_iter()
                .partition(|asked| !asked.begun && asked.message.is_some() && !never_listened);
            let messages: Vec<_> = again.iter().filter_map(|a| a.message.clone()).collect();
            state.asked = again;
            (failed, messages)
        };
        for asked in &failed {
            asked.fail(failure);
        }
        if !again.is_empty() {
            self.start();
            for message in again {
                self.send(message, Array::new());
            }
        }
    }
}
