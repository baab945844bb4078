//! Test blocks, of one of three kinds: definitions for a shell, scripts for any prompt, monitors of what a board
//! prints by itself.

use crate::definitions::{self, Definition};
use crate::findings::Findings;
use crate::interactive::{self, Script};
use crate::monitors::{self, Monitor};
use crate::read::{Keys, place};
use crate::rewrite::Rewrite;
use mn_yaml::{Mapping, Position};

/// A test block.
#[derive(Clone, Debug, Default)]
pub struct Test {
    /// In the order in which they run.
    pub definitions: Vec<Definition>,
    /// Likewise.
    pub scripts: Vec<Script>,
    /// Likewise.
    pub monitors: Vec<Monitor>,
    /// What follows when its time is up.
    pub on_timeout: OnTimeout,
}

/// What follows when a test's time is up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnTimeout {
    /// The role's end.
    #[default]
    Fail,
    /// The next block.
    Skip,
}

const KINDS: [&str; 3] = ["definitions", "interactive", "monitors"];
const UNSUPPORTED: [&str; 4] = ["connection-namespace", "docker", "namespace", "services"];
const KNOWN: [&str; 8] =
    ["failure_retry", "failure_retry_interval", "name", "protocols", "repeat", "role", "timeout", "timeouts"];

/// Reads a test block.
pub fn read(body: &Mapping, rewrites: &[Rewrite], findings: &mut Findings) -> Option<Test> {
    let known = [KNOWN.as_slice(), &KINDS].concat();
    Keys { of: "a test", known: &known, unsupported: &UNSUPPORTED }.check(body, findings);
    let given: Vec<&str> = KINDS.into_iter().filter(|kind| body.get(kind).is_some()).collect();
    if let [first, second, ..] = given.as_slice() {
        let at = body.entry(second).map_or(body.position(), |entry| entry.key_position);
        findings.error(at, format!("a test has '{first}' or '{second}', not both: make two of it"));
        return None;
    }
    let mut test = Test { on_timeout: on_timeout(body, findings), ..Test::default() };
    match given.first() {
        Some(&"interactive") => test.scripts = interactive::read(body, findings)?,
        Some(&"monitors") => test.monitors = monitors::read(body, findings)?,
        // What this version cannot run is told already.
        None if UNSUPPORTED.iter().any(|key| body.get(key).is_some()) => {}
        _ => test.definitions = definitions::read(body, rewrites, findings)?,
    }
    Some(test)
}

/// The suite of LAVA's own records can be no test's.
pub fn check_reserved(name: &str, at: Position, findings: &mut Findings) {
    if name == "lava" {
        findings.error(at, "name 'lava' is reserved: choose another");
    }
}

fn on_timeout(body: &Mapping, findings: &mut Findings) -> OnTimeout {
    let skip = body.get("timeout").and_then(|node| node.as_map().ok()?.get("skip"));
    match skip.and_then(|node| findings.ok(node.as_bool())) {
        Some(true) => OnTimeout::Skip,
        _ => OnTimeout::Fail,
    }
}

impl Test {
    /// LAVA's name of the action that runs it.
    pub fn action(&self, is_multinode: bool) -> &'static str {
        match (self.scripts.is_empty(), self.monitors.is_empty()) {
            (false, _) => "lava-test-interactive",
            (_, false) => "lava-test-monitor",
            _ if is_multinode => "multinode-test",
            _ => "lava-test-shell",
        }
    }

    /// Its suites and where they stand.
    pub fn suites(&self) -> impl Iterator<Item = (&str, Position)> {
        let definitions = self.definitions.iter().map(|one| (one.name.as_str(), one.position));
        let scripts = self.scripts.iter().map(|one| (one.message.name.as_str(), one.position));
        let monitors = self.monitors.iter().map(|one| (one.message.name.as_str(), one.position));
        definitions.chain(scripts).chain(monitors)
    }

    /// Tells what LAVA does otherwise in a job of several nodes, where nothing is skipped or tried again.
    pub fn tell_multinode(&self, body: &Mapping, findings: &mut Findings) {
        if self.action(true) != "multinode-test" {
            return;
        }
        if self.on_timeout == OnTimeout::Skip {
            let text = "LAVA ends a multinode job at a test's timeout all the same; here the next block runs";
            findings.note(place(body, "timeout"), text);
        }
        for key in ["failure_retry", "repeat"] {
            if let Some(entry) = body.entry(key) {
                let text = format!(
                    "LAVA ignores '{key}' of a multinode test; here the block runs again, and makes its calls again"
                );
                findings.note(entry.key_position, text);
            }
        }
    }
}
