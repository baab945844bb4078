//! The job as a whole.

use crate::blocks::{self, Block, Context};
use crate::findings::Findings;
use crate::read::{Keys, object, require_text};
use crate::rewrite::Rewrite;
use crate::roles::{self, Role};
use crate::suggest::suggest;
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
    /// Whether it has `protocols: lava-multinode`.
    pub is_multinode: bool,
    /// What of it, besides roles and actions, this version cannot run.
    pub unsupported: Vec<String>,
    /// The job as it stands.
    pub body: Mapping,
}

/// What only a server looks at is known and has no meaning here.
const KEYS: Keys = Keys {
    of: "the job",
    known: &[
        "actions",
        "context",
        "device",
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
        "worker",
    ],
    unsupported: &[],
};

/// Reads a job; what is wrong with it is among the findings.
pub fn read(document: &Document, rewrites: &[Rewrite], findings: &mut Findings) -> Option<Job> {
    tell_reading(document, findings);
    let map = findings.ok(document.root.as_map())?;
    KEYS.check(map, findings);
    let name = require_text(map, "job_name", findings);
    if name.as_ref().is_some_and(|name| name.chars().count() > 200) {
        findings.error(map.position(), "'job_name' is longer than 200 characters");
    }
    check_server(map, findings);
    let timeouts = findings.ok(map.require("timeouts")).and_then(|node| findings.ok(node.as_map()));
    let timeouts = timeouts.map(|map| timeouts::read_job(map, findings));
    let multinode = roles::multinode(map, findings);
    let unsupported = findings.take_unsupported();
    let is_multinode = mapping_quietly(map, "protocols").is_some_and(|map| map.get("lava-multinode").is_some());
    let roles = if is_multinode {
        check_extras(map, findings);
        multinode.map(|map| roles::read(map, findings))
    } else {
        roles::single(map, findings).map(|role| vec![role])
    };
    let context = Context {
        roles: multinode.map(role_names).unwrap_or_default(),
        only: (!is_multinode).then_some(roles::ONLY),
        job_timeout: timeouts.as_ref().map_or(0, |timeouts| timeouts.job),
        rewrites,
    };
    let metadata = object(map, "metadata", findings);
    object(map, "secrets", findings);
    let actions = findings.ok(map.require("actions"))?;
    let blocks = blocks::read(actions, &context, findings);
    check_namespaces(&blocks, findings);
    let (name, timeouts, roles, body) = (name?, timeouts?, roles?, map.clone());
    Some(Job { name, timeouts, metadata, roles, blocks, is_multinode, unsupported, body })
}

/// What its author may not know about how the file is read.
fn tell_reading(document: &Document, findings: &mut Findings) {
    for warning in &document.warnings {
        findings.warn(warning.position, warning.message.clone());
    }
    for (weight, difference) in mn_yaml::differences(document) {
        match weight {
            mn_yaml::Weight::Warning => findings.warn(difference.position, difference.message),
            mn_yaml::Weight::Note => findings.note(difference.position, difference.message),
        }
    }
}

fn mapping_quietly<'a>(map: &'a Mapping, key: &str) -> Option<&'a Mapping> {
    map.get(key)?.as_map().ok()
}

/// Keys that only a server acts on: it would refuse what is wrong with them.
fn check_server(map: &Mapping, findings: &mut Findings) {
    match map.entry("visibility").map(|entry| (&entry.value, entry.value.value())) {
        None => findings.warn(map.position(), "missing key 'visibility': a LAVA server refuses this job"),
        Some((node, Value::String(word))) if !["public", "personal"].contains(&word.as_str()) => {
            let hint = suggest(&word, ["public", "personal"]);
            findings.warn(node.position(), format!("visibility '{word}' is not public, personal or a group{hint}"));
        }
        Some(_) => {}
    }
    let Some(node) = map.get("priority") else { return };
    let fits = match node.value() {
        Value::String(word) => ["high", "medium", "low"].contains(&word.as_str()),
        value => value.as_f64().is_some_and(|number| (0.0..=100.0).contains(&number)),
    };
    if !fits {
        findings.warn(node.position(), "priority is not high, medium, low or 0 to 100");
    }
}

/// All blocks have a namespace, or none has.
fn check_namespaces(blocks: &[Block], findings: &mut Findings) {
    let named = |block: &&Block| block.body.get("namespace").is_some();
    if let (Some(with), Some(without)) = (blocks.iter().find(named), blocks.iter().find(|block| !named(block))) {
        let text = format!("no 'namespace' here, but one at {}: all actions have one or none", with.position);
        findings.error(without.position, text);
    }
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
