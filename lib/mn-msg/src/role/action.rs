//! The blocks of a role: deploy, boot, test and command.

use super::{Resource, Step, Test};
use crate::Object;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One block of the job.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum Action {
    /// Make files reachable.
    Deploy(Deploy),
    /// Reach a shell.
    Boot(Boot),
    /// Run tests in it.
    Test(Test),
    /// Run a command of the dictionary.
    Command(Command),
}

/// Timeouts in seconds of those actions of a block that do not have the block's.
pub type Limits = BTreeMap<String, u64>;

/// A command block.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Command {
    /// The number of the block.
    pub level: String,
    /// The limit of the block, in seconds.
    pub timeout: u64,
    /// The command's name in the dictionary.
    pub name: String,
}

/// A deploy block.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Deploy {
    /// The number of the block.
    pub level: String,
    /// The limit of the block, in seconds.
    pub timeout: u64,
    /// `tftp` or `ssh`, or another that cannot be run.
    pub to: String,
    /// The level in the overlay's name.
    pub overlay_level: String,
    /// What is fetched, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Resource>,
    /// `ssh` when the group's key is let in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorize: Option<String>,
    /// The operating system on the board, as LAVA knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// Multinode calls bound to a step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<BoundCall>,
    /// The block as the job has it, where this version cannot run all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<Object>,
    /// Actions of the block that have another limit than the block.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub timeouts: Limits,
}

/// A boot block.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Boot {
    /// The number of the block.
    pub level: String,
    /// The limit of the block, in seconds.
    pub timeout: u64,
    /// LAVA's name of the boot method.
    pub method: String,
    /// How often the boot is tried, in all; none is once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// Seconds between two attempts; none is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<u64>,
    /// How often the boot is done, in all; none is once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<u32>,
    /// What a shell's prompt matches.
    #[serde(default)]
    pub prompts: Vec<String>,
    /// The steps; none for the method `ssh`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dialogue: Vec<Step>,
    /// The lines of a script that iPXE fetches, with placeholders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bootscript: Vec<String>,
    /// `http` when the system that has booted fetches the overlay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer_overlay: Option<String>,
    /// Of the method `ssh`: the message that holds the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_id: Option<String>,
    /// Of the method `ssh`: its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_key: Option<String>,
    /// Multinode calls bound to a step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<BoundCall>,
    /// The block as the job has it, where this version cannot run all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<Object>,
    /// Actions of the block that have another limit than the block.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub timeouts: Limits,
}

/// A multinode call that a step of an action makes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BoundCall {
    /// The step, `prepare-scp-overlay`.
    pub action: String,
    /// `wait`; of a role that cannot be run also `send`, `wait-all`, `sync`.
    pub request: String,
    /// The message's id.
    pub message_id: String,
    /// Of `wait-all`: the one role whose members must have sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Names to pick up, each with its mark.
    #[serde(default)]
    pub data: Object,
    /// The limit, in seconds.
    pub timeout: u64,
}
