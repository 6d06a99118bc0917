//! A practice's system that is a value in memory: it holds one referral, or it is down.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::effect::EffectError;
use crate::practice::{
    ClinicalFiling, Input, LastRead, Page, PollFrom, PracticeSystem, RawFhir, Receipt, TaskStanding, TaskWritten,
};
use crate::referral::{Referral, Source};

/// A practice's system in memory.
#[derive(Debug, Default)]
pub(crate) struct FakePractice {
    pub(crate) holds: Mutex<Option<Referral>>,
    pub(crate) down: AtomicBool,
}

#[async_trait::async_trait]
impl PracticeSystem for FakePractice {
    async fn poll(&self, _: &PollFrom, _: &dyn LastRead) -> Result<Page, EffectError> {
        Ok(Page { inputs: Vec::new(), matches: 0, total: None, missing: 0, server_time: None, next: None })
    }
    async fn read(&self, _: &Source) -> Result<Input, EffectError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(EffectError::retry("the practice's system does not answer"));
        }
        let held = self.holds.lock().unwrap().clone();
        Ok(Input::Readable(Box::new(held.unwrap()), RawFhir { documents: vec!["{}".to_owned()], ..RawFhir::default() }))
    }
    async fn file(&self, _: &ClinicalFiling) -> Result<Receipt, EffectError> {
        Ok(Receipt::Filed(Vec::new()))
    }
    async fn keep_task(&self, _: &TaskStanding) -> Result<TaskWritten, EffectError> {
        Ok(TaskWritten { id: "1".to_owned(), version: None, left_alone: false })
    }
    async fn check(&self) -> Result<String, EffectError> {
        Ok("in memory".to_owned())
    }
}
