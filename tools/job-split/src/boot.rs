//! Boot blocks: `method: grub-efi` and `method: ssh`; of other methods the keys are checked.

use crate::blocks::check_keys;
use crate::findings::Findings;
use crate::read::{Keys, boolean, list, mapping, pattern, patterns, place, require_text, text, texts};
use crate::schema;
use mn_yaml::{Kind, Mapping, Node, Position};

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
    /// By commands at GRUB's prompt.
    GrubEfi(Box<Grub>),
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

/// What the job says about a boot by GRUB.
#[derive(Clone, Debug)]
pub struct Grub {
    /// The commands, or where to find them.
    pub commands: Commands,
    /// Where they stand.
    pub commands_position: Position,
    /// How to log in; without it only the prompt is awaited.
    pub login: Option<Login>,
    /// Whether the board is reset first.
    pub reset: bool,
    /// Whether the kernel's messages of trouble are looked for.
    pub kernel_messages: bool,
    /// In place of the dictionary's pattern.
    pub kernel_start: Option<String>,
    /// In place of the dictionary's pattern.
    pub final_message: Option<String>,
}

/// The commands of a boot.
#[derive(Clone, Debug)]
pub enum Commands {
    /// A set of the dictionary.
    Set(String),
    /// Lines of the job's own.
    Lines(Vec<String>),
}

/// `auto_login`.
#[derive(Clone, Debug)]
pub struct Login {
    /// The getty's prompt.
    pub prompt: String,
    /// The account.
    pub username: String,
    /// What the password is asked with, and the password.
    pub password: Option<(String, String)>,
    /// Lines to type once logged in.
    pub commands: Vec<String>,
}

impl Boot {
    /// The method as the job names it.
    pub fn method_name(&self) -> &str {
        match &self.method {
            Method::GrubEfi(_) => "grub-efi",
            Method::Ssh { .. } => "ssh",
            Method::Other(name) => name,
        }
    }
}

/// Reads a boot block.
pub fn read(body: &Mapping, findings: &mut Findings) -> Option<Boot> {
    let name = require_text(body, "method", findings)?;
    let method = match name.as_str() {
        "grub-efi" => grub(body, findings),
        "ssh" => ssh(body, findings),
        other => {
            let at = place(body, "method");
            schema::tell_method("boot", other, schema::boots(), at, findings);
            schema::check_boot(other, body, findings);
            if let Some(map) = mapping(body, "auto_login", findings) {
                login(map, findings);
            }
            Some(Method::Other(other.to_owned()))
        }
    };
    let needed = !matches!(method, Some(Method::Other(_)));
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

fn grub(body: &Mapping, findings: &mut Findings) -> Option<Method> {
    let known = [
        "auto_login",
        "commands",
        "connection",
        "expect_shell",
        "ignore_kernel_messages",
        "method",
        "parameters",
        "prompts",
        "protocols",
        "reset",
    ];
    let unsupported = ["boot_finished", "failure_message", "soft_reboot", "transfer_overlay", "use_bootscript"];
    check_keys("a boot", body, &known, &unsupported, findings);
    let parameters = mapping(body, "parameters", findings);
    if let Some(map) = parameters {
        let known = ["bootloader-final-message", "kernel-start-message", "shutdown-message"];
        Keys { of: "a boot's parameters", known: &known, unsupported: &[] }.check(map, findings);
    }
    let mut parameter = |key: &str| parameters.and_then(|map| pattern(map, key, findings));
    let (kernel_start, final_message) = (parameter("kernel-start-message"), parameter("bootloader-final-message"));
    let login = mapping(body, "auto_login", findings).map(|map| login(map, findings));
    let node = findings.ok(body.require("commands"))?;
    Some(Method::GrubEfi(Box::new(Grub {
        commands: commands(node, findings)?,
        commands_position: node.position(),
        // A login that is there and wrong must not become a boot without one.
        login: match login {
            Some(login) => Some(login?),
            None => None,
        },
        reset: boolean(body, "reset", findings).unwrap_or(true),
        kernel_messages: !boolean(body, "ignore_kernel_messages", findings).unwrap_or(false),
        kernel_start,
        final_message,
    })))
}

fn commands(node: &Node, findings: &mut Findings) -> Option<Commands> {
    match node.kind() {
        Kind::Sequence(items) if items.is_empty() => {
            findings.error(node.position(), "'commands' is empty");
            None
        }
        Kind::Sequence(_) => Some(Commands::Lines(texts(node, findings))),
        _ => findings.ok(node.as_str()).map(|name| Commands::Set(name.to_owned())),
    }
}

fn login(map: &Mapping, findings: &mut Findings) -> Option<Login> {
    let known = ["login_commands", "login_prompt", "password", "password_prompt", "username"];
    Keys { of: "'auto_login'", known: &known, unsupported: &[] }.check(map, findings);
    let prompt = require_text(map, "login_prompt", findings).and(pattern(map, "login_prompt", findings));
    let username = require_text(map, "username", findings);
    let (asked, password) = (pattern(map, "password_prompt", findings), text(map, "password", findings));
    if asked.is_some() != password.is_some() {
        findings.error(map.position(), "'password' and 'password_prompt' come together: give both");
    }
    let commands = list(map, "login_commands", findings);
    if commands.as_ref().is_some_and(Vec::is_empty) {
        findings.error(map.position(), "'login_commands' is empty");
    }
    Some(Login {
        prompt: prompt?,
        username: username?,
        password: asked.zip(password),
        commands: commands.unwrap_or_default(),
    })
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
