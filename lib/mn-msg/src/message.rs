use crate::{MAX_LINE, Object};
use mn_cli::{Error, Result, Status};
use serde::Serialize;
use serde_json::{Value, json};

/// The types of messages that a tool may act on; a type that is not known is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One member of the group, as it is to be run.
    Role,
    /// Progress.
    Step,
    /// What was found out.
    Result,
    /// A piece of a console.
    Console,
    /// Something that a person should know.
    Warning,
    /// What a holder held is gone.
    Gone,
    /// No more messages.
    End,
    /// A type of a later version.
    Other,
}

/// One message, with everything that came with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    line: Object,
}

impl Message {
    /// A message of the type `kind`, as it is written in the envelope.
    pub fn new(kind: &str, data: Object) -> Self {
        let mut line = Object::new();
        line.insert("v".into(), 1.into());
        line.insert("type".into(), kind.into());
        line.insert("data".into(), Value::Object(data));
        Self { line }
    }

    /// The end of a stream.
    pub fn end(status: Status) -> Self {
        Self::from_json("end", json!({ "status": status.code() }))
    }

    /// A holder's word that what it held is gone.
    pub fn gone(status: Status, reason: &str) -> Self {
        Self::from_json("gone", json!({ "status": status.code(), "reason": reason }))
    }

    fn from_json(kind: &str, data: Value) -> Self {
        match data {
            Value::Object(data) => Self::new(kind, data),
            _ => Self::new(kind, Object::new()),
        }
    }

    /// Reads one line without its newline.
    ///
    /// # Errors
    /// Status 2 when it is no message of version 1.
    pub fn parse(line: &[u8]) -> Result<Self> {
        Self::read(line).map_err(|reason| Error::wrong(format_args!("cannot read the input: {reason}")))
    }

    /// The same, and what is wrong with the line in a few words.
    pub(crate) fn read(line: &[u8]) -> std::result::Result<Self, String> {
        // To the parser each line is the first one.
        let wrong = |error: serde_json::Error| error.to_string().replace(" at line 1 column ", " at column ");
        let Value::Object(line) = serde_json::from_slice(line).map_err(wrong)? else {
            return Err("a message is a JSON object".to_owned());
        };
        match line.get("v").and_then(Value::as_u64) {
            Some(1) => {}
            Some(v) => return Err(format!("version {v} of the messages is not known, only 1")),
            None => return Err("a message has a version 'v'".to_owned()),
        }
        if !line.get("type").is_some_and(Value::is_string) || !line.get("data").is_some_and(Value::is_object) {
            return Err("a message has a 'type', a string, and 'data', an object".to_owned());
        }
        Ok(Self { line })
    }

    /// The message's type.
    pub fn kind(&self) -> Kind {
        match self.kind_text() {
            "role" => Kind::Role,
            "step" => Kind::Step,
            "result" => Kind::Result,
            "console" => Kind::Console,
            "warning" => Kind::Warning,
            "gone" => Kind::Gone,
            "end" => Kind::End,
            _ => Kind::Other,
        }
    }

    /// The message's type as it is written.
    pub fn kind_text(&self) -> &str {
        self.line.get("type").and_then(Value::as_str).unwrap_or_default()
    }

    /// The data.
    pub fn data(&self) -> &Object {
        static EMPTY: std::sync::LazyLock<Object> = std::sync::LazyLock::new(Object::new);
        self.line.get("data").and_then(Value::as_object).unwrap_or(&EMPTY)
    }

    /// Adds a field to the data, or replaces it.
    pub fn set(&mut self, field: &str, value: impl Into<Value>) {
        if let Some(data) = self.line.get_mut("data").and_then(Value::as_object_mut) {
            data.insert(field.to_owned(), value.into());
        }
    }

    /// The text field `name` of the data, or nothing.
    pub fn text(&self, name: &str) -> &str {
        self.data().get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The status of an `end` or a `gone`; one that carries none counts as the lab's fault.
    pub fn status(&self) -> Status {
        self.data().get("status").and_then(Value::as_i64).map_or(Status::Lab, Status::from_code)
    }

    /// The line with its newline.
    ///
    /// # Errors
    /// Status 2 when it is longer than 4 MiB.
    pub fn to_line(&self) -> Result<Vec<u8>> {
        let mut line = Vec::new();
        write_line(&mut line, &self.line)?;
        Ok(line)
    }
}

/// The envelope of a message whose data is written as it stands.
#[derive(Serialize)]
struct Envelope<'a, T> {
    v: u8,
    #[serde(rename = "type")]
    kind: &'a str,
    data: &'a T,
}

/// Puts a message of the type `kind` behind what `lines` holds, without the detour over a [`Message`]: for one who
/// writes them by the thousand.
///
/// # Errors
/// Status 2 when it is longer than 4 MiB.
pub fn put_line(lines: &mut Vec<u8>, kind: &str, data: &impl Serialize) -> Result<()> {
    write_line(lines, &Envelope { v: 1, kind, data })
}

fn write_line(lines: &mut Vec<u8>, message: &impl Serialize) -> Result<()> {
    let before = lines.len();
    serde_json::to_writer(&mut *lines, message)
        .map_err(|error| Error::wrong(format_args!("cannot write a message: {error}")))?;
    lines.push(b'\n');
    let size = lines.len() - before;
    if size > MAX_LINE {
        lines.truncate(before);
        return Err(Error::wrong(format_args!("cannot write a message of {size} bytes: the limit is {MAX_LINE}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_passed_on_unchanged() {
        let line = br#"{"v":1,"type":"later","data":{"b":1.10,"a":[]},"new":true}"#;
        let message = Message::parse(line).unwrap();
        assert_eq!(message.kind(), Kind::Other);
        assert_eq!(
            message.to_line().unwrap(),
            [b"{\"v\":1,\"type\":\"later\",\"data\":{\"b\":1.1,\"a\":[]},\"new\":true}".as_slice(), b"\n"].concat()
        );
    }

    #[test]
    fn a_later_version_is_refused() {
        let error = Message::parse(br#"{"v":2,"type":"end","data":{}}"#).unwrap_err();
        assert_eq!(error.to_string(), "cannot read the input: version 2 of the messages is not known, only 1");
    }

    #[test]
    fn an_end_without_status_is_no_success() {
        assert_eq!(Message::parse(br#"{"v":1,"type":"end","data":{}}"#).unwrap().status(), Status::Lab);
    }
}
