//! The records of scripts, and how a block ends.

use std::time::Duration;

use serde_json::json;

use super::{Interactive, Phase};
use crate::results::{Record, duration, lava};
use crate::script::Fault;
use crate::test::Act;

/// LAVA's name of the action.
const ACTION: &str = "lava-test-interactive";

impl Interactive {
    /// The result of a step, with its place in the console.
    pub(super) fn case_record(&self, case: &str, result: &str, reason: &str) -> Record {
        let mut record = Record::new();
        let suite = self.script().map(|script| script.name.as_str()).unwrap_or_default();
        record.insert("definition".into(), suite.into());
        record.insert("case".into(), case.into());
        record.insert("result".into(), result.into());
        record.insert("starttc".into(), self.step_offset.into());
        record.insert("endtc".into(), self.place().into());
        if !reason.is_empty() {
            record.insert("level".into(), self.level.as_str().into());
            record.insert("extra".into(), json!({ "reason": reason }));
        }
        record
    }

    /// The record of the whole block.
    pub(super) fn block_record(&self, result: &str, now: Duration) -> Record {
        let mut record = lava(ACTION, result);
        record.insert("level".into(), self.level.as_str().into());
        record.insert("duration".into(), duration(now.saturating_sub(self.began)));
        record
    }

    pub(super) fn fail(&mut self, fault: Fault, text: String, now: Duration, acts: &mut Vec<Act>) {
        let suite = self.script().map(|script| script.name.clone()).unwrap_or_default();
        let step = self.step().map(|step| step.title.clone()).unwrap_or_default();
        self.close(&text, now, acts);
        acts.push(Act::Fail(fault, format!("interactive test '{suite}', {step}: {text}")));
    }

    /// Ends the block: the step that runs has failed, unless it has been recorded.
    pub(super) fn close(&mut self, reason: &str, now: Duration, acts: &mut Vec<Act>) {
        let call = self.step().and_then(|step| step.call.clone());
        let case = match (self.step().and_then(|step| step.name.clone()), call) {
            (Some(name), _) => Some(name),
            (None, Some(call)) => self.request(&call).map(|request| request.case()),
            (None, None) => None,
        };
        if let Some(case) = case.filter(|_| self.phase != Phase::Prompt) {
            acts.push(Act::Record(self.case_record(&case, "fail", reason)));
        }
        self.phase = Phase::Over;
        acts.push(Act::Record(self.block_record("fail", now)));
    }
}
