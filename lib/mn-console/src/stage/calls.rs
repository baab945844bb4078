//! The multinode calls of a stage: made at once, answered when the broker has, recorded at their place.

use std::time::Duration;

use super::signals::keep;
use super::{Phase, Stage};
use crate::reply::{self, Answer};
use crate::results::Asked;
use crate::signal::Request;
use crate::test::Act;

/// Requests of the board that may be open at a time; further ones are refused.
const OPEN_REQUESTS: usize = 64;
/// After an answer was typed a repeated request was on its way before: a helper that still waits says it again.
const CROSSING: Duration = Duration::from_secs(1);

/// A request and what is known of it.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) request: Request,
    /// Where it is recorded, once it has come in order.
    asked: Option<Asked>,
    /// How it ended.
    result: Option<&'static str>,
    recorded: Recorded,
    /// When the answer was last typed.
    typed: Duration,
}

#[derive(Debug, PartialEq)]
enum Recorded {
    No,
    Yes,
}

impl Call {
    pub(super) fn is_open(&self) -> bool {
        self.result.is_none()
    }
}

impl Stage {
    /// Takes a request as it is heard.
    pub(super) fn request(&mut self, number: u64, request: Request, now: Duration, acts: &mut Vec<Act>) {
        let open = self.calls.values().filter(|call| call.is_open()).count();
        let dead = matches!(self.phase, Phase::Fetching { .. });
        let call =
            Call { request: request.clone(), asked: None, result: None, recorded: Recorded::No, typed: Duration::ZERO };
        self.calls.insert(number, call);
        if dead {
            // Whoever asked has ended without an answer.
            self.answer(number, &Answer::Refused("it was not heard in time".into()), now, acts);
        } else if open >= OPEN_REQUESTS {
            let reason = format!("more than {OPEN_REQUESTS} requests are open");
            self.answer(number, &Answer::Refused(reason), now, acts);
        } else {
            acts.push(Act::Ask(number, request));
        }
    }

    /// Takes a request at its place among the signals.
    pub(super) fn bind(&mut self, number: u64, request: &Request, acts: &mut Vec<Act>) {
        let asked = self.recorder.asked(request);
        if let Some(call) = self.calls.get_mut(&number) {
            call.asked = Some(asked);
        }
        self.record_call(number, acts);
    }

    pub(super) fn answer(&mut self, number: u64, answer: &Answer, now: Duration, acts: &mut Vec<Act>) {
        let Some(call) = self.calls.get_mut(&number).filter(|call| call.is_open()) else { return };
        let request = &call.request;
        let mut refused = match answer {
            Answer::Refused(reason) => Some(reason.clone()),
            Answer::Granted(_) => None,
        };
        let word = request.word();
        let line = self.ear.answer(number, word, &reply::text(request, answer)).or_else(|length| {
            refused = Some(format!("the answer has {length} bytes, more than a terminal's line takes"));
            self.ear.answer(number, word, &reply::text(request, &Answer::Refused(String::new())))
        });
        if let Some(reason) = &refused {
            let call = format!("{} {}", word.to_lowercase(), request.id());
            acts.push(Act::Warn(format!("'{call}' failed: {reason}")));
        }
        call.result = Some(if refused.is_some() { "fail" } else { "pass" });
        call.typed = now;
        if let (Ok(Some(line)), Phase::Running) = (line, self.phase) {
            acts.push(self.typed_text(line));
        }
        self.record_call(number, acts);
    }

    /// Records a call that has come in order and has ended; it is remembered as long as it may be repeated.
    fn record_call(&mut self, number: u64, acts: &mut Vec<Act>) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        if let (Some(asked), Some(result)) = (&call.asked, call.result) {
            keep(self.recorder.answered(asked, result), acts);
            call.asked = None;
            call.recorded = Recorded::Yes;
            self.forget_calls();
        }
    }

    /// Forgets calls that were recorded long ago.
    fn forget_calls(&mut self) {
        while self.calls.len() > 2 * OPEN_REQUESTS {
            let done = self.calls.iter().find(|(_, call)| call.recorded == Recorded::Yes);
            let Some((&number, _)) = done else { return };
            self.calls.remove(&number);
        }
    }

    /// Types an answer once more; never to the shell.
    pub(super) fn answer_again(&mut self, number: u64, line: String, now: Duration, acts: &mut Vec<Act>) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        if self.phase == Phase::Running && now >= call.typed + CROSSING {
            call.typed = now;
            acts.push(self.typed_text(line));
        }
    }

    /// Refuses a request that makes no sense, of which the helper waits for an answer all the same.
    pub(super) fn refuse(&mut self, number: u64, word: &str, acts: &mut Vec<Act>) {
        let Some(text) = reply::refusal(word) else { return };
        if let (Ok(Some(line)), Phase::Running) = (self.ear.answer(number, word, &text), self.phase) {
            acts.push(self.typed_text(line));
        }
    }

    /// Ends the calls that nobody answered.
    pub(super) fn close_calls(&mut self, acts: &mut Vec<Act>) {
        for (_, call) in std::mem::take(&mut self.calls) {
            if let Some(asked) = &call.asked {
                keep(self.recorder.answered(asked, call.result.unwrap_or("fail")), acts);
            }
        }
    }
}
