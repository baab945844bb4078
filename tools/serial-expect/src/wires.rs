//! A role's ties to the world, or to a recording of it, and its clock.
//!
//! The clock goes on from turn to turn and never past the moment that a turn waits for, so that a recording, which
//! knows only when something happened, tells the role's own time again to the microsecond.

use crate::cast::What;
use crate::console_log::ConsoleLog;
use crate::live::Live;
use crate::mark::{Begin, Mark, failure_of};
use crate::recorder::Recorder;
use crate::tape::{MOMENT, Tape};
use mn_cli::Result;
use mn_console::reply::Answer;
use mn_console::script::{Secret, Typed};
use mn_console::signal::Request;
use mn_msg::MemberDir;
use serde_json::Value;
use std::time::Duration;

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// The console printed this.
    Console(Vec<u8>),
    /// Something that people should know of the console.
    Noted(String),
    /// The console is closed.
    Closed(Option<String>),
    /// The power command has ended.
    Switched(Result<()>),
    /// The call with this number has ended.
    Answer(u64, Answer),
    /// The wait for the guests has ended: who has left and who has died.
    Drained(Result<Value>),
}

impl Event {
    /// As a recording has it.
    fn recorded(&self) -> What {
        let mark = match self {
            Event::Console(bytes) => return What::Output(bytes.clone()),
            Event::Noted(text) => Mark::Noted(text.clone()),
            Event::Closed(reason) => Mark::Closed(reason.clone()),
            Event::Switched(how) => Mark::Powered(how.as_ref().copied().map_err(failure_of)),
            Event::Answer(number, answer) => Mark::Answer(*number, answer.clone()),
            Event::Drained(how) => Mark::Drained(how.as_ref().cloned().map_err(failure_of)),
        };
        What::Mark(mark.text())
    }
}

/// Where it all comes from.
pub enum Source {
    /// The world.
    Live(Box<Live>),
    /// A recording.
    Tape(Box<Tape>),
}

/// A role's ties.
pub struct Wires {
    source: Source,
    recorder: Option<Recorder>,
    now: Duration,
    /// When the job's own time is up.
    pub job_end: Duration,
    /// The records of the console.
    pub log: ConsoleLog,
    /// Whether the board is known to be dead: nobody is to be waited for who is on it.
    pub board_died: bool,
}

impl Wires {
    /// Begins, with so much of the job's time left, unless a recording knows it.
    ///
    /// # Errors
    /// Status 3 when it cannot be recorded, or what the role uses is gone already.
    pub fn new(source: Source, limit: Duration, mut log: ConsoleLog, recorder: Option<Recorder>) -> Result<Wires> {
        let limit = Duration::from_micros(u64::try_from(limit.as_micros()).unwrap_or(u64::MAX));
        let begin = match &source {
            Source::Live(live) => Begin {
                limit,
                offset: log.offset(),
                held: live.upstream.descriptor().is_some(),
                broker: live.broker.is_some(),
            },
            Source::Tape(tape) => tape.begin.unwrap_or(Begin { limit, offset: 0, held: false, broker: false }),
        };
        log.begin_at(begin.offset);
        let now = Duration::ZERO;
        let mut wires = Wires { source, recorder, now, job_end: begin.limit, log, board_died: false };
        wires.mark(&Mark::Begin(begin))?;
        if let Source::Live(live) = &mut wires.source {
            let checked = live.upstream.check();
            wires.pass(checked)?;
        }
        Ok(wires)
    }

    /// The time of the role: that of its last turn.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Whether this is the world, where something can be switched and held.
    pub fn is_live(&self) -> bool {
        matches!(self.source, Source::Live(_))
    }

    /// Keeps a mark in the recording, if there is one.
    ///
    /// # Errors
    /// Status 3 when it cannot be written.
    pub fn mark(&mut self, mark: &Mark) -> Result<()> {
        let now = self.now;
        self.recorder.as_mut().map_or(Ok(()), |recorder| recorder.mark(now, mark))
    }

    /// Keeps what the role was ended by.
    fn pass<T>(&mut self, outcome: Result<T>) -> Result<T> {
        if let Err(error) = &outcome {
            self.log.write()?;
            self.mark(&Mark::Ended(failure_of(error)))?;
        }
        outcome
    }

    /// Types a text, as soon as the console takes it.
    ///
    /// # Errors
    /// Status 3 when the console takes nothing.
    pub fn type_text(&mut self, typed: Typed) -> Result<()> {
        self.log.typed(&typed)?;
        let now = self.now;
        match &mut self.recorder {
            Some(recorder) if typed.secret == Secret::Yes => recorder.mark(now, &Mark::Password)?,
            Some(recorder) => recorder.keep(now, &What::Input(typed.text.clone()))?,
            None => {}
        }
        let outcome = match &mut self.source {
            Source::Live(live) => live.type_text(typed),
            Source::Tape(tape) => {
                tape.typed();
                Ok(())
            }
        };
        self.pass(outcome)
    }

    /// Runs a power command; [`Event::Switched`] says when it has ended.
    ///
    /// # Errors
    /// Status 3 when it cannot be run.
    pub fn switch(&mut self, name: &str, commands: Vec<Vec<String>>, dir: Option<&MemberDir>) -> Result<()> {
        self.mark(&Mark::Power(name.to_owned()))?;
        let outcome = match &mut self.source {
            Source::Live(live) => live.switch(name, commands, dir),
            Source::Tape(tape) => {
                tape.switch();
                Ok(())
            }
        };
        self.pass(outcome)
    }

    /// Ends a power command that still runs.
    pub fn stop_switching(&mut self) {
        if let Source::Live(live) = &mut self.source {
            live.power = None;
        }
    }

    /// Makes a multinode call for the board; [`Event::Answer`] says how it has ended.
    ///
    /// # Errors
    /// Status 3 when the broker is lost.
    pub fn ask(&mut self, number: u64, request: &Request) -> Result<()> {
        let outcome = match &mut self.source {
            Source::Live(live) => live.ask(number, request),
            Source::Tape(tape) => {
                tape.ask(number);
                Ok(())
            }
        };
        self.pass(outcome)
    }

    /// Forgets the calls that have not been answered: whoever made them has ended.
    pub fn forget_calls(&mut self) {
        if let Source::Live(live) = &mut self.source {
            live.forget_calls();
        }
    }

    /// Begins to wait for the guests of this board; false when there is nobody to ask. [`Event::Drained`] is the end.
    ///
    /// # Errors
    /// The broker's refusal, where it is known at once.
    pub fn drain(&mut self, limit: Duration) -> Result<bool> {
        let outcome = match &mut self.source {
            Source::Live(live) => match &mut live.broker {
                Some(broker) => broker.drain(limit).map(|()| true).map_err(Into::into),
                None => Ok(false),
            },
            Source::Tape(tape) => Ok(tape.begin.is_some_and(|begin| begin.broker)),
        };
        self.pass(outcome)
    }

    /// Tells the others whether the role has failed; from here on nobody else's failure ends it.
    pub fn tell(&mut self, played: &Result<()>) {
        if let Source::Live(live) = &mut self.source {
            live.tell(played);
        }
    }

    /// Whether the stage before may still say why it has gone.
    pub fn is_held(&self) -> bool {
        match &self.source {
            Source::Live(live) => live.upstream.descriptor().is_some(),
            Source::Tape(tape) => tape.begin.is_some_and(|begin| begin.held),
        }
    }

    /// Waits until something happens, at most until `until`.
    ///
    /// # Errors
    /// Status 128+N after a signal, 3 when what the role uses, or the broker, is gone.
    pub fn turn(&mut self, until: Option<Duration>) -> Result<Vec<Event>> {
        let mut events = Vec::new();
        let outcome = match &mut self.source {
            Source::Live(live) => {
                let outcome = live.turn(until, &mut self.log, &mut events);
                let latest = until.map_or(live.now(), |until| live.now().min(until));
                self.now = latest.max(self.now + MOMENT);
                outcome
            }
            Source::Tape(tape) => {
                let turned = tape.turn(until);
                self.now = tape.now();
                turned.map(|happened| events = happened)
            }
        };
        self.keep(&events)?;
        self.pass(outcome)?;
        self.type_for_watchers()?;
        Ok(events)
    }

    /// Keeps what happened: in the recording, and what was played in the console's log.
    fn keep(&mut self, events: &[Event]) -> Result<()> {
        for event in events {
            if let Some(recorder) = &mut self.recorder {
                recorder.keep(self.now, &event.recorded())?;
            }
            match (&self.source, event) {
                (Source::Tape(_), Event::Console(bytes)) => {
                    self.log.heard(bytes)?;
                    self.log.write()?;
                }
                (Source::Tape(_), Event::Noted(text)) => self.log.note(text)?,
                (Source::Tape(_), Event::Closed(_)) => self.log.flush()?,
                _ => {}
            }
        }
        Ok(())
    }

    fn type_for_watchers(&mut self) -> Result<()> {
        let Source::Live(live) = &mut self.source else { return Ok(()) };
        if !live.keyboard_is_ready() {
            return Ok(());
        }
        for (person, typed) in self.log.typed_by_watchers()? {
            if let Some(recorder) = &mut self.recorder {
                // What people type may be a password.
                recorder.mark(self.now, &Mark::Person(person, typed.text.len()))?;
            }
            live.type_for_person(typed);
        }
        Ok(())
    }

    /// Forgets signals that came together with the one that was heeded.
    pub fn forget_signals(&mut self) {
        if let Source::Live(live) = &mut self.source {
            live.forget_signals();
        }
    }

    /// Closes the console, lets the stage before release what it holds, and leaves the group.
    ///
    /// # Errors
    /// The first thing that failed; the rest was done all the same.
    pub fn part(&mut self) -> Result<()> {
        let flushed = self.log.flush();
        let parted = match &mut self.source {
            Source::Live(live) => live.part(),
            Source::Tape(tape) => tape.turn(Some(tape.now() + MOMENT)).map(drop),
        };
        flushed.and(self.pass(parted))
    }
}
