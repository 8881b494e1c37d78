//! The compute worker: one question at a time, a stop at any moment, a new device when one is
//! lost.

mod claim;
mod device;
pub(crate) mod fetch;
mod measure;
pub(crate) mod post;
pub(crate) mod source;
mod store;
mod student;
mod task;
mod teacher;
mod training;
mod trial;

pub use device::Devices;
pub use task::{Reply, Task};
pub use teacher::TeacherRoom;
pub use training::TrainingRoom;
pub use trial::TrialRoom;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use lnsp::{Error, Result};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::MessageEvent;

use self::post::Wanted;
use crate::protocol::{Failure, Request};

/// What outlives a question.
#[derive(Default)]
pub struct Core {
    /// The device that works.
    pub devices: Devices,
    /// The teacher, once it was asked for.
    pub teacher: TeacherRoom,
    /// Students and what they are compared with and on.
    pub trial: TrialRoom,
    /// The training of this tab.
    pub training: TrainingRoom,
}

/// Answers a question.
///
/// # Errors
/// What was wrong, as the visitor reads it.
async fn answer(core: &mut Core, request: Request, task: &Task) -> Result<Reply> {
    match request {
        Request::OpenDevice(question) => device::open(core, question, task).await,
        Request::Measure(question) => measure::measure(core, question, task).await,
        Request::RunStudent(question) => student::run(core, question, task).await,
        Request::PlanTeacher(question) => teacher::plan(question, task).await,
        Request::LoadTeacher(question) => teacher::load(core, question, task).await,
        Request::ForgetTeacher(question) => teacher::forget(core, question).await,
        Request::EmbedTokens(question) => teacher::embed(core, question, task).await,
        Request::Tokenize(_) => {
            Err(Error::invalid("worker", "does not tokenize, the tokenizer does: a bug"))
        }
        Request::LoadExamples(question) => trial::examples(core, question, task).await,
        Request::DropVectors(question) => trial::drop_vectors(core, question, task),
        Request::CompareCodes(question) => trial::compare(core, question, task).await,
        Request::CompareBaselines(_) => trial::compare_baselines(core, task).await,
        Request::StartTraining(question) => training::start(core, question, task).await,
        Request::AdvanceTraining(question) => training::advance(core, question, task).await,
        Request::KeepTraining(question) => training::keep(core, question).await,
        Request::FindTraining(question) => training::find(question).await,
        Request::ResumeTraining(question) => training::resume(core, question, task).await,
        Request::DropTraining(question) => training::drop_training(core, question).await,
        Request::TakeStudent(question) => training::take(core, question).await,
        Request::TestClaim(question) => claim::test(core, question, task).await,
        Request::DestroyDevice(_) => device::destroy(),
        Request::Trap(_) => panic!("a test asked for this"),
    }
}

/// Questions in the order they came, and what they work with.
#[derive(Default)]
struct Worker {
    waiting: RefCell<VecDeque<(Request, Task)>>,
    current: RefCell<Option<Task>>,
    /// Absent while a question is worked on.
    core: RefCell<Option<Core>>,
}

/// Listens to the page; called once, by the worker's program.
pub fn start() {
    post::say_panics();
    let worker = Rc::new(Worker { core: RefCell::new(Some(Core::default())), ..Worker::default() });
    let listen =
        Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            match post::read(&event) {
                Some(Wanted::Stop(id)) => worker.cancel(id),
                Some(Wanted::Answer(Request::DestroyDevice(_), task)) => {
                    if let Ok(reply) = device::destroy() {
                        post::done(task.id(), &reply);
                    }
                }
                Some(Wanted::Answer(request, task)) => {
                    worker.waiting.borrow_mut().push_back((request, task));
                    let core = worker.core.borrow_mut().take();
                    if let Some(core) = core {
                        spawn_local(worker.clone().work(core));
                    }
                }
                None => {}
            }
        });
    post::scope().set_onmessage(Some(listen.as_ref().unchecked_ref()));
    listen.forget();
    post::ready();
}

impl Worker {
    /// Works until no question waits.
    async fn work(self: Rc<Self>, mut core: Core) {
        loop {
            let next = self.waiting.borrow_mut().pop_front();
            let Some((request, task)) = next else { break };
            self.current.replace(Some(task.clone()));
            let id = task.id();
            post::begun(id);
            let outcome = with_a_device(&mut core, request, &task).await;
            self.current.replace(None);
            match outcome {
                Ok(reply) => post::done(id, &reply),
                Err(error) => post::failed(id, &failure(&error)),
            }
        }
        self.core.replace(Some(core));
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
async fn with_a_device(core: &mut Core, request: Request, task: &Task) -> Result<Reply> {
    match answer(core, request.clone(), task).await {
        Err(Error::DeviceLost { name, message }) => {
            let now = core.devices.replace().await;
            post::notice(&format!("{name} was lost ({message}); the work goes on with {now}"));
            answer(core, request, task).await
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
