//! The core as `<lnsp-compare>` needs it: compression alone. Elements share it, so a comparison is
//! one question: another element's may come between two.

use lnsp::Result;

use super::core::Core;
use super::device::{self, Devices};
use super::trial;
use super::{Program, Reply, Task};
use crate::protocol::ComparerRequest;

/// What outlives a question.
#[derive(Default)]
pub(super) struct Comparer(Core);

impl Program for Comparer {
    type Request = ComparerRequest;

    async fn answer(&mut self, request: ComparerRequest, task: &Task) -> Result<Reply> {
        let core = &mut self.0;
        match request {
            ComparerRequest::LoadExamples(question) => trial::examples(core, question, task).await,
            ComparerRequest::CompareCodes(question) => trial::compare(core, question, task).await,
            ComparerRequest::CompareAll(question) => {
                trial::compare(core, question.codes, task).await?;
                trial::compare_baselines(core, task).await
            }
            ComparerRequest::DestroyDevice(_) => device::destroy(),
            ComparerRequest::Trap(_) => panic!("a test asked for this"),
        }
    }

    fn devices(&mut self) -> &mut Devices {
        &mut self.0.devices
    }

    fn destroys(request: &ComparerRequest) -> bool {
        matches!(request, ComparerRequest::DestroyDevice(_))
    }
}
