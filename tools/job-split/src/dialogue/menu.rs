//! The numbered menus of a firmware, before GRUB or instead of it.

use super::{Method, Parts, character_delay, line_ending, step};
use crate::boot::Commands;
use crate::device::at;
use crate::findings::Findings;
use crate::read::{Keys, pattern, require_text, text, texts};
use crate::suggest::suggest;
use mn_msg::role::{Step, Work};
use mn_yaml::{Mapping, Node};

/// What a menu is drawn with.
struct Drawing<'a> {
    markup: [String; 2],
    class: String,
    separator: String,
    ending: Option<String>,
    /// The name of the set of options.
    name: &'a str,
}

/// The menu comes before GRUB where that method names the options for it.
pub fn before_grub(parts: &Parts, method: &Method, board: &mut Findings) -> Vec<Step> {
    let Some(name) = method.map.and_then(|map| text(map, "menu_options", board)) else { return Vec::new() };
    let menu = at(&parts.board.root, &["actions", "boot", "methods", "uefi-menu"]);
    let Some(menu) = menu else {
        board.error(method.position, format!("menu_options '{name}' needs the boot method 'uefi-menu'"));
        return Vec::new();
    };
    let Some(node) = menu.get(&name) else {
        board.error(menu.position(), format!("'uefi-menu' has no options '{name}'{}", suggest(&name, sets(menu))));
        return Vec::new();
    };
    picked(parts, method, menu, node, ("grub-efi-menu-selector", &name), board).unwrap_or_default()
}

/// The menu that the job names, or the dictionary; and the firmware's last words where the dictionary has them.
pub fn steps(parts: &Parts, method: &Method, job: &mut Findings, board: &mut Findings) -> Vec<Step> {
    let Some(menu) = method.map else {
        board.error(method.position, "the boot method 'uefi-menu' is empty");
        return Vec::new();
    };
    let name = match &parts.boot.commands {
        Some(Commands::Set(name)) => Some(name.clone()),
        _ => text(menu, "menu_options", board),
    };
    let Some(name) = name else {
        job.error(
            parts.boot.commands_position,
            "missing key 'commands' of a boot: the dictionary names no menu_options",
        );
        return Vec::new();
    };
    let Some(node) = menu.get(&name) else {
        let hint = suggest(&name, sets(menu));
        let text = format!("the dictionary of '{}' has no menu '{name}'{hint}", parts.board.hostname());
        job.error(parts.boot.commands_position, text);
        return Vec::new();
    };
    let mut steps = picked(parts, method, menu, node, ("uefi-menu-selector", &name), board).unwrap_or_default();
    if let Some(message) = method.parameters.and_then(|map| pattern(map, "boot_message", board)) {
        steps.push(step(parts, "uefi-menu-selector", Work::Expect { patterns: vec![message], errors: Vec::new() }));
    }
    steps
}

/// The names of its sets of options.
fn sets(menu: &Mapping) -> impl Iterator<Item = &str> + Clone {
    menu.entries().iter().map(|entry| entry.key.as_str()).filter(|key| !["parameters", "menu_options"].contains(key))
}

fn picked(
    parts: &Parts,
    method: &Method,
    menu: &Mapping,
    options: &Node,
    (action, name): (&str, &str),
    board: &mut Findings,
) -> Option<Vec<Step>> {
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
    let ending = line_ending(parts, method, board);
    let drawing = Drawing { markup, class: class?, separator, ending, name };
    for option in board.ok(options.as_list())? {
        let select = board.ok(option.as_map()).and_then(|map| board.ok(map.require("select")));
        let select = select.and_then(|node| board.ok(node.as_map()))?;
        steps.push(step(parts, action, drawing.work(parts, select, &prompt, board)?));
        if let Some(next) = pattern(select, "wait", board) {
            prompt = next;
        }
    }
    Some(steps)
}

impl Drawing<'_> {
    /// What one `select` does at its prompt: pick an entry, or answer a question.
    fn work(&self, parts: &Parts, select: &Mapping, prompt: &str, board: &mut Findings) -> Option<Work> {
        let keys =
            Keys { of: "a menu's select", known: &["enter", "fallback", "items", "wait"], unsupported: &["escape"] };
        keys.check(select, board);
        let named = |text: &str| text.replace("{TEST_MENU_NAME}", &format!("LAVA {} test image", self.name));
        if let Some(answer) = text(select, "enter", board) {
            return Some(Work::Commands {
                prompt: prompt.to_owned(),
                lines: vec![named(&answer)],
                character_delay: character_delay(parts),
                line_ending: Some(self.ending.clone().unwrap_or_else(|| "\r".to_owned())),
                final_message: None,
                errors: Vec::new(),
            });
        }
        let items = board.ok(select.require("items")).map(|node| texts(node, board))?;
        let [item] = items.as_slice() else {
            board.error(select.position(), "a select has one item");
            return None;
        };
        Some(Work::Choose {
            prompt: prompt.to_owned(),
            item: named(item),
            item_markup: self.markup.clone(),
            item_class: self.class.clone(),
            separator: self.separator.clone(),
            fallback: text(select, "fallback", board),
            line_ending: self.ending.clone(),
        })
    }
}

fn item_markup(parameters: &Mapping, board: &mut Findings) -> Option<[String; 2]> {
    let node = board.ok(parameters.require("item_markup"))?;
    let markup = texts(node, board);
    <[String; 2]>::try_from(markup)
        .map_err(|_| board.error(node.position(), "'item_markup' is a list of two texts"))
        .ok()
}
