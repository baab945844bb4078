//! Writes YAML in block style, so that a reader of YAML 1.1 or 1.2 gets back what went in.

use crate::python_str;
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// The value as a document; keys keep their order.
///
/// Of the kept crates none quotes what only YAML 1.1 misreads (`yes`, `012`, `12:30`), hence this one.
pub fn document(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => mapping(map, 0, &mut out),
        Value::Array(items) if !items.is_empty() => sequence(items, 0, &mut out),
        value => scalar_line(value, 0, &mut out),
    }
    out
}

/// The entries of a map; the first line's indentation is there already.
fn mapping(map: &Map<String, Value>, indent: usize, out: &mut String) {
    for (index, (key, value)) in map.iter().enumerate() {
        if index > 0 {
            pad(indent, out);
        }
        out.push_str(&text(key));
        out.push(':');
        match value {
            Value::Object(map) if !map.is_empty() => {
                out.push('\n');
                pad(indent + 2, out);
                mapping(map, indent + 2, out);
            }
            // The dash is indentation enough.
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                pad(indent, out);
                sequence(items, indent, out);
            }
            value => {
                out.push(' ');
                scalar_line(value, indent, out);
            }
        }
    }
}

fn sequence(items: &[Value], indent: usize, out: &mut String) {
    for (index, value) in items.iter().enumerate() {
        if index > 0 {
            pad(indent, out);
        }
        out.push_str("- ");
        match value {
            Value::Object(map) if !map.is_empty() => mapping(map, indent + 2, out),
            Value::Array(items) if !items.is_empty() => sequence(items, indent + 2, out),
            value => scalar_line(value, indent, out),
        }
    }
}

fn pad(indent: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', indent));
}

fn scalar_line(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::String(string) => match block(string, indent) {
            Some(block) => out.push_str(&block),
            None => out.push_str(&text(string)),
        },
        Value::Number(number) => out.push_str(&with_point(python_str(&Value::Number(number.clone())))),
        Value::Object(_) => out.push_str("{}"),
        Value::Array(_) => out.push_str("[]"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Null => out.push_str("null"),
    }
    // A block has its own last newline.
    if !out.ends_with('\n') {
        out.push('\n');
    }
}

/// YAML 1.1 takes `1e+16` for text: a number with an exponent needs a point.
fn with_point(number: String) -> String {
    if number.contains('.') { number } else { number.replace('e', ".0e") }
}

/// Text of several lines as it stands, where YAML allows that without tricks.
fn block(string: &str, indent: usize) -> Option<String> {
    let body = string.trim_end_matches('\n');
    if !body.contains('\n')
        || body.starts_with([' ', '\t', '\n'])
        || body.ends_with([' ', '\t'])
        || !body.chars().all(|c| matches!(c, '\n' | '\t') || is_printable(c))
    {
        return None;
    }
    let (header, keep) = match string.len() - body.len() {
        0 => ("|-", 0),
        1 => ("|", 0),
        more => ("|+", more - 1),
    };
    let mut out = format!("{header}\n");
    for line in body.split('\n') {
        if !line.is_empty() {
            pad(indent + 2, &mut out);
            out.push_str(line);
        }
        out.push('\n');
    }
    out.extend(std::iter::repeat_n('\n', keep));
    Some(out)
}

/// Text on one line: bare where every reader takes that for the same text, else in quotes.
fn text(string: &str) -> String {
    if !string.chars().all(is_printable) {
        return double_quoted(string);
    }
    // The parser itself is asked what the bare text would mean.
    let bare = crate::parse(string.as_bytes()).is_ok_and(|document| document.root.as_str() == Ok(string));
    if bare && !is_other_in_yaml_1_2(string) { string.to_owned() } else { format!("'{}'", string.replace('\'', "''")) }
}

/// YAML 1.2 reads `1e3` and `0o17` as numbers, and so do readers of 1.1 that mean well.
fn is_other_in_yaml_1_2(string: &str) -> bool {
    string.parse::<f64>().is_ok() || string.starts_with("0o")
}

fn double_quoted(string: &str) -> String {
    let mut out = String::from("\"");
    for c in string.chars() {
        let code = u32::from(c);
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if is_printable(c) => out.push(c),
            // Writing to a String cannot fail.
            _ if code <= 0xff => drop(write!(out, "\\x{code:02x}")),
            _ if code <= 0xffff => drop(write!(out, "\\u{code:04x}")),
            _ => drop(write!(out, "\\U{code:08x}")),
        }
    }
    out.push('"');
    out
}

/// Neither a control character, nor one that breaks lines, nor one that a reader may drop.
fn is_printable(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::document;
    use serde_json::json;

    #[test]
    fn a_definition_reads_like_one_written_by_hand() {
        let value = json!({
            "metadata": {"format": "Lava-Test Test Definition 1.0", "name": "x", "os": ["debian"], "scope": []},
            "run": {"steps": ["ls -l", "for i in 1 2; do\n  echo $i\n\ndone\n", ["a", {"b": null, "c": 1}]]},
        });
        let expected = "\
metadata:
  format: Lava-Test Test Definition 1.0
  name: x
  os:
  - debian
  scope: []
run:
  steps:
  - ls -l
  - |
    for i in 1 2; do
      echo $i

    done
  - - a
    - b: null
      c: 1
";
        assert_eq!(document(&value), expected);
    }

    #[test]
    fn text_that_would_be_misread_is_quoted() {
        let value = json!([
            "yes",
            "No",
            "012",
            "12:30",
            "1_000",
            "1e3",
            "0o17",
            "null",
            "~",
            "2024-01-01",
            "a: b",
            "- a",
            "#c",
            "",
            " a",
            "it's: x",
            "it's"
        ]);
        let expected = "\
- 'yes'
- 'No'
- '012'
- '12:30'
- '1_000'
- '1e3'
- '0o17'
- 'null'
- '~'
- '2024-01-01'
- 'a: b'
- '- a'
- '#c'
- ''
- ' a'
- 'it''s: x'
- it's
";
        assert_eq!(document(&value), expected);
    }

    #[test]
    fn what_is_read_back_is_what_went_in() {
        let texts = [
            "a\nb",
            "a\nb\n",
            "a\nb\n\n\n",
            "\na\nb",
            " a\nb",
            "a\n b\n",
            "a\nb ",
            "a\n \nb",
            "a\n\n\nb\n",
            "a\tb",
            "\ta",
            "a\n\tb\n",
            "\n",
            "\n\n",
            "x\n",
            "\r\n",
            "a\u{85}b",
            "\u{2028}",
            "\u{feff}a",
            "é ü",
            "\u{1f600}",
            "\0",
            "a\u{1b}[2J",
            "'",
            "\"",
            "\\",
            "a'b\"c",
            "%a",
            "@a",
            "`a",
            "&a",
            "*a",
            "!a",
            "|",
            ">",
            "a:",
            ":a",
            "a #b",
            "a#b",
            "?",
            "? a",
            "-",
            "--- a",
            "...",
            "[a",
            "{a",
            "a, b",
            "=",
            "<<",
            "true",
            "0x1f",
            ".inf",
            "1.5",
            "-1",
            "+1",
            "1.",
            "inf",
            "NaN",
        ];
        for text in texts {
            for value in [json!(text), json!({"k": {text: text}}), json!([[text], {"k": [text]}])] {
                let written = document(&value);
                let read =
                    crate::parse(written.as_bytes()).unwrap_or_else(|error| panic!("{text:?}: {error}\n{written}"));
                assert_eq!(read.root.value(), value, "{written}");
                assert_eq!(
                    serde_yaml::from_str::<serde_json::Value>(&written).unwrap(),
                    value,
                    "as YAML 1.2: {written}"
                );
            }
        }
        for value in [
            json!(null),
            json!(true),
            json!(1e16),
            json!(1.5e-7),
            json!(1.0),
            json!(-3),
            json!(u64::MAX),
            json!({}),
            json!([]),
            json!({"a": []}),
        ] {
            let written = document(&value);
            assert_eq!(crate::parse(written.as_bytes()).unwrap().root.value(), value, "{written}");
        }
    }
}
