//! The scripts of `bin/`: what a test calls on the board.

use mn_msg::role::{Device, Facts};
use mn_yaml::python_str;
use serde_json::Value;

use crate::layout::Place;
use crate::shell::quote;

/// Every script and its source, in the order of an archive.
const SOURCES: &[(&str, &str)] = &[
    ("lava-add-keys", include_str!("../device/lava-add-keys")),
    ("lava-add-sources", include_str!("../device/lava-add-sources")),
    ("lava-background-process-start", include_str!("../device/lava-background-process-start")),
    ("lava-background-process-stop", include_str!("../device/lava-background-process-stop")),
    ("lava-common-functions", include_str!("../device/lava-common-functions")),
    ("lava-echo-config", include_str!("../device/lava-echo-config")),
    ("lava-echo-ipv4", include_str!("../device/lava-echo-ipv4")),
    ("lava-group", include_str!("../device/lava-group")),
    ("lava-install-packages", include_str!("../device/lava-install-packages")),
    ("lava-installed-packages", include_str!("../device/lava-installed-packages")),
    ("lava-multi-node.lib", include_str!("../device/lava-multi-node.lib")),
    ("lava-os-build", include_str!("../device/lava-os-build")),
    ("lava-packages.lib", include_str!("../device/lava-packages.lib")),
    ("lava-probe-channel", include_str!("../device/lava-probe-channel")),
    ("lava-probe-ip", include_str!("../device/lava-probe-ip")),
    ("lava-role", include_str!("../device/lava-role")),
    ("lava-self", include_str!("../device/lava-self")),
    ("lava-send", include_str!("../device/lava-send")),
    ("lava-sync", include_str!("../device/lava-sync")),
    ("lava-target-ip", include_str!("../device/lava-target-ip")),
    ("lava-target-mac", include_str!("../device/lava-target-mac")),
    ("lava-target-storage", include_str!("../device/lava-target-storage")),
    ("lava-test-case", include_str!("../device/lava-test-case")),
    ("lava-test-event", include_str!("../device/lava-test-event")),
    ("lava-test-feedback", include_str!("../device/lava-test-feedback")),
    ("lava-test-journal", include_str!("../device/lava-test-journal")),
    ("lava-test-raise", include_str!("../device/lava-test-raise")),
    ("lava-test-reference", include_str!("../device/lava-test-reference")),
    ("lava-test-runner", include_str!("../device/lava-test-runner")),
    ("lava-test-set", include_str!("../device/lava-test-set")),
    ("lava-test-shell", include_str!("../device/lava-test-shell")),
    ("lava-test-signal", include_str!("../device/lava-test-signal")),
    ("lava-wait", include_str!("../device/lava-wait")),
    ("lava-wait-all", include_str!("../device/lava-wait-all")),
];

/// How every source begins; an archive's script begins with the board's own shell.
const FIRST_LINE: &str = "#!/bin/sh\n";

/// Names and texts of all scripts for one member: the interpreter, the facts that the script
/// needs as variables, the source.
pub fn helpers(place: &Place, facts: &Facts, os: &str) -> impl Iterator<Item = (&'static str, String)> {
    SOURCES.iter().map(move |&(name, source)| {
        let mut text = format!("#!{}\n", place.shell);
        for (index, (variable, value)) in variables(name, place, facts, os).into_iter().enumerate() {
            text += if index == 0 { "\n" } else { "" };
            text += &format!("{variable}={}\n", quote(&value));
        }
        text += source.strip_prefix(FIRST_LINE).unwrap_or(source);
        (name, text)
    })
}

/// The variables of a script, with LAVA's names where LAVA has them.
fn variables(script: &str, place: &Place, facts: &Facts, os: &str) -> Vec<(&'static str, String)> {
    let of_device = |fact: fn(&Device) -> &Option<String>| {
        facts.device.as_ref().and_then(|device| fact(device).clone()).unwrap_or_default()
    };
    match script {
        "lava-group" => vec![("LAVA_GROUP", group(facts))],
        "lava-role" => vec![("TARGET_ROLE", facts.role.clone())],
        "lava-self" => vec![("LAVA_HOSTNAME", facts.job_id.clone())],
        "lava-target-ip" => vec![("TARGET_DEVICE_IP", of_device(|device| &device.target_ip))],
        "lava-target-mac" => vec![("TARGET_DEVICE_MAC", of_device(|device| &device.target_mac))],
        "lava-target-storage" => vec![("LAVA_STORAGE", storage(facts))],
        "lava-probe-ip" => vec![("PROBE_DEVICE_IP", probe(facts, "probe_ip"))],
        "lava-probe-channel" => vec![("PROBE_DEVICE_CHANNEL", probe(facts, "probe_channel"))],
        "lava-common-functions" => vec![("LAVA_OVERLAY", place.directory.clone())],
        "lava-multi-node.lib" => vec![
            ("LAVA_TEST_BIN", format!("{}/bin", place.directory)),
            ("LAVA_MULTI_NODE_CACHE", "/tmp/lava_multi_node_cache.txt".to_owned()),
        ],
        "lava-packages.lib" => vec![("LAVA_OS", os.to_owned())],
        _ => Vec::new(),
    }
}

/// A line "METHOD<tab>DEVICE" for each of the board's storage.
fn storage(facts: &Facts) -> String {
    let infos = facts.device.as_ref().and_then(|device| device.storage_info.as_ref()?.as_array());
    let entries = infos.into_iter().flatten().filter_map(Value::as_object).flatten();
    entries.map(|(method, device)| format!("{method}\t{}", python_str(device))).collect::<Vec<_>>().join("\n")
}

/// A fact of the first entry that has a probe and its channel.
fn probe(facts: &Facts, fact: &str) -> String {
    let infos = facts.device.as_ref().and_then(|device| device.static_info.as_ref()?.as_array());
    let mut entries = infos.into_iter().flatten();
    let entry = entries.find(|entry| entry.get("probe_ip").is_some() && entry.get("probe_channel").is_some());
    entry.and_then(|entry| entry.get(fact)).map(python_str).unwrap_or_default()
}

/// All members, those on another member's board too, a line each; but nobody who only looks on.
fn group(facts: &Facts) -> String {
    let members = facts.group.members.iter().filter(|member| member.counted);
    members.map(|member| format!("{}\t{}", member.job_id, member.role)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::{FIRST_LINE, SOURCES};

    #[test]
    fn every_source_begins_with_the_line_that_is_replaced() {
        for (name, source) in SOURCES {
            assert!(source.starts_with(&format!("{FIRST_LINE}\n")), "{name}");
        }
    }

    #[test]
    fn the_list_is_sorted_and_whole() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/device");
        let mut files: Vec<_> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        assert_eq!(SOURCES.iter().map(|(name, _)| *name).collect::<Vec<_>>(), files);
    }
}
