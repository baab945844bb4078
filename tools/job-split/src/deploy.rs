//! Deploy blocks: `to: tftp` and `to: ssh`.

use crate::blocks::check_keys;
use crate::findings::Findings;
use crate::read::{Keys, boolean, mapping, object, place, require_text, text};
use crate::rewrite::{Rewrite, rewritten};
use crate::suggest::{aside, suggest};
use crate::timeouts;
use mn_msg::role::{BoundCall, Resource};
use mn_yaml::{Kind, Mapping, Node, Position};

/// The resources of `to: tftp`, in the order in which LAVA fetches them.
const RESOURCES: [&str; 5] = ["ramdisk", "kernel", "dtb", "nfsrootfs", "modules"];

/// The step of `to: ssh` at which the call is made that brings the board's address.
const CALLER: &str = "prepare-scp-overlay";

/// A deploy block.
#[derive(Clone, Debug)]
pub enum Deploy {
    /// For a board that boots over the network.
    Tftp {
        /// What is fetched.
        resources: Vec<Resource>,
        /// Whether the group's key is let in.
        authorize: bool,
    },
    /// For a secondary connection.
    Ssh {
        /// The call that brings the address, and where it stands.
        call: BoundCall,
        /// For findings about it.
        position: Position,
    },
}

impl Deploy {
    /// The method as the job names it.
    pub fn method(&self) -> &'static str {
        match self {
            Deploy::Tftp { .. } => "tftp",
            Deploy::Ssh { .. } => "ssh",
        }
    }
}

/// Reads a deploy block.
pub fn read(body: &Mapping, rewrites: &[Rewrite], findings: &mut Findings) -> Option<Deploy> {
    let to = require_text(body, "to", findings)?;
    match to.as_str() {
        "tftp" => tftp(body, rewrites, findings),
        "ssh" => ssh(body, findings),
        other => {
            let at = place(body, "to");
            findings.unsupported(at, format_args!("deploy method '{other}'{}", aside(other, ["tftp", "ssh"])));
            None
        }
    }
}

fn tftp(body: &Mapping, rewrites: &[Rewrite], findings: &mut Findings) -> Option<Deploy> {
    let known = [&["to", "authorize", "connection"], RESOURCES.as_slice()].concat();
    let unsupported = ["dtbo", "extra_files", "persistent_nfs", "preseed", "protocols", "tee"];
    check_keys("a deploy to tftp", body, &known, &unsupported, findings);
    let authorize = text(body, "authorize", findings);
    if let Some(other) = authorize.as_deref().filter(|method| *method != "ssh") {
        let at = place(body, "authorize");
        findings.error(at, format!("authorize '{other}' is not 'ssh'"));
    }
    let mut resources = Vec::new();
    for name in RESOURCES {
        if let Some(map) = mapping(body, name, findings) {
            resources.extend(resource(name, map, rewrites, findings));
        }
    }
    Some(Deploy::Tftp { resources, authorize: authorize.is_some() })
}

fn resource(name: &str, map: &Mapping, rewrites: &[Rewrite], findings: &mut Findings) -> Option<Resource> {
    let mut known = vec!["url", "compression", "md5sum", "sha256sum", "sha512sum", "use_cache"];
    known.extend(match name {
        "kernel" => ["type"].as_slice(),
        "ramdisk" => &["install_modules", "install_overlay"],
        "nfsrootfs" => &["install_modules", "install_overlay", "prefix"],
        _ => &[],
    });
    let unsupported = ["archive", "format", "header", "headers", "overlays", "partition", "sparse"];
    Keys { of: &format!("the {name}"), known: &known, unsupported: &unsupported }.check(map, findings);
    let url = rewritten(&require_text(map, "url", findings)?, rewrites);
    let at = place(map, "url");
    check_url(&url, at, findings);
    Some(Resource {
        name: name.to_owned(),
        url,
        compression: one_of(map, "compression", &["gz", "xz", "bz2", "zstd", "zip"], findings),
        kernel_type: one_of(map, "type", &["image", "uimage", "zimage"], findings),
        sha256sum: digest(map, "sha256sum", 64, findings),
        sha512sum: digest(map, "sha512sum", 128, findings),
        md5sum: digest(map, "md5sum", 32, findings),
        install_modules: boolean(map, "install_modules", findings),
        install_overlay: boolean(map, "install_overlay", findings),
        prefix: prefix(map, findings),
    })
}

/// An address must name a file: its last part is the name on the worker.
fn check_url(url: &str, at: Position, findings: &mut Findings) {
    match url.split_once("://") {
        None => findings.error(at, format!("url '{url}' has no scheme, as in http://")),
        Some((scheme, _)) if !["http", "https", "file"].contains(&scheme) => {
            findings.unsupported(at, format_args!("scheme '{scheme}' of '{url}'"));
        }
        Some((_, rest)) if rest.ends_with('/') || !rest.contains('/') => {
            findings.error(at, format!("url '{url}' names no file"));
        }
        Some(_) => {}
    }
}

/// A word of a fixed set; null counts as missing.
/// A word out of a few.
pub fn one_of(map: &Mapping, key: &str, words: &[&str], findings: &mut Findings) -> Option<String> {
    let word = text(map, key, findings)?;
    if !words.contains(&word.as_str()) {
        let at = place(map, key);
        let text =
            format!("{key} '{word}' is not one of {}{}", words.join(", "), suggest(&word, words.iter().copied()));
        findings.error(at, text);
    }
    Some(word)
}

/// A digest of so many hexadecimal digits.
pub fn digest(map: &Mapping, key: &str, digits: usize, findings: &mut Findings) -> Option<String> {
    let digest = text(map, key, findings)?;
    if digest.len() != digits || !digest.bytes().all(|b| b.is_ascii_hexdigit()) {
        let at = place(map, key);
        findings.error(at, format!("'{key}' is not {digits} hexadecimal digits"));
    }
    Some(digest)
}

fn prefix(map: &Mapping, findings: &mut Findings) -> Option<String> {
    let prefix = text(map, "prefix", findings)?;
    if prefix.starts_with('/') || !prefix.ends_with('/') || prefix.split('/').any(|part| part == "..") {
        let at = place(map, "prefix");
        findings.error(at, format!("prefix '{prefix}' must be relative and end in a slash"));
    }
    Some(prefix)
}

fn ssh(body: &Mapping, findings: &mut Findings) -> Option<Deploy> {
    let known = ["to", "authorize", "connection", "protocols"];
    check_keys("a deploy to ssh", body, &known, &["firmware", "kernel", "modules", "rootfs"], findings);
    let Some(protocols) = mapping(body, "protocols", findings) else {
        findings
            .unsupported(body.position(), "a deploy to ssh without a 'lava-multinode' call that brings the address");
        return None;
    };
    Keys { of: "a block's protocols", known: &["lava-multinode"], unsupported: &[] }.check(protocols, findings);
    let node = findings.ok(protocols.require("lava-multinode"))?;
    if matches!(node.kind(), Kind::Mapping(_)) {
        findings.error(node.position(), "calls are a list: begin this one with '- '");
        return None;
    }
    let items = findings.ok(node.as_list())?;
    let mut calls: Vec<_> = items.iter().filter_map(|item| call(item, findings)).collect();
    if calls.len() != 1 && calls.len() == items.len() {
        findings.error(
            node.position(),
            format!("a deploy to ssh has one call of action '{CALLER}', here are {}", calls.len()),
        );
    }
    let (call, position) = calls.pop()?;
    Some(Deploy::Ssh { call, position })
}

fn call(item: &Node, findings: &mut Findings) -> Option<(BoundCall, Position)> {
    let map = findings.ok(item.as_map())?;
    let known = ["action", "request", "messageID", "message", "timeout"];
    Keys { of: "a call", known: &known, unsupported: &["poll_delay", "role"] }.check(map, findings);
    let action = require_text(map, "action", findings);
    let request = require_text(map, "request", findings);
    let message_id = require_text(map, "messageID", findings);
    let timeout = match map.get("timeout") {
        Some(node) => call_timeout(node, findings),
        None => Some(timeouts::BUILT_IN),
    };
    let at = |key: &str| place(map, key);
    if let Some(action) = action.as_deref().filter(|action| *action != CALLER) {
        let hint = aside(action, [CALLER]);
        findings.unsupported(at("action"), format_args!("a call of action '{action}'{hint}"));
    }
    if let Some(request) = request.as_deref().filter(|request| request.replace('_', "-") != "lava-wait") {
        let hint = aside(request, ["lava-wait"]);
        findings.unsupported(at("request"), format_args!("request '{request}' in a deploy{hint}"));
    }
    findings.ok(map.require("message"))?;
    let data = object(map, "message", findings)?;
    let marked = |value: &serde_json::Value| value.as_str().is_some_and(|text| text.starts_with('$'));
    if !data.values().any(marked) {
        findings.error(at("message"), "nothing is picked up: give the key of the address a value that begins with '$'");
    }
    let call =
        BoundCall { action: action?, request: "wait".to_owned(), message_id: message_id?, data, timeout: timeout? };
    Some((call, map.position()))
}

/// A call's timeout may also be a plain number of seconds.
fn call_timeout(node: &Node, findings: &mut Findings) -> Option<u64> {
    match node.as_int() {
        Ok(seconds @ 1..=1_000_000_000) => u64::try_from(seconds).ok(),
        _ => timeouts::read(node, findings),
    }
}
