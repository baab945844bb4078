//! One line of progress, as a person reads it.

use mn_cli::escape;
use mn_msg::{Kind, Message};
use serde_json::Value;

/// A message of progress.jsonl or results.jsonl; `None` when it says nothing to a person.
pub fn line(json: &str) -> Option<String> {
    let message = Message::parse(json.as_bytes()).ok()?;
    let who = format!("{} {}", message.text("job_id"), message.text("role"));
    let text = match message.kind() {
        Kind::Step => format!("{who}  {}: {}: {}", message.text("tool"), message.text("step"), message.text("text")),
        Kind::Warning => format!("{who}  {}: warning: {}", message.text("tool"), message.text("text")),
        Kind::Result => format!("{who}  {}", result(&message)),
        _ => return None,
    };
    Some(escape(&text))
}

fn result(message: &Message) -> String {
    let measurement = message.data().get("measurement").and_then(Value::as_f64);
    let measured = measurement.map_or(String::new(), |value| format!(" {value} {}", message.text("units")));
    format!("{}/{}: {}{measured}", message.text("definition"), message.text("case"), message.text("result"))
}

/// A line that a tool of the member wrote on its standard error.
pub fn diagnostic(job_id: &str, text: &str) -> String {
    escape(&format!("{job_id} {text}"))
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn a_step_names_its_member_and_tool() {
        let json = r#"{"v":1,"type":"step","data":{"job_id":"7","role":"host","tool":"serial-expect","at":"","step":"boot","text":"waits"}}"#;
        assert_eq!(line(json).as_deref(), Some("7 host  serial-expect: boot: waits"));
    }

    #[test]
    fn a_damaged_line_says_nothing() {
        assert_eq!(line("{\"v\":1,"), None);
    }
}
