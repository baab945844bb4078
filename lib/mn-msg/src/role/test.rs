//! Test blocks: definitions for a shell, scripts for any prompt, monitors of what a board prints by itself.

use super::{BoundCall, Definition, Limits};
use crate::Object;
use serde::{Deserialize, Serialize};

/// A test block, of one kind: it has definitions, or scripts, or monitors.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Test {
    /// The number of the block.
    pub level: String,
    /// The limit of the block, in seconds.
    pub timeout: u64,
    /// How many blocks with definitions come before this one.
    pub stage: u32,
    /// In the order in which they run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub definitions: Vec<Definition>,
    /// Likewise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interactive: Vec<Script>,
    /// Likewise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub monitors: Vec<Monitor>,
    /// How often the block is tried, in all; none is once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// Seconds between two attempts; none is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<u64>,
    /// How often the block is run, in all; none is once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<u32>,
    /// `skip` when the job goes on after the block's time is up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_timeout: Option<String>,
    /// Multinode calls bound to a step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<BoundCall>,
    /// The block as the job has it, where this version cannot run all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<Object>,
    /// Actions of the block that have another limit than the block.
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub timeouts: Limits,
}

impl Test {
    /// Whether it runs definitions, which need a shell and an overlay.
    pub fn runs_definitions(&self) -> bool {
        self.interactive.is_empty() && self.monitors.is_empty()
    }
}

/// Commands for a prompt, and what they are to answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Script {
    /// The suite of its results.
    pub name: String,
    /// What a prompt matches.
    #[serde(default)]
    pub prompts: Vec<String>,
    /// `discard` when the line after each command is the command itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub echo: Option<String>,
    /// In the order in which they are done.
    pub steps: Vec<ScriptStep>,
}

/// A step of a script: a delay, a command or a call, and what is waited for then.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ScriptStep {
    /// The test case; none is not recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Seconds before anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<u64>,
    /// What is typed, with placeholders; none types nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// What is asked of the other members, in place of a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<ScriptCall>,
    /// What is a success.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub successes: Vec<String>,
    /// What is a failure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failure>,
    /// False when no prompt is waited for; absent: one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_for_prompt: Option<bool>,
}

/// What a board says that has failed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Failure {
    /// What it matches.
    pub message: String,
    /// LAVA's class of error, when it ends the role: `InfrastructureError`, `JobError`, `TestError`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exception: Option<String>,
    /// What is said then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A multinode call of a script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptCall {
    /// `send`, `wait`, `wait-all` or `sync`.
    pub request: String,
    /// The message's id, with placeholders.
    pub message_id: String,
    /// Of `wait-all`: the one role whose members must have sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Of `send`: names and values, with placeholders.
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    pub data: Object,
}

/// Results that a board prints by itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Monitor {
    /// The suite of its results.
    pub name: String,
    /// What the board says before them.
    pub start: String,
    /// What it says after them.
    pub end: String,
    /// What a result looks like.
    pub pattern: String,
    /// What the board's words for results mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixupdict: Option<Object>,
    /// The cases that must be reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Vec<String>>,
}
