//! A status as a graph for dot(1): an arrow from who waits to whom it waits for.

use serde_json::Value;

/// The graph of what `status` returned.
pub fn status(value: &Value) -> String {
    let mut text = format!("digraph {} {{\n\trankdir=LR;\n\tnode [shape=box];\n", quoted(word(value, "group")));
    for member in list(value, "members") {
        let (id, role, state) = (word(member, "job_id"), word(member, "role"), word(member, "state"));
        let style = if matches!(state, "left" | "died") { ", style=dashed" } else { "" };
        text += &format!("\t{} [label={}{style}];\n", quoted(id), quoted(&format!("{role} {id}\n{state}")));
    }
    for member in list(value, "members") {
        for wait in list(member, "waits") {
            let seconds = wait.get("since").and_then(Value::as_f64).unwrap_or(0.0);
            let label = quoted(&format!("{} {}, {seconds:.0} s", word(wait, "call"), word(wait, "message")));
            for needed in list(wait, "for").iter().filter_map(Value::as_str) {
                text += &format!("\t{} -> {} [label={label}];\n", quoted(word(member, "job_id")), quoted(needed));
            }
        }
    }
    text + "}\n"
}

/// A string of the language, whatever is in it.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => out.push('?'),
            c => out.push(c),
        }
    }
    out + "\""
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_arrow_goes_to_each_member_that_is_waited_for() {
        let wait = json!({ "call": "sync", "message": "a\"b", "since": 12.4, "remaining": 1.0, "for": ["2"] });
        let value = json!({ "group": "g", "members": [
            { "job_id": "1", "role": "host", "state": "joined", "waits": [wait] },
            { "job_id": "2", "role": "guest", "state": "left", "waits": [] },
        ]});
        let expected = "digraph \"g\" {\n\trankdir=LR;\n\tnode [shape=box];\n\
                        \t\"1\" [label=\"host 1\\njoined\"];\n\t\"2\" [label=\"guest 2\\nleft\", style=dashed];\n\
                        \t\"1\" -> \"2\" [label=\"sync a\\\"b, 12 s\"];\n}\n";
        assert_eq!(status(&value), expected);
    }
}
