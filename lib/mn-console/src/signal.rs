//! LAVA's signals and multinode requests in what a test shell prints, and the markers of [`crate::marker`].
//!
//! `<LAVA_SIGNAL_NAME BODY>`, `<LAVA_TEST_RUNNER EXIT>`, `<LAVA_TEST_RUNNER INSTALL_FAIL>` and
//! `<LAVA_MULTI_NODE> <LAVA_NAME BODY>` may stand anywhere in a line. A name is of letters, digits and
//! underscores, as all of LAVA's are; a body is everything up to the next `>`, newlines included. All else is ignored.
//! A signal that another one begins in has lost its end, and the other one counts.

mod request;

use std::ops::Range;

use crate::marker::Mark;

pub use request::Request;

/// Bytes a body may have; a longer one is dropped up to its `>`.
pub const BODY_BYTES: usize = 64 * 1024;
/// Bytes a name may have; what is longer is no signal.
const NAME_BYTES: usize = 128;

/// Something found in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// `<LAVA_SIGNAL_NAME BODY>`; `at` is its place in the stream, in bytes.
    Signal {
        /// What stands after `LAVA_SIGNAL_`.
        name: String,
        /// The rest, not taken apart.
        body: String,
        /// From its `<` to after its `>`.
        at: Range<u64>,
    },
    /// The test runner is through with its stage.
    RunnerExit,
    /// The test runner could not install a definition and goes on with the next.
    InstallFail,
    /// A multinode request.
    Request(Request),
    /// A multinode request that makes no sense.
    BadRequest {
        /// Its word, `SYNC`.
        word: String,
        /// What is wrong.
        reason: String,
    },
    /// The answer to a typed command.
    Mark(Mark),
    /// Something that began like a signal was longer than [`BODY_BYTES`]: its first characters.
    TooLong(String),
    /// Something that began like a signal was cut off by the beginning of another, as when the kernel speaks in
    /// between: its first characters.
    Torn(String),
}

/// The beginnings of what is looked for.
const SIGNAL: &[u8] = b"<LAVA_SIGNAL_";
const RUNNER: &[u8] = b"<LAVA_TEST_RUNNER ";
const MULTI_NODE: &[u8] = b"<LAVA_MULTI_NODE> <LAVA_";
const MARK: &[u8] = b"<mn-";
const HEADS: [&[u8]; 4] = [SIGNAL, RUNNER, MULTI_NODE, MARK];

/// Finds events in a stream, across reads.
#[derive(Debug)]
pub struct Scanner {
    /// Where the stream is, in bytes from its beginning.
    offset: u64,
    /// What may become an event, from its `<`.
    open: Vec<u8>,
    /// Whether the rest of a body that is too long is being skipped.
    skipping: bool,
    /// What follows a torn one.
    next: Option<Event>,
}

enum Candidate {
    /// May yet become an event.
    Open,
    /// Cannot become one.
    Not,
    /// Is one, or at least ended like one.
    Complete,
}

impl Scanner {
    /// Starts at `offset` bytes from the beginning of the stream.
    pub fn new(offset: u64) -> Scanner {
        Scanner { offset, open: Vec::new(), skipping: false, next: None }
    }

    /// Walks over `bytes` up to the end of the first event. Gives the number of bytes used, which may be none, and the
    /// event; without one all are used.
    pub fn next(&mut self, bytes: &[u8]) -> (usize, Option<Event>) {
        if let Some(event) = self.next.take() {
            return (0, Some(event));
        }
        for (at, &byte) in bytes.iter().enumerate() {
            self.offset += 1;
            if let Some(event) = self.step(byte) {
                return (at + 1, Some(event));
            }
        }
        (bytes.len(), None)
    }

    fn step(&mut self, byte: u8) -> Option<Event> {
        if self.skipping {
            self.skipping = byte != b'>';
            return None;
        }
        if self.open.is_empty() && byte != b'<' {
            return None;
        }
        self.open.push(byte);
        match judge(&self.open) {
            Candidate::Open if self.open.len() > BODY_BYTES => {
                let open = std::mem::take(&mut self.open);
                self.skipping = true;
                Some(Event::TooLong(crate::lines::readable(&open[..80])))
            }
            Candidate::Open => None,
            Candidate::Not => {
                self.restart();
                None
            }
            Candidate::Complete => {
                let open = std::mem::take(&mut self.open);
                self.complete(&open)
            }
        }
    }

    fn complete(&mut self, open: &[u8]) -> Option<Event> {
        let inner = (1..open.len()).rev().find(|&at| HEADS.iter().any(|head| open[at..].starts_with(head)));
        let whole = &open[inner.unwrap_or(0)..];
        let found = match judge(whole) {
            Candidate::Complete => event(whole, self.offset - whole.len() as u64..self.offset),
            _ => None,
        };
        if inner.is_none() {
            return found;
        }
        self.next = found;
        Some(Event::Torn(crate::lines::readable(&open[..open.len().min(80)])))
    }

    /// Drops the first byte of a candidate that came to nothing and goes on with the next `<` in it.
    fn restart(&mut self) {
        loop {
            let next = self.open.iter().skip(1).position(|&byte| byte == b'<');
            match next {
                Some(at) => drop(self.open.drain(..=at)),
                None => self.open.clear(),
            }
            if self.open.is_empty() || matches!(judge(&self.open), Candidate::Open) {
                return;
            }
        }
    }
}

fn judge(open: &[u8]) -> Candidate {
    if HEADS.iter().any(|head| head.starts_with(open)) {
        return Candidate::Open;
    }
    let Some(head) = HEADS.iter().find(|head| open.starts_with(head)) else {
        return Candidate::Not;
    };
    let rest = &open[head.len()..];
    if *head == RUNNER {
        return match rest.split_last() {
            Some((b'>', _)) => Candidate::Complete,
            _ if rest.len() > NAME_BYTES => Candidate::Not,
            _ => Candidate::Open,
        };
    }
    let Some(blank) = rest.iter().take(NAME_BYTES).position(|&byte| byte == b' ') else {
        let name = rest.iter().all(is_name);
        return if name && rest.len() < NAME_BYTES { Candidate::Open } else { Candidate::Not };
    };
    match &rest[blank + 1..] {
        _ if blank == 0 || !rest[..blank].iter().all(is_name) => Candidate::Not,
        [b'>'] => Candidate::Not,
        [.., b'>'] => Candidate::Complete,
        _ => Candidate::Open,
    }
}

fn is_name(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte == b'_'
}

fn event(open: &[u8], at: Range<u64>) -> Option<Event> {
    let text = String::from_utf8_lossy(&open[..open.len() - 1]).into_owned();
    let head = HEADS.iter().find(|head| open.starts_with(head))?;
    let rest = &text[head.len()..];
    if *head == RUNNER {
        return match rest {
            "EXIT" => Some(Event::RunnerExit),
            "INSTALL_FAIL" => Some(Event::InstallFail),
            _ => None,
        };
    }
    let (name, body) = rest.split_once(' ')?;
    match *head {
        SIGNAL => Some(Event::Signal { name: name.to_owned(), body: body.to_owned(), at }),
        MULTI_NODE => Some(match Request::parse(name, body) {
            Ok(request) => Event::Request(request),
            Err(reason) => Event::BadRequest { word: name.to_owned(), reason },
        }),
        _ => Mark::parse(name, body).map(Event::Mark),
    }
}

#[cfg(test)]
mod tests;
