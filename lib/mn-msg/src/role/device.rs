//! What a role message says of the board.

use crate::Object;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What is known of the board.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Device {
    /// Its name.
    pub hostname: String,
    /// Its device type.
    #[serde(rename = "type")]
    pub device_type: String,
    /// The console; not of a secondary connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect: Option<String>,
    /// `hard_reset`, `power_off`, and those of its users: command lines; not of a secondary connection.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub commands: BTreeMap<String, Vec<String>>,
    /// What undoes a command of its users, by the command's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub undo: BTreeMap<String, Vec<String>>,
    /// `boot`, `test`: milliseconds between typed characters.
    #[serde(default)]
    pub character_delays: BTreeMap<String, u64>,
    /// The board's own address, where it is known beforehand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_ip: Option<String>,
    /// The board's hardware address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_mac: Option<String>,
    /// How the console is typed on; not of a secondary connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pacing: Option<String>,
    /// The test shell's interpreter.
    pub shell: String,
    /// The overlay's directory on the board.
    pub results_dir: String,
    /// How to log in.
    pub ssh: Login,
    /// The dictionary's environment for the test shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Object>,
    /// What the lab notes of the board.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_info: Option<Value>,
    /// What is wired to the board, a probe for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub static_info: Option<Value>,
    /// The board's storage: a list of maps from a method to a device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_info: Option<Value>,
}

/// How to log in to a board.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Login {
    /// The account.
    pub user: String,
    /// The TCP port.
    pub port: u16,
}
