//! The numbered menus of a firmware, before GRUB or instead of it.

use super::{Method, Parts, character_delay, line_ending, step};
use crate::boot::Commands;
use crate::device::at;
use crate::findings::Findings;
use crate::read::{Keys, pattern, require_text, text, texts};
use crate::suggest::suggest;
use mn_msg::role::{Step, Work};
use mn_yaml::{Mapping, Node};

const SELECTOR: &str = "uefi-menu-selector";

/// The key that leaves a menu.
const ESCAPE: &str = "\x1b";

/// What a menu is drawn with.
struct Drawing<'a> {
    markup: [String; 2],
    class: String,
    separator: String,
    ending: Option<String>,
    /// What the firmware says when something fails.
    errors: &'a [String],
    /// The name of the set of options.
    name: &'a str,
}

/// A way through menus.
struct Walk<'a> {
    drawing: Drawing<'a>,
    character_delay: u64,
    /// What the menu that comes next ends with.
    prompt: String,
    /// Whether somebody has said so after the last menu.
    is_awaited: bool,
    works: Vec<Work>,
}

/// The dictionary's menu method.
fn menu_of<'a>(parts: &Parts<'a>) -> Option<&'a Mapping> {
    at(&parts.board.root, &["actions", "boot", "methods", "uefi-menu"])
}

/// The mapping that names the options for the menu before GRUB: that method's, or else the menu's own.
pub fn naming<'a>(parts: &Parts<'a>, method: &Method<'a>) -> Option<&'a Mapping> {
    [method.map, menu_of(parts)].into_iter().flatten().find(|map| map.get("menu_options").is_some())
}

/// The menu comes before GRUB where the dictionary names the options for it.
pub fn before_grub(parts: &Parts, method: &Method, board: &mut Findings) -> Vec<Step> {
    let name = naming(parts, method).and_then(|map| text(map, "menu_options", board));
    let (Some(name), menu) = (name, menu_of(parts)) else { return Vec::new() };
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
    let mut steps = picked(parts, method, menu, node, (SELECTOR, &name), board).unwrap_or_default();
    if let Some(message) = method.parameters.and_then(|map| pattern(map, "boot_message", board)) {
        steps.push(step(parts, SELECTOR, awaited(message, &method.errors)));
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
    let (separator, prompt) = (require("separator")?, require("bootloader_prompt")?);
    let markup = item_markup(parameters, board)?;
    let mut steps = vec![
        step(parts, "uefi-menu-interrupt", Work::Expect { patterns: vec![interrupt?], errors: Vec::new() }),
        step(parts, "uefi-menu-interrupt", Work::Send { text: key?, newline: false }),
    ];
    let ending = line_ending(parts, method, board);
    let drawing = Drawing { markup, class: class?, separator, ending, errors: &method.errors, name };
    let character_delay = character_delay(parts);
    let mut walk = Walk { drawing, character_delay, prompt, is_awaited: false, works: Vec::new() };
    for option in board.ok(options.as_list())? {
        let select = board.ok(option.as_map()).and_then(|map| board.ok(map.require("select")));
        walk.select(select.and_then(|node| board.ok(node.as_map()))?, board)?;
    }
    if walk.is_awaited {
        walk.works.push(awaited(walk.prompt, &method.errors));
    }
    steps.extend(walk.works.into_iter().map(|work| step(parts, action, work)));
    Some(steps)
}

/// Waits for the firmware's words.
fn awaited(words: String, errors: &[String]) -> Work {
    Work::Expect { patterns: vec![words], errors: errors.to_vec() }
}

impl Walk<'_> {
    /// What one `select` does, in LAVA's order: pick entries, leave the menu, answer a question; each at a prompt.
    fn select(&mut self, select: &Mapping, board: &mut Findings) -> Option<()> {
        let known = ["enter", "escape", "fallback", "items", "wait"];
        Keys { of: "a menu's select", known: &known, unsupported: &[] }.check(select, board);
        let next = pattern(select, "wait", board);
        let items = select.get("items").map(|node| texts(node, board)).unwrap_or_default();
        let (escapes, answer) = (select.get("escape").is_some(), text(select, "enter", board));
        if items.is_empty() && !escapes && answer.is_none() {
            board.error(select.position(), "a select has 'items', 'escape' or 'enter'");
            return None;
        }
        let fallback = text(select, "fallback", board);
        for item in items {
            let work = self.choice(&item, fallback.clone());
            self.go(vec![work], next.as_ref());
        }
        if escapes {
            let key = Work::Send { text: ESCAPE.to_owned(), newline: false };
            self.go(vec![awaited(self.prompt.clone(), self.drawing.errors), key], next.as_ref());
        }
        if let Some(answer) = answer {
            let work = self.answer(&answer);
            self.go(vec![work], next.as_ref());
        }
        Some(())
    }

    fn go(&mut self, works: Vec<Work>, next: Option<&String>) {
        self.works.extend(works);
        self.is_awaited = next.is_some();
        if let Some(next) = next {
            self.prompt.clone_from(next);
        }
    }

    fn choice(&self, item: &str, fallback: Option<String>) -> Work {
        Work::Choose {
            prompt: self.prompt.clone(),
            item: self.named(item),
            item_markup: self.drawing.markup.clone(),
            item_class: self.drawing.class.clone(),
            separator: self.drawing.separator.clone(),
            fallback,
            line_ending: self.drawing.ending.clone(),
        }
    }

    fn answer(&self, answer: &str) -> Work {
        Work::Commands {
            prompt: self.prompt.clone(),
            lines: vec![self.named(answer)],
            character_delay: self.character_delay,
            line_ending: Some(self.drawing.ending.clone().unwrap_or_else(|| "\r".to_owned())),
            final_message: None,
            errors: self.drawing.errors.to_vec(),
        }
    }

    /// With LAVA's name for the entry of a test, in braces or without.
    fn named(&self, text: &str) -> String {
        let name = format!("LAVA {} test image", self.drawing.name);
        text.replace("{TEST_MENU_NAME}", &name).replace("TEST_MENU_NAME", &name)
    }
}

fn item_markup(parameters: &Mapping, board: &mut Findings) -> Option<[String; 2]> {
    let node = board.ok(parameters.require("item_markup"))?;
    let markup = texts(node, board);
    <[String; 2]>::try_from(markup)
        .map_err(|_| board.error(node.position(), "'item_markup' is a list of two texts"))
        .ok()
}
