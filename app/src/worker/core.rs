//! The core: students at work, timed and compared.

use lnsp::Result;

use super::device::{self, Devices};
use super::trial::{self, TrialRoom};
use super::{Program, Reply, Task, measure, student, times};
use crate::protocol::CoreRequest;

/// What outlives a question.
#[derive(Default)]
pub(super) struct Core {
    /// The device that works.
    pub devices: Devices,
    /// Students and what they are compared with and on.
    pub trial: TrialRoom,
}

impl Program for Core {
    type Request = CoreRequest;

    async fn answer(&mut self, request: CoreRequest, task: &Task) -> Result<Reply> {
        match request {
            CoreRequest::OpenDevice(question) => {
                device::open(&mut self.devices, question, task).await
            }
            CoreRequest::Measure(question) => measure::measure(self, question, task).await,
            CoreRequest::RunStudent(question) => student::run(self, question, task).await,
            CoreRequest::LoadExamples(question) => trial::examples(self, question, task).await,
            CoreRequest::DropVectors(question) => trial::drop_vectors(self, question, task),
            CoreRequest::TakeVectors(_) => trial::take_vectors(self),
            CoreRequest::PutStudent(_) => trial::put_student(self, task),
            CoreRequest::CompareCodes(question) => trial::compare(self, question, task).await,
            CoreRequest::CompareBaselines(_) => trial::compare_baselines(self, task).await,
            CoreRequest::TimeCodes(_) => times::time_codes(self, task).await,
            CoreRequest::DestroyDevice(_) => device::destroy(),
            CoreRequest::Trap(_) => panic!("a test asked for this"),
        }
    }

    fn devices(&mut self) -> &mut Devices {
        &mut self.devices
    }

    fn destroys(request: &CoreRequest) -> bool {
        matches!(request, CoreRequest::DestroyDevice(_))
    }
}
