use crate::{Class, Object};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version of the protocol.
pub const VERSION: u64 = 1;

/// What the broker says first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Greeting {
    /// The version of the protocol.
    pub mn: u64,
    /// The broker's own version.
    #[serde(default)]
    pub broker: String,
    /// The group's name; empty where there are several.
    #[serde(default)]
    pub group: String,
    /// Its process: who connects to another one reaches it through a forwarder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// The calls it knows.
    #[serde(default)]
    pub capabilities: Vec<String>,
}

/// One member's message under an id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sent {
    /// The sender's job id.
    pub from: String,
    /// Strings by name.
    #[serde(default)]
    pub data: Object,
}

/// A line from the broker, after its greeting.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// A call was answered.
    Return(i64, Value),
    /// A call failed; no id when the broker could not read one.
    Error(Option<i64>, Class, String),
    /// Something happened, for a connection that watches.
    Event(Object),
}

impl Incoming {
    /// Reads one line; `None` when it is none of this version.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let Value::Object(mut object) = serde_json::from_slice(line).ok()? else { return None };
        if object.contains_key("event") {
            return Some(Self::Event(object));
        }
        let id = object.get("id").and_then(Value::as_i64);
        if let Some(value) = object.remove("return") {
            return Some(Self::Return(id?, value));
        }
        let error = object.remove("error")?;
        let class = Class::of_word(error.get("class")?.as_str()?);
        let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
        Some(Self::Error(id, class, message.to_owned()))
    }

    /// The line with its newline.
    pub fn to_line(&self) -> Vec<u8> {
        let value = match self {
            Self::Return(id, value) => serde_json::json!({ "id": id, "return": value }),
            Self::Error(id, class, message) => {
                serde_json::json!({ "id": id, "error": { "class": class.word(), "message": message } })
            }
            Self::Event(object) => Value::Object(object.clone()),
        };
        let mut line = value.to_string().into_bytes();
        line.push(b'\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_an_answer_that_reads_back_or_none(
            begin in prop_oneof!["", "\\{\"id\":1,\"(return|error)\":", "\\{\"event\":"],
            bytes in vec(any::<u8>(), 0..60),
            end in prop_oneof!["", "\\}"],
        ) {
            let line = [begin.as_bytes(), &bytes, end.as_bytes()].concat();
            if let Some(incoming) = Incoming::parse(&line) {
                prop_assert_eq!(Incoming::parse(&incoming.to_line()), Some(incoming));
            }
        }
    }

    #[test]
    fn answers_read_back_as_they_were_written() {
        let answers = [
            Incoming::Return(1, serde_json::json!({})),
            Incoming::Error(Some(2), Class::Deadlock, "all wait".into()),
            Incoming::Error(None, Class::BadRequest, "no JSON".into()),
        ];
        for answer in answers {
            assert_eq!(Incoming::parse(&answer.to_line()), Some(answer));
        }
    }

    #[test]
    fn a_class_of_a_later_version_is_still_an_error() {
        let line = br#"{"id":1,"error":{"class":"x-new","message":"m"}}"#;
        assert_eq!(Incoming::parse(line), Some(Incoming::Error(Some(1), Class::Other, "m".into())));
    }
}
