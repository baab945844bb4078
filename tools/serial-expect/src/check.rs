//! The boot of a role message, tried on recordings of boards.

use crate::cli::CheckOptions;
use crate::tape::Tape;
use crate::wires::Event;
use mn_cli::{Cannot, Error, Result, Status};
use mn_console::dialogue::{Act, Dialogue};
use mn_msg::role::Boot;
use mn_msg::{Kind, Object, Reader, Role};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// How a boot went on a recording.
type Booted = std::result::Result<(), String>;

/// Tries the boot on each recording, and says how it went.
///
/// # Errors
/// Status 2 when the message or a recording cannot be used, 3 when it cannot be read.
pub fn run(options: &CheckOptions) -> Result<Status> {
    let role = role(&options.dialogue)?;
    let mut status = Status::Success;
    for path in &options.recordings {
        let mut tape = Tape::open(path)?;
        let recorded = tape.booted.take();
        let said = match boot(&role, tape)? {
            Ok(()) => "ok".to_owned(),
            Err(text) if recorded == Some(Err(text.clone())) => format!("ok, as recorded: {text}"),
            Err(text) => {
                status = Status::No;
                text
            }
        };
        writeln!(std::io::stdout(), "{}: {said}", path.display()).cannot("write the output")?;
    }
    Ok(status)
}

/// The one role of the file that boots a board.
fn role(path: &Path) -> Result<Role> {
    let what = format!("read '{}'", path.display());
    let mut reader = Reader::new(File::open(path).cannot(&what)?);
    let mut found = None;
    loop {
        let message = reader.next_message().cannot(&what)?;
        match message.kind() {
            Kind::Role => {
                let role = Role::from_message(message).cannot(&what)?;
                if dialogue_of(&role).is_some() && found.replace(role).is_some() {
                    return Err(Error::wrong(format_args!("cannot {what}: several roles boot a board; take one")));
                }
            }
            Kind::End => break,
            _ => {}
        }
    }
    found.ok_or_else(|| Error::wrong(format_args!("cannot {what}: no role boots a board")))
}

fn dialogue_of(role: &Role) -> Option<&Boot> {
    role.boot().filter(|boot| !boot.dialogue.is_empty())
}

/// Leads the recorded board to its shell.
fn boot(role: &Role, mut tape: Tape) -> Result<Booted> {
    let Some(boot) = dialogue_of(role) else { return Ok(Ok(())) };
    let none = Object::new();
    let staged = role.facts().staged.as_ref().unwrap_or(&none);
    let mut dialogue = Dialogue::new(boot, staged, Duration::ZERO).map_err(Error::wrong)?;
    let limit = tape.begin.map_or(Duration::MAX, |begin| begin.limit).min(Duration::from_secs(boot.timeout));
    let mut acts = dialogue.start(tape.now(), limit);
    loop {
        for act in acts.drain(..) {
            match act {
                Act::Power(_) => tape.switch(),
                Act::Type(_) => tape.typed(),
                Act::Ready => return Ok(Ok(())),
                Act::Fail(_, text) => return Ok(Err(text)),
                Act::Warn(text) => mn_cli::warn(text),
                Act::Step(..) | Act::Record(_) => {}
            }
        }
        let events = match tape.turn(dialogue.next_tick()) {
            Ok(events) => events,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let now = tape.now();
        for event in events {
            match event {
                Event::Console(bytes) => acts.extend(dialogue.push(&bytes, now)),
                Event::Switched(Ok(())) => acts.extend(dialogue.powered(now)),
                Event::Switched(Err(error)) => match dialogue.unpowered(&error.to_string(), now) {
                    Some(again) => acts.extend(again),
                    None => return Ok(Err(error.to_string())),
                },
                Event::Noted(_) | Event::Closed(_) | Event::Answer(..) | Event::Drained(_) => {}
            }
        }
        acts.extend(dialogue.tick(now));
    }
}
