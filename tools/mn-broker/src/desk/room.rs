//! Which group fills the journal by an input, and what is said when there is no room for it.

use super::{Desk, Letter, error};
use crate::input::{Asked, Input};
use crate::lava;
use mn_ipc::{Call, Class};
use serde_json::Value;

impl Desk {
    /// What a connection is told whose request there is no room for; none where it can not be refused.
    pub fn refuse(input: &Input, why: &str) -> Option<Letter> {
        match input {
            // Who leaves, fails, looks on or says hello fills nothing.
            Input::Request(asked) => match &asked.call {
                Call::Leave { .. } | Call::Fail { .. } | Call::Status { .. } | Call::Watch {} | Call::Hello { .. } => {
                    None
                }
                _ => Some(Letter::Line(asked.c, error(Some(asked.id), Class::Limit, why))),
            },
            Input::Lava { request, .. } if request.get("request").is_some_and(|name| name == "clear_group") => None,
            Input::Lava { c, .. } => Some(Letter::Line(*c, lava::refusal())),
            Input::Start { .. } | Input::Lost { .. } | Input::Tick {} => None,
        }
    }

    /// The group that an input is about, or would make.
    pub fn group_meant(&self, input: &Input) -> Option<String> {
        match input {
            Input::Request(asked) => self.group_asked(asked),
            Input::Lost { c } => self.group_of(*c).or(self.lava.group_of(*c)).map(str::to_owned),
            Input::Lava { request, .. } => request.get("group_name").and_then(Value::as_str).map(str::to_owned),
            Input::Start { .. } | Input::Tick {} => None,
        }
    }

    fn group_asked(&self, asked: &Asked) -> Option<String> {
        if let Some(group) = self.group_of(asked.c) {
            return Some(group.to_owned());
        }
        let named = asked.group.as_deref();
        match &asked.call {
            Call::Found { name, .. } => Some(name.clone()),
            Call::Resume { session } => self.sessions.find(session).map(|session| session.group.clone()),
            Call::Join { member }
            | Call::Speak { member }
            | Call::Leave { member: Some(member) }
            | Call::Fail { member: Some(member) } => self.halls.choose(named, Some(member)).ok(),
            Call::Enter { .. } => self.halls.choose(named, None).ok(),
            _ => None,
        }
    }
}
