//! What page and worker say to each other.
//!
//! A message is a JavaScript array: the words, as [`ToWorker`] or [`ToPage`] by serde, then large
//! arrays as `ArrayBuffer`s, which are handed over and not copied. A question is a type of its own
//! that names its answer; [`questions`] lists them all.

mod claim;
mod device;
mod measure;
mod student;
mod teacher;
mod training;
mod trial;

pub use claim::TestClaim;
pub use device::{DestroyDevice, DeviceInfo, OpenDevice, Trap};
pub use measure::{Cold, Measure, Measured, Skip, TrainingStep, Warm};
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
    CompareCodes, Compared, DropVectors, Dropped, Examples, LoadExamples, MOST_COMPARED,
    TRAINED_HERE, Topic, VectorSet,
};

use lnsp::experiment::claims::Finding;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Something the page asks, and the type of the answer.
pub trait Question: Serialize + Into<Request> {
    /// What the worker answers.
    type Answer: Serialize + DeserializeOwned;
}

/// Lists every question with its answer: makes [`Request`] of them.
macro_rules! questions {
    ($($(#[$doc:meta])* $question:ident -> $answer:ty;)*) => {
        /// Any question.
        #[derive(Clone, Debug, Serialize, Deserialize)]
        pub enum Request { $($(#[$doc])* $question($question),)* }
        $(
            impl From<$question> for Request {
                fn from(question: $question) -> Self { Request::$question(question) }
            }
            impl Question for $question { type Answer = $answer; }
        )*
    };
}

questions! {
    /// Opens the device, or says which is open.
    OpenDevice -> DeviceInfo;
    /// Times one architecture.
    Measure -> Measured;
    /// Latents and outputs of a file of vectors.
    RunStudent -> StudentRun;
    /// Says what loading the teacher would fetch.
    PlanTeacher -> TeacherPlan;
    /// Loads the teacher.
    LoadTeacher -> TeacherInfo;
    /// Clears what is kept of the teacher.
    ForgetTeacher -> ();
    /// Vectors of token sequences, by the teacher.
    EmbedTokens -> Embedded;
    /// Token ids of texts, by the tokenizer's worker.
    Tokenize -> Tokenized;
    /// The bundled sentences.
    LoadExamples -> Examples;
    /// Takes a file of vectors.
    DropVectors -> Dropped;
    /// Compares codes on a set of vectors.
    CompareCodes -> Compared;
    /// Begins a training.
    StartTraining -> TrainingState;
    /// Trains for some milliseconds.
    AdvanceTraining -> TrainingState;
    /// Keeps the state of the training.
    KeepTraining -> TrainingState;
    /// Looks for a training that the browser keeps.
    FindTraining -> Option<KeptTraining>;
    /// Goes on with it.
    ResumeTraining -> TrainingState;
    /// Drops it.
    DropTraining -> ();
    /// The student as it is now, and its file's bytes beside that number.
    TakeStudent -> u64;
    /// Tests a claim of the note.
    TestClaim -> Finding;
    /// For tests: gives the device up, as a driver reset would.
    DestroyDevice -> ();
    /// For tests: a bug in the worker.
    Trap -> ();
}

/// From the page to the worker.
#[derive(Debug, Serialize, Deserialize)]
pub enum ToWorker {
    /// Answer this; large arrays go beside it.
    Ask {
        /// Names the question in every message about it.
        id: u32,
        /// The question.
        request: Request,
    },
    /// Stop working on a question; it is answered with [`Failure::Cancelled`].
    Cancel {
        /// The question.
        id: u32,
    },
}

/// From the worker to the page. The answer itself, of the question's own type, is the second
/// element of the message [`ToPage::Done`].
#[derive(Debug, Serialize, Deserialize)]
pub enum ToPage {
    /// The worker listens.
    Ready,
    /// Work on a question has begun; one is worked on at a time.
    Begun {
        /// The question.
        id: u32,
    },
    /// How far it is.
    Progress {
        /// The question.
        id: u32,
        /// How far, and in words.
        progress: Progress,
    },
    /// It is answered.
    Done {
        /// The question.
        id: u32,
    },
    /// It is not.
    Failed {
        /// The question.
        id: u32,
        /// Why not.
        failure: Failure,
    },
    /// Another device works from now on.
    Device {
        /// Which.
        info: DeviceInfo,
    },
    /// One line for the visitor, such as that a device was lost.
    Notice {
        /// The line.
        text: String,
    },
    /// The worker is about to trap.
    Panic {
        /// What the panic said.
        text: String,
    },
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
