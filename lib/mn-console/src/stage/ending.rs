//! The end of a stage: the runner's word and the shell's, then what was lost on the line, then the records.

use std::time::Duration;

use super::{ASK_AGAIN, Phase, Stage};
use crate::hearing::Hearing;
use crate::journal::{Heard, Next};
use crate::marker;
use crate::script::Fault;
use crate::signal::Request;
use crate::test::Act;

/// How long the answers to the last requests, and the shell's own marker, are awaited when the runner has ended.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How long the board may take to answer one question for what was lost.
const QUESTION: Duration = Duration::from_secs(60);

impl Stage {
    /// The runner has ended, as it said itself or as the shell said.
    pub(super) fn runner_ended(&mut self, now: Duration, acts: &mut Vec<Act>) {
        match self.phase {
            Phase::Running => self.phase = Phase::Ending { until: now + LAST_WORDS },
            Phase::Ending { .. } => {}
            _ => return,
        }
        self.wind_up(now, acts);
    }

    /// The stage is over when the runner and the shell have both been heard and every send has been answered.
    pub(super) fn wind_up(&mut self, now: Duration, acts: &mut Vec<Act>) {
        let is_send = |request: &Request| matches!(request, Request::Send { .. });
        let sending = self.calls.values().any(|call| call.is_open() && is_send(&call.request));
        if self.status.is_some() && !sending {
            self.settle(now, acts);
        }
    }

    /// Asks for what was lost, until there is nothing to ask for.
    pub(super) fn settle(&mut self, now: Duration, acts: &mut Vec<Act>) {
        let Hearing::Numbered(receiver) = &mut self.ear.hearing else { return self.finish(now, acts) };
        match receiver.ended() {
            Next::Complete | Next::Silent => self.finish(now, acts),
            Next::Ask(words) => {
                let command = format!("{}/bin/lava-test-journal {} {words}", self.plan.directory, self.directory());
                self.questions += 1;
                let limit = now + QUESTION;
                self.phase = Phase::Fetching { until: now + ASK_AGAIN, limit };
                if self.questions == 1 {
                    acts.push(Act::Step("test", "asks the board for signals that were lost on the line".into()));
                }
                acts.push(self.typed(&marker::framed(&command, &self.question_token())));
            }
            Next::Lost(reason) => self.fail(Fault::Lab, format!("signals are lost: {reason}"), now, acts),
        }
    }

    /// While the board says things again: the last of them may be there before its command has ended.
    pub(super) fn see_whether_all_is_there(&mut self, now: Duration, acts: &mut Vec<Act>) {
        if let (Phase::Fetching { .. }, Hearing::Numbered(receiver)) = (self.phase, &self.ear.hearing)
            && receiver.is_complete()
        {
            self.settle(now, acts);
        }
    }

    pub(super) fn question_token(&self) -> String {
        format!("{}.{}", self.token, self.questions)
    }

    fn finish(&mut self, now: Duration, acts: &mut Vec<Act>) {
        self.give_rest(now, acts);
        if self.phase == Phase::Over {
            return;
        }
        if !self.ran && !self.plan.runs.is_empty() {
            let status = self.status.map_or_else(|| "unknown".to_owned(), |status| status.to_string());
            let text = format!("the test runner ran nothing, status {status}; {}", self.seen());
            return self.fail(Fault::Lab, text, now, acts);
        }
        if let Some(doubt) = self.doubt.take() {
            return self.fail(Fault::Lab, format!("the results are not certain: {doubt}"), now, acts);
        }
        self.close("", now, acts);
        acts.push(Act::Done);
    }

    /// Takes what is left of the signals, in order.
    fn give_rest(&mut self, now: Duration, acts: &mut Vec<Act>) {
        let Hearing::Numbered(receiver) = &mut self.ear.hearing else { return };
        for heard in receiver.rest() {
            if let Heard::Event { number, event, when } = heard {
                self.event(number, event, when, now, acts);
            }
        }
    }

    pub(super) fn fail(&mut self, fault: Fault, text: String, now: Duration, acts: &mut Vec<Act>) {
        if self.phase == Phase::Over {
            return;
        }
        self.close(&text, now, acts);
        acts.push(Act::Fail(fault, format!("test stage {}: {text}", self.plan.stage)));
    }

    /// Ends the records: what is still open has failed, for this reason, if one is known.
    pub(super) fn close(&mut self, reason: &str, now: Duration, acts: &mut Vec<Act>) {
        self.give_rest(now, acts);
        self.phase = Phase::Over;
        self.close_calls(acts);
        super::signals::keep(self.recorder.finish(now, reason), acts);
    }
}
