//! A board's boot: the dialogue with the console, and the power command in it.

use crate::mark::Mark;
use crate::power;
use crate::report::Report;
use crate::verdict;
use crate::wires::{Event, Wires};
use mn_cli::{Error, Result};
use mn_console::dialogue::{Act, Dialogue};
use mn_console::expect::Expect;
use mn_msg::{Held, MemberDir};
use std::collections::BTreeMap;
use std::time::Duration;

/// A board that is switched by the dictionary's commands.
pub struct Board {
    /// The commands by their names, in words.
    pub commands: BTreeMap<String, Vec<Vec<String>>>,
    /// Where the role keeps its files.
    pub dir: Option<MemberDir>,
    /// What has to be struck out when the board is off.
    pub held: Vec<Held>,
    /// Whether it may be on.
    pub touched: bool,
    /// Whether it has booted.
    pub up: bool,
    /// What undoes the commands of its users, by the command's name.
    pub undo: BTreeMap<String, Vec<Vec<String>>>,
    /// What is to be undone at the end: the command, and what is written down of it.
    pub done: Vec<(String, Vec<Held>)>,
}

/// The commands after which a board may be on.
const SWITCHES: [&str; 2] = ["hard_reset", "power_on"];

/// How long the reason of a closed console is awaited from the stage before.
const REASON: Duration = Duration::from_secs(1);

impl Board {
    /// Leads the board to its shell; gives what it printed after the last prompt. All has to be done by `end`.
    ///
    /// # Errors
    /// With the status of mn-exit(7) that fits what went wrong.
    pub fn boot(
        &mut self,
        mut dialogue: Dialogue,
        wires: &mut Wires,
        report: &mut Report,
        end: Duration,
    ) -> Result<Vec<u8>> {
        let booted = self.converse(&mut dialogue, wires, report, end);
        wires.stop_switching();
        let how = booted.as_ref().copied().map_err(ToString::to_string);
        wires.mark(&Mark::Booted(how))?;
        self.up = booted.is_ok();
        booted.map(|()| dialogue.into_unread())
    }

    fn converse(
        &mut self,
        dialogue: &mut Dialogue,
        wires: &mut Wires,
        report: &mut Report,
        end: Duration,
    ) -> Result<()> {
        let mut lost = None;
        let mut acts = dialogue.start(wires.now(), end);
        loop {
            if !acts.is_empty() {
                // What follows from the board's words stands after them.
                wires.log.write()?;
            }
            for act in acts.drain(..) {
                match act {
                    Act::Power(name) => self.switch(&name, wires)?,
                    Act::Type(typed) => wires.type_text(typed)?,
                    Act::Step(name, text) => {
                        wires.mark(&Mark::Step(format!("{name}: {text}")))?;
                        report.step("boot", &text)?;
                    }
                    Act::Record(record) => report.record(record)?,
                    Act::Warn(text) => report.warn(&text)?,
                    Act::Ready => return Ok(()),
                    Act::Fail(fault, text) => return Err(verdict::error(fault, &text)),
                }
            }
            if let Some(reason) = lost {
                return Err(closed(wires, reason, dialogue.last_seen()));
            }
            let events = wires.turn(dialogue.next_tick())?;
            let now = wires.now();
            for event in events {
                match event {
                    Event::Console(bytes) => acts.extend(dialogue.push(&bytes, now)),
                    Event::Noted(text) => report.warn(&text)?,
                    Event::Closed(reason) => lost = Some(reason),
                    Event::Switched(Ok(())) => acts.extend(dialogue.powered(now)),
                    Event::Switched(Err(error)) => {
                        let again = dialogue.unpowered(&error.to_string(), now);
                        acts.extend(again.ok_or(error)?);
                    }
                    Event::Answer(..) | Event::Drained(_) => {}
                }
            }
            acts.extend(dialogue.tick(now));
        }
    }

    /// Runs a command that the job names, with the dictionary's words for it; gives what the board printed meanwhile. All
    /// has to be done by `end`.
    ///
    /// # Errors
    /// Status 3 when it fails, 124 when it takes too long.
    pub fn command(&mut self, name: &str, wires: &mut Wires, report: &mut Report, end: Duration) -> Result<Vec<u8>> {
        if SWITCHES.contains(&name) {
            self.switch(name, wires)?;
        } else {
            self.note_undo(name, wires)?;
            wires.switch(name, self.commands.get(name).cloned().unwrap_or_default(), self.dir.as_ref())?;
        }
        let mut unread = Expect::default();
        let ended = listen(wires, report, &mut unread, end);
        wires.stop_switching();
        let late = || Err(Error::timeout(format_args!("cannot run '{name}': the time of its block is up")));
        ended?.unwrap_or_else(late)?;
        Ok(unread.take_unread())
    }

    /// Writes down how a command is undone, before it is run.
    fn note_undo(&mut self, name: &str, wires: &Wires) -> Result<()> {
        let Some(undo) = self.undo.get(name) else { return Ok(()) };
        let held = match &self.dir {
            Some(dir) if wires.is_live() => power::hold(dir, undo)?,
            _ => Vec::new(),
        };
        self.done.push((name.to_owned(), held));
        Ok(())
    }

    /// Runs one of the dictionary's commands; before the first it is written down how to switch the board off.
    fn switch(&mut self, name: &str, wires: &mut Wires) -> Result<()> {
        if let (Some(dir), false, true) = (&self.dir, self.touched, wires.is_live()) {
            self.held = power::hold(dir, self.commands.get("power_off").map(Vec::as_slice).unwrap_or_default())?;
        }
        self.touched = true;
        wires.switch(name, self.commands.get(name).cloned().unwrap_or_default(), self.dir.as_ref())
    }
}

/// Keeps what the console prints, until a power command has ended, and then how, or until `until`.
///
/// # Errors
/// When the role cannot go on.
pub fn listen(
    wires: &mut Wires,
    report: &mut Report,
    unread: &mut Expect,
    until: Duration,
) -> Result<Option<Result<()>>> {
    while wires.now() < until {
        let (mut ended, mut lost) = (None, None);
        for event in wires.turn(Some(until))? {
            match event {
                Event::Console(bytes) => unread.push(&bytes),
                Event::Noted(text) => report.warn(&text)?,
                Event::Switched(how) => ended = Some(how),
                Event::Closed(reason) => lost = Some(reason),
                Event::Answer(..) | Event::Drained(_) => {}
            }
        }
        if let Some(reason) = lost {
            return Err(closed(wires, reason, None));
        }
        if ended.is_some() {
            return Ok(ended);
        }
    }
    Ok(None)
}

/// The error of a console that closed under the role, with the reason of the stage that held it, if it gives one.
pub fn closed(wires: &mut Wires, reason: Option<String>, seen: Option<String>) -> Error {
    let until = wires.now() + REASON;
    while wires.is_held() && wires.now() < until {
        if let Err(error) = wires.turn(Some(until)) {
            return error;
        }
    }
    let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    let seen = seen.map_or_else(|| "it was silent".to_owned(), |line| format!("last seen: '{line}'"));
    Error::lab(format_args!("lost the console: it has closed{reason}; {seen}"))
}
