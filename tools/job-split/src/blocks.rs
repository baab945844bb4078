//! The blocks of a job: which roles run them, and what they do.

use crate::boot::{self, Boot};
use crate::definitions::{self, Definition};
use crate::deploy::{self, Deploy};
use crate::findings::Findings;
use crate::read::{Keys, text, texts};
use crate::rewrite::Rewrite;
use crate::suggest::suggest;
use crate::timeouts::{self, Named};
use mn_yaml::{Entry, Kind, Mapping, Node, Position};

/// The keys of every block; those of its kind come on top.
const UNSUPPORTED: [&str; 6] =
    ["connection-namespace", "failure_retry", "failure_retry_interval", "namespace", "overlay_backend", "repeat"];

/// One item of the job's `actions`.
#[derive(Clone, Debug)]
pub struct Block {
    /// Where it begins.
    pub position: Position,
    /// The roles that run it; none when they could not be read.
    pub roles: Vec<String>,
    /// Its own timeout in seconds.
    pub timeout: Option<u64>,
    /// Timeouts of its actions by their names.
    pub timeouts: Named,
    /// The distribution that it says is on the board.
    pub os: Option<String>,
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
    Test(Vec<Definition>),
    /// Something wrong that has been told.
    Broken,
}

/// What a block needs to know of its job.
pub struct Context<'a> {
    /// The names of all roles.
    pub roles: Vec<&'a str>,
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
    let map = findings.ok(item.as_map())?;
    let [Entry { key, key_position, value }] = map.entries() else {
        findings.error(map.position(), "an action is a mapping with one key, 'deploy', 'boot' or 'test'");
        return None;
    };
    if key == "command" {
        findings.unsupported(*key_position, "action 'command'");
        return None;
    }
    if !["deploy", "boot", "test"].contains(&key.as_str()) {
        let text = format!("unknown action '{key}'{}", suggest(key, ["deploy", "boot", "test"]));
        findings.error(*key_position, text);
        return None;
    }
    let body = findings.ok(value.as_map())?;
    let roles = roles(body, context, findings);
    let timeout = body.get("timeout").and_then(|node| timeouts::read_within(node, context.job_timeout, findings));
    let timeouts = timeouts::read_named(body, "timeouts", None, findings);
    let os = text(body, "os", findings);
    let work = match key.as_str() {
        "deploy" => deploy::read(body, context.rewrites, findings).map(Work::Deploy),
        "boot" => boot::read(body, findings).map(Work::Boot),
        _ => definitions::read(body, context.rewrites, findings).map(Work::Test),
    };
    Some(Block { position: *key_position, roles, timeout, timeouts, os, work: work.unwrap_or(Work::Broken) })
}

fn roles(body: &Mapping, context: &Context, findings: &mut Findings) -> Vec<String> {
    let Some(node) = findings.ok(body.require("role")) else { return Vec::new() };
    let names = texts(node, findings);
    if matches!(node.kind(), Kind::Sequence(items) if items.is_empty()) {
        findings.error(node.position(), "'role' names no role");
    }
    for name in &names {
        if !context.roles.contains(&name.as_str()) {
            let text = format!("role '{name}' does not exist{}", suggest(name, context.roles.iter().copied()));
            findings.error(node.position(), text);
        }
    }
    names
}

/// Looks at the keys of a block: those of every block, and `known` and `unsupported` of its kind.
pub fn check_keys(
    of: &'static str,
    body: &Mapping,
    known: &[&'static str],
    unsupported: &[&'static str],
    findings: &mut Findings,
) {
    let known = [&["os", "role", "timeout", "timeouts"], known].concat();
    let unsupported = [UNSUPPORTED.as_slice(), unsupported].concat();
    Keys { of, known: &known, unsupported: &unsupported }.check(body, findings);
}
