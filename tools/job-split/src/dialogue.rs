//! The dialogue of a boot: the dictionary's method `grub-efi` as a list of steps.

use crate::boot::{Commands, Grub};
use crate::context;
use crate::device::{Dictionary, at};
use crate::findings::Findings;
use crate::read::{Keys, boolean, mapping, pattern, patterns, require_text, text, texts};
use crate::suggest::suggest;
use crate::timeouts::Scope;
use mn_msg::Object;
use mn_msg::role::{Step, Work};
use mn_yaml::{Mapping, Node, Position};

/// What a dialogue is made of.
pub struct Parts<'a> {
    /// What the job says.
    pub grub: &'a Grub,
    /// What a shell's prompt matches.
    pub prompts: &'a [String],
    /// Whether tests follow in the shell.
    pub tests_follow: bool,
    /// What the dictionary says.
    pub board: &'a Dictionary,
    /// The timeouts of the boot's actions.
    pub scope: Scope<'a>,
    /// The whole boot's timeout in seconds.
    pub limit: u64,
    /// The role's own constants.
    pub context: Option<&'a Object>,
}

/// The dictionary's part of the dialogue.
struct Method<'a> {
    map: &'a Mapping,
    constants: Option<&'a Mapping>,
    errors: Vec<String>,
}

/// Compiles the steps; what is missing in the dictionary is told in `board`, what the job asks in
/// vain in `job`.
pub fn compile(parts: &Parts, job: &mut Findings, board: &mut Findings) -> Vec<Step> {
    let root = &parts.board.root;
    let methods = at(root, &["actions", "boot", "methods"]);
    let Some(map) = methods.and_then(|methods| at(methods, &["grub-efi"])) else {
        let position = methods.map_or(root.position(), Mapping::position);
        board.error(position, "the dictionary has no boot method 'grub-efi'");
        return Vec::new();
    };
    let constants = at(root, &["constants", "grub-efi"]);
    let errors = constants.and_then(|map| map.get("error-messages")).filter(|node| !node.is_null());
    let errors = errors.map(|node| patterns(node, board)).unwrap_or_default();
    let method = Method { map, constants, errors };
    let mut steps = reset(parts, &method, board);
    steps.extend(uefi_menu(parts, &method, board));
    steps.extend(interrupt(parts, &method, board));
    steps.extend(commands(parts, &method, job, board));
    steps.extend(shell(parts, &method, board));
    steps
}

fn step(parts: &Parts, name: &str, work: Work) -> Step {
    Step { work, name: name.to_owned(), timeout: parts.scope.resolve(name).min(parts.limit) }
}

/// A reset by power; the job or the method may do without.
fn reset(parts: &Parts, method: &Method, board: &mut Findings) -> Vec<Step> {
    if !parts.grub.reset || boolean(method.map, "reset_device", board) == Some(false) {
        return Vec::new();
    }
    if !parts.board.has_command("hard_reset") {
        let root = &parts.board.root;
        let position = at(root, &["commands"]).map_or(root.position(), Mapping::position);
        board.unsupported(position, "a dictionary without 'hard_reset', or a reset by software,");
    }
    vec![step(parts, "reset-device", Work::Power { command: "hard_reset".to_owned() })]
}

/// The firmware's menu comes before GRUB where the method names the options for it.
fn uefi_menu(parts: &Parts, method: &Method, board: &mut Findings) -> Vec<Step> {
    let Some(name) = text(method.map, "menu_options", board) else { return Vec::new() };
    let root = &parts.board.root;
    let menu = at(root, &["actions", "boot", "methods", "uefi-menu"]);
    let Some(menu) = menu else {
        board.error(method.map.position(), format!("menu_options '{name}' needs the boot method 'uefi-menu'"));
        return Vec::new();
    };
    let Some(node) = menu.get(&name) else {
        let known = menu.entries().iter().map(|entry| entry.key.as_str()).filter(|key| *key != "parameters");
        board.error(menu.position(), format!("'uefi-menu' has no options '{name}'{}", suggest(&name, known)));
        return Vec::new();
    };
    menu_steps(parts, menu, node, board).unwrap_or_default()
}

fn menu_steps(parts: &Parts, menu: &Mapping, options: &Node, board: &mut Findings) -> Option<Vec<Step>> {
    let parameters = board.ok(menu.require("parameters")).and_then(|node| board.ok(node.as_map()))?;
    for key in ["interrupt_prompt", "bootloader_prompt"] {
        pattern(parameters, key, board);
    }
    let mut require = |key: &str| require_text(parameters, key, board);
    let interrupt = require("interrupt_prompt");
    let (key, class) = (require("interrupt_string"), require("item_class"));
    let (separator, mut prompt) = (require("separator")?, require("bootloader_prompt")?);
    let markup = item_markup(parameters, board)?;
    let mut steps = vec![
        step(parts, "uefi-menu-interrupt", Work::Expect { patterns: vec![interrupt?], errors: Vec::new() }),
        step(parts, "uefi-menu-interrupt", Work::Send { text: key?, newline: false }),
    ];
    let class = class?;
    for option in board.ok(options.as_list())? {
        let select = board.ok(option.as_map()).and_then(|map| board.ok(map.require("select")));
        let select = select.and_then(|node| board.ok(node.as_map()))?;
        let keys =
            Keys { of: "a menu's select", known: &["items", "wait"], unsupported: &["enter", "escape", "fallback"] };
        keys.check(select, board);
        let items = board.ok(select.require("items")).map(|node| texts(node, board))?;
        let [item] = items.as_slice() else {
            board.error(select.position(), "a select has one item");
            return None;
        };
        let work = Work::Choose {
            prompt: prompt.clone(),
            item: item.clone(),
            item_markup: markup.clone(),
            item_class: class.clone(),
            separator: separator.clone(),
        };
        steps.push(step(parts, "grub-efi-menu-selector", work));
        if let Some(next) = pattern(select, "wait", board) {
            prompt = next;
        }
    }
    Some(steps)
}

fn item_markup(parameters: &Mapping, board: &mut Findings) -> Option<[String; 2]> {
    let node = board.ok(parameters.require("item_markup"))?;
    let markup = texts(node, board);
    <[String; 2]>::try_from(markup)
        .map_err(|_| board.error(node.position(), "'item_markup' is a list of two texts"))
        .ok()
}

/// Stops GRUB from booting by itself. Its method's values come before its constants.
fn interrupt(parts: &Parts, method: &Method, board: &mut Findings) -> Vec<Step> {
    let parameters = mapping(method.map, "parameters", board);
    let needed = parameters.and_then(|map| boolean(map, "needs_interrupt", board)).unwrap_or(true);
    if !needed {
        return Vec::new();
    }
    let own = parameters.and_then(|map| pattern(map, "interrupt_prompt", board));
    let prompt = own.or_else(|| method.constants.and_then(|map| pattern(map, "interrupt-prompt", board)));
    let Some(prompt) = prompt else {
        board.error(constants_position(parts, method), "missing key 'interrupt-prompt' in constants: grub-efi");
        return Vec::new();
    };
    let name = "bootloader-interrupt";
    let mut steps = vec![step(parts, name, Work::Expect { patterns: vec![prompt], errors: Vec::new() })];
    let controls = method.constants.and_then(|map| map.get("interrupt_ctrl_list")).filter(|node| !node.is_null());
    if let Some(node) = controls {
        let keys = texts(node, board);
        steps.extend(
            keys.iter()
                .filter_map(|key| control(key, node.position(), board))
                .map(|text| step(parts, name, Work::Send { text, newline: false })),
        );
        return steps;
    }
    let own = parameters.and_then(|map| text(map, "interrupt_char", board));
    let constant = || method.constants.and_then(|map| text(map, "interrupt-character", board));
    let text = own.or_else(constant).unwrap_or_default();
    let newline = method.constants.and_then(|map| boolean(map, "interrupt-newline", board)).unwrap_or(true);
    steps.push(step(parts, name, Work::Send { text, newline }));
    steps
}

/// The character that Ctrl and a key make.
fn control(key: &str, position: Position, board: &mut Findings) -> Option<String> {
    match key.as_bytes() {
        [letter @ (b'a'..=b'z' | b'A'..=b'Z')] => Some(char::from(letter & 0x1f).to_string()),
        _ => {
            board.error(position, format!("'{key}' in 'interrupt_ctrl_list' is not one letter"));
            None
        }
    }
}

fn constants_position(parts: &Parts, method: &Method) -> Position {
    method.constants.map_or(parts.board.root.position(), Mapping::position)
}

fn commands(parts: &Parts, method: &Method, job: &mut Findings, board: &mut Findings) -> Vec<Step> {
    let parameters = mapping(method.map, "parameters", board);
    let prompt = match parameters {
        Some(map) => require_text(map, "bootloader_prompt", board).and(pattern(map, "bootloader_prompt", board)),
        None => board.ok(method.map.require("parameters")).and(None),
    };
    let lines = match &parts.grub.commands {
        Commands::Lines(lines) => Some(lines.clone()),
        Commands::Set(name) => command_set(name, parts, method, job, board),
    };
    let (Some(prompt), Some(lines)) = (prompt, lines) else { return Vec::new() };
    let constant = method.constants.and_then(|map| pattern(map, "final-message", board));
    let work = Work::Commands {
        prompt,
        lines,
        character_delay: context::number(parts.context, "boot_character_delay")
            .unwrap_or_else(|| parts.board.character_delay("boot")),
        final_message: parts.grub.final_message.clone().or(constant).filter(|text| !text.is_empty()),
        errors: method.errors.clone(),
    };
    vec![step(parts, "bootloader-commands", work)]
}

fn command_set(
    name: &str,
    parts: &Parts,
    method: &Method,
    job: &mut Findings,
    board: &mut Findings,
) -> Option<Vec<String>> {
    let is_set = |node: &Node| node.as_map().is_ok_and(|map| map.get("commands").is_some());
    match method.map.get(name).filter(|node| is_set(node)) {
        Some(node) => {
            let node = board.ok(node.as_map())?.get("commands")?;
            board.ok(node.as_list())?;
            Some(texts(node, board))
        }
        None => {
            let sets = method.map.entries().iter().filter(|entry| is_set(&entry.value));
            let known = sets.map(|entry| entry.key.as_str());
            let hint = suggest(name, known);
            let text = format!("the dictionary of '{}' has no commands '{name}'{hint}", parts.board.hostname());
            job.error(parts.grub.commands_position, text);
            None
        }
    }
}

/// From the kernel's first line to a shell.
fn shell(parts: &Parts, method: &Method, board: &mut Findings) -> Vec<Step> {
    let mut steps = Vec::new();
    let constants = at(&parts.board.root, &["constants"]);
    let constant = constants.and_then(|map| pattern(map, "kernel-start-message", board));
    let own = parts.grub.kernel_start.clone().or_else(|| context::text(parts.context, "kernel_start_message"));
    let pattern = own.or(constant).filter(|pattern| !pattern.is_empty());
    if let Some(pattern) = pattern {
        steps.push(step(parts, "auto-login-action", Work::Kernel { pattern, errors: method.errors.clone() }));
    }
    let login = parts.grub.login.as_ref();
    let password = login.and_then(|login| login.password.clone());
    let (password_prompt, password) = password.unzip();
    let work = Work::Login {
        login_prompt: login.map(|login| login.prompt.clone()),
        username: login.map(|login| login.username.clone()),
        password_prompt,
        password,
        login_commands: login.map(|login| login.commands.clone()).unwrap_or_default(),
        prompts: parts.prompts.to_vec(),
        kernel_messages: parts.grub.kernel_messages,
    };
    steps.push(step(parts, "login-action", work));
    if parts.tests_follow {
        steps.push(step(parts, "expect-shell-connection", Work::Shell { prompts: parts.prompts.to_vec() }));
    }
    steps
}
