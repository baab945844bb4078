//! How long anything may take: what the job and the dictionary say, and what results.

use crate::boot::By;
use crate::findings::Findings;
use crate::read::{Keys, mapping};
use crate::suggest::suggest;
use mn_yaml::{Mapping, Node};
use std::collections::BTreeMap;

/// The timeout of what nobody gave one, in seconds.
pub const BUILT_IN: u64 = 30;

/// The longest timeout, in seconds: about thirty years, so that sums and clocks are safe.
const MOST: f64 = 1e9;

const UNITS: [(&str, f64); 4] = [("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0)];

/// Timeouts by the name of their action, in seconds.
pub type Named = Vec<(String, u64)>;

/// The job's own timeouts, in seconds.
#[derive(Clone, Debug, Default)]
pub struct JobTimeouts {
    /// All actions together.
    pub job: u64,
    /// Any action that has no other.
    pub action: Option<u64>,
    /// Actions by their name.
    pub actions: Named,
    /// A wait that has no other limit.
    pub connection: Option<u64>,
    /// Such waits by the name of their action.
    pub connections: Named,
}

/// What decides about the actions of one block, from weak to strong.
pub struct Scope<'a> {
    /// The job's.
    pub job: &'a JobTimeouts,
    /// The dictionary's, by name.
    pub device: &'a Named,
    /// The block's own.
    pub block: Option<u64>,
    /// The block's, by name.
    pub named: &'a Named,
    /// How often a step that is tried again is tried in all.
    pub attempts: u64,
}

/// The actions of the blocks that this version runs, by LAVA's names; the first is the block itself.
pub const TFTP: [&str; 25] = [
    "tftp-deploy",
    "lava-overlay",
    "ssh-authorize",
    "lava-multinode-overlay",
    "test-definition",
    "git-repo-action",
    "inline-repo-action",
    "url-repo-action",
    "test-overlay",
    "test-install-overlay",
    "test-runscript-overlay",
    "compress-overlay",
    "download-retry",
    "http-download",
    "file-download",
    "prepare-tftp-overlay",
    "extract-nfsrootfs",
    "parse-persistent-nfs",
    "extract-overlay-ramdisk",
    "extract-modules",
    "apply-overlay-tftp",
    "prepare-kernel",
    "configure-preseed-file",
    "compress-ramdisk",
    "deploy-device-env",
];

/// Likewise.
pub const SCP: [&str; 15] = [
    "scp-overlay",
    "lava-overlay",
    "lava-multinode-overlay",
    "test-definition",
    "git-repo-action",
    "inline-repo-action",
    "url-repo-action",
    "test-overlay",
    "test-install-overlay",
    "test-runscript-overlay",
    "compress-overlay",
    "prepare-scp-overlay",
    "extract-rootfs",
    "extract-modules",
    "deploy-device-env",
];

/// Likewise.
const GRUB: [&str; 13] = [
    "grub-main-action",
    "bootloader-overlay",
    "connect-device",
    "reset-device",
    "pdu-reboot",
    "uefi-menu-interrupt",
    "grub-efi-menu-selector",
    "bootloader-interrupt",
    "bootloader-commands",
    "auto-login-action",
    "login-action",
    "expect-shell-connection",
    "export-device-env",
];

/// Likewise, of U-Boot; those of barebox and iPXE differ in the first two.
const UBOOT: [&str; 12] = [
    "uboot-action",
    "uboot-commands",
    "bootloader-overlay",
    "connect-device",
    "reset-device",
    "pdu-reboot",
    "bootloader-interrupt",
    "bootloader-commands",
    "auto-login-action",
    "login-action",
    "expect-shell-connection",
    "export-device-env",
];

/// Likewise.
const BAREBOX: [&str; 12] = {
    let mut names = UBOOT;
    (names[0], names[1]) = ("barebox-action", "barebox-retry");
    names
};

/// Likewise.
const IPXE: [&str; 12] = {
    let mut names = UBOOT;
    (names[0], names[1]) = ("bootloader-action", "bootloader-retry");
    names
};

/// Likewise.
const MENU: [&str; 10] = [
    "uefi-menu-action",
    "uefi-commands",
    "menu-connect",
    "reset-device",
    "pdu-reboot",
    "uefi-menu-interrupt",
    "uefi-menu-selector",
    "auto-login-action",
    "login-action",
    "export-device-env",
];

/// Likewise.
const MINIMAL: [&str; 10] = [
    "minimal-boot",
    "connect-device",
    "pre-power-command",
    "pre-os-command",
    "reset-device",
    "pdu-reboot",
    "auto-login-action",
    "login-action",
    "expect-shell-connection",
    "export-device-env",
];

/// The actions of a boot by the console.
pub fn boot(by: By) -> &'static [&'static str] {
    match by {
        By::Grub | By::GrubEfi => &GRUB,
        By::UBoot => &UBOOT,
        By::Barebox => &BAREBOX,
        By::Ipxe => &IPXE,
        By::UefiMenu => &MENU,
        By::Minimal => &MINIMAL,
    }
}

/// Likewise.
pub const SSH: [&str; 9] = [
    "login-ssh",
    "scp-deploy",
    "prepare-ssh",
    "ssh-connection",
    "auto-login-action",
    "login-action",
    "expect-shell-connection",
    "export-device-env",
    "scp-overlay-unpack",
];

impl Scope<'_> {
    /// The timeout of the action `name` in seconds. The block's beats the dictionary's, as in LAVA.
    pub fn resolve(&self, name: &str) -> u64 {
        let built_in = if name == "bootloader-commands" { 90 } else { BUILT_IN };
        by_name(self.named, name)
            .or_else(|| by_name(&self.job.actions, name))
            .or(self.block)
            .or_else(|| by_name(self.device, name))
            .or(self.job.action)
            .unwrap_or(built_in)
    }

    /// The timeout in seconds of a step of a boot that may take `limit` in all: of a boot that is tried several times
    /// it is a share of that, unless the job names the step.
    pub fn step(&self, name: &str, limit: u64) -> u64 {
        let named = by_name(self.named, name).or_else(|| by_name(&self.job.actions, name));
        let seconds = match named {
            None if self.attempts > 1 => limit / self.attempts,
            _ => self.resolve(name),
        };
        seconds.max(1).min(limit)
    }

    /// The timeouts in seconds of those actions of a block that do not have the block's.
    pub fn limits(&self, actions: &[&str]) -> BTreeMap<String, u64> {
        let Some(block) = actions.first().map(|name| self.resolve(name)) else { return BTreeMap::new() };
        let limits = actions.iter().skip(1).map(|name| ((*name).to_owned(), self.inner(name)));
        limits.filter(|(_, seconds)| *seconds != block).collect()
    }

    /// What is tried again has a share of the time of all attempts, unless it is named.
    fn inner(&self, name: &str) -> u64 {
        let named = by_name(self.named, name).or_else(|| by_name(&self.job.actions, name));
        match named {
            None if self.attempts > 1 && name.ends_with("-download") => self.resolve("download-retry") / self.attempts,
            _ => self.resolve(name),
        }
    }
}

/// Actions of other blocks and methods that LAVA's own dictionaries limit.
const ELSEWHERE: [&str; 8] = [
    "finalize",
    "lava-test-retry",
    "lava-test-shell",
    "musca-deploy",
    "nfs-deploy",
    "overlay-unpack",
    "power-off",
    "umount-retry",
];

/// A name that is nearly one of an action's holds for nothing.
fn check_names(map: &Mapping, key: &str, findings: &mut Findings) {
    let boots =
        || [By::GrubEfi, By::UBoot, By::Barebox, By::Ipxe, By::UefiMenu, By::Minimal].into_iter().flat_map(boot);
    let known = || TFTP.iter().chain(&SCP).chain(boots()).chain(&SSH).chain(&TESTS).chain(&ELSEWHERE).copied();
    let Some(map) = map.get(key).and_then(|node| node.as_map().ok()) else { return };
    for entry in map.entries().iter().filter(|entry| !known().any(|name| name == entry.key)) {
        let hint = suggest(&entry.key, known());
        if !hint.is_empty() {
            findings.warn(entry.key_position, format!("'{}' is no action{hint}", entry.key));
        }
    }
}

/// The actions of test and command blocks.
const TESTS: [&str; 8] = [
    "multinode-test",
    "lava-test-shell",
    "lava-test-retry",
    "lava-test-interactive",
    "lava-test-interactive-retry",
    "lava-test-monitor",
    "lava-test-monitor-retry",
    "user-command",
];

fn by_name(named: &Named, name: &str) -> Option<u64> {
    named.iter().find(|(known, _)| known == name).map(|(_, seconds)| *seconds)
}

/// The `timeouts` of a job.
pub fn read_job(map: &Mapping, findings: &mut Findings) -> JobTimeouts {
    let keys = Keys {
        of: "the job's timeouts",
        known: &["job", "action", "actions", "connection", "connections", "queue"],
        unsupported: &[],
    };
    keys.check(map, findings);
    let Some(job) = findings.ok(map.require("job")).and_then(|node| read(node, findings)) else {
        return JobTimeouts::default();
    };
    let mut within = |key: &str| {
        let node = map.get(key)?;
        read_within(node, job, findings)
    };
    let (action, connection) = (within("action"), within("connection"));
    let actions = read_named(map, "actions", Some(job), findings);
    let connections = read_named(map, "connections", Some(job), findings);
    JobTimeouts { job, action, actions, connection, connections }
}

/// A mapping from names to timeouts, each within the job's when that is given.
pub fn read_named(map: &Mapping, key: &str, job: Option<u64>, findings: &mut Findings) -> Named {
    check_names(map, key, findings);
    let Some(map) = mapping(map, key, findings) else { return Named::new() };
    let mut named = Named::new();
    for entry in map.entries() {
        let seconds = match job {
            Some(job) => read_within(&entry.value, job, findings),
            None => read(&entry.value, findings),
        };
        named.extend(seconds.map(|seconds| (entry.key.clone(), seconds)));
    }
    named
}

/// A timeout in seconds that may not be longer than the job's.
pub fn read_within(node: &Node, job: u64, findings: &mut Findings) -> Option<u64> {
    let seconds = read(node, findings)?;
    if job != 0 && seconds > job {
        let text = format!("timeout of {seconds} seconds is longer than the job's {job}");
        findings.error(node.position(), text);
    }
    Some(seconds)
}

/// A timeout in seconds: the sum of its units, whole seconds.
pub fn read(node: &Node, findings: &mut Findings) -> Option<u64> {
    let map = findings.ok(node.as_map())?;
    let known = &["days", "hours", "minutes", "seconds", "skip"];
    Keys { of: "a timeout", known, unsupported: &[] }.check(map, findings);
    let mut sum = 0.0;
    for (unit, seconds) in UNITS {
        let Some(node) = map.get(unit) else { continue };
        let value = findings.ok(node.as_float())?;
        if !(0.0..=MOST).contains(&(value * seconds)) {
            findings.error(node.position(), format!("'{unit}' is {value}: a timeout is 0 to {MOST} seconds"));
            return None;
        }
        sum += value * seconds;
    }
    // Small and not negative, as checked above.
    let seconds = sum as u64;
    if seconds == 0 {
        findings.warn(node.position(), format!("timeout of 0 seconds: {BUILT_IN} are taken, as LAVA does"));
        return Some(BUILT_IN);
    }
    Some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeout(text: &str) -> (Option<u64>, Vec<String>, Vec<String>) {
        let document = mn_yaml::parse(text.as_bytes()).unwrap();
        let mut findings = Findings::new("job");
        let seconds = read(&document.root, &mut findings);
        (seconds, findings.error_lines(), findings.warning_lines())
    }

    #[test]
    fn units_add_up_to_whole_seconds() {
        assert_eq!(timeout("{minutes: 21}").0, Some(1260));
        assert_eq!(timeout("{hours: 1, minutes: 1, seconds: 1.9}").0, Some(3661));
        assert_eq!(timeout("{days: 1, skip: true}").0, Some(86400));
    }

    #[test]
    fn nothing_is_thirty_seconds_with_a_warning() {
        for text in ["{}", "{seconds: 0}"] {
            let (seconds, errors, warnings) = timeout(text);
            assert_eq!((seconds, errors.len()), (Some(30), 0), "{text}");
            assert_eq!(warnings, ["job:1:1: timeout of 0 seconds: 30 are taken, as LAVA does"], "{text}");
        }
        let warnings = timeout("{minute: 3}").2;
        assert_eq!(warnings[1], "job:1:2: unknown key 'minute' of a timeout is ignored: did you mean 'minutes'?");
    }

    #[test]
    fn a_text_or_a_sign_is_no_timeout() {
        assert_eq!(timeout("10").1, ["job:1:1: expected a mapping, found the integer 10"]);
        assert_eq!(timeout("{minutes: '5'}").1, ["job:1:11: expected a number, found text"]);
        assert_eq!(timeout("{minutes: yes}").1, ["job:1:11: expected a number, found the boolean true"]);
        assert_eq!(timeout("{minutes: -1}").1, ["job:1:11: 'minutes' is -1: a timeout is 0 to 1000000000 seconds"]);
        assert_eq!(timeout("{days: 99999999}").1.len(), 1);
    }

    #[test]
    fn the_nearest_word_decides() {
        let named = |name: &str, seconds| vec![(name.to_owned(), seconds)];
        let mut job = JobTimeouts { job: 900, ..JobTimeouts::default() };
        let (mut device, mut block, mut own) = (Named::new(), None, Named::new());
        let resolve = |job: &JobTimeouts, device: &Named, block, own: &Named| {
            Scope { job, device, block, named: own, attempts: 1 }.resolve("bootloader-commands")
        };
        assert_eq!(resolve(&job, &device, block, &own), 90);
        job.action = Some(300);
        assert_eq!(resolve(&job, &device, block, &own), 300);
        device = named("bootloader-commands", 180);
        assert_eq!(resolve(&job, &device, block, &own), 180);
        block = Some(240);
        assert_eq!(resolve(&job, &device, block, &own), 240);
        job.actions = named("bootloader-commands", 100);
        assert_eq!(resolve(&job, &device, block, &own), 100);
        own = named("bootloader-commands", 50);
        assert_eq!(resolve(&job, &device, block, &own), 50);
    }

    #[test]
    fn only_what_differs_from_the_block_is_listed_and_attempts_share_their_time() {
        let named = |name: &str, seconds| (name.to_owned(), seconds);
        let job = JobTimeouts { job: 900, action: Some(60), ..JobTimeouts::default() };
        let device = vec![named("http-download", 20)];
        let mut scope = Scope { job: &job, device: &device, block: None, named: &Vec::new(), attempts: 1 };
        assert_eq!(scope.limits(&TFTP), [named("http-download", 20)].into());
        scope.block = Some(90);
        assert!(scope.limits(&TFTP).is_empty(), "the block's beats the dictionary's");
        scope.attempts = 3;
        assert_eq!(scope.limits(&TFTP), [named("file-download", 30), named("http-download", 30)].into());
        let own = vec![named("http-download", 80)];
        scope.named = &own;
        assert_eq!(scope.limits(&TFTP)["http-download"], 80);
    }

    #[test]
    fn a_misspelt_action_is_told() {
        let document =
            mn_yaml::parse(b"{job: {minutes: 9}, actions: {login-acton: {minutes: 1}, other: {minutes: 1}}}");
        let mut findings = Findings::new("job");
        read_job(document.unwrap().root.as_map().unwrap(), &mut findings);
        assert_eq!(findings.warning_lines(), ["job:1:31: 'login-acton' is no action: did you mean 'login-action'?"]);
    }

    #[test]
    fn no_timeout_is_longer_than_the_jobs() {
        let document =
            mn_yaml::parse(b"{job: {minutes: 1}, action: {minutes: 2}, actions: {x: {minutes: 3}}}").unwrap();
        let mut findings = Findings::new("job");
        read_job(document.root.as_map().unwrap(), &mut findings);
        assert_eq!(
            findings.error_lines(),
            [
                "job:1:29: timeout of 120 seconds is longer than the job's 60",
                "job:1:56: timeout of 180 seconds is longer than the job's 60"
            ]
        );
    }
}
