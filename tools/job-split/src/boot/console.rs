//! A boot by the board's console: what the job says about it, by any method.

use super::Method;
use super::login::{self, Login};
use super::transfer::{self, Transfer};
use crate::findings::Findings;
use crate::read::{Keys, boolean, mapping, pattern, patterns, place, require_text, texts};
use mn_yaml::{Kind, Mapping, Node, Position};

/// A boot method of LAVA that leads from a reset over the console to a shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Commands at GRUB's prompt.
    Grub,
    /// Likewise, where a firmware's menu may come before.
    GrubEfi,
    /// Commands at U-Boot's prompt.
    UBoot,
    /// Commands at barebox's prompt.
    Barebox,
    /// Commands at iPXE's prompt.
    Ipxe,
    /// Entries of the firmware's menus.
    UefiMenu,
    /// Nothing: the board boots by itself.
    Minimal,
}

/// Where a boot ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// At a system's shell, or at the words that say it is done.
    Shell,
    /// At the bootloader's prompt.
    Prompt,
}

/// What the job says about such a boot.
#[derive(Clone, Debug)]
pub struct Console {
    /// The method; of a boot that ends at a bootloader's prompt that bootloader's.
    pub by: By,
    /// Where it ends.
    pub until: Until,
    /// The commands, or where to find them; always there where the method types commands.
    pub commands: Option<Commands>,
    /// Where they stand.
    pub commands_position: Position,
    /// How to log in; without it only the prompt is awaited.
    pub login: Option<Login>,
    /// Whether the board is reset first.
    pub reset: bool,
    /// Whether the dictionary's `pre_power_command` runs first.
    pub pre_power: bool,
    /// Whether its `pre_os_command` does.
    pub pre_os: bool,
    /// The lines that restart a board that has no power command, in place of the dictionary's.
    pub soft_reboot: Vec<String>,
    /// In place of the dictionary's pattern.
    pub shutdown_message: Option<String>,
    /// Whether the kernel's messages of trouble are looked for.
    pub kernel_messages: bool,
    /// In place of the dictionary's pattern.
    pub kernel_start: Option<String>,
    /// In place of the dictionary's pattern.
    pub final_message: Option<String>,
    /// What says that the boot has failed.
    pub failure_message: Option<String>,
    /// What says that a boot without a shell is done; none where a shell is awaited.
    pub finished: Vec<String>,
    /// `dos` or `unix`, in place of the dictionary's.
    pub line_separator: Option<String>,
    /// Whether the commands are put into a script, which iPXE fetches.
    pub script: bool,
    /// How the running system fetches the overlay.
    pub transfer: Option<Transfer>,
}

/// The commands of a boot.
#[derive(Clone, Debug)]
pub enum Commands {
    /// A set of the dictionary.
    Set(String),
    /// Lines of the job's own.
    Lines(Vec<String>),
}

impl By {
    const ALL: [(Self, &str); 7] = [
        (Self::Grub, "grub"),
        (Self::GrubEfi, "grub-efi"),
        (Self::UBoot, "u-boot"),
        (Self::Barebox, "barebox"),
        (Self::Ipxe, "ipxe"),
        (Self::UefiMenu, "uefi-menu"),
        (Self::Minimal, "minimal"),
    ];

    /// The method of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(by, _)| *by)
    }

    /// Its name in a job and in a dictionary.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(by, _)| *by == self).map_or("", |(_, name)| name)
    }

    /// Whether commands are typed at a bootloader's prompt.
    pub fn has_prompt(self) -> bool {
        !matches!(self, By::UefiMenu | By::Minimal)
    }

    /// The keys of a block that only some methods have.
    fn own_keys(self) -> &'static [&'static str] {
        match self {
            By::Grub | By::GrubEfi => {
                &["commands", "reset", "boot_finished", "expect_shell", "use_bootscript", "transfer_overlay"]
            }
            By::UBoot => &["commands", "reset", "use_bootscript", "transfer_overlay"],
            By::Barebox | By::Ipxe => &["commands", "use_bootscript", "transfer_overlay"],
            By::UefiMenu => &["commands", "line_separator"],
            By::Minimal => &["reset", "pre_power_command", "pre_os_command", "transfer_overlay"],
        }
    }
}

/// Keys of every boot by the console.
const KEYS: [&str; 15] = [
    "auto_login",
    "connection",
    "failure_message",
    "failure_retry",
    "failure_retry_interval",
    "ignore_kernel_messages",
    "method",
    "parameters",
    "prompts",
    "protocols",
    "repeat",
    "role",
    "soft_reboot",
    "timeout",
    "timeouts",
];

const UNSUPPORTED: [&str; 2] = ["connection-namespace", "namespace"];

/// Reads a boot that ends at the prompt of the bootloader that it names.
pub fn bootloader(body: &Mapping, findings: &mut Findings) -> Option<Method> {
    let name = require_text(body, "bootloader", findings)?;
    let Some(by) = By::from_name(&name).filter(|by| by.has_prompt()) else {
        findings.unsupported(place(body, "bootloader"), format_args!("bootloader '{name}'"));
        return Some(Method::Other("bootloader".to_owned()));
    };
    let console = read(by, Until::Prompt, body, findings)?;
    Some(Method::Console(Box::new(console)))
}

/// Reads what a block says.
pub fn read(by: By, until: Until, body: &Mapping, findings: &mut Findings) -> Option<Console> {
    let own: &[&str] = match until {
        Until::Shell => by.own_keys(),
        Until::Prompt => &["bootloader", "commands", "reset", "reset_connection", "reset_device"],
    };
    let known = [KEYS.as_slice(), own].concat();
    Keys { of: "a boot", known: &known, unsupported: &UNSUPPORTED }.check(body, findings);
    let parameters = mapping(body, "parameters", findings);
    if let Some(map) = parameters {
        let known = ["bootloader-final-message", "kernel-start-message", "shutdown-message"];
        Keys { of: "a boot's parameters", known: &known, unsupported: &[] }.check(map, findings);
    }
    let mut parameter = |key: &str| parameters.and_then(|map| pattern(map, key, findings));
    let (kernel_start, final_message) = (parameter("kernel-start-message"), parameter("bootloader-final-message"));
    let shutdown_message = parameter("shutdown-message");
    let login = mapping(body, "auto_login", findings).map(|map| login::read(map, findings));
    let commands = commands(by, until, body, findings)?;
    let finished = body.get("boot_finished").filter(|node| !node.is_null() && by.own_keys().contains(&"boot_finished"));
    Some(Console {
        by,
        until,
        commands,
        commands_position: body.get("commands").map_or(body.position(), Node::position),
        // A login that is there and wrong must not become a boot without one.
        login: match login {
            Some(login) => Some(login?),
            None => None,
        },
        reset: ["reset", "reset_device"].iter().all(|key| boolean(body, key, findings).unwrap_or(true)),
        pre_power: boolean(body, "pre_power_command", findings).unwrap_or(false),
        pre_os: boolean(body, "pre_os_command", findings).unwrap_or(false),
        soft_reboot: body.get("soft_reboot").map(|node| texts(node, findings)).unwrap_or_default(),
        shutdown_message,
        kernel_messages: !boolean(body, "ignore_kernel_messages", findings).unwrap_or(false),
        kernel_start,
        final_message,
        failure_message: pattern(body, "failure_message", findings),
        finished: finished.map(|node| patterns(node, findings)).unwrap_or_default(),
        line_separator: crate::deploy::one_of(body, "line_separator", &["dos", "unix"], findings),
        script: script(by, body, findings),
        transfer: match mapping(body, "transfer_overlay", findings) {
            Some(map) => Some(transfer::read(map, findings)?),
            None => None,
        },
    })
}

/// `use_bootscript`: what LAVA writes then is a script of iPXE's, whatever the method.
fn script(by: By, body: &Mapping, findings: &mut Findings) -> bool {
    let wanted = boolean(body, "use_bootscript", findings).unwrap_or(false);
    if wanted && by != By::Ipxe {
        let text = format!("'use_bootscript' makes a script for iPXE, and this boot is by '{}': remove it", by.name());
        findings.error(crate::read::place(body, "use_bootscript"), text);
    }
    wanted
}

/// The commands, which only a method without a prompt may lack; None when something is wrong.
fn commands(by: By, until: Until, body: &Mapping, findings: &mut Findings) -> Option<Option<Commands>> {
    if until == Until::Prompt && body.get("commands").is_none_or(is_empty) {
        return Some(Some(Commands::Lines(Vec::new())));
    }
    if !by.has_prompt() && body.get("commands").is_none_or(Node::is_null) {
        return Some(None);
    }
    let node = findings.ok(body.require("commands"))?;
    match node.kind() {
        Kind::Sequence(items) if items.is_empty() => {
            findings.error(node.position(), "'commands' is empty");
            None
        }
        Kind::Sequence(_) if !by.has_prompt() => {
            findings.error(node.position(), "'commands' of this method is the name of a menu in the dictionary");
            None
        }
        Kind::Sequence(_) => Some(Some(Commands::Lines(texts(node, findings)))),
        _ => findings.ok(node.as_str()).map(|name| Some(Commands::Set(name.to_owned()))),
    }
}

fn is_empty(node: &Node) -> bool {
    node.is_null() || matches!(node.kind(), Kind::Sequence(items) if items.is_empty())
}
