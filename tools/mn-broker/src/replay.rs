//! What a journal tells: a line for each thing that happened, with its time.

use crate::desk::{Desk, Letter};
use crate::engine::Past;
use crate::halls::Halls;
use crate::input::Input;
use crate::journal;
use mn_cli::{Cannot, Error, Result, Status, escape};
use mn_group::Settings;
use mn_ipc::Incoming;
use serde_json::Value;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// Prints a journal.
///
/// # Errors
/// Status 3 when it cannot be read, or a line that is not the last is corrupt; what came before is printed.
pub fn replay(path: &Path) -> Result<Status> {
    let mut desk = Desk::new(Halls::new(Settings::default()), String::new);
    let mut past = Past::default();
    let mut begin = (0, Duration::ZERO);
    let mut text = String::new();
    let read = journal::read(path, |time, input, _| {
        if let Input::Start { at, .. } = &input {
            begin = (*at, time);
        }
        let moment = UNIX_EPOCH + Duration::from_micros(begin.0) + time.saturating_sub(begin.1);
        for what in tell(&input, past.relive(&mut desk, time, &input)) {
            text += &format!("{} {}\n", mn_msg::stamp(moment), escape(&what));
        }
    });
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => return Err(Error::silent(Status::Signal(13))),
        written => written.cannot("write the output")?,
    }
    read.map(|()| Status::Success)
}

/// An input and what it brought about, in a line each.
fn tell(input: &Input, letters: Vec<Letter>) -> Vec<String> {
    let asked = match input {
        Input::Start { groups, .. } => {
            let names = groups.iter().map(|group| format!("{} ({} members)", group.name, group.members.len()));
            format!("start: {}", names.collect::<Vec<_>>().join(", "))
        }
        Input::Request(asked) => {
            let call = serde_json::to_value(&asked.call).unwrap_or_default();
            let mut arguments = call.get("args").and_then(Value::as_object).cloned().unwrap_or_default();
            // The secret of a session is nobody's business.
            arguments.remove("session");
            let arguments = if arguments.is_empty() { String::new() } else { format!(" {}", Value::Object(arguments)) };
            let name = call.get("call").and_then(Value::as_str).unwrap_or_default();
            format!("{}: {name}{arguments}", asked.c)
        }
        Input::Lost { c } => format!("{c}: lost"),
        Input::Tick {} => "time has passed".to_owned(),
        Input::Lava { request, .. } => format!("lava: {request}"),
    };
    let answers = letters.into_iter().filter_map(|letter| match letter {
        Letter::Line(to, line) => answer(to, &line),
        Letter::Close(_) => None,
    });
    std::iter::once(asked).chain(answers).collect()
}

/// An answer worth a line: one with something in it, and not the secret of a session.
fn answer(to: u64, line: &[u8]) -> Option<String> {
    match Incoming::parse(line)? {
        Incoming::Return(id, value) => {
            let shown = value.get("member").map_or_else(|| value.to_string(), |member| format!("member {member}"));
            Some(format!("{to}: answer to {id}: {shown}"))
        }
        Incoming::Error(id, class, text) => {
            Some(format!("{to}: error to {}: {}: {text}", id.unwrap_or_default(), class.word()))
        }
        Incoming::Event(_) => None,
    }
}
