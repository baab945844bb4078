//! Multinode calls bound to the steps of an action: `protocols: lava-multinode:` of a block.

use crate::findings::Findings;
use crate::read::{Keys, mapping, object, place, require_text, text};
use crate::suggest::suggest;
use crate::timeouts;
use mn_msg::Object;
use mn_yaml::{Kind, Mapping, Node, Position};

/// LAVA's names of the requests that an action may make.
const REQUESTS: [&str; 4] = ["lava-send", "lava-wait", "lava-wait-all", "lava-sync"];

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    /// The step that makes it.
    pub action: String,
    /// Where that stands.
    pub action_position: Position,
    /// `send`, `wait`, `wait-all` or `sync`.
    pub request: String,
    /// Where that stands.
    pub request_position: Position,
    /// The message's id.
    pub message_id: String,
    /// Where that stands.
    pub id_position: Position,
    /// Of `wait-all`: one role, and where it stands.
    pub role: Option<(String, Position)>,
    /// What is sent, or what is picked up.
    pub data: Object,
    /// Where it stands.
    pub data_position: Position,
    /// Its limit in seconds, which holds for later calls too.
    pub timeout: Option<u64>,
    /// Where the call stands.
    pub position: Position,
}

impl Call {
    /// The keys that are to be picked up: those whose value is text after a `$`.
    pub fn wanted(&self) -> impl Iterator<Item = &String> {
        let marked = |value: &serde_json::Value| value.as_str().is_some_and(|text| text.starts_with('$'));
        self.data.iter().filter(move |(_, value)| marked(value)).map(|(key, _)| key)
    }

    /// The call as a message has it; `limit` is that of the calls before it, in seconds.
    pub fn message(&self, limit: u64) -> mn_msg::role::BoundCall {
        mn_msg::role::BoundCall {
            action: self.action.clone(),
            request: self.request.clone(),
            message_id: self.message_id.clone(),
            role: self.role.as_ref().map(|(name, _)| name.clone()),
            data: self.data.clone(),
            timeout: self.timeout.unwrap_or(limit),
        }
    }
}

/// Reads the calls of a block.
pub fn read(body: &Mapping, findings: &mut Findings) -> Vec<Call> {
    let Some(protocols) = mapping(body, "protocols", findings) else { return Vec::new() };
    Keys { of: "a block's protocols", known: &["lava-multinode", "lava-xnbd", "lava-lxc"], unsupported: &[] }
        .check(protocols, findings);
    let Some(node) = protocols.get("lava-multinode") else { return Vec::new() };
    if matches!(node.kind(), Kind::Mapping(_)) {
        findings.error(node.position(), "calls are a list: begin this one with '- '");
        return Vec::new();
    }
    let Some(items) = findings.ok(node.as_list()) else { return Vec::new() };
    items.iter().filter_map(|item| call(item, findings)).collect()
}

fn call(item: &Node, findings: &mut Findings) -> Option<Call> {
    let map = findings.ok(item.as_map())?;
    let known = ["action", "request", "messageID", "message", "timeout", "role"];
    Keys { of: "a call", known: &known, unsupported: &["poll_delay"] }.check(map, findings);
    let action = require_text(map, "action", findings);
    let request = require_text(map, "request", findings);
    let message_id = require_text(map, "messageID", findings);
    let timeout = map.get("timeout").and_then(|node| call_timeout(node, findings));
    let at = |key: &str| place(map, key);
    let request = request?;
    let spelt = request.replace('_', "-");
    if !REQUESTS.contains(&spelt.as_str()) {
        let hint = suggest(&spelt, REQUESTS);
        findings.error(at("request"), format!("request '{request}' is not one of {}{hint}", REQUESTS.join(", ")));
        return None;
    }
    Some(Call {
        action: action?,
        action_position: at("action"),
        request: spelt.trim_start_matches("lava-").to_owned(),
        request_position: at("request"),
        message_id: message_id?,
        id_position: at("messageID"),
        role: text(map, "role", findings).map(|role| (role, at("role"))),
        data: object(map, "message", findings).unwrap_or_default(),
        data_position: at("message"),
        timeout,
        position: map.position(),
    })
}

/// A call's timeout may also be a plain number of seconds.
fn call_timeout(node: &Node, findings: &mut Findings) -> Option<u64> {
    match node.as_int() {
        Ok(seconds @ 1..=1_000_000_000) => u64::try_from(seconds).ok(),
        _ => timeouts::read(node, findings),
    }
}
