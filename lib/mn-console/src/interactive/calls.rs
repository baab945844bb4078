//! Multinode calls of a script: the placeholders in them, and what their answers bring.

use std::time::Duration;

use mn_msg::role::ScriptCall;
use mn_msg::template;
use serde_json::Value;

use super::{Interactive, Next, Phase};
use crate::reply::{Answer, plain};
use crate::script::Fault;
use crate::signal::Request;
use crate::test::Act;

impl Interactive {
    pub(super) fn ask(&mut self, call: &ScriptCall, now: Duration, acts: &mut Vec<Act>) -> Next {
        match self.request(call) {
            Some(request) => {
                self.calls += 1;
                self.phase = Phase::Asking { number: self.calls };
                acts.push(Act::Ask(self.calls, request));
            }
            None => self.fail(Fault::Wrong, "the call names what has no value".into(), now, acts),
        }
        Next::Wait
    }

    /// The request with its placeholders filled in; none when one has no value.
    pub(super) fn request(&self, call: &ScriptCall) -> Option<Request> {
        let id = template::fill(&call.message_id, &self.values)?;
        Some(match call.request.as_str() {
            "send" => {
                let filled = |(key, value): (&String, &Value)| {
                    Some((key.clone(), template::fill(value.as_str().unwrap_or_default(), &self.values)?))
                };
                Request::Send { id, data: call.data.iter().map(filled).collect::<Option<_>>()? }
            }
            "wait" => Request::Wait { id },
            "wait-all" => Request::WaitAll { id, role: call.role.clone() },
            _ => Request::Sync { id },
        })
    }

    /// The keys of the messages that were waited for are placeholders from now on; of two, the later counts.
    pub(super) fn take_answer(&mut self, answer: &Answer, now: Duration, acts: &mut Vec<Act>) {
        let request = self.step().and_then(|step| step.call.clone()).and_then(|call| self.request(&call));
        let Some(request) = request else { return };
        let case = self.step().and_then(|step| step.name.clone()).unwrap_or_else(|| request.case());
        match answer {
            Answer::Granted(messages) => {
                let pairs = messages.iter().flat_map(|sent| &sent.data);
                self.values.extend(pairs.map(|(key, value)| (key.clone(), plain(value).into())));
                acts.push(Act::Record(self.case_record(&case, "pass", "")));
                self.at.1 += 1;
                self.run(now, acts);
            }
            Answer::Refused(reason) => {
                self.fail(Fault::No, format!("'{}' failed: {reason}", request.helper()), now, acts)
            }
        }
    }
}
