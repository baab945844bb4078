//! Deploy blocks: `to: tftp`, `to: overlay` and `to: ssh`; of other methods the keys are checked.

use crate::blocks::check_keys;
use crate::findings::Findings;
use crate::read::{Keys, boolean, mapping, place, require_text, text};
use crate::rewrite::{Rewrite, rewritten};
use crate::schema;
use crate::suggest::suggest;
use mn_msg::role::Resource;
use mn_yaml::{Mapping, Position};

/// The resources of `to: tftp`, in the order in which LAVA fetches them.
const RESOURCES: [&str; 5] = ["ramdisk", "kernel", "dtb", "nfsrootfs", "modules"];

/// The step of `to: ssh` at which the call is made that brings the board's address.
pub const CALLER: &str = "prepare-scp-overlay";

/// A deploy block.
#[derive(Clone, Debug)]
pub struct Deploy {
    /// The method as the job names it.
    pub to: String,
    /// Whether the group's key is let in.
    pub authorize: bool,
    /// The system on the board.
    pub os: Option<String>,
    /// What is fetched.
    pub resources: Vec<Resource>,
}

/// Reads a deploy block.
pub fn read(body: &Mapping, rewrites: &[Rewrite], findings: &mut Findings) -> Option<Deploy> {
    let to = require_text(body, "to", findings)?;
    let authorize = text(body, "authorize", findings);
    if let Some(other) = authorize.as_deref().filter(|method| *method != "ssh") {
        let at = place(body, "authorize");
        findings.error(at, format!("authorize '{other}' is not 'ssh'"));
    }
    let resources = match to.as_str() {
        "tftp" => tftp(body, rewrites, findings),
        "ssh" => {
            let known = ["to", "authorize", "connection", "os", "overlay_backend", "protocols"];
            check_keys("a deploy to ssh", body, &known, &["firmware", "kernel", "modules", "rootfs"], findings);
            Vec::new()
        }
        "overlay" => {
            let known = ["to", "authorize", "connection", "os", "overlay_backend", "protocols"];
            check_keys("a deploy to overlay", body, &known, &[], findings);
            Vec::new()
        }
        other => {
            // The boot tells of it.
            if !schema::is_for_qemu(other) {
                schema::tell_method("deploy", other, schema::deploys(), place(body, "to"), findings);
            }
            schema::check_deploy(other, body, findings);
            Vec::new()
        }
    };
    Some(Deploy { authorize: authorize.is_some(), os: text(body, "os", findings), to, resources })
}

fn tftp(body: &Mapping, rewrites: &[Rewrite], findings: &mut Findings) -> Vec<Resource> {
    let known =
        [&["to", "authorize", "connection", "os", "overlay_backend", "protocols"], RESOURCES.as_slice()].concat();
    let unsupported = ["dtbo", "extra_files", "persistent_nfs", "preseed", "tee"];
    check_keys("a deploy to tftp", body, &known, &unsupported, findings);
    if let (Some(_), Some(entry)) = (body.get("nfsrootfs"), body.entry("persistent_nfs")) {
        findings.error(entry.key_position, "'persistent_nfs' and 'nfsrootfs' exclude each other: remove one");
    }
    let mut resources = Vec::new();
    for name in RESOURCES {
        if let Some(map) = mapping(body, name, findings) {
            resources.extend(resource(name, map, rewrites, findings));
        }
    }
    resources
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
        uimage: None,
        append_dtb: None,
    })
}

/// An address must name a file: its last part is the name on the worker.
fn check_url(url: &str, at: Position, findings: &mut Findings) {
    match url.split_once("://") {
        None => findings.error(at, format!("url '{url}' has no scheme, as in http://")),
        Some((scheme, _)) if ["scp", "rclone", "downloads"].contains(&scheme) => {
            findings.unsupported(at, format_args!("scheme '{scheme}' of '{url}'"));
        }
        Some((scheme, _)) if !["http", "https", "file"].contains(&scheme) => {
            let hint = suggest(scheme, ["http", "https", "file", "scp", "rclone", "downloads"]);
            findings.error(at, format!("unknown scheme '{scheme}' of '{url}'{hint}"));
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
