//! What the desk takes, as the journal keeps it: the same inputs in the same order give the same state.

use crate::members::Group;
use mn_ipc::Call;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One thing that happened to the broker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Input {
    /// The broker has begun, or begun again.
    Start {
        /// The moment, in microseconds since 1970.
        at: u64,
        /// How long a lost connection may stay away, and how long all may wait, in microseconds.
        times: (u64, u64),
        /// The groups it was given.
        groups: Vec<Group>,
    },
    /// A connection asks for something.
    Request(Box<Asked>),
    /// A connection is gone.
    Lost {
        /// Which.
        c: u64,
    },
    /// Time has passed, and that has changed something.
    Tick {},
    /// A request on LAVA's wire.
    Lava {
        /// Whose answer it is to be.
        c: u64,
        /// What was asked.
        request: Value,
    },
}

/// A request, and what else decides about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// The connection.
    pub c: u64,
    /// The request's own number.
    pub id: i64,
    /// What.
    #[serde(flatten)]
    pub call: Call,
    /// The session that a join begins, or has begun before: the client's choice, or random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The group that the connection has named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The grace that the connection has asked for, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace: Option<f64>,
}
