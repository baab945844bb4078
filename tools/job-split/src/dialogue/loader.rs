//! A bootloader: stopping it, and the commands at its prompt.

use super::{Method, Parts, character_delay, line_ending, step};
use crate::boot::{By, Commands, Until};
use crate::findings::Findings;
use crate::read::{boolean, pattern, require_text, text, texts};
use crate::suggest::suggest;
use crate::uboot;
use mn_msg::Object;
use mn_msg::role::{Step, Work};
use mn_msg::template;
use mn_yaml::{Mapping, Node, Position};
use serde_json::Value;

const INTERRUPT: &str = "bootloader-interrupt";

/// Stops it from booting by itself. Its method's values come before its constants.
pub fn interrupt(parts: &Parts, method: &Method, board: &mut Findings) -> Vec<Step> {
    let needed = method.parameters.and_then(|map| boolean(map, "needs_interrupt", board)).unwrap_or(true);
    if !needed {
        return Vec::new();
    }
    let own = method.parameters.and_then(|map| pattern(map, "interrupt_prompt", board));
    let Some(prompt) = own.or_else(|| method.constant("interrupt-prompt", board)) else {
        let position = method.constants.map_or(parts.board.root.position(), Mapping::position);
        board.error(position, format!("missing key 'interrupt-prompt' in constants: {}", parts.boot.by.name()));
        return Vec::new();
    };
    let mut steps = vec![step(parts, INTERRUPT, Work::Expect { patterns: vec![prompt], errors: Vec::new() })];
    let send = |(text, newline)| step(parts, INTERRUPT, Work::Send { text, newline });
    let controls = control_keys(method, board);
    match controls.is_empty() {
        true => steps.push(send(character(parts, method, board))),
        false => steps.extend(controls.into_iter().map(|text| send((text, false)))),
    }
    steps
}

/// The character that interrupts, and whether the newline after it is one of the message's own.
fn character(parts: &Parts, method: &Method, board: &mut Findings) -> (String, bool) {
    let node = method.own_or_constant("interrupt_char", "interrupt-character");
    let key = node.and_then(|node| board.ok(node.as_str())).unwrap_or_default().to_owned();
    let newline = method.constants.and_then(|map| boolean(map, "interrupt-newline", board)).unwrap_or(true);
    match line_ending(parts, method, board).filter(|_| newline) {
        Some(ending) => (key + &ending, false),
        None => (key, newline),
    }
}

/// The characters of `interrupt_ctrl_list`; an empty list is none, as LAVA's templates write it.
fn control_keys(method: &Method, board: &mut Findings) -> Vec<String> {
    let Some(node) = method.own_or_constant("interrupt_ctrl_list", "interrupt_ctrl_list") else { return Vec::new() };
    texts(node, board).iter().filter_map(|key| control(key, node.position(), board)).collect()
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

/// The commands, typed one after the other at the prompt.
pub fn commands(parts: &Parts, method: &Method, job: &mut Findings, board: &mut Findings) -> Vec<Step> {
    let prompt = match (method.parameters, method.map) {
        (Some(map), _) => require_text(map, "bootloader_prompt", board).and(pattern(map, "bootloader_prompt", board)),
        (None, Some(map)) => board.ok(map.require("parameters")).and(None),
        (None, None) => {
            board.error(method.position, format!("the boot method '{}' is empty", parts.boot.by.name()));
            None
        }
    };
    let lines = match &parts.boot.commands {
        Some(Commands::Lines(lines)) => Some(lines.clone()),
        Some(Commands::Set(name)) => command_set(name, parts, method, job, board),
        None => None,
    };
    let (Some(prompt), Some(lines)) = (prompt, lines) else { return Vec::new() };
    let Some(lines) = filled(lines, parts, method, job, board) else { return Vec::new() };
    let stays = parts.boot.until == Until::Prompt;
    let back = (stays && !lines.is_empty()).then(|| prompt_again(parts, &prompt, method));
    let constant = method.constant("final-message", board);
    let last = parts.boot.final_message.clone().or(constant).filter(|text| !text.is_empty());
    let work = Work::Commands {
        prompt,
        lines,
        character_delay: character_delay(parts),
        line_ending: line_ending(parts, method, board),
        final_message: last.filter(|_| !stays),
        errors: method.errors.clone(),
    };
    std::iter::once(step(parts, "bootloader-commands", work)).chain(back).collect()
}

/// A boot that ends at the bootloader waits for the last command's end, by the job's prompts or the dictionary's.
fn prompt_again(parts: &Parts, prompt: &str, method: &Method) -> Step {
    let patterns = if parts.prompts.is_empty() { vec![prompt.to_owned()] } else { parts.prompts.to_vec() };
    step(parts, "bootloader-commands", Work::Expect { patterns, errors: method.errors.clone() })
}

fn command_set(
    name: &str,
    parts: &Parts,
    method: &Method,
    job: &mut Findings,
    board: &mut Findings,
) -> Option<Vec<String>> {
    let map = method.map?;
    let is_set = |node: &Node| node.as_map().is_ok_and(|map| map.get("commands").is_some());
    match map.get(name).filter(|node| is_set(node)) {
        Some(node) => {
            let node = board.ok(node.as_map())?.get("commands")?;
            board.ok(node.as_list())?;
            Some(texts(node, board))
        }
        None => {
            let sets = map.entries().iter().filter(|entry| is_set(&entry.value));
            let known = sets.map(|entry| entry.key.as_str());
            let hint = suggest(name, known);
            let text = format!("the dictionary of '{}' has no commands '{name}'{hint}", parts.board.hostname());
            job.error(parts.boot.commands_position, text);
            None
        }
    }
}

/// The lines with those placeholders filled in that are known before anything is staged. As in LAVA a line goes with
/// the file that it is for.
fn filled(
    lines: Vec<String>,
    parts: &Parts,
    method: &Method,
    job: &mut Findings,
    board: &mut Findings,
) -> Option<Vec<String>> {
    const NONE: [&str; 8] = [
        "APPLY_DTBO_COMMANDS",
        "DTB_BASE_RESIZE",
        "LAVA_MAC",
        "PRESEED_CONFIG",
        "PRESEED_LOCAL",
        "ROOT",
        "ROOT_PART",
        "TEE",
    ];
    let mut values: Object = NONE.into_iter().map(|name| (name.to_owned(), Value::Null)).collect();
    if let Some(mac) = method.parameters.and_then(|map| text(map, "lava_mac", board)) {
        values.insert("LAVA_MAC".to_owned(), mac.into());
    }
    if parts.boot.by == By::UBoot && lines.iter().any(|line| uboot::needs_addresses(line)) {
        let booting = uboot::booting(parts.board, parts.resources, board)?;
        let Some(booting) = booting else {
            let text = "the addresses in these commands need the kernel's 'type': image, uimage or zimage";
            job.error(parts.boot.commands_position, text);
            return None;
        };
        values.extend(booting.placeholders());
    }
    Some(lines.iter().filter_map(|line| template::fill(line, &values)).collect())
}
