//! The blocks of a job: which roles run them, and what they do.

use crate::boot::{self, Boot};
use crate::calls::{self, Call};
use crate::deploy::{self, Deploy};
use crate::findings::Findings;
use crate::read::{Keys, place, require_text, texts};
use crate::rewrite::Rewrite;
use crate::suggest::suggest;
use crate::tests::{self, Test};
use crate::timeouts::{self, Named};
use mn_yaml::{Entry, Kind, Mapping, Node, Position};

/// The keys of every block; those of its kind come on top.
const UNSUPPORTED: [&str; 5] =
    ["connection-namespace", "failure_retry", "failure_retry_interval", "namespace", "repeat"];

/// One item of the job's `actions`.
#[derive(Clone, Debug)]
pub struct Block {
    /// Its key, `deploy`.
    pub kind: String,
    /// Where it begins.
    pub position: Position,
    /// The roles that run it; none when they could not be read.
    pub roles: Vec<String>,
    /// Its own timeout in seconds.
    pub timeout: Option<u64>,
    /// Timeouts of its actions by their names.
    pub timeouts: Named,
    /// How often a failed step is tried, at least 1.
    pub attempts: u64,
    /// How often all of it is done, at least 1.
    pub repeat: u64,
    /// Multinode calls bound to its steps.
    pub calls: Vec<Call>,
    /// What of it this version cannot run.
    pub unsupported: Vec<String>,
    /// The block as it stands.
    pub body: Mapping,
    /// What it does.
    pub work: Work,
}

/// The kinds of blocks.
#[derive(Clone, Debug)]
pub enum Work {
    /// Make files reachable.
    Deploy(Deploy),
    /// Reach a shell.
    Boot(Boot),
    /// Run tests in it.
    Test(Test),
    /// Run this command of the dictionary, named here.
    Command(String, Position),
    /// Something wrong that has been told.
    Broken,
}

/// What a block needs to know of its job.
pub struct Context<'a> {
    /// The names of all roles; none in a job of one node.
    pub roles: Vec<&'a str>,
    /// The role of a job of one node.
    pub only: Option<&'a str>,
    /// The job's timeout in seconds, 0 when it is not known.
    pub job_timeout: u64,
    /// What becomes of addresses.
    pub rewrites: &'a [Rewrite],
}

/// Reads the job's `actions`.
pub fn read(node: &Node, context: &Context, findings: &mut Findings) -> Vec<Block> {
    let Some(items) = findings.ok(node.as_list()) else { return Vec::new() };
    items.iter().filter_map(|item| block(item, context, findings)).collect()
}

fn block(item: &Node, context: &Context, findings: &mut Findings) -> Option<Block> {
    const KINDS: [&str; 4] = ["deploy", "boot", "test", "command"];
    let map = findings.ok(item.as_map())?;
    let [Entry { key, key_position, value }] = map.entries() else {
        findings.error(map.position(), "an action is a mapping with one key, 'deploy', 'boot', 'test' or 'command'");
        return None;
    };
    if !KINDS.contains(&key.as_str()) {
        let text = format!("unknown action '{key}'{}", suggest(key, KINDS));
        findings.error(*key_position, text);
        return None;
    }
    let body = findings.ok(value.as_map())?;
    findings.take_unsupported();
    let roles = roles(body, context, findings);
    let timeout = body.get("timeout").and_then(|node| timeouts::read_within(node, context.job_timeout, findings));
    let timeouts = timeouts::read_named(body, "timeouts", None, findings);
    let calls = calls::read(body, findings);
    let work = match key.as_str() {
        "deploy" => deploy::read(body, context.rewrites, findings).map(Work::Deploy),
        "boot" => boot::read(body, findings).map(Work::Boot),
        "test" => test(body, context, findings),
        _ => command(body, findings),
    };
    check_counts(body, findings);
    Some(Block {
        kind: key.clone(),
        position: *key_position,
        roles,
        timeout,
        timeouts,
        attempts: count(body, "failure_retry"),
        repeat: count(body, "repeat"),
        calls,
        unsupported: findings.take_unsupported(),
        body: body.clone(),
        work: work.unwrap_or(Work::Broken),
    })
}

fn test(body: &Mapping, context: &Context, findings: &mut Findings) -> Option<Work> {
    let test = tests::read(body, context.rewrites, findings)?;
    if context.only.is_none() {
        test.tell_multinode(body, findings);
    }
    Some(Work::Test(test))
}

fn command(body: &Mapping, findings: &mut Findings) -> Option<Work> {
    check_keys("a command", body, &["name"], &[], findings);
    require_text(body, "name", findings).map(|name| Work::Command(name, place(body, "name")))
}

/// `failure_retry` and `repeat`, which exclude each other.
fn check_counts(body: &Mapping, findings: &mut Findings) {
    if let (Some(_), Some(entry)) = (body.get("failure_retry"), body.entry("repeat")) {
        findings.error(entry.key_position, "'repeat' and 'failure_retry' exclude each other: remove one");
    }
    for key in ["failure_retry", "failure_retry_interval", "repeat"] {
        let Some(node) = body.get(key) else { continue };
        if let Some(number) = findings.ok(node.as_int()).filter(|number| *number < 1) {
            findings.error(node.position(), format!("'{key}' is {number}: it is at least 1"));
        }
    }
}

/// A number of times, at least 1.
fn count(body: &Mapping, key: &str) -> u64 {
    let number = body.get(key).and_then(|node| node.as_int().ok());
    number.and_then(|number| u64::try_from(number).ok()).unwrap_or(1).max(1)
}

fn roles(body: &Mapping, context: &Context, findings: &mut Findings) -> Vec<String> {
    if let Some(only) = context.only {
        if let Some(entry) = body.entry("role") {
            findings.warn(entry.key_position, "'role' has no meaning in a job without 'protocols: lava-multinode'");
        }
        return vec![only.to_owned()];
    }
    let Some(node) = findings.ok(body.require("role")) else { return Vec::new() };
    let names = texts(node, findings);
    if matches!(node.kind(), Kind::Sequence(items) if items.is_empty()) {
        findings.error(node.position(), "'role' names no role");
    }
    warn_of_parts(node, context, findings);
    for (name, at) in names.iter().zip(positions(node)) {
        if !context.roles.contains(&name.as_str()) {
            let text = format!("role '{name}' does not exist{}", suggest(name, context.roles.iter().copied()));
            findings.error(at, text);
        }
    }
    names
}

/// LAVA looks for the name of a role in a text as in a list, and so finds every name that is part of it.
fn warn_of_parts(node: &Node, context: &Context, findings: &mut Findings) {
    let Ok(text) = node.as_str() else { return };
    if !context.roles.contains(&text) {
        return;
    }
    if let Some(part) = context.roles.iter().find(|role| **role != text && text.contains(**role)) {
        let text = format!("LAVA takes this text for the role '{part}' too, whose name is part of it: write a list");
        findings.warn(node.position(), text);
    }
}

/// Where each text of [`texts`] stands.
fn positions(node: &Node) -> Vec<Position> {
    match node.kind() {
        Kind::Sequence(items) => items.iter().filter(|item| item.as_str().is_ok()).map(Node::position).collect(),
        _ => vec![node.position()],
    }
}

/// Looks at the keys of a block: those of every block, and `known` and `unsupported` of its kind.
pub fn check_keys(
    of: &'static str,
    body: &Mapping,
    known: &[&'static str],
    unsupported: &[&'static str],
    findings: &mut Findings,
) {
    let known = [&["role", "timeout", "timeouts", "protocols"], known].concat();
    let unsupported = [UNSUPPORTED.as_slice(), unsupported].concat();
    Keys { of, known: &known, unsupported: &unsupported }.check(body, findings);
}
