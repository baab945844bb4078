//! The scripts of `bin/`: what a test calls on the board.

use mn_msg::role::Facts;

use crate::layout::Place;
use crate::shell::quote;

/// Every script and its source, in the order of an archive.
const SOURCES: &[(&str, &str)] = &[
    ("lava-add-keys", include_str!("../device/lava-add-keys")),
    ("lava-add-sources", include_str!("../device/lava-add-sources")),
    ("lava-common-functions", include_str!("../device/lava-common-functions")),
    ("lava-echo-ipv4", include_str!("../device/lava-echo-ipv4")),
    ("lava-group", include_str!("../device/lava-group")),
    ("lava-install-packages", include_str!("../device/lava-install-packages")),
    ("lava-multi-node.lib", include_str!("../device/lava-multi-node.lib")),
    ("lava-os-build", include_str!("../device/lava-os-build")),
    ("lava-role", include_str!("../device/lava-role")),
    ("lava-self", include_str!("../device/lava-self")),
    ("lava-send", include_str!("../device/lava-send")),
    ("lava-sync", include_str!("../device/lava-sync")),
    ("lava-target-ip", include_str!("../device/lava-target-ip")),
    ("lava-target-mac", include_str!("../device/lava-target-mac")),
    ("lava-test-case", include_str!("../device/lava-test-case")),
    ("lava-test-event", include_str!("../device/lava-test-event")),
    ("lava-test-feedback", include_str!("../device/lava-test-feedback")),
    ("lava-test-raise", include_str!("../device/lava-test-raise")),
    ("lava-test-reference", include_str!("../device/lava-test-reference")),
    ("lava-test-runner", include_str!("../device/lava-test-runner")),
    ("lava-test-set", include_str!("../device/lava-test-set")),
    ("lava-test-shell", include_str!("../device/lava-test-shell")),
    ("lava-wait", include_str!("../device/lava-wait")),
    ("lava-wait-all", include_str!("../device/lava-wait-all")),
];

/// How every source begins; an archive's script begins with the board's own shell.
const FIRST_LINE: &str = "#!/bin/sh\n";

/// Names and texts of all scripts for one member: the interpreter, the facts that the script
/// needs as variables, the source.
pub fn helpers(place: &Place, facts: &Facts) -> impl Iterator<Item = (&'static str, String)> {
    SOURCES.iter().map(move |&(name, source)| {
        let mut text = format!("#!{}\n", place.shell);
        for (index, (variable, value)) in variables(name, place, facts).into_iter().enumerate() {
            text += if index == 0 { "\n" } else { "" };
            text += &format!("{variable}={}\n", quote(&value));
        }
        text += source.strip_prefix(FIRST_LINE).unwrap_or(source);
        (name, text)
    })
}

/// The variables of a script, with LAVA's names.
fn variables(script: &str, place: &Place, facts: &Facts) -> Vec<(&'static str, String)> {
    let of_device = |fact: fn(&mn_msg::role::Device) -> &Option<String>| {
        facts.device.as_ref().and_then(|device| fact(device).clone()).unwrap_or_default()
    };
    match script {
        "lava-group" => vec![("LAVA_GROUP", group(facts))],
        "lava-role" => vec![("TARGET_ROLE", facts.role.clone())],
        "lava-self" => vec![("LAVA_HOSTNAME", facts.job_id.clone())],
        "lava-target-ip" => vec![("TARGET_DEVICE_IP", of_device(|device| &device.target_ip))],
        "lava-target-mac" => vec![("TARGET_DEVICE_MAC", of_device(|device| &device.target_mac))],
        "lava-multi-node.lib" => vec![
            ("LAVA_TEST_BIN", format!("{}/bin", place.directory)),
            ("LAVA_MULTI_NODE_CACHE", "/tmp/lava_multi_node_cache.txt".to_owned()),
        ],
        _ => Vec::new(),
    }
}

/// All members, those on another member's board too, a line each.
fn group(facts: &Facts) -> String {
    let lines: Vec<_> =
        facts.group.members.iter().map(|member| format!("{}\t{}", member.job_id, member.role)).collect();
    lines.join("\n")
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
