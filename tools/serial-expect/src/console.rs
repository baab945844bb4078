//! An open console: bytes in and out, without waiting. It may be gone for a while: a serial port is unplugged, a terminal
//! server begins anew.

use crate::away::{Away, Looked};
use crate::line::{self, Line};
use crate::playback::{Past, Playback};
use crate::pty;
use crate::specification::Specification;
use crate::tcp::{self, Terms};
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use mn_cli::{Cannot, Result, reason};
use nix::errno::Errno;
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

/// How long a serial port may be unplugged.
const UNPLUGGED: Duration = Duration::from_secs(30);
/// How long a server has to keep a connection, or else it has refused it with words.
const KEPT: Duration = Duration::from_secs(1);

/// An open console.
pub struct Console {
    place: Specification,
    /// How long a terminal server may be gone.
    grace: Duration,
    terms: Terms,
    line: Option<Box<dyn Line>>,
    child: Option<Child>,
    watch: Option<(Registry, Token)>,
    /// Whether the event loop looks at the line now.
    watched: bool,
    away: Option<Away>,
    /// Why one that is not there will not come any more.
    given_up: Option<String>,
    /// What is said to a new connection, before it counts.
    playback: Option<Playback>,
    past: Past,
    /// What of that is still to be read.
    unread: Vec<u8>,
    opened: Instant,
    notes: Vec<String>,
}

/// What a read gave.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// So many bytes; with none of them it is worth reading again.
    Bytes(usize),
    /// Nothing for now.
    Nothing,
    /// The console is closed: why, where the system said it.
    Closed(Option<String>),
}

impl Console {
    /// Opens a console. That of another member need not be there yet; a terminal server may leave what
    /// it is sent without an answer for as long as `patience`, and be gone for as long as `grace`.
    ///
    /// # Errors
    /// Status 3 when it cannot be opened.
    pub fn open(place: &Specification, patience: Duration, grace: Duration) -> Result<Console> {
        let terms = Terms { patience, from: None };
        let (line, child, away) = match line::open(place, terms) {
            Ok((line, child)) => (Some(line), child, None),
            Err(_) if matches!(place, Specification::Share(path) if !Path::new(path).exists()) => {
                mn_cli::note(1, "waiting for the other member's console");
                (None, None, Some(Away::new(None)))
            }
            Err(error) => return Err(error),
        };
        let mut console = Console {
            place: place.clone(),
            grace,
            terms,
            line,
            child,
            watch: None,
            watched: false,
            away,
            given_up: None,
            playback: None,
            past: Past::default(),
            unread: Vec::new(),
            opened: Instant::now(),
            notes: Vec::new(),
        };
        console.keep_end();
        Ok(console)
    }

    /// Has an event loop watch it, also after it has come back.
    pub fn register(&mut self, registry: &Registry, token: Token) -> Result<()> {
        self.watch = Some((registry.try_clone().cannot("watch the console")?, token));
        self.watched = false;
        self.wake()
    }

    /// Has what comes end the event loop's waits.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn wake(&mut self) -> Result<()> {
        let (Some(line), Some((registry, token)), false) = (&self.line, &self.watch, self.watched) else {
            return Ok(());
        };
        let interest = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut SourceFd(&line.as_raw_fd()), *token, interest).cannot("watch the console")?;
        self.watched = true;
        Ok(())
    }

    /// Has what comes wait until the next read, or until the event loop watches again.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn rest(&mut self) -> Result<()> {
        let (Some(line), Some((registry, _)), true) = (&self.line, &self.watch, self.watched) else { return Ok(()) };
        registry.deregister(&mut SourceFd(&line.as_raw_fd())).cannot("watch the console")?;
        self.watched = false;
        Ok(())
    }

    /// Reads what is there.
    pub fn read(&mut self, bytes: &mut [u8]) -> Heard {
        if !self.unread.is_empty() {
            let count = self.unread.len().min(bytes.len());
            bytes[..count].copy_from_slice(&self.unread[..count]);
            self.unread.drain(..count);
            return Heard::Bytes(count);
        }
        let heard = match &mut self.line {
            Some(line) => receive(line.as_mut(), bytes),
            None => return self.look(),
        };
        match (heard, &mut self.playback) {
            (Heard::Closed(reason), None) => self.lost(reason),
            (Heard::Closed(reason), Some(_)) => self.refused(reason),
            (Heard::Bytes(count), None) => {
                if self.place.is_network() {
                    self.past.add(&bytes[..count]);
                }
                Heard::Bytes(count)
            }
            (heard, Some(playback)) => {
                if let Heard::Bytes(count) = heard {
                    playback.add(&bytes[..count]);
                }
                let over = playback.rest().is_zero();
                if over {
                    self.is_back();
                }
                if over || heard != Heard::Nothing { Heard::Bytes(0) } else { Heard::Nothing }
            }
            (Heard::Nothing, None) => Heard::Nothing,
        }
    }

    /// Writes as many bytes as it takes now.
    ///
    /// # Errors
    /// Why it takes no more.
    pub fn write(&mut self, bytes: &[u8]) -> std::result::Result<usize, String> {
        let Some(line) = self.line.as_mut().filter(|_| self.playback.is_none()) else {
            return if self.away.is_some() { Ok(0) } else { Err("it is closed".into()) };
        };
        match line.write(bytes) {
            Ok(count) => Ok(count),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(0),
            // A read finds that out, too, after what was said before.
            Err(_) if self.place.is_network() => Ok(0),
            Err(error) => match self.lost(Some(reason(&error))) {
                Heard::Closed(why) => Err(why.unwrap_or_default()),
                _ => Ok(0),
            },
        }
    }

    /// When it has to be read though nothing has happened to it.
    pub fn look_in(&self) -> Option<Duration> {
        match &self.playback {
            Some(playback) => Some(playback.rest()),
            None => self.away.as_ref().map(Away::look_in),
        }
    }

    /// What people should know of it.
    pub fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// Says why a console that is not there will not come: it is looked for once more.
    pub fn give_up(&mut self, why: String) {
        if let Some(away) = &mut self.away {
            away.hurry();
            self.given_up = Some(why);
        }
    }

    /// Another member's console that came and went between two looks is on record beside its socket, which a member
    /// that was killed leaves there.
    fn open_record(&mut self, why: String) -> Heard {
        let socket = match &self.place {
            Specification::Share(socket) => Path::new(socket),
            _ => return Heard::Closed(Some(why)),
        };
        let record = (!socket.exists()).then(|| File::open(socket.with_file_name("console.log")));
        let Some(Ok(record)) = record else { return Heard::Closed(Some(why)) };
        // A file is always ready, and no event loop takes it.
        self.watch = None;
        self.line = Some(Box::new(record));
        Heard::Bytes(0)
    }

    /// A serial port that is gone may only have been unplugged, as when its board's own USB port is the console; a
    /// server may begin anew.
    fn lost(&mut self, reason: Option<String>) -> Heard {
        let limit = match &self.place {
            Specification::Serial(..) => UNPLUGGED,
            // It has said why it wants no client.
            place if place.is_network() && self.opened.elapsed() < KEPT && !self.past.is_empty() => {
                return Heard::Closed(reason);
            }
            place if place.is_network() => self.grace,
            _ => return Heard::Closed(reason),
        };
        // A server that has closed the connection knows of its end.
        self.terms.from = self.terms.from.filter(|_| reason.is_some());
        let why = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        self.notes.push(format!("'{}' has gone{why}: waiting {} s for it", self.place, limit.as_secs()));
        self.drop_line();
        self.away = Some(Away::new(Some(limit)));
        Heard::Nothing
    }

    /// Looks whether the console is there again.
    fn look(&mut self) -> Heard {
        let Some(away) = &mut self.away else { return Heard::Nothing };
        match away.look(&self.place, self.terms) {
            Looked::Nothing => match self.given_up.take() {
                Some(why) => {
                    self.away = None;
                    self.open_record(why)
                }
                None => Heard::Nothing,
            },
            Looked::GivenUp(why) => self.gone(&why),
            Looked::There(line) => {
                (self.line, self.given_up) = (Some(line), None);
                if let Err(error) = self.wake() {
                    return self.refused(Some(error.to_string()));
                }
                if self.place.is_network() {
                    self.playback = Some(Playback::begin());
                } else {
                    self.is_back();
                }
                Heard::Bytes(0)
            }
        }
    }

    /// The new connection was of no use.
    fn refused(&mut self, reason: Option<String>) -> Heard {
        let said = self.playback.take().and_then(|playback| playback.last_line());
        let said = said.map(|line| format!("the server has closed the connection: '{line}'"));
        let why = said.or(reason).unwrap_or_else(|| "the server has closed the connection".into());
        self.drop_line();
        match self.away.as_mut().map(|away| away.failed(&self.place, &why)) {
            Some(Looked::GivenUp(why)) => self.gone(&why),
            _ => Heard::Nothing,
        }
    }

    fn gone(&mut self, why: &str) -> Heard {
        self.away = None;
        Heard::Closed(Some(format!("it did not come back: {why}")))
    }

    /// Keeps where it begins, for when it is lost.
    fn keep_end(&mut self) {
        self.terms.from = self.line.as_ref().and_then(|line| tcp::near_end(line.as_raw_fd()));
    }

    /// Goes on with the new line.
    fn is_back(&mut self) {
        self.keep_end();
        if let Some(lasted) = self.away.take().and_then(|away| away.lasted()) {
            self.notes.push(format!("the console is there again after {:.1} s", lasted.as_secs_f64()));
        }
        if let Some(playback) = self.playback.take() {
            self.unread = self.past.unheard(playback.bytes()).to_vec();
            self.past.add(&self.unread);
        }
    }

    /// An event loop forgets a descriptor that is closed.
    fn drop_line(&mut self) {
        self.line = None;
        self.watched = false;
    }

    /// Closes it; a command behind it is ended.
    pub fn close(&mut self) {
        self.drop_line();
        self.away = None;
        self.playback = None;
        if let Some(child) = self.child.take() {
            pty::reap(child);
        }
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        self.close();
    }
}

/// Reads once.
fn receive(line: &mut dyn Line, bytes: &mut [u8]) -> Heard {
    match line.read(bytes) {
        Ok(0) => Heard::Closed(None),
        Ok(count) => Heard::Bytes(count),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Heard::Nothing,
        Err(error) if error.kind() == ErrorKind::Interrupted => Heard::Bytes(0),
        // What a pseudo-terminal says when its command has ended.
        Err(error) if error.raw_os_error() == Some(Errno::EIO as i32) => Heard::Closed(None),
        Err(error) => Heard::Closed(Some(reason(&error))),
    }
}
