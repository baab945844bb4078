//! A status as a graph for dot(1): an arrow from who waits to whom it waits for.

use crate::waits::{self, list, word};
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
        for wait in waits::of_member(member) {
            let label = quoted(&format!("{}, {:.0} s", wait.call, wait.since));
            for needed in wait.needs {
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
