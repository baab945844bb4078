//! Values as Python prints them: LAVA writes the parameters of a test with `str()`.

use serde_json::{Map, Number, Value};

/// The text Python's `str()` gives for a value read from YAML; null gives the empty string, as in
/// LAVA's parameter lines.
///
/// Text stays as it is, booleans are `True` and `False`, and lists and maps become Python
/// literals with `None` inside. Keys of maps are always shown as strings.
///
/// ```
/// let value = serde_json::json!(["it's", true, null, 1.0, {"a": 1e16}]);
/// assert_eq!(mn_yaml::python_str(&value), r#"["it's", True, None, 1.0, {'a': 1e+16}]"#);
/// assert_eq!(mn_yaml::python_str(&serde_json::Value::Null), "");
/// ```
pub fn python_str(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => {
            let mut out = String::new();
            repr(other, &mut out);
            out
        }
    }
}

fn repr(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Number(number) => out.push_str(&number_repr(number)),
        Value::String(text) => text_repr(text, out),
        Value::Array(items) => list_repr(items, out),
        Value::Object(map) => map_repr(map, out),
    }
}

fn list_repr(items: &[Value], out: &mut String) {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        out.push_str(if index == 0 { "" } else { ", " });
        repr(item, out);
    }
    out.push(']');
}

fn map_repr(map: &Map<String, Value>, out: &mut String) {
    out.push('{');
    for (index, (key, value)) in map.iter().enumerate() {
        out.push_str(if index == 0 { "" } else { ", " });
        text_repr(key, out);
        out.push_str(": ");
        repr(value, out);
    }
    out.push('}');
}

fn number_repr(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => float_repr(float),
        _ => number.to_string(),
    }
}

/// The shortest digits that give the float back, laid out as Python does: with an exponent of at
/// least two digits below 1e-4 and from 1e16.
pub(crate) fn float_repr(float: f64) -> String {
    if float.is_nan() {
        return "nan".to_owned();
    }
    if float.is_infinite() {
        return if float > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{float:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if float == 0.0 || (-4..16).contains(&exponent) {
        return format!("{float:?}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

fn text_repr(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            c if is_printable(c) => out.push(c),
            c => out.push_str(&escape(u32::from(c))),
        }
    }
    out.push(quote);
}

fn escape(code: u32) -> String {
    match code {
        0..=0xff => format!("\\x{code:02x}"),
        0x100..=0xffff => format!("\\u{code:04x}"),
        _ => format!("\\U{code:08x}"),
    }
}

/// Rust's own table of printable characters follows the same Unicode categories as Python's; it
/// is asked about a second character because a first one that combines is escaped too.
fn is_printable(c: char) -> bool {
    matches!(c, '"' | '\'') || String::from_iter(['a', c]).escape_debug().eq(['a', c])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // Every right-hand side was printed by Python 3.11.
    #[test]
    fn values_print_as_python_prints_them() {
        for (value, expected) in [
            (json!("a 'b'"), "a 'b'"),
            (json!(true), "True"),
            (json!(false), "False"),
            (json!(511), "511"),
            (json!(18_446_744_073_709_551_615_u64), "18446744073709551615"),
            (json!(1.1), "1.1"),
            (json!(1000.0), "1000.0"),
            (json!(-0.0), "-0.0"),
            (json!(1e15), "1000000000000000.0"),
            (json!(1e16), "1e+16"),
            (json!(1.5e-5), "1.5e-05"),
            (json!(0.0001), "0.0001"),
            (json!(1.25e300), "1.25e+300"),
            (json!([]), "[]"),
            (json!({}), "{}"),
            (json!([null, "x", [1]]), "[None, 'x', [1]]"),
            (json!({"a b": {"c": null}, "d": 1}), "{'a b': {'c': None}, 'd': 1}"),
        ] {
            assert_eq!(python_str(&value), expected);
        }
    }

    #[test]
    fn text_in_a_list_is_quoted_as_python_quotes_it() {
        for (text, expected) in [
            ("it's", r#"["it's"]"#),
            ("say \"hi\"", r#"['say "hi"']"#),
            ("it's \"x\"", r#"['it\'s "x"']"#),
            ("a\\b\n\r\t\u{1b}", r"['a\\b\n\r\t\x1b']"),
            ("\u{e9}\u{a0}\u{200b}\u{1f600}\u{e000}", "['\u{e9}\\xa0\\u200b\u{1f600}\\ue000']"),
            ("e\u{301}\u{301}", "['e\u{301}\u{301}']"),
        ] {
            assert_eq!(python_str(&json!([text])), expected);
        }
    }
}
