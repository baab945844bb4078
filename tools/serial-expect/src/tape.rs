//! A recording that is played: the board's part of the conversation, in the time that stands in it.
//!
//! What follows something typed, or a power command, comes when the role has done as much: a board that is asked
//! something else than it was, later or not at all, is not ahead of its time.

use crate::cast::{self, What};
use crate::mark::{self, Begin, Mark};
use crate::wires::Event;
use mn_cli::{Cannot, Error, Result};
use mn_console::reply::Answer;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bytes of one line.
const LINE: u64 = 4 << 20;
/// The least time between two turns of a role.
pub const MOMENT: Duration = Duration::from_micros(1);

/// A recording.
pub struct Tape {
    path: PathBuf,
    input: BufReader<File>,
    line: u64,
    /// What the role began with; none in a recording of another program.
    pub begin: Option<Begin>,
    /// How the boot ended, where that was recorded.
    pub booted: Option<std::result::Result<(), String>>,
    /// Power commands that are still to come.
    powers: u64,
    next: Option<(Duration, Item)>,
    now: Duration,
    /// How much later than recorded the board is.
    late: Duration,
    typed: u64,
    switched: u64,
    /// What nobody recorded an answer to.
    at_once: VecDeque<Event>,
}

/// The part of a recording that matters.
enum Item {
    /// Something came.
    Came(Event),
    /// The role was ended from outside.
    Ended(mark::Failure),
    /// Something was typed.
    Typed,
    /// A power command was started.
    Switched,
}

impl Tape {
    /// Opens a recording and looks at every line of it.
    ///
    /// # Errors
    /// Status 2 when it is none, 3 when it cannot be read.
    pub fn open(path: &Path) -> Result<Tape> {
        let file = File::open(path).cannot(format_args!("read '{}'", path.display()))?;
        let mut tape = Tape {
            path: path.to_owned(),
            input: BufReader::new(file),
            line: 0,
            begin: None,
            booted: None,
            powers: 0,
            next: None,
            now: Duration::ZERO,
            late: Duration::ZERO,
            typed: 0,
            switched: 0,
            at_once: VecDeque::new(),
        };
        tape.header()?;
        while let Some((_, what)) = tape.event()? {
            let What::Mark(text) = what else { continue };
            match Mark::read(&text) {
                Some(Mark::Begin(begin)) => tape.begin = Some(begin),
                Some(Mark::Booted(how)) => tape.booted = Some(how),
                Some(Mark::Power(_)) => tape.powers += 1,
                _ => {}
            }
        }
        tape.input.rewind().cannot(format_args!("read '{}'", path.display()))?;
        tape.line = 0;
        tape.header()?;
        tape.advance()?;
        Ok(tape)
    }

    fn header(&mut self) -> Result<()> {
        let line = self.read_line()?.unwrap_or_default();
        cast::check_header(&line)
            .map_err(|why| Error::wrong(format_args!("cannot play '{}': {why}", self.path.display())))
    }

    /// The next line; one that was cut off while it was written is none.
    fn read_line(&mut self) -> Result<Option<String>> {
        let mut line = Vec::new();
        let read = (&mut self.input).take(LINE).read_until(b'\n', &mut line);
        let count = read.cannot(format_args!("read '{}'", self.path.display()))?;
        self.line += 1;
        if count as u64 == LINE {
            return Err(self.wrong("it is longer than 4 MiB"));
        }
        match line.pop() {
            Some(b'\n') => String::from_utf8(line).map(Some).map_err(|_| self.wrong("it is no UTF-8")),
            _ => Ok(None),
        }
    }

    fn wrong(&self, why: &str) -> Error {
        Error::wrong(format_args!("cannot play '{}': line {}: {why}", self.path.display(), self.line))
    }

    fn event(&mut self) -> Result<Option<(Duration, What)>> {
        while let Some(line) = self.read_line()? {
            if line.trim().is_empty() {
                continue;
            }
            if let Some(event) = cast::event(&line).map_err(|why| self.wrong(&why.to_string()))? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    fn advance(&mut self) -> Result<()> {
        self.next = None;
        while let Some((at, what)) = self.event()? {
            if let Some(item) = item(what) {
                self.next = Some((at, item));
                break;
            }
        }
        Ok(())
    }

    /// The time of the last turn.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// The role has typed something.
    pub fn typed(&mut self) {
        self.typed += 1;
    }

    /// The role runs a power command; one more than were recorded has ended at once.
    pub fn switch(&mut self) {
        if self.switched < self.powers {
            self.switched += 1;
        } else {
            self.at_once.push_back(Event::Switched(Ok(())));
        }
    }

    /// The role makes a multinode call; where none were recorded it is refused.
    pub fn ask(&mut self, number: u64) {
        if self.begin.is_none() {
            let answer = Answer::Refused("the recording has no answers".into());
            self.at_once.push_back(Event::Answer(number, answer));
        }
    }

    /// What happens next, at most until `until`; the time goes on to that moment.
    ///
    /// # Errors
    /// What the recorded role was ended by.
    pub fn turn(&mut self, until: Option<Duration>) -> Result<Vec<Event>> {
        let earliest = self.now + MOMENT;
        let latest = until.map(|until| until.max(earliest));
        let mut events: Vec<Event> = self.at_once.drain(..).collect();
        if !events.is_empty() {
            self.now = earliest;
            return Ok(events);
        }
        while let Some(at) = self.due()?.filter(|&at| latest.is_none_or(|latest| at <= latest)) {
            if !events.is_empty() && at != self.now {
                break;
            }
            self.now = at;
            let item = self.next.take();
            self.advance()?;
            match item {
                Some((_, Item::Came(event))) => events.push(event),
                Some((_, Item::Ended(why))) => return Err(mark::error(why)),
                _ => {}
            }
        }
        if events.is_empty() {
            match latest {
                Some(latest) => self.now = latest,
                None => events.push(Event::Closed(Some("the recording has ended".into()))),
            }
        }
        Ok(events)
    }

    /// When the next thing comes; never while the role has to do something first.
    fn due(&mut self) -> Result<Option<Duration>> {
        loop {
            let Some((at, item)) = &self.next else { return Ok(None) };
            let at = *at;
            let credit = match item {
                Item::Typed => &mut self.typed,
                Item::Switched => &mut self.switched,
                // Two things of one turn have one time.
                _ => return Ok(Some((at + self.late).max(self.now))),
            };
            let Some(left) = credit.checked_sub(1) else { return Ok(None) };
            *credit = left;
            if matches!(item, Item::Switched) {
                self.powers -= 1;
            }
            self.late = self.late.max(self.now.saturating_sub(at));
            self.advance()?;
        }
    }
}

/// What a thing that happened was for the role; nothing of what it did not notice.
fn item(what: What) -> Option<Item> {
    Some(match what {
        What::Output(bytes) => Item::Came(Event::Console(bytes)),
        What::Input(_) => Item::Typed,
        What::Mark(text) => match Mark::read(&text)? {
            Mark::Password => Item::Typed,
            Mark::Power(_) => Item::Switched,
            Mark::Powered(how) => Item::Came(Event::Switched(how.map_err(mark::error))),
            Mark::Answer(number, answer) => Item::Came(Event::Answer(number, answer)),
            Mark::Drained(how) => Item::Came(Event::Drained(how.map_err(mark::error))),
            Mark::Noted(text) => Item::Came(Event::Noted(text)),
            Mark::Closed(reason) => Item::Came(Event::Closed(reason)),
            Mark::Ended(why) => Item::Ended(why),
            Mark::Begin(_) | Mark::Step(_) | Mark::Person(..) | Mark::Booted(_) => return None,
        },
    })
}
