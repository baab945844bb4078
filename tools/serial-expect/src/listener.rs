//! What a console says, as it is read: in turns, and for a recording in whole characters.

use crate::busy::Busy;
use crate::cast;
use crate::console::{Console, Heard};
use crate::console_log::ConsoleLog;
use crate::wires::Event;
use mn_cli::Result;
use std::time::Duration;

/// Reads from the console in one turn, so that a board that floods it cannot keep the rest waiting.
const READS: usize = 16;
/// Bytes of one of them.
const READ: usize = 16 * 1024;
/// How long the rest of a character that was cut off is awaited, where a recording has to keep it whole.
pub const REST_OF_CHARACTER: Duration = Duration::from_millis(20);

/// How long the records of a busy line may wait to be written.
const UNWRITTEN: Duration = Duration::from_millis(100);

/// Whether the console is read in whole characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Characters {
    /// As it comes.
    Cut,
    /// For a recording, which is text.
    Whole,
}

/// A console that is listened to.
pub struct Listener {
    /// The console.
    pub line: Console,
    characters: Characters,
    buffer: Box<[u8]>,
    /// Whether it had more than was read.
    pub more: bool,
    busy: Busy,
    /// Whether it is left alone in this turn.
    resting: bool,
    /// When it was heard last.
    pub last_heard: Duration,
    /// When its records were written last.
    written: Duration,
    /// The beginning of a character.
    pub cut: Vec<u8>,
}

impl Listener {
    /// Listens to `line`.
    pub fn new(line: Console, characters: Characters) -> Listener {
        let (buffer, last_heard) = (vec![0; READ].into(), Duration::ZERO);
        let (busy, cut, written) = (Busy::default(), Vec::new(), Duration::ZERO);
        Listener { line, characters, buffer, more: true, busy, resting: false, last_heard, written, cut }
    }

    /// Begins a turn: when the line is to be read at the latest. Only then is one that is busy, unless something else
    /// happens.
    ///
    /// # Errors
    /// Status 3 when it cannot be watched.
    pub fn due(&mut self) -> Result<Option<Duration>> {
        let rest = self.busy.rest();
        self.resting = rest.is_some();
        if self.resting {
            self.line.rest()?
        } else {
            self.line.wake()?
        }
        Ok(rest.or(self.more.then_some(Duration::ZERO)))
    }

    /// Whether it was left alone in this turn.
    pub fn is_resting(&self) -> bool {
        self.resting
    }

    /// Something was typed, or could not be: what comes now is looked at as it comes.
    pub fn typed(&mut self) {
        self.busy.typed();
        self.resting = false;
    }

    /// Whether it is to be read though the event loop has seen nothing.
    pub fn is_due(&self) -> bool {
        self.more || self.resting || self.line.look_in().is_some() || !self.cut.is_empty()
    }

    /// Reads what is there: all of a turn is one event, as a recording has it.
    ///
    /// # Errors
    /// Status 3 when it cannot be kept.
    pub fn read(&mut self, now: Duration, log: &mut ConsoleLog, happened: &mut Vec<Event>) -> Result<()> {
        let mut heard = std::mem::take(&mut self.cut);
        let (before, mut closed) = (heard.len(), None);
        self.more = true;
        for _ in 0..READS {
            match self.line.read(&mut self.buffer) {
                Heard::Bytes(count) => {
                    heard.extend_from_slice(&self.buffer[..count]);
                    // What is left is read soon.
                    if self.resting && count > 0 {
                        break;
                    }
                }
                Heard::Nothing => {
                    self.more = false;
                    break;
                }
                Heard::Closed(reason) => {
                    self.more = false;
                    closed = Some(reason);
                    break;
                }
            }
        }
        let silent = heard.len() == before;
        self.busy.heard(heard.len() - before, now);
        let given_up = closed.is_some() || silent && now >= self.last_heard + REST_OF_CHARACTER;
        if self.characters == Characters::Whole && !given_up {
            self.cut = heard.split_off(cast::whole(&heard));
        }
        if !silent {
            self.last_heard = now;
        }
        if !heard.is_empty() {
            log.heard(&heard)?;
            happened.push(Event::Console(heard));
        }
        // A line that is busy is read again before long.
        if self.busy.rest().is_none() || now >= self.written + UNWRITTEN {
            log.write()?;
            self.written = now;
        }
        for note in self.line.take_notes() {
            log.note(&note)?;
            happened.push(Event::Noted(note));
        }
        if let Some(reason) = closed {
            log.flush()?;
            happened.push(Event::Closed(reason));
        }
        Ok(())
    }
}
