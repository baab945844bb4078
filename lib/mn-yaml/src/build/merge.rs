//! Keys, and what a merge key brings into a mapping.

use std::collections::HashMap;

use crate::node::{Entry, Kind, Node};
use crate::resolve::Resolved;
use crate::{Error, python_str};

/// Adds entries to a mapping; a later one replaces an earlier one in its place.
pub fn unite(new: Vec<Entry>, entries: &mut Vec<Entry>, places: &mut HashMap<String, usize>) {
    for entry in new {
        match places.get(&entry.key) {
            Some(&place) => entries[place] = entry,
            None => {
                places.insert(entry.key.clone(), entries.len());
                entries.push(entry);
            }
        }
    }
}

/// The text of a key; none for the merge key.
pub fn key_text(key: &Node) -> Option<String> {
    match &key.kind {
        Kind::Scalar(scalar) if scalar.resolved == Resolved::Merge => None,
        _ if key.is_null() => Some("None".to_owned()),
        _ => Some(python_str(&key.value())),
    }
}

/// The entries a merge key brings in. Of a list the first mapping wins, so it comes last.
pub fn merge_sources(value: Node) -> Result<Vec<Entry>, Error> {
    match value.kind {
        Kind::Mapping(mapping) => Ok(mapping.entries),
        Kind::Sequence(items) => {
            let mut entries = Vec::new();
            for item in items.into_iter().rev() {
                match item.kind {
                    Kind::Mapping(mapping) => entries.extend(mapping.entries),
                    _ => return Err(item.expected("a mapping to merge")),
                }
            }
            Ok(entries)
        }
        _ => Err(value.expected("a mapping, or a list of mappings, to merge")),
    }
}

/// `<<` and `=` mean nothing as a value, and PyYAML refuses them.
pub fn refuse_marks(node: &Node) -> Result<(), Error> {
    match &node.kind {
        Kind::Scalar(scalar) if matches!(scalar.resolved, Resolved::Merge | Resolved::Equals) => {
            let message = format!("plain '{}' is no value in YAML 1.1: quote it", scalar.text);
            Err(Error::new(node.position, message))
        }
        _ => Ok(()),
    }
}
