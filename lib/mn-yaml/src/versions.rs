//! Values that YAML 1.1 and YAML 1.2 read differently.

use serde_json::Value;

use crate::node::{Kind, Node, Style};
use crate::resolve::Resolved;
use crate::{Document, Warning};

/// How a difference is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// A reader of YAML 1.2 sees something else.
    Note,
    /// Hardly anyone means what YAML 1.1 reads: a number of base 60 where a clock, a MAC address or a pair of
    /// ports was written.
    Warning,
}

/// The plain values of a document whose two readings differ, in the order of the file.
pub fn differences(document: &Document) -> Vec<(Weight, Warning)> {
    let mut found = Vec::new();
    visit(&document.root, &mut found);
    found.sort_by_key(|(_, warning)| warning.position);
    // What an alias stands for is met once more at each use.
    found.dedup();
    found
}

fn visit(node: &Node, found: &mut Vec<(Weight, Warning)>) {
    match &node.kind {
        Kind::Sequence(items) => items.iter().for_each(|item| visit(item, found)),
        Kind::Mapping(mapping) => mapping.entries.iter().for_each(|entry| visit(&entry.value, found)),
        Kind::Scalar(scalar) if scalar.style == Style::Plain => {
            found.extend(difference(&scalar.text, &scalar.resolved).map(|(weight, message)| {
                let position = node.position;
                (weight, Warning { position, message })
            }));
        }
        Kind::Scalar(_) => {}
    }
}

fn difference(text: &str, resolved: &Resolved) -> Option<(Weight, String)> {
    let old = match resolved {
        Resolved::Value(value) => value.clone(),
        _ => Value::String(text.to_owned()),
    };
    let new = core(text);
    if old == new || as_number(&old).is_some() && as_number(&old) == as_number(&new) {
        return None;
    }
    if text.contains(':') && old.is_number() {
        return Some((Weight::Warning, format!("'{text}' is the number {old} in YAML 1.1: quote it if it is text")));
    }
    let (old, new) = (describe(&old), describe(&new));
    Some((Weight::Note, format!("'{text}' is {old} here, as in LAVA, and {new} in YAML 1.2: quote it if it is text")))
}

fn as_number(value: &Value) -> Option<f64> {
    value.as_f64()
}

fn describe(value: &Value) -> String {
    match value {
        Value::String(_) => "text".to_owned(),
        value => value.to_string(),
    }
}

/// The core schema of YAML 1.2.
fn core(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Value::from("inf"),
        "-.inf" | "-.Inf" | "-.INF" => return Value::from("-inf"),
        ".nan" | ".NaN" | ".NAN" => return Value::from("nan"),
        _ => {}
    }
    number(text).unwrap_or_else(|| Value::from(text))
}

fn number(text: &str) -> Option<Value> {
    if let Some(digits) = text.strip_prefix("0o") {
        return i64::from_str_radix(digits, 8).ok().filter(|_| !digits.starts_with(['+', '-'])).map(Value::from);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return i64::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with(['+', '-'])).map(Value::from);
    }
    let body = text.strip_prefix(['+', '-']).unwrap_or(text);
    let shaped = body.starts_with(|c: char| c.is_ascii_digit())
        || body.starts_with('.') && body[1..].starts_with(|c: char| c.is_ascii_digit());
    let allowed = |c: char| c.is_ascii_digit() || ".eE+-".contains(c);
    if !shaped || !body.chars().all(allowed) {
        return None;
    }
    if let Ok(integer) = text.parse::<i64>() {
        return Some(Value::from(integer));
    }
    text.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        let document = crate::parse(text.as_bytes()).unwrap();
        differences(&document).into_iter().map(|(weight, warning)| format!("{weight:?} {warning}")).collect()
    }

    #[test]
    fn what_both_read_alike_is_not_told() {
        let same =
            "[true, null, 12, -1, 1.5, 1.0e+3, 0x1f, .inf, text, 'yes', '012', 1.2.3, '12:30', 00:11:22:33:44:55, ~]";
        assert_eq!(told(same), [""; 0]);
    }

    #[test]
    fn what_they_read_differently_is_a_note() {
        let mend = ": quote it if it is text";
        for (text, expected) in [
            ("yes", "true here, as in LAVA, and text in YAML 1.2"),
            ("010", "8 here, as in LAVA, and 10 in YAML 1.2"),
            ("1_000", "1000 here, as in LAVA, and text in YAML 1.2"),
            ("0b11", "3 here, as in LAVA, and text in YAML 1.2"),
            ("0o17", "text here, as in LAVA, and 15 in YAML 1.2"),
            ("1e3", "text here, as in LAVA, and 1000.0 in YAML 1.2"),
            ("09", "text here, as in LAVA, and 9 in YAML 1.2"),
        ] {
            assert_eq!(told(text), [format!("Note 1:1: '{text}' is {expected}{mend}")]);
        }
    }

    #[test]
    fn a_mac_address_or_a_port_that_became_a_number_is_a_warning() {
        assert_eq!(told("a: 8:22"), ["Warning 1:4: '8:22' is the number 502 in YAML 1.1: quote it if it is text"]);
        assert_eq!(told("10:20:30:40:50:55").len(), 1);
        assert_eq!(told("x: &a 1:30\ny: *a\n").len(), 1, "an alias says nothing new");
    }
}
