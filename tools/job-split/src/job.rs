//! The job as a whole.

use crate::blocks::{self, Block, Context};
use crate::findings::Findings;
use crate::read::{Keys, object, require_text};
use crate::rewrite::Rewrite;
use crate::roles::{self, Role};
use crate::timeouts::{self, JobTimeouts};
use mn_msg::Object;
use mn_yaml::{Document, Kind, Mapping, Node};
use serde_json::Value;

/// What a job says.
#[derive(Debug)]
pub struct Job {
    /// Its label.
    pub name: String,
    /// Its timeouts.
    pub timeouts: JobTimeouts,
    /// Its metadata, verbatim.
    pub metadata: Option<Object>,
    /// Its roles, in order.
    pub roles: Vec<Role>,
    /// Its actions, in order.
    pub blocks: Vec<Block>,
}

/// What only a server looks at is known and has no meaning here.
const KEYS: Keys = Keys {
    of: "the job",
    known: &[
        "actions",
        "context",
        "device_type",
        "environment",
        "job_name",
        "metadata",
        "notify",
        "priority",
        "protocols",
        "reboot_to_fastboot",
        // Read by overlay-pack, from the job itself: no message has them.
        "secrets",
        "tags",
        "timeouts",
        "visibility",
    ],
    unsupported: &["device", "worker"],
};

/// Reads a job; what is wrong with it is among the findings.
pub fn read(document: &Document, rewrites: &[Rewrite], findings: &mut Findings) -> Option<Job> {
    for warning in &document.warnings {
        findings.warn(warning.position, warning.message.clone());
    }
    let map = findings.ok(document.root.as_map())?;
    KEYS.check(map, findings);
    let name = require_text(map, "job_name", findings);
    if name.as_ref().is_some_and(|name| name.chars().count() > 200) {
        findings.error(map.position(), "'job_name' is longer than 200 characters");
    }
    let timeouts = findings.ok(map.require("timeouts")).and_then(|node| findings.ok(node.as_map()));
    let timeouts = timeouts.map(|map| timeouts::read_job(map, findings));
    let multinode = roles::multinode(map, findings);
    check_extras(map, findings);
    let roles = multinode.map(|map| roles::read(map, findings));
    let context = Context {
        roles: multinode.map(role_names).unwrap_or_default(),
        job_timeout: timeouts.as_ref().map_or(0, |timeouts| timeouts.job),
        rewrites,
    };
    let metadata = object(map, "metadata", findings);
    let actions = findings.ok(map.require("actions"))?;
    let blocks = blocks::read(actions, &context, findings);
    Some(Job { name: name?, timeouts: timeouts?, metadata, roles: roles?, blocks })
}

/// Even a role that cannot be read has a name that actions may use.
fn role_names(multinode: &Mapping) -> Vec<&str> {
    match multinode.get("roles").map(Node::kind) {
        Some(Kind::Mapping(map)) => map.entries().iter().map(|entry| entry.key.as_str()).collect(),
        _ => Vec::new(),
    }
}

/// What a multinode job says for each role; LAVA lets it stand here when it says nothing.
fn check_extras(map: &Mapping, findings: &mut Findings) {
    for key in ["device_type", "environment", "context", "tags"] {
        let Some(entry) = map.entry(key) else { continue };
        let empty = match entry.value.value() {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(map) => map.is_empty(),
            _ => false,
        };
        if !empty {
            findings
                .error(entry.key_position, format!("'{key}' of a multinode job belongs to its roles: move it there"));
        }
    }
}
