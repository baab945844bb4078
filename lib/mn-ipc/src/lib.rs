//! The JSON on the broker's socket, as mn-protocol(7) has it, and sockets that are opened relative to their directory.

mod call;
mod client;
mod connection;
mod lines;
mod reply;
pub mod socket;

pub use call::{Call, Listed, RESERVED, Request, valid_key, valid_message_id};
pub use client::{Client, Failure};
pub use lines::{Lines, MAX_LINE, TooLong};
pub use mn_group::Class;
pub use reply::{Greeting, Incoming, Sent, VERSION};

/// A JSON object whose keys keep their order.
pub type Object = serde_json::Map<String, serde_json::Value>;
