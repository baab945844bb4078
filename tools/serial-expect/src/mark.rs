//! The marks of a recording: what was decided, and what else than the board's words came to the role.

use crate::cast::time;
use mn_cli::{Error, Status};
use mn_console::reply::{Answer, Sent};
use serde_json::{Value, json};
use std::time::Duration;

/// What a role began with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Begin {
    /// The time that the job had left.
    pub limit: Duration,
    /// Bytes that the console's log had already.
    pub offset: u64,
    /// Whether the stage before was watched.
    pub held: bool,
    /// Whether there was a broker.
    pub broker: bool,
}

/// A status with its text.
pub type Failure = (Status, String);

/// A mark.
#[derive(Debug, Clone, PartialEq)]
pub enum Mark {
    /// The role began.
    Begin(Begin),
    /// A decision, for people.
    Step(String),
    /// A password was typed.
    Password,
    /// A person typed so many bytes.
    Person(String, usize),
    /// A power command was started.
    Power(String),
    /// It has ended.
    Powered(Result<(), Failure>),
    /// The boot has ended.
    Booted(Result<(), String>),
    /// A multinode call has ended.
    Answer(u64, Answer),
    /// The wait for the guests has ended.
    Drained(Result<Value, Failure>),
    /// Something that people should know of the console.
    Noted(String),
    /// The console has closed.
    Closed(Option<String>),
    /// The role was ended from outside.
    Ended(Failure),
}

impl Mark {
    /// The text of a mark; it begins with a word.
    pub fn text(&self) -> String {
        match self {
            Mark::Begin(Begin { limit, offset, held, broker }) => {
                let begin = json!({"limit": limit.as_secs_f64(), "offset": offset, "held": held, "broker": broker});
                format!("begin {begin}")
            }
            Mark::Step(text) => format!("step {text}"),
            Mark::Password => "password".to_owned(),
            Mark::Person(name, count) => format!("person {name}: {count} bytes"),
            Mark::Power(name) => format!("power {name}"),
            Mark::Powered(Ok(())) => "powered".to_owned(),
            Mark::Powered(Err(why)) => format!("power-failed {}", failure(why)),
            Mark::Booted(Ok(())) => "booted".to_owned(),
            Mark::Booted(Err(text)) => format!("boot-failed {text}"),
            Mark::Answer(number, answer) => format!("answer {number} {}", answer_value(answer)),
            Mark::Drained(Ok(value)) => format!("drained {value}"),
            Mark::Drained(Err(why)) => format!("drain-failed {}", failure(why)),
            Mark::Noted(text) => format!("noted {text}"),
            Mark::Closed(None) => "closed".to_owned(),
            Mark::Closed(Some(reason)) => format!("closed {reason}"),
            Mark::Ended(why) => format!("ended {}", failure(why)),
        }
    }

    /// Reads one; nothing of what another program has marked.
    pub fn read(text: &str) -> Option<Mark> {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        Some(match word {
            "begin" => Mark::Begin(begin(rest)?),
            "password" => Mark::Password,
            "power" => Mark::Power(rest.to_owned()),
            "powered" => Mark::Powered(Ok(())),
            "power-failed" => Mark::Powered(Err(read_failure(rest)?)),
            "booted" => Mark::Booted(Ok(())),
            "boot-failed" => Mark::Booted(Err(rest.to_owned())),
            "answer" => {
                let (number, answer) = rest.split_once(' ')?;
                Mark::Answer(number.parse().ok()?, read_answer(answer)?)
            }
            "drained" => Mark::Drained(Ok(serde_json::from_str(rest).ok()?)),
            "drain-failed" => Mark::Drained(Err(read_failure(rest)?)),
            "noted" => Mark::Noted(rest.to_owned()),
            "closed" => Mark::Closed(Some(rest.to_owned()).filter(|reason| !reason.is_empty())),
            "ended" => Mark::Ended(read_failure(rest)?),
            _ => return None,
        })
    }
}

/// What an error says, for a mark.
pub fn failure_of(error: &Error) -> Failure {
    (error.status(), error.to_string())
}

/// The error that a mark tells of.
pub fn error((status, text): Failure) -> Error {
    Error::new(status, text)
}

fn failure((status, text): &Failure) -> String {
    format!("{} {text}", status.code())
}

fn read_failure(text: &str) -> Option<Failure> {
    let (status, text) = text.split_once(' ')?;
    Some((Status::from_code(status.parse().ok()?), text.to_owned()))
}

fn begin(text: &str) -> Option<Begin> {
    let value: Value = serde_json::from_str(text).ok()?;
    Some(Begin {
        limit: time(value["limit"].as_f64()?)?,
        offset: value["offset"].as_u64()?,
        held: value["held"].as_bool()?,
        broker: value["broker"].as_bool()?,
    })
}

fn answer_value(answer: &Answer) -> Value {
    match answer {
        Answer::Refused(reason) => json!({"refused": reason}),
        Answer::Granted(messages) => {
            let message = |Sent { from, data }: &Sent| {
                let data = data.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str())));
                json!({"from": from, "data": Value::Object(data.collect())})
            };
            json!({"messages": messages.iter().map(message).collect::<Vec<_>>()})
        }
    }
}

fn read_answer(text: &str) -> Option<Answer> {
    let value: Value = serde_json::from_str(text).ok()?;
    match value.get("refused") {
        Some(reason) => Some(Answer::Refused(reason.as_str()?.to_owned())),
        None => Some(Answer::Granted(crate::broker::messages(&value))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        let sent = Sent { from: "8".into(), data: vec![("b".into(), "1 2".into()), ("a".into(), "é".into())] };
        let limit = Duration::from_micros(299_999_871);
        let failed = || (Status::Signal(15), "ended by SIGTERM".to_owned());
        for mark in [
            Mark::Begin(Begin { limit, offset: 7, held: true, broker: false }),
            Mark::Password,
            Mark::Power("hard_reset".into()),
            Mark::Powered(Ok(())),
            Mark::Powered(Err(failed())),
            Mark::Booted(Ok(())),
            Mark::Booted(Err("login-action: x".into())),
            Mark::Answer(1 << 62, Answer::Granted(vec![sent])),
            Mark::Answer(1, Answer::Granted(vec![])),
            Mark::Answer(2, Answer::Refused("there is no broker".into())),
            Mark::Drained(Ok(json!({"left": ["1"]}))),
            Mark::Drained(Err(failed())),
            Mark::Noted("the console is there again after 1.0 s".into()),
            Mark::Closed(None),
            Mark::Closed(Some("Broken pipe".into())),
            Mark::Ended(failed()),
        ] {
            assert_eq!(Mark::read(&mark.text()), Some(mark));
        }
        for other in ["", "step login-action: waiting", "a chapter", "answer x {}", "begin {}"] {
            assert_eq!(Mark::read(other), None, "{other}");
        }
    }
}
