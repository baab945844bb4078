//! What is said on a shared console's socket: serial-expect(1), Sharing.

use base64::Engine;
use base64::prelude::BASE64_STANDARD as STANDARD;
use mn_cli::Result;
use mn_msg::{Kind, Message, Object};
use serde_json::Value;

/// Who types, or may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The user's name.
    pub user: String,
    /// The process.
    pub pid: i64,
}

impl std::fmt::Display for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, process {}", self.user, self.pid)
    }
}

/// A watcher's words.
#[derive(Debug, PartialEq, Eq)]
pub enum Request {
    /// Show the console from this byte on; below 0 so many from its end, none from now on.
    Attach(Option<i64>),
    /// Type this.
    Type(Vec<u8>),
    /// Let me type instead of another.
    Take,
}

/// The words for a watcher.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// The console printed this, from this byte on.
    Bytes(u64, Vec<u8>),
    /// Somebody else types; what you typed has been left out.
    Keyboard(Person),
    /// Something a person should know.
    Warning(String),
    /// The console has ended in order.
    End,
}

impl Request {
    /// As a message.
    pub fn message(&self) -> Message {
        let mut data = Object::new();
        match self {
            Request::Attach(from) => {
                data.extend(from.map(|from| ("from".to_owned(), from.into())));
                Message::new("attach", data)
            }
            Request::Type(bytes) => {
                data.insert("direction".into(), "out".into());
                put(&mut data, bytes);
                Message::new("console", data)
            }
            Request::Take => Message::new("keyboard", data),
        }
    }

    /// What a message asks for; nothing if it is not known.
    pub fn read(message: &Message) -> Option<Request> {
        match message.kind_text() {
            "attach" => Some(Request::Attach(message.data().get("from").and_then(Value::as_i64))),
            "console" => bytes(message).map(Request::Type),
            "keyboard" => Some(Request::Take),
            _ => None,
        }
    }
}

impl Answer {
    /// As a message.
    pub fn message(&self) -> Message {
        let mut data = Object::new();
        match self {
            Answer::Bytes(offset, bytes) => {
                data.insert("offset".into(), (*offset).into());
                data.insert("direction".into(), "in".into());
                put(&mut data, bytes);
                Message::new("console", data)
            }
            Answer::Keyboard(person) => {
                data.insert("user".into(), person.user.as_str().into());
                data.insert("pid".into(), person.pid.into());
                Message::new("keyboard", data)
            }
            Answer::Warning(text) => {
                data.insert("text".into(), text.as_str().into());
                Message::new("warning", data)
            }
            Answer::End => Message::end(mn_cli::Status::Success),
        }
    }

    /// As a line; one is never too long for a message.
    pub fn to_line(&self) -> Result<Vec<u8>> {
        self.message().to_line()
    }

    /// What a message says; nothing if it is not known.
    pub fn read(message: &Message) -> Option<Answer> {
        let offset = || message.data().get("offset").and_then(Value::as_u64);
        match message.kind() {
            Kind::Console => Some(Answer::Bytes(offset()?, bytes(message)?)),
            Kind::Warning => Some(Answer::Warning(message.text("text").to_owned())),
            Kind::End => Some(Answer::End),
            _ if message.kind_text() == "keyboard" => {
                let pid = message.data().get("pid").and_then(Value::as_i64)?;
                Some(Answer::Keyboard(Person { user: message.text("user").to_owned(), pid }))
            }
            _ => None,
        }
    }
}

/// How a message holds bytes: as `text` where they are, else as `bytes` in base64.
pub fn written(bytes: &[u8]) -> (Option<&str>, Option<String>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Some(text), None),
        Err(_) => (None, Some(STANDARD.encode(bytes))),
    }
}

fn put(data: &mut Object, bytes: &[u8]) {
    let (text, encoded) = written(bytes);
    data.extend(text.map(|text| ("text".to_owned(), text.into())));
    data.extend(encoded.map(|encoded| ("bytes".to_owned(), encoded.into())));
}

fn bytes(message: &Message) -> Option<Vec<u8>> {
    let data = message.data();
    match data.get("text").and_then(Value::as_str) {
        Some(text) => Some(text.as_bytes().to_vec()),
        None => STANDARD.decode(data.get("bytes").and_then(Value::as_str)?).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        for request in [
            Request::Attach(None),
            Request::Attach(Some(-4096)),
            Request::Type(b"ls\r".to_vec()),
            Request::Type(b"\xff".to_vec()),
            Request::Take,
        ] {
            assert_eq!(Request::read(&request.message()), Some(request));
        }
        let person = Person { user: "anna".into(), pid: 7 };
        for answer in
            [Answer::Bytes(1 << 40, b"# ".to_vec()), Answer::Keyboard(person), Answer::Warning("x".into()), Answer::End]
        {
            assert_eq!(Answer::read(&answer.message()), Some(answer));
        }
        assert_eq!(Request::read(&Message::new("later", Object::new())), None);
        assert_eq!(Answer::read(&Message::new("console", Object::new())), None);
    }
}
