//! What page and worker say to each other.
//!
//! A message is a JavaScript array. To the worker go `["ask", id, question, buffers…]` and
//! `["cancel", id]`; to the page `[kind, id, body, buffers…]`, see [`Kind`]. Questions, answers and
//! the other bodies are types of their own, by serde; large arrays are `ArrayBuffer`s beside them,
//! which are handed over and not copied. A question names its answer; [`questions`] lists them all,
//! [`requests`] what each program of workers is asked.

mod claim;
mod device;
mod measure;
mod student;
mod teacher;
mod training;
mod trial;

pub use claim::TestClaim;
pub use device::{DestroyDevice, DeviceInfo, OpenDevice, Trap};
pub use measure::{Cold, Measure, Measured, Skip, Warm};
pub use student::{RunStudent, StudentRun};
pub use teacher::{
    EmbedTokens, Embedded, ForgetTeacher, LoadTeacher, PlanTeacher, TeacherInfo, TeacherPlan,
    TeacherSource, Tokenize, Tokenized,
};
pub use training::{
    AdvanceTraining, BUNDLED_BYTES, DropTraining, FindTraining, KeepTraining, KeptTraining,
    ResumeTraining, StartTraining, TakeStudent, TrainingSet, TrainingState,
};
pub use trial::{
    CodeTimes, CompareAll, CompareBaselines, CompareCodes, Compared, DropVectors, Dropped,
    Examples, LoadExamples, MOST_COMPARED, PutStudent, TRAINED_HERE, TakeVectors, TimeCodes, Topic,
    VectorSet,
};

use js_sys::{Object, Reflect};
use lnsp::experiment::claims::Finding;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;

/// Something the page asks, and the type of the answer.
pub trait Question: Serialize {
    /// Its name among the requests of a program.
    const NAME: &'static str;
    /// What the worker answers.
    type Answer: Serialize + DeserializeOwned;

    /// The question as it is sent, as the requests below read it. A program that asks holds only the
    /// questions that it asks.
    ///
    /// # Errors
    /// If it cannot be written, a bug.
    fn words(&self) -> Result<JsValue, serde_wasm_bindgen::Error> {
        let named = Object::new();
        Reflect::set(&named, &Self::NAME.into(), &self.serialize(&wire())?)?;
        Ok(named.into())
    }
}

/// Lists every question with its answer.
macro_rules! questions {
    ($($question:ident -> $answer:ty;)*) => {
        $(
            impl Question for $question {
                const NAME: &'static str = stringify!($question);
                type Answer = $answer;
            }
        )*
    };
}

/// Lists what one program of workers is asked.
macro_rules! requests {
    ($(#[$about:meta])* $name:ident: $($(#[$doc:meta])* $question:ident,)*) => {
        $(#[$about])*
        #[derive(Clone, Debug, Deserialize)]
        pub enum $name { $($(#[$doc])* $question($question),)* }
    };
}

questions! {
    OpenDevice -> DeviceInfo;
    Measure -> Measured;
    RunStudent -> StudentRun;
    LoadExamples -> Examples;
    DropVectors -> Dropped;
    TakeVectors -> Dropped;
    PutStudent -> ();
    CompareCodes -> Compared;
    CompareBaselines -> Compared;
    CompareAll -> Compared;
    TimeCodes -> CodeTimes;
    PlanTeacher -> TeacherPlan;
    LoadTeacher -> TeacherInfo;
    ForgetTeacher -> ();
    EmbedTokens -> Embedded;
    Tokenize -> Tokenized;
    StartTraining -> TrainingState;
    AdvanceTraining -> TrainingState;
    KeepTraining -> TrainingState;
    FindTraining -> Option<KeptTraining>;
    ResumeTraining -> TrainingState;
    DropTraining -> ();
    TakeStudent -> u64;
    TestClaim -> Finding;
    DestroyDevice -> ();
    Trap -> ();
}

requests! {
    /// What the worker with the core is asked: compression and its timing.
    CoreRequest:
    /// Opens the device, or says which is open.
    OpenDevice,
    /// Times one architecture.
    Measure,
    /// Latents and outputs of a file of vectors.
    RunStudent,
    /// The bundled sentences.
    LoadExamples,
    /// Takes a file of vectors.
    DropVectors,
    /// Gives the vectors of that file back.
    TakeVectors,
    /// Takes the student that was trained in this tab.
    PutStudent,
    /// Compares students on a set of vectors.
    CompareCodes,
    /// The same with the baselines.
    CompareBaselines,
    /// How long each of these codes takes.
    TimeCodes,
    /// For tests: gives the device up, as a driver reset would.
    DestroyDevice,
    /// For tests: a bug in the worker.
    Trap,
}

requests! {
    /// What the worker of the widget's comparisons is asked.
    ComparerRequest:
    /// The bundled sentences.
    LoadExamples,
    /// Compares students on a set of vectors.
    CompareCodes,
    /// Students and baselines at once.
    CompareAll,
    /// For tests: gives the device up, as a driver reset would.
    DestroyDevice,
    /// For tests: a bug in the worker.
    Trap,
}

requests! {
    /// What the trainer is asked: what trains, and the teacher.
    TrainerRequest:
    /// Opens the device, or says which is open.
    OpenDevice,
    /// Says what loading the teacher would fetch.
    PlanTeacher,
    /// Loads the teacher.
    LoadTeacher,
    /// Clears what is kept of the teacher.
    ForgetTeacher,
    /// Vectors of token sequences, by the teacher.
    EmbedTokens,
    /// Begins a training.
    StartTraining,
    /// Trains for some milliseconds.
    AdvanceTraining,
    /// Keeps the state of the training.
    KeepTraining,
    /// Looks for a training that the browser keeps.
    FindTraining,
    /// Goes on with it.
    ResumeTraining,
    /// Drops it.
    DropTraining,
    /// The student as it is now, and its file's bytes beside that number.
    TakeStudent,
    /// Tests a claim of the note.
    TestClaim,
    /// For tests: gives the device up, as a driver reset would.
    DestroyDevice,
    /// For tests: a bug in the worker.
    Trap,
}

requests! {
    /// What the tokenizer is asked.
    TokenizerRequest:
    /// Token ids of texts.
    Tokenize,
}

/// The first word of a message to the worker that asks.
pub const ASK: &str = "ask";
/// The first word of a message to the worker that stops working on a question; it is answered
/// with [`Failure::Cancelled`].
pub const CANCEL: &str = "cancel";

/// What a message from the worker says; its `id` is that of the question, 0 for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The worker listens.
    Ready,
    /// Work on a question has begun; one is worked on at a time.
    Begun,
    /// How far it is: a [`Progress`].
    Progress,
    /// It is answered: the answer, of the question's own type.
    Done,
    /// It is not: a [`Failure`].
    Failed,
    /// Another device works from now on: a [`DeviceInfo`].
    Device,
    /// One line for the visitor, such as that a device was lost.
    Notice,
    /// The worker is about to trap: what the panic said.
    Panic,
}

impl Kind {
    const ALL: [(Kind, &str); 8] = [
        (Kind::Ready, "ready"),
        (Kind::Begun, "begun"),
        (Kind::Progress, "progress"),
        (Kind::Done, "done"),
        (Kind::Failed, "failed"),
        (Kind::Device, "device"),
        (Kind::Notice, "notice"),
        (Kind::Panic, "panic"),
    ];

    /// As it is sent.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// What is called `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == name).map(|(kind, _)| kind)
    }
}

/// How far a piece of work is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Between 0 and 1, if it is known.
    pub share: Option<f64>,
    /// What is being done.
    pub text: String,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Failure {
    /// The visitor asked to stop.
    Cancelled,
    /// What was wrong and what to do.
    Error(String),
    /// The worker trapped and was started anew.
    Crashed(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Cancelled => f.write_str("stopped"),
            Failure::Error(text) | Failure::Crashed(text) => f.write_str(text),
        }
    }
}

/// How values become JavaScript's: whole numbers beyond 2⁵³ are refused, maps are objects.
pub fn wire() -> serde_wasm_bindgen::Serializer {
    serde_wasm_bindgen::Serializer::json_compatible()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_their_names() {
        for (kind, name) in Kind::ALL {
            assert_eq!((kind.name(), Kind::named(name)), (name, Some(kind)));
        }
    }
}
