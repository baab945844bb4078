//! The role message, with the names and units of mn-message(5).

mod action;
mod device;
mod dialogue;
mod overlay;
mod resource;
mod test;

pub use action::{Action, Boot, BoundCall, Command, Deploy, Limits};
pub use device::{Device, Login};
pub use dialogue::{Step, Work};
pub use overlay::{Definition, Overlay, Run};
pub use resource::{Resource, UImage};
pub use test::{Failure, Monitor, Script, ScriptCall, ScriptStep, Test};

use crate::{Kind, Message, Object, parse_moment};
use mn_cli::{Deadline, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// One member of the group: the message as it came, and what it says.
#[derive(Clone, Debug)]
pub struct Role {
    message: Message,
    facts: Facts,
}

/// The fields of a role message, all stages together.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Facts {
    /// The member's decimal id.
    pub job_id: String,
    /// The role's name.
    pub role: String,
    /// The member's number in the job, from 0.
    pub sub_id: u32,
    /// The job's label.
    #[serde(default)]
    pub job_name: String,
    /// Who else takes part.
    pub group: Group,
    /// Of a secondary connection: the member whose board it shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The limits that hold for the whole job, in seconds.
    pub timeouts: Timeouts,
    /// What has to be sent before this role begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Start>,
    /// The role's environment for the test shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Object>,
    /// The job's metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Object>,
    /// The job's or the role's context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Object>,
    /// Waits of named actions that have no other limit, in seconds, where the job names them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub connection_timeouts: BTreeMap<String, u64>,
    /// Definitions from git that secondary connections on this board run and this member does not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guest_definitions: Vec<Definition>,
    /// What this version cannot do of the job, a line each, with its place in the job; such a role is not run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsupported: Vec<String>,
    /// The device dictionary, as far as it is needed; none was given when it is absent.
    #[serde(default)]
    pub device: Option<Device>,
    /// The job's blocks for this role, in order.
    pub actions: Vec<Action>,
    /// What overlay-pack packed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlay: Option<Overlay>,
    /// When the job's own time began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// The values of the placeholders; null deletes the command that uses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staged: Option<Object>,
    /// The board's address, of a secondary connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Where the console is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub console: Option<String>,
}

/// The group of a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Group {
    /// A UUID.
    pub name: String,
    /// How many members it has.
    pub size: u32,
    /// All of them, in order of their ids.
    pub members: Vec<Member>,
}

/// One member as the others know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its decimal id.
    pub job_id: String,
    /// Its role.
    pub role: String,
    /// Of a secondary connection: the member whose board it shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Whether the others wait for it: not for one that only looks on.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub counted: bool,
    /// Whether the others end when its work fails.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub essential: bool,
}

fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_yes(answer: &bool) -> bool {
    *answer
}

/// Limits in seconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Timeouts {
    /// All actions together.
    pub job: u64,
    /// A wait that has no other limit.
    pub connection: u64,
    /// A multinode call made in a test shell.
    pub call: u64,
}

/// A delayed start.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Start {
    /// Every member of this role must have sent `lava_start`.
    pub role: String,
    /// The limit, in seconds.
    pub timeout: u64,
}

impl Role {
    /// Understands a role message.
    ///
    /// # Errors
    /// Status 2 when it is none, a field is missing or of the wrong kind, or it needs what this version cannot do.
    pub fn from_message(message: Message) -> Result<Self> {
        if message.kind() != Kind::Role {
            return Err(Error::wrong(format_args!("cannot work on a message of type '{}'", message.kind_text())));
        }
        let facts: Facts = serde_json::from_value(Value::Object(message.data().clone()))
            .map_err(|error| Error::wrong(format_args!("cannot understand the role message: {error}")))?;
        if facts.job_id.is_empty() || facts.job_id.len() > 18 || !facts.job_id.bytes().all(|byte| byte.is_ascii_digit())
        {
            return Err(Error::wrong(format_args!("job id '{}' is not a decimal number", facts.job_id)));
        }
        if let Some(first) = facts.unsupported.first() {
            return Err(Error::wrong(format_args!("cannot run role '{}': {first}", facts.role)));
        }
        Ok(Self { message, facts })
    }

    /// A role message that says `facts`.
    ///
    /// # Errors
    /// Status 2 when a value cannot be written as JSON.
    pub fn from_facts(facts: Facts) -> Result<Self> {
        let value = serde_json::to_value(&facts)
            .map_err(|error| Error::wrong(format_args!("cannot write a role message: {error}")))?;
        let Value::Object(data) = value else {
            return Err(Error::wrong("cannot write a role message: it is no object"));
        };
        Ok(Self { message: Message::new("role", data), facts })
    }

    /// What the message says.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The message, with what is not understood.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Adds to the message what a stage learnt.
    ///
    /// # Errors
    /// Status 2 when the value cannot be written as JSON or is not what the field holds.
    pub fn add(&mut self, field: &str, value: impl Serialize) -> Result<()> {
        let value = serde_json::to_value(value)
            .map_err(|error| Error::wrong(format_args!("cannot write '{field}': {error}")))?;
        self.message.set(field, value);
        *self = Self::from_message(self.message.clone())?;
        Ok(())
    }

    /// The first deploy block.
    pub fn deploy(&self) -> Option<&Deploy> {
        self.facts.actions.iter().find_map(|action| match action {
            Action::Deploy(deploy) => Some(deploy),
            _ => None,
        })
    }

    /// The first boot block.
    pub fn boot(&self) -> Option<&Boot> {
        self.facts.actions.iter().find_map(|action| match action {
            Action::Boot(boot) => Some(boot),
            _ => None,
        })
    }

    /// The test blocks, in order.
    pub fn tests(&self) -> impl Iterator<Item = &Test> {
        self.facts.actions.iter().filter_map(|action| match action {
            Action::Test(test) => Some(test),
            _ => None,
        })
    }

    /// Whether a test of the role needs the overlay.
    pub fn needs_overlay(&self) -> bool {
        self.tests().any(Test::runs_definitions)
    }

    /// When the job's time is up: `started`, or now, and the job's timeout.
    pub fn job_deadline(&self) -> Deadline {
        let limit = Duration::from_secs(self.facts.timeouts.job);
        let started = self.facts.started.as_deref().and_then(parse_moment);
        let gone = started.and_then(|moment| SystemTime::now().duration_since(moment).ok()).unwrap_or_default();
        Deadline::after(limit.saturating_sub(gone))
    }
}
