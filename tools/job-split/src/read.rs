//! Values of a mapping by their keys, with what is wrong among the findings.

use crate::findings::Findings;
use crate::suggest::suggest;
use mn_console::matcher::Patterns;
use mn_yaml::{Kind, Mapping, Node, Position};
use std::cell::RefCell;
use std::collections::HashSet;

/// The keys of one kind of mapping.
pub struct Keys<'a> {
    /// What the mapping is, for messages: `a boot`.
    pub of: &'a str,
    /// Keys that are read, or known to have no meaning here.
    pub known: &'a [&'a str],
    /// Keys of LAVA that would change the run and are not understood.
    pub unsupported: &'a [&'a str],
}

impl Keys<'_> {
    /// Looks at every key of `map`: LAVA ignores those it does not know, and so a misspelt one.
    pub fn check(&self, map: &Mapping, findings: &mut Findings) {
        for entry in map.entries() {
            let key = entry.key.as_str();
            if self.unsupported.contains(&key) {
                findings.unsupported(entry.key_position, format_args!("'{key}' of {}", self.of));
            } else if !self.known.contains(&key) {
                let known = self.known.iter().chain(self.unsupported).copied();
                let text = format!("unknown key '{key}' of {} is ignored{}", self.of, suggest(key, known));
                findings.warn(entry.key_position, text);
            }
        }
    }
}

/// Where the value of a key stands, or the mapping where there is none.
pub fn place(map: &Mapping, key: &str) -> Position {
    map.get(key).map_or(map.position(), Node::position)
}

/// The text of a key that may be missing; null counts as missing.
pub fn text(map: &Mapping, key: &str, findings: &mut Findings) -> Option<String> {
    let node = map.get(key).filter(|node| !node.is_null())?;
    findings.ok(node.as_str()).map(str::to_owned)
}

/// The text of a key that must be there and not be empty.
pub fn require_text(map: &Mapping, key: &str, findings: &mut Findings) -> Option<String> {
    let node = findings.ok(map.require(key))?;
    let text = findings.ok(node.as_str())?;
    if text.is_empty() {
        findings.error(node.position(), format!("'{key}' is empty"));
        return None;
    }
    Some(text.to_owned())
}

/// A boolean that may be missing.
pub fn boolean(map: &Mapping, key: &str, findings: &mut Findings) -> Option<bool> {
    let node = map.get(key)?;
    findings.ok(node.as_bool())
}

/// A mapping that may be missing.
pub fn mapping<'a>(map: &'a Mapping, key: &str, findings: &mut Findings) -> Option<&'a Mapping> {
    let node = map.get(key).filter(|node| !node.is_null())?;
    findings.ok(node.as_map())
}

/// A mapping verbatim, if it is there.
pub fn object(map: &Mapping, key: &str, findings: &mut Findings) -> Option<mn_msg::Object> {
    let map = mapping(map, key, findings)?;
    Some(map.entries().iter().map(|entry| (entry.key.clone(), entry.value.value())).collect())
}

/// A text, or a list of texts; an item that is none is a finding.
pub fn texts(node: &Node, findings: &mut Findings) -> Vec<String> {
    match node.kind() {
        Kind::Sequence(items) => {
            items.iter().filter_map(|item| findings.ok(item.as_str()).map(str::to_owned)).collect()
        }
        _ => findings.ok(node.as_str()).map(str::to_owned).into_iter().collect(),
    }
}

/// A list of texts that may be missing, and must be a list.
pub fn list(map: &Mapping, key: &str, findings: &mut Findings) -> Option<Vec<String>> {
    let node = map.get(key).filter(|node| !node.is_null())?;
    findings.ok(node.as_list())?;
    Some(texts(node, findings))
}

/// The mappings of a list that must be there and not be empty.
pub fn list_of_maps<'a>(map: &'a Mapping, key: &str, findings: &mut Findings) -> Option<Vec<&'a Mapping>> {
    let node = findings.ok(map.require(key))?;
    let items = findings.ok(node.as_list())?;
    if items.is_empty() {
        findings.error(node.position(), format!("'{key}' is empty"));
    }
    Some(items.iter().filter_map(|item| findings.ok(item.as_map())).collect())
}

/// A regular expression that may be missing; an empty text is none.
pub fn pattern(map: &Mapping, key: &str, findings: &mut Findings) -> Option<String> {
    let text = text(map, key, findings)?;
    if !text.is_empty() {
        check_pattern(&text, place(map, key), findings);
    }
    Some(text)
}

/// A regular expression, or a list of them.
pub fn patterns(node: &Node, findings: &mut Findings) -> Vec<String> {
    let items = match node.kind() {
        Kind::Sequence(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut patterns = Vec::new();
    for item in items {
        let Some(text) = findings.ok(item.as_str()) else { continue };
        check_pattern(text, item.position(), findings);
        patterns.push(text.to_owned());
    }
    patterns
}

/// Better now than when the board has booted. A group's boards have their patterns in common: each is compiled once.
fn check_pattern(text: &str, at: Position, findings: &mut Findings) {
    thread_local! {
        static GOOD: RefCell<HashSet<String>> = RefCell::default();
    }
    if GOOD.with_borrow(|good| good.contains(text)) {
        return;
    }
    match Patterns::new(&[text]) {
        Ok(patterns) => {
            if patterns.need_window() {
                findings.note(at, format!("the pattern '{}' is looked for line by line", text.escape_debug()));
            }
            GOOD.with_borrow_mut(|good| good.insert(text.to_owned()));
        }
        Err(bad) => findings.error(at, bad.to_string()),
    }
}
