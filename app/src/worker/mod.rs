//! The workers that compute: one question at a time, a stop at any moment, a new device when one
//! is lost. There are two programs: the core, which compresses and is timed, and the trainer, which
//! trains and holds the teacher; it is bigger and fetched when asked for.

mod claim;
mod comparer;
mod core;
mod device;
pub(crate) mod fetch;
mod measure;
pub(crate) mod post;
pub(crate) mod source;
mod store;
mod student;
mod task;
mod teacher;
mod times;
mod trainer;
mod training;
mod trial;

pub(crate) use task::{Reply, Task};

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use lnsp::{Error, Result};
use serde::de::DeserializeOwned;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::MessageEvent;

use self::core::Core;
use self::device::Devices;
use self::post::Wanted;
use self::trainer::TrainerRooms;
use crate::protocol::Failure;

/// A program of workers: what outlives a question, and the answers.
trait Program: Default + 'static {
    /// What it is asked.
    type Request: DeserializeOwned + Clone;

    /// Answers a question.
    ///
    /// # Errors
    /// What was wrong, as the visitor reads it.
    async fn answer(&mut self, request: Self::Request, task: &Task) -> Result<Reply>;

    /// Its device.
    fn devices(&mut self) -> &mut Devices;

    /// Whether the question gives the device up: answered at once, whatever is worked on.
    fn destroys(request: &Self::Request) -> bool;
}

/// Starts the worker with the core; called once, by its program.
pub fn start_core() {
    start::<Core>();
}

/// Starts the worker of the widget's comparisons; called once, by its program.
pub fn start_comparer() {
    start::<comparer::Comparer>();
}

/// Starts the trainer; called once, by its program.
pub fn start_trainer() {
    start::<TrainerRooms>();
}

/// Questions in the order they came, and what they work with.
struct Worker<P: Program> {
    waiting: RefCell<VecDeque<(P::Request, Task)>>,
    current: RefCell<Option<Task>>,
    /// Absent while a question is worked on.
    program: RefCell<Option<P>>,
}

/// Listens to the page.
fn start<P: Program>() {
    post::say_panics();
    let worker = Rc::new(Worker {
        waiting: RefCell::default(),
        current: RefCell::default(),
        program: RefCell::new(Some(P::default())),
    });
    let listen =
        Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            match post::read(&event) {
                Some(Wanted::Stop(id)) => worker.cancel(id),
                Some(Wanted::Answer(request, task)) if P::destroys(&request) => {
                    if let Ok(reply) = device::destroy() {
                        post::done(task.id(), &reply);
                    }
                }
                Some(Wanted::Answer(request, task)) => {
                    worker.waiting.borrow_mut().push_back((request, task));
                    let program = worker.program.borrow_mut().take();
                    if let Some(program) = program {
                        spawn_local(worker.clone().work(program));
                    }
                }
                None => {}
            }
        });
    post::scope().set_onmessage(Some(listen.as_ref().unchecked_ref()));
    listen.forget();
    post::ready();
}

impl<P: Program> Worker<P> {
    /// Works until no question waits.
    async fn work(self: Rc<Self>, mut program: P) {
        loop {
            let next = self.waiting.borrow_mut().pop_front();
            let Some((request, task)) = next else { break };
            self.current.replace(Some(task.clone()));
            let id = task.id();
            post::begun(id);
            let outcome = with_a_device(&mut program, request, &task).await;
            self.current.replace(None);
            match outcome {
                Ok(reply) => post::done(id, &reply),
                Err(error) => post::failed(id, &failure(&error)),
            }
        }
        self.program.replace(Some(program));
    }

    /// Ends a question, or takes it out of the line.
    fn cancel(&self, id: u32) {
        if let Some(task) = self.current.borrow().as_ref().filter(|task| task.id() == id) {
            task.stop();
            return;
        }
        let mut waiting = self.waiting.borrow_mut();
        let before = waiting.len();
        waiting.retain(|(_, task)| task.id() != id);
        if waiting.len() < before {
            post::failed(id, &Failure::Cancelled);
        }
    }
}

/// Answers a question; once more, on a new device or the CPU, if the device is lost meanwhile.
async fn with_a_device<P: Program>(
    program: &mut P,
    request: P::Request,
    task: &Task,
) -> Result<Reply> {
    match program.answer(request.clone(), task).await {
        Err(Error::DeviceLost { name, message }) => {
            let now = program.devices().replace().await;
            post::notice(&format!("{name} was lost ({message}); the work goes on with {now}"));
            program.answer(request, task).await
        }
        outcome => outcome,
    }
}

/// An error as the page hears it.
pub(crate) fn failure(error: &Error) -> Failure {
    match error {
        Error::Cancelled => Failure::Cancelled,
        other => Failure::Error(other.to_string()),
    }
}
