//! One who looks at a shared console.

use crate::share_words::{Answer, Person, Request};
use mio::net::UnixStream;
use mn_msg::Decoder;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::{User, geteuid};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::FileExt;

/// Bytes of the record that are read at a time.
const PIECE: usize = 16 * 1024;
/// Pieces and reads in one turn, so that nobody keeps the others waiting.
const TURN: usize = 16;
/// Bytes that may wait for a watcher beside a piece; further answers are left out.
const ANSWERS: usize = 64 * 1024;

/// Whether more could be done at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Progress {
    /// It could.
    More,
    /// First something has to happen.
    #[default]
    Waits,
    /// The other side has gone.
    Gone,
}

/// A connection. However slow, it holds one piece of the record and never the console.
pub struct Watcher {
    stream: UnixStream,
    /// Who it is.
    pub person: Person,
    decoder: Decoder,
    output: Vec<u8>,
    /// The next byte that it has not been sent; none before it has asked.
    position: Option<u64>,
}

impl Watcher {
    /// One of our own user or of root; others are not let in.
    pub fn of_our_user(stream: UnixStream) -> Option<Watcher> {
        let peer = getsockopt(&stream, PeerCredentials).ok()?;
        if peer.uid() != geteuid().as_raw() && peer.uid() != 0 {
            mn_cli::note(1, "refused a watcher of another user");
            return None;
        }
        let user = User::from_uid(peer.uid().into()).ok().flatten().map(|user| user.name);
        let user = user.unwrap_or_else(|| format!("user {}", peer.uid()));
        let person = Person { user, pid: peer.pid().into() };
        Some(Watcher { stream, person, decoder: Decoder::default(), output: Vec::new(), position: None })
    }

    /// What an event loop watches.
    pub fn source(&mut self) -> &mut UnixStream {
        &mut self.stream
    }

    /// What it asks for.
    pub fn requests(&mut self) -> (Vec<Request>, Progress) {
        let mut requests = Vec::new();
        let mut bytes = [0; 4096];
        for _ in 0..TURN {
            match self.stream.read(&mut bytes) {
                Ok(count @ 1..) => self.decoder.push(&bytes[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return (requests, Progress::Waits),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => return (requests, Progress::Gone),
            }
            loop {
                match self.decoder.next_message() {
                    Ok(Some(message)) => requests.extend(Request::read(&message)),
                    Ok(None) => break,
                    Err(_) => return (requests, Progress::Gone),
                }
            }
        }
        (requests, Progress::More)
    }

    /// Begins to show a record of `size` bytes: from a byte on, so many before its end, or what is new.
    pub fn begin(&mut self, from: Option<i64>, size: u64) {
        self.position = Some(match from {
            None => size,
            Some(from) if from < 0 => size.saturating_sub(from.unsigned_abs()),
            Some(from) => from.unsigned_abs().min(size),
        });
    }

    /// Tells it something, unless it does not listen.
    pub fn say(&mut self, answer: &Answer) {
        if self.output.len() < ANSWERS {
            self.output.extend(answer.to_line().unwrap_or_default());
        }
    }

    /// Whether it has been sent all of a record of `size` bytes, and everything else.
    pub fn has_all(&self, size: u64) -> bool {
        self.output.is_empty() && self.position.is_none_or(|position| position >= size)
    }

    /// Sends what it takes now.
    pub fn show(&mut self, record: &File, size: u64) -> Progress {
        for _ in 0..TURN {
            while !self.output.is_empty() {
                match self.stream.write(&self.output) {
                    Ok(count) => drop(self.output.drain(..count)),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Progress::Waits,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(_) => return Progress::Gone,
                }
            }
            let Some(position) = self.position.filter(|&position| position < size) else {
                return Progress::Waits;
            };
            let mut bytes = [0; PIECE];
            let room = usize::try_from(size - position).unwrap_or(PIECE).min(PIECE);
            // A record that somebody has cut short cannot be shown.
            let Ok(count @ 1..) = record.read_at(&mut bytes[..room], position) else { return Progress::Gone };
            self.say(&Answer::Bytes(position, bytes[..count].to_vec()));
            self.position = Some(position + count as u64);
        }
        Progress::More
    }
}
