//! Boot blocks: by the board's console and by ssh; of other methods the keys are checked.

mod console;
mod login;
mod transfer;

pub use console::{By, Commands, Console, Until};

use crate::blocks::check_keys;
use crate::findings::Findings;
use crate::read::{Keys, mapping, patterns, place, require_text};
use crate::schema;
use mn_yaml::{Kind, Mapping, Position};

/// A boot block.
#[derive(Clone, Debug)]
pub struct Boot {
    /// What a shell's prompt matches.
    pub prompts: Vec<String>,
    /// Where the prompts stand.
    pub prompts_position: Position,
    /// How the shell is reached.
    pub method: Method,
}

/// How a shell is reached.
#[derive(Clone, Debug)]
pub enum Method {
    /// By the board's own console, from its reset.
    Console(Box<Console>),
    /// By a message with the board's address.
    Ssh {
        /// The message's id.
        host_id: String,
        /// The key of the address in it.
        host_key: String,
        /// Where they stand.
        position: Position,
    },
    /// By a method that this version does not run.
    Other(String),
}

impl Boot {
    /// The method as the job names it.
    pub fn method_name(&self) -> &str {
        match &self.method {
            Method::Console(console) if console.until == Until::Prompt => "bootloader",
            Method::Console(console) => console.by.name(),
            Method::Ssh { .. } => "ssh",
            Method::Other(name) => name,
        }
    }
}

/// Reads a boot block.
pub fn read(body: &Mapping, findings: &mut Findings) -> Option<Boot> {
    let name = require_text(body, "method", findings)?;
    let method = match (By::from_name(&name), name.as_str()) {
        (Some(by), _) => {
            console::read(by, Until::Shell, body, findings).map(|console| Method::Console(Box::new(console)))
        }
        (None, "bootloader") => console::bootloader(body, findings),
        (None, "ssh") => ssh(body, findings),
        (None, other) => {
            let at = place(body, "method");
            schema::tell_method("boot", other, schema::boots(), at, findings);
            schema::check_boot(other, body, findings);
            if let Some(map) = mapping(body, "auto_login", findings) {
                login::read(map, findings);
            }
            Some(Method::Other(other.to_owned()))
        }
    };
    // A board may be only watched, or end at its bootloader.
    let needed = matches!(&method, Some(Method::Ssh { .. }) | None);
    let prompts = if needed || body.get("prompts").is_some() { prompts(body, findings) } else { Vec::new() };
    let prompts_position = body.entry("prompts").map_or(body.position(), |entry| entry.key_position);
    Some(Boot { prompts, prompts_position, method: method? })
}

fn prompts(body: &Mapping, findings: &mut Findings) -> Vec<String> {
    let Some(node) = findings.ok(body.require("prompts")) else { return Vec::new() };
    if matches!(node.kind(), Kind::Sequence(items) if items.is_empty()) {
        findings.error(node.position(), "'prompts' is empty");
    }
    patterns(node, findings)
}

fn ssh(body: &Mapping, findings: &mut Findings) -> Option<Method> {
    let known = ["connection", "method", "parameters", "prompts", "protocols"];
    check_keys("a boot", body, &known, &["auto_login", "transfer_overlay"], findings);
    let node = findings.ok(body.require("parameters"))?;
    let map = findings.ok(node.as_map())?;
    Keys { of: "a boot's parameters", known: &["hostID", "host_key"], unsupported: &[] }.check(map, findings);
    let host_id = require_text(map, "hostID", findings);
    let host_key = require_text(map, "host_key", findings);
    Some(Method::Ssh { host_id: host_id?, host_key: host_key?, position: map.position() })
}
