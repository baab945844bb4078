//! The roles of a group, and what makes them invalid.

use crate::context;
use crate::findings::Findings;
use crate::read::{Keys, mapping, object, place, require_text, text};
use crate::suggest::suggest;
use crate::timeouts;
use mn_msg::Object;
use mn_yaml::{Entry, Mapping, Position};

/// The most members of a group.
const MAX_MEMBERS: i64 = 1024;

const KEYS: Keys = Keys {
    of: "a role",
    known: &[
        "connection",
        "context",
        "count",
        "device",
        "device_type",
        "environment",
        "essential",
        "expect_role",
        "host_role",
        "request",
        "tags",
        "timeout",
        "worker",
    ],
    unsupported: &[],
};

/// The connection of a role that records another's console.
const CONSOLE: &str = "console";

/// Of a job without `protocols: lava-multinode`: the name that its one member's role gets.
pub const ONLY: &str = "host";

/// A role: what its members have in common.
#[derive(Clone, Debug)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub position: Position,
    /// How many members it has.
    pub count: u32,
    /// What they run on.
    pub kind: Kind,
    /// The role whose `lava_start` they wait for.
    pub start: Option<String>,
    /// The role's timeout, or the group's, in seconds.
    pub timeout: Option<u64>,
    /// Names and values for the test shell.
    pub environment: Option<Object>,
    /// Values for the templates of dictionaries, and constants of the job's own.
    pub context: Option<Object>,
    /// Whether the group ends when a member fails.
    pub essential: bool,
    /// What of it this version cannot run.
    pub unsupported: Vec<String>,
    /// The role as it stands.
    pub body: Option<Mapping>,
}

#[cfg(test)]
impl Role {
    /// A role of which only the members matter.
    pub fn bare(name: &str, count: u32, kind: Kind) -> Self {
        Self {
            name: name.to_owned(),
            position: Position::START,
            count,
            kind,
            start: None,
            timeout: None,
            environment: None,
            context: None,
            essential: false,
            unsupported: Vec::new(),
            body: None,
        }
    }
}

/// What a role's members run on.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Boards of this device type.
    Device(String),
    /// The board of this role's one member, by ssh.
    Connection(String),
    /// The console of this role's one member, to be recorded; LAVA has no such roles.
    Console(String),
}

impl Kind {
    /// Whether the group waits for its members.
    pub fn is_counted(&self) -> bool {
        !matches!(self, Kind::Console(_))
    }
}

/// Reads `protocols.lava-multinode`.
pub fn read(multinode: &Mapping, findings: &mut Findings) -> Vec<Role> {
    Keys { of: "'lava-multinode'", known: &["roles", "timeout"], unsupported: &[] }.check(multinode, findings);
    let Some(map) = findings.ok(multinode.require("roles")).and_then(|node| findings.ok(node.as_map())) else {
        return Vec::new();
    };
    let group = multinode.get("timeout").and_then(|node| timeouts::read(node, findings));
    let mut roles = Vec::new();
    for entry in map.entries() {
        roles.extend(role(entry, group, findings));
    }
    check_others(map, findings);
    if roles.iter().map(|role| i64::from(role.count)).sum::<i64>() > MAX_MEMBERS {
        findings.error(map.position(), format!("a group has at most {MAX_MEMBERS} members"));
    }
    roles
}

fn role(entry: &Entry, group: Option<u64>, findings: &mut Findings) -> Option<Role> {
    let (name, position) = (entry.key.clone(), entry.key_position);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) {
        let text = format!("role '{name}' is not 1 to 64 letters, digits, dots, hyphens and underscores");
        findings.error(position, text);
    }
    let map = findings.ok(entry.value.as_map())?;
    findings.take_unsupported();
    KEYS.check(map, findings);
    ignored(map, findings);
    let essential = map.get("essential").and_then(|node| findings.ok(node.as_bool())) == Some(true);
    let count = count(map, findings)?;
    let kind = kind(map, findings)?;
    let own = map.get("timeout").and_then(|node| timeouts::read(node, findings));
    Some(Role {
        start: start(map, &name, findings).filter(|_| kind.is_counted()),
        timeout: group.or(own),
        environment: object(map, "environment", findings),
        context: context::read(map, findings),
        unsupported: findings.take_unsupported(),
        body: Some(map.clone()),
        name,
        position,
        count,
        kind,
        essential,
    })
}

/// The one role of a job for one board.
pub fn single(job: &Mapping, findings: &mut Findings) -> Option<Role> {
    let device_type = require_text(job, "device_type", findings)?;
    ignored(job, findings);
    Some(Role {
        name: ONLY.to_owned(),
        position: place(job, "device_type"),
        count: 1,
        kind: Kind::Device(device_type),
        start: None,
        timeout: None,
        environment: object(job, "environment", findings),
        context: context::read(job, findings),
        essential: false,
        unsupported: Vec::new(),
        body: None,
    })
}

/// There is no scheduler that could choose a board or a machine.
fn ignored(map: &Mapping, findings: &mut Findings) {
    for key in ["device", "tags", "worker"] {
        if let Some(entry) = map.entry(key) {
            let text = format!("'{key}' is ignored: boards are chosen by --device");
            findings.warn(entry.key_position, text);
        }
    }
}

fn count(map: &Mapping, findings: &mut Findings) -> Option<u32> {
    let node = findings.ok(map.require("count"))?;
    let count = findings.ok(node.as_int())?;
    if !(0..=MAX_MEMBERS).contains(&count) {
        findings.error(node.position(), format!("count {count} is not 0 to {MAX_MEMBERS}"));
        return None;
    }
    if let Some(device) = map.get("device")
        && count != 1
    {
        findings.error(device.position(), format!("'device' names one board, and count is {count}"));
    }
    u32::try_from(count).ok()
}

fn kind(map: &Mapping, findings: &mut Findings) -> Option<Kind> {
    let (device, connection) = (map.entry("device_type"), map.entry("connection"));
    match (device, connection) {
        (Some(_), Some(connection)) => {
            findings.error(connection.key_position, "a role has a device_type or a connection, not both: remove one");
            None
        }
        (None, None) => {
            findings.error(map.position(), "a role needs a device_type or a connection");
            None
        }
        (Some(_), None) => require_text(map, "device_type", findings).map(Kind::Device),
        (None, Some(entry)) => {
            let kind = require_text(map, "connection", findings)?;
            if !["ssh", CONSOLE].contains(&&*kind) {
                findings.unsupported(entry.value.position(), format_args!("connection '{kind}'"));
            }
            for key in ["device", "worker"] {
                if let Some(entry) = map.entry(key) {
                    findings.error(
                        entry.key_position,
                        format!("'{key}' of a connection role: it runs on its host's board"),
                    );
                }
            }
            let of = if kind == CONSOLE { Kind::Console } else { Kind::Connection };
            require_text(map, "host_role", findings).map(of)
        }
    }
}

fn start(map: &Mapping, own: &str, findings: &mut Findings) -> Option<String> {
    let request = text(map, "request", findings);
    let expected = map.get("expect_role");
    let at = place(map, "request");
    match request.as_deref() {
        Some("lava-start") => {
            let expected = expected.and_then(|node| findings.ok(node.as_str()));
            if expected.is_none() {
                findings.error(at, "'request: lava-start' needs the expect_role whose lava_start is awaited");
            }
            if expected == Some(own) {
                findings.error(
                    at,
                    format!("role '{own}' waits for its own lava_start: expect_role must name another role"),
                );
            }
            expected.map(str::to_owned)
        }
        Some(other) => {
            let text = format!("request '{other}' has no effect{}", suggest(other, ["lava-start"]));
            findings.warn(at, text);
            None
        }
        None => None,
    }
}

/// The rules about roles that name each other.
fn check_others(map: &Mapping, findings: &mut Findings) {
    for entry in map.entries() {
        let Ok(role) = entry.value.as_map() else { continue };
        for (key, other) in [("host_role", "expect_role"), ("expect_role", "host_role")] {
            let Some(named) = role.entry(key) else { continue };
            if role.get(other).is_none() && !records(role) {
                findings.error(named.key_position, format!("'{key}' without '{other}': give both"));
            }
            let Some(name) = findings.ok(named.value.as_str()) else { continue };
            if map.get(name).is_none() {
                let known = map.entries().iter().map(|entry| entry.key.as_str());
                findings.error(named.value.position(), format!("role '{name}' does not exist{}", suggest(name, known)));
            }
        }
        check_host(map, role, findings);
    }
}

/// Whether a role records another's console: from its first byte, so that it waits for no start.
fn records(role: &Mapping) -> bool {
    role.get("connection").is_some_and(|node| node.as_str() == Ok(CONSOLE))
}

/// A board is one board: the role that hosts connections has one member, and that on a device.
fn check_host(map: &Mapping, role: &Mapping, findings: &mut Findings) {
    let Some(named) = role.get("host_role") else { return };
    let Some(host) = named.as_str().ok().and_then(|name| mapping_quietly(map, name)) else { return };
    if let Some(count) = host.get("count").and_then(|node| node.as_int().ok())
        && count != 1
    {
        let text = format!("a host_role has one member: count is {count}");
        findings.error(place(host, "count"), text);
    }
    if records(role) {
        if records(host) {
            findings.error(named.position(), "the host_role of a console is a role that has one of its own");
        }
    } else if host.get("device_type").is_none() {
        findings.error(named.position(), "a host_role is a role with a device_type");
    }
}

fn mapping_quietly<'a>(map: &'a Mapping, name: &str) -> Option<&'a Mapping> {
    map.get(name)?.as_map().ok()
}

/// The mapping `protocols.lava-multinode` of a job, if it has one.
pub fn multinode<'a>(job: &'a Mapping, findings: &mut Findings) -> Option<&'a Mapping> {
    let protocols = mapping(job, "protocols", findings)?;
    let keys = Keys { of: "the protocols", known: &["lava-multinode"], unsupported: &["lava-xnbd", "lava-lxc"] };
    keys.check(protocols, findings);
    protocols.get("lava-multinode").and_then(|node| findings.ok(node.as_map()))
}
