//! The trainer: what trains (students of the visitor's, claims about training), and the teacher.

use lnsp::Result;

use super::device::{self, Devices};
use super::teacher::{self, TeacherRoom};
use super::training::{self, TrainingRoom};
use super::{Program, Reply, Task, claim};
use crate::protocol::TrainerRequest;

/// What outlives a question.
#[derive(Default)]
pub(super) struct TrainerRooms {
    /// The device that works.
    pub devices: Devices,
    /// The teacher, once it was asked for.
    pub teacher: TeacherRoom,
    /// The training of this tab.
    pub training: TrainingRoom,
}

impl Program for TrainerRooms {
    type Request = TrainerRequest;

    async fn answer(&mut self, request: TrainerRequest, task: &Task) -> Result<Reply> {
        match request {
            TrainerRequest::OpenDevice(question) => {
                device::open(&mut self.devices, question, task).await
            }
            TrainerRequest::PlanTeacher(question) => teacher::plan(question, task).await,
            TrainerRequest::LoadTeacher(question) => teacher::load(self, question, task).await,
            TrainerRequest::ForgetTeacher(question) => teacher::forget(self, question).await,
            TrainerRequest::EmbedTokens(question) => teacher::embed(self, question, task).await,
            TrainerRequest::StartTraining(question) => training::start(self, question, task).await,
            TrainerRequest::AdvanceTraining(question) => {
                training::advance(self, question, task).await
            }
            TrainerRequest::KeepTraining(question) => training::keep(self, question).await,
            TrainerRequest::FindTraining(question) => training::find(question).await,
            TrainerRequest::ResumeTraining(question) => {
                training::resume(self, question, task).await
            }
            TrainerRequest::DropTraining(question) => training::drop_training(self, question).await,
            TrainerRequest::TakeStudent(question) => training::take(self, question).await,
            TrainerRequest::TestClaim(question) => claim::test(self, question, task).await,
            TrainerRequest::DestroyDevice(_) => device::destroy(),
            TrainerRequest::Trap(_) => panic!("a test asked for this"),
        }
    }

    fn devices(&mut self) -> &mut Devices {
        &mut self.devices
    }

    fn destroys(request: &TrainerRequest) -> bool {
        matches!(request, TrainerRequest::DestroyDevice(_))
    }
}
