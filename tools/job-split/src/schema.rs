//! LAVA's deploy and boot methods: their keys, so that a job for any of them can be checked. What this
//! version runs is read in `deploy` and `boot`; the rest is kept as it stands.

use crate::findings::Findings;
use crate::suggest::suggest;
use mn_yaml::{Kind, Mapping, Node, Position};

/// What a value has to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Is {
    /// Anything.
    Any,
    /// A boolean.
    Bool,
    /// A mapping.
    Map,
    /// A list.
    List,
    /// Text.
    Text,
    /// Text or a list of texts.
    Texts,
    /// A file to fetch: a mapping with a url.
    Resource,
    /// Files to fetch by their names.
    Resources,
    /// One of these words.
    Word(&'static [&'static str]),
}

/// A key, what it holds, and whether it must be there.
type Key = (&'static str, Is, Need);

/// Whether a key must be there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Need {
    /// It must.
    Must,
    /// It may.
    May,
}

use Is::{Any, Bool, List, Map, Resource, Resources, Text, Texts, Word};
use Need::{May, Must};

/// The deploy methods of LAVA and their own keys.
const DEPLOYS: [(&str, &[Key]); 23] = [
    ("docker", &[("image", Any, Must)]),
    ("download", &[("images", Resources, Must)]),
    ("downloads", &[("images", Resources, Must), ("uniquify", Bool, May), ("postprocess", Map, May)]),
    ("fastboot", &[("images", Resources, Must), ("docker", Map, May), ("connection", Word(&["lxc"]), May)]),
    ("flasher", &[("images", Resources, Must)]),
    ("fvp", &[("images", Resources, Must), ("uniquify", Bool, May), ("ramdisk", Map, May)]),
    ("iso-installer", &[("images", Map, Must), ("iso", Map, Must)]),
    ("lxc", &[("packages", List, May)]),
    ("mps", &[("images", Resources, Must)]),
    ("musca", &[("images", Resources, Must)]),
    (
        "nbd",
        &[("kernel", Resource, Must), ("nbdroot", Resource, Must), ("initrd", Resource, Must), ("dtb", Resource, May)],
    ),
    ("nfs", &[("nfsrootfs", Resource, May), ("modules", Resource, May), ("images", Resources, May)]),
    ("overlay", &[]),
    ("recovery", &[("images", Resources, Must)]),
    ("sata", USB),
    ("sd", USB),
    (
        "ssh",
        &[
            ("firmware", Resource, May),
            ("kernel", Resource, May),
            ("rootfs", Resource, May),
            ("modules", Resource, May),
        ],
    ),
    ("tftp", &[]),
    ("tmpfs", &[("images", Resources, Must), ("type", Word(&["monitor"]), May), ("uefi", Resource, May)]),
    ("u-boot-ums", &[("image", Resource, Must)]),
    ("usb", USB),
    ("uuu", &[("images", Resources, Must)]),
    ("vemsd", &[("recovery_image", Resource, Must)]),
];

const USB: &[Key] = &[
    ("image", Resource, May),
    ("images", Resources, May),
    ("device", Text, Must),
    ("download", Map, May),
    ("writer", Map, May),
    ("tool", Map, May),
    ("uniquify", Bool, May),
];

const COMMANDS: Key = ("commands", Texts, Must);
const PROMPTS: Key = ("prompts", Texts, May);
const LOGIN: Key = ("auto_login", Map, May);
const RESET: Key = ("reset", Bool, May);
const SCRIPT: Key = ("use_bootscript", Bool, May);
const TRANSFER: Key = ("transfer_overlay", Map, May);

/// The boot methods of LAVA and their own keys.
const BOOTS: [(&str, &[Key]); 31] = [
    ("barebox", &[COMMANDS, PROMPTS, LOGIN, SCRIPT, TRANSFER]),
    (
        "bootloader",
        &[
            ("bootloader", Text, Must),
            ("commands", List, May),
            PROMPTS,
            RESET,
            SCRIPT,
            ("reset_connection", Bool, May),
            ("reset_device", Bool, May),
        ],
    ),
    ("cmsis-dap", &[]),
    ("depthcharge", &[COMMANDS, PROMPTS, LOGIN, SCRIPT, TRANSFER, ("extra_kernel_args", Text, May)]),
    ("dfu", &[]),
    ("docker", &[("command", Text, Must), PROMPTS, ("downloads-namespace", Text, May)]),
    ("fastboot", &[("commands", Texts, May), PROMPTS, LOGIN, SCRIPT, TRANSFER, ("docker", Map, May)]),
    ("fvp", &[("prompts", Texts, Must), LOGIN, TRANSFER, ("docker", Map, May), ("image", Text, May)]),
    ("gdb", &[("commands", Text, Must), ("container", Text, May)]),
    ("grub", GRUB),
    ("grub-efi", GRUB),
    ("ipxe", &[COMMANDS, PROMPTS, LOGIN, SCRIPT, TRANSFER]),
    ("jlink", &[COMMANDS]),
    ("kexec", &[("command", Text, May), PROMPTS, LOGIN]),
    ("lxc", &[PROMPTS]),
    ("minimal", &[PROMPTS, LOGIN, RESET, TRANSFER, ("pre_power_command", Bool, May), ("pre_os_command", Bool, May)]),
    ("monitor", &[]),
    ("musca", &[("prompts", Texts, May)]),
    ("new_connection", &[("connection", Text, Must), PROMPTS, LOGIN, TRANSFER]),
    ("openocd", &[]),
    ("pyocd", &[]),
    (
        "qemu",
        &[
            ("connection", Word(&["serial"]), May),
            ("media", Word(&["tmpfs"]), May),
            PROMPTS,
            LOGIN,
            TRANSFER,
            ("docker", Map, May),
        ],
    ),
    ("qemu-iso", &[("media", Text, May), ("timeout", Any, May), PROMPTS, LOGIN, TRANSFER]),
    ("qemu-nfs", &[("connection", Word(&["serial"]), May), PROMPTS, LOGIN, TRANSFER]),
    ("recovery", &[COMMANDS]),
    ("schroot", &[("connection", Word(&["ssh"]), Must), ("schroot", Text, Must), PROMPTS]),
    ("ssh", &[PROMPTS]),
    ("u-boot", &[COMMANDS, PROMPTS, LOGIN, RESET, SCRIPT, TRANSFER]),
    ("uefi", &[COMMANDS, ("shell_menu", Text, May), PROMPTS, LOGIN]),
    ("uefi-menu", &[("commands", Text, May), ("line_separator", Text, May), PROMPTS, LOGIN]),
    ("uuu", &[COMMANDS]),
];

const GRUB: &[Key] =
    &[COMMANDS, PROMPTS, LOGIN, RESET, SCRIPT, TRANSFER, ("boot_finished", Texts, May), ("expect_shell", Bool, May)];

/// Keys of every block.
const BLOCK: &[Key] = &[
    ("connection-namespace", Text, May),
    ("namespace", Text, May),
    ("protocols", Map, May),
    ("role", Texts, May),
    ("timeout", Map, May),
    ("timeouts", Map, May),
    ("repeat", Any, May),
    ("failure_retry", Any, May),
    ("failure_retry_interval", Any, May),
    ("connection", Text, May),
];

const DEPLOY: &[Key] =
    &[("to", Text, Must), ("os", Text, May), ("authorize", Word(&["ssh"]), May), ("overlay_backend", Text, May)];

const BOOT: &[Key] = &[
    ("method", Text, Must),
    ("parameters", Map, May),
    ("soft_reboot", Texts, May),
    ("ignore_kernel_messages", Bool, May),
    ("failure_message", Text, May),
];

/// The names of the deploy methods.
pub fn deploys() -> impl Iterator<Item = &'static str> + Clone {
    DEPLOYS.iter().map(|(name, _)| *name)
}

/// The names of the boot methods.
pub fn boots() -> impl Iterator<Item = &'static str> + Clone {
    BOOTS.iter().map(|(name, _)| *name)
}

/// What to do instead of a boot by LAVA's own QEMU.
const QEMU: &str = "give QEMU a dictionary as a board, with its start as 'hard_reset' and its serial line as \
                    'connect', and boot it by 'grub-efi', 'u-boot' or 'minimal'";

/// Whether a deploy method has no other use than a boot method that tells of itself.
pub fn is_for_qemu(to: &str) -> bool {
    to == "tmpfs"
}

/// Tells of a method that this version does not run. One that LAVA does not know either, and that is nearly one
/// it knows, is a slip of the pen.
pub fn tell_method(
    of: &str,
    method: &str,
    known: impl Iterator<Item = &'static str> + Clone,
    at: Position,
    findings: &mut Findings,
) {
    let hint = suggest(method, known.clone());
    if hint.is_empty() || known.clone().any(|name| name == method) {
        let mend = if method.starts_with("qemu") { QEMU } else { "" };
        findings.unsupported_but(at, format_args!("{of} method '{method}'"), mend);
    } else {
        findings.error(at, format!("unknown {of} method '{method}'{hint}"));
    }
}

/// Looks at a deploy block of a method that this version does not run.
pub fn check_deploy(to: &str, body: &Mapping, findings: &mut Findings) {
    let own = DEPLOYS.iter().find(|(name, _)| *name == to).map(|(_, keys)| *keys);
    if let Some(own) = own {
        check(&format!("a deploy to {to}"), body, &[BLOCK, DEPLOY, own], findings);
    }
}

/// Looks at a boot block of a method that this version does not run.
pub fn check_boot(method: &str, body: &Mapping, findings: &mut Findings) {
    let own = BOOTS.iter().find(|(name, _)| *name == method).map(|(_, keys)| *keys);
    if let Some(own) = own {
        check(&format!("a boot by {method}"), body, &[BLOCK, BOOT, own], findings);
    }
}

/// Own keys come last and hold against those of every block.
fn check(of: &str, body: &Mapping, groups: &[&[Key]], findings: &mut Findings) {
    let keys: Vec<&Key> = groups.iter().rev().flat_map(|keys| keys.iter()).collect();
    for entry in body.entries() {
        match keys.iter().find(|(name, ..)| *name == entry.key) {
            Some((_, is, _)) => value(*is, &entry.key, &entry.value, findings),
            None => {
                let known = keys.iter().map(|(name, ..)| *name);
                let text = format!("unknown key '{}' of {of} is ignored{}", entry.key, suggest(&entry.key, known));
                findings.warn(entry.key_position, text);
            }
        }
    }
    for (name, _, need) in keys {
        if *need == Must && body.get(name).is_none() {
            findings.error(body.position(), format!("missing key '{name}' of {of}"));
        }
    }
}

fn value(is: Is, key: &str, node: &Node, findings: &mut Findings) {
    if node.is_null() {
        return;
    }
    match is {
        Any => {}
        Bool => drop(findings.ok(node.as_bool())),
        Map => drop(findings.ok(node.as_map())),
        List => drop(findings.ok(node.as_list())),
        Text => drop(findings.ok(node.as_str())),
        Texts => drop(crate::read::texts(node, findings)),
        Resource => resource(node, findings),
        Resources => {
            if let Some(map) = findings.ok(node.as_map()) {
                map.entries().iter().for_each(|entry| resource(&entry.value, findings));
            }
        }
        Word(words) => {
            let Some(text) = findings.ok(node.as_str()) else { return };
            if !words.contains(&text) {
                let hint = suggest(text, words.iter().copied());
                findings.error(node.position(), format!("{key} '{text}' is not {}{hint}", words.join(" or ")));
            }
        }
    }
}

fn resource(node: &Node, findings: &mut Findings) {
    let Some(map) = findings.ok(node.as_map()) else { return };
    // An image may be several files, or an entry that only carries options.
    let nested = map.entries().iter().all(|entry| matches!(entry.value.kind(), Kind::Mapping(_)));
    if !nested && let Some(url) = findings.ok(map.require("url")) {
        findings.ok(url.as_str());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(method: &str, text: &str) -> (Vec<String>, Vec<String>) {
        let document = mn_yaml::parse(text.as_bytes()).unwrap();
        let mut findings = Findings::new("job");
        check_boot(method, document.root.as_map().unwrap(), &mut findings);
        (findings.error_lines(), findings.warning_lines())
    }

    #[test]
    fn a_method_has_its_keys_and_those_of_every_block() {
        let whole = "{method: u-boot, commands: nfs, prompts: ['#'], namespace: a, reset: no, timeout: {minutes: 1}}";
        assert_eq!(told("u-boot", whole), (vec![], vec![]));
    }

    #[test]
    fn what_is_missing_misspelt_or_of_the_wrong_kind_is_told() {
        let (errors, warnings) = told("u-boot", "{method: u-boot, comands: nfs, reset: often}");
        assert_eq!(
            errors,
            ["job:1:1: missing key 'commands' of a boot by u-boot", "job:1:39: expected a boolean, found text"]
        );
        assert_eq!(
            warnings,
            ["job:1:18: unknown key 'comands' of a boot by u-boot is ignored: did you mean 'commands'?"]
        );
    }

    #[test]
    fn a_word_is_one_of_its_set() {
        let (errors, _) = told("schroot", "{method: schroot, connection: shh, schroot: sid}");
        assert_eq!(errors, ["job:1:31: connection 'shh' is not ssh: did you mean 'ssh'?"]);
    }
}
