//! Answers as text, for shells and for eyes.

use crate::waits::{self, Wait, list, word};
use mn_cli::escape;
use serde_json::Value;

/// What a wait or a drain gave: a line `ID:KEY=VALUE` for each key, a line `left ID` or `died ID` for each guest.
/// Control characters are escaped, so that a value cannot make a line of its own.
pub fn answer(value: &Value) -> String {
    let mut text = String::new();
    for message in list(value, "messages") {
        let data = message.get("data").and_then(Value::as_object);
        for (key, value) in data.into_iter().flatten() {
            let line = format!("{}:{key}={}", word(message, "from"), value.as_str().unwrap_or_default());
            text += &format!("{}\n", escape(&line));
        }
    }
    for how in ["left", "died"] {
        let ids = list(value, how).iter().filter_map(Value::as_str);
        text.extend(ids.map(|id| format!("{how} {}\n", escape(id))));
    }
    text
}

/// A line a member: id, role, state, and what it waits for.
pub fn status(value: &Value) -> String {
    let mut rows = vec![["MEMBER", "ROLE", "STATE", "WAITS"].map(str::to_owned)];
    for member in list(value, "members") {
        let waits = waits::of_member(member).map(|each| wait(&each)).collect::<Vec<_>>().join("; ");
        let columns = ["job_id", "role", "state"].map(|name| escape(word(member, name)));
        let [id, role, state] = columns;
        rows.push([id, role, state, if waits.is_empty() { "-".into() } else { waits }]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (id, role, state) = (width(0), width(1), width(2));
    let line = |row: &[String; 4]| format!("{:id$}  {:role$}  {:state$}  {}\n", row[0], row[1], row[2], row[3]);
    let mut text: String = rows.iter().map(line).collect();
    if let Some(left) = value.get("deadlock_in").and_then(Value::as_f64) {
        text += &format!("every member waits: deadlock in {left:.0} s\n");
    }
    text
}

/// "sync clients for 74585 74586, since 12 s, 588 s left".
fn wait(Wait { call, needs, since, remaining }: &Wait) -> String {
    let needs = if needs.is_empty() { String::new() } else { format!(" for {}", needs.join(" ")) };
    format!("{}, since {since:.0} s, {remaining:.0} s left", escape(&format!("{call}{needs}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_cannot_make_a_line_of_its_own() {
        let value =
            json!({ "messages": [{ "from": "7", "data": { "a": "x\n8:b=y", "c": "" } }, { "from": "8", "data": {} }] });
        assert_eq!(answer(&value), "7:a=x\\n8:b=y\n7:c=\n");
    }

    #[test]
    fn guests_are_told_by_how_they_ended() {
        assert_eq!(answer(&json!({ "left": ["1", "3"], "died": ["2"] })), "left 1\nleft 3\ndied 2\n");
        assert_eq!(answer(&json!({})), "");
    }

    #[test]
    fn status_is_a_table() {
        let wait = json!({ "call": "sync", "message": "clients", "since": 12.4, "remaining": 587.6, "for": ["101"] });
        let value = json!({ "deadlock_in": 9.6, "members": [
            { "job_id": "101", "role": "guest", "state": "expected", "waits": [] },
            { "job_id": "104", "role": "host", "state": "joined", "waits": [wait] },
        ]});
        let expected = "MEMBER  ROLE   STATE     WAITS\n\
                        101     guest  expected  -\n\
                        104     host   joined    sync clients for 101, since 12 s, 588 s left\n\
                        every member waits: deadlock in 10 s\n";
        assert_eq!(status(&value), expected);
    }
}
