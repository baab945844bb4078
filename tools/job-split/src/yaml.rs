//! Values as YAML that every reader of 1.1 and 1.2 reads alike: what could be anything but text is in quotes.

use serde_json::Value;

/// A document of its own, with its mark.
pub fn document(value: &Value) -> String {
    let mut out = "---\n".to_owned();
    block(value, 0, &mut out);
    out
}

fn block(value: &Value, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                out.push_str(&format!("{pad}{}:", text(key)));
                // The items of a list need no deeper indentation than their key.
                below(value, if value.is_array() { indent } else { indent + 2 }, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                out.push_str(&format!("{pad}-"));
                match item {
                    Value::Object(map) if !map.is_empty() => {
                        let mut inner = String::new();
                        block(item, indent + 2, &mut inner);
                        out.push(' ');
                        out.push_str(inner.trim_start());
                    }
                    _ => below(item, indent + 2, out),
                }
            }
        }
        scalar => out.push_str(&format!("{pad}{}\n", flow(scalar))),
    }
}

/// What comes after a key or a dash.
fn below(value: &Value, indent: usize, out: &mut String) {
    let is_long = match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if is_long {
        out.push('\n');
        block(value, indent, out);
    } else {
        out.push_str(&format!(" {}\n", flow(value)));
    }
}

fn flow(value: &Value) -> String {
    match value {
        Value::Object(_) => "{}".to_owned(),
        Value::Array(_) => "[]".to_owned(),
        Value::String(string) => text(string),
        // Readers of 1.1 want a point before an exponent, and a sign in it.
        Value::Number(number) if number.is_f64() => float(number.as_f64().unwrap_or_default()),
        scalar => scalar.to_string(),
    }
}

fn float(number: f64) -> String {
    let plain = format!("{number}");
    if plain.contains('.') { plain } else { format!("{plain}.0") }
}

/// Plain where nobody can take it for anything else, as JSON otherwise, which is YAML.
fn text(string: &str) -> String {
    let is_word = string.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && string.chars().all(|c| c.is_ascii_alphanumeric() || "/_-.".contains(c));
    const OTHERS: [&str; 10] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan"];
    if is_word && !OTHERS.contains(&string.to_ascii_lowercase().as_str()) {
        return string.to_owned();
    }
    // A solidus needs no escape, and DEL and the like are none that PyYAML lets through.
    let mut quoted = String::new();
    for c in Value::from(string).to_string().chars() {
        match c {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_written_is_read_back() {
        let value = json!({
            "a": {"b": [1, {"c": "x", "d": []}, [["y"]], {}], "1:30": "12:30", "e": null},
            "words": ["yes", "Off", "012", "1e3", "a: b", "# c", "two\nlines", "\u{7f}é\u{2028}", "", "-", "~", "=", "<<"],
            "numbers": [1.0, 1e30, -2.5, 18446744073709551615u64, -1, 1e-7], "t": true,
        });
        let read = mn_yaml::parse(document(&value).as_bytes()).unwrap().root.value();
        assert_eq!(read, value);
        assert_eq!(mn_yaml::differences(&mn_yaml::parse(document(&value).as_bytes()).unwrap()), []);
    }

    #[test]
    fn it_looks_as_people_write_it() {
        let value = json!({"actions": [{"deploy": {"to": "tftp", "m": 1}}, "b c"], "e": {}});
        assert_eq!(document(&value), "---\nactions:\n- deploy:\n    to: tftp\n    m: 1\n- \"b c\"\ne: {}\n");
    }
}
