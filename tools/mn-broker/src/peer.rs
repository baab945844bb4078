//! One connection: requests in, a bounded queue of answers out, never waiting for the other side.

use crate::frame::Frame;
use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mn_ipc::Lines;
use serde_json::Value;
use std::io::{ErrorKind, Read, Write};

/// Bytes a client may leave unread before it is dropped.
const MAX_UNREAD: usize = 1 << 20;

/// Bytes of memory a queue keeps when it is empty: there is one for each client.
const KEPT_ROOM: usize = 1024;

/// What carries a connection, and what is spoken over it.
enum Wire {
    /// The lines of mn-protocol(7).
    Unix(UnixStream, Lines),
    /// One request of LAVA's.
    Tcp(TcpStream, Frame),
}

/// A client.
pub struct Peer {
    wire: Wire,
    out: Vec<u8>,
    /// How much of `out` is written.
    written: usize,
    /// There is one answer, and then the end.
    last: bool,
}

/// What reading once gave.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// Bytes; there may be more.
    Some,
    /// Nothing for now.
    Nothing,
    /// The other side has gone.
    End,
}

/// A request as it came.
pub enum Said {
    /// A line of mn-protocol(7).
    Line(Vec<u8>),
    /// LAVA's.
    Lava(Value),
}

/// The other side cannot be used any more.
#[derive(Debug, PartialEq, Eq)]
pub enum Broken {
    /// It has closed the connection.
    Gone,
    /// It has left too many answers unread.
    Unread,
    /// Its line is longer than the protocol allows.
    TooLong,
    /// It does not speak LAVA's wire.
    NoFrame,
}

impl Broken {
    /// As in "connection 7 has gone".
    pub fn why(&self) -> &'static str {
        match self {
            Self::Gone => "has gone",
            Self::Unread => "does not read",
            Self::TooLong => "sent a line that is too long",
            Self::NoFrame => "does not speak LAVA's wire",
        }
    }
}

impl Peer {
    /// Somebody at the Unix socket.
    pub fn unix(stream: UnixStream) -> Self {
        Self::of(Wire::Unix(stream, Lines::default()))
    }

    /// Somebody at LAVA's port.
    pub fn tcp(stream: TcpStream) -> Self {
        Self::of(Wire::Tcp(stream, Frame::default()))
    }

    fn of(wire: Wire) -> Self {
        Self { wire, out: Vec::new(), written: 0, last: false }
    }

    /// Whether it speaks LAVA's wire.
    pub fn is_lava(&self) -> bool {
        matches!(self.wire, Wire::Tcp(..))
    }

    /// The stream, for the event loop.
    pub fn source(&mut self) -> &mut dyn Source {
        match &mut self.wire {
            Wire::Unix(stream, _) => stream,
            Wire::Tcp(stream, _) => stream,
        }
    }

    /// Reads once, so that one busy client does not keep the others waiting.
    pub fn hear(&mut self) -> Heard {
        let mut bytes = [0; 16 * 1024];
        let read = match &mut self.wire {
            Wire::Unix(stream, _) => stream.read(&mut bytes),
            Wire::Tcp(stream, _) => stream.read(&mut bytes),
        };
        match read {
            // Who asks LAVA's way closes its half before the answer.
            Ok(0) if self.last => Heard::Nothing,
            Ok(0) => Heard::End,
            Ok(n) => {
                match &mut self.wire {
                    Wire::Unix(_, lines) => lines.push(&bytes[..n]),
                    Wire::Tcp(_, frame) => frame.push(&bytes[..n]),
                }
                Heard::Some
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Heard::Nothing,
            Err(error) if error.kind() == ErrorKind::Interrupted => Heard::Some,
            Err(_) => Heard::End,
        }
    }

    /// The next whole request.
    ///
    /// # Errors
    /// When it is longer than the protocol allows, or none at all.
    pub fn next_request(&mut self) -> Result<Option<Said>, Broken> {
        match &mut self.wire {
            Wire::Unix(_, lines) => lines.next_line().map(|line| line.map(Said::Line)).map_err(|_| Broken::TooLong),
            Wire::Tcp(..) if self.last => Ok(None),
            Wire::Tcp(_, frame) => {
                let request = frame.request().map_err(|_| Broken::NoFrame)?;
                self.last = request.is_some();
                Ok(request.map(Said::Lava))
            }
        }
    }

    /// Queues an answer; [`Peer::flush`] writes it.
    ///
    /// # Errors
    /// When too much is unread.
    pub fn say(&mut self, line: &[u8]) -> Result<(), Broken> {
        if self.out.len() - self.written + line.len() > MAX_UNREAD {
            return Err(Broken::Unread);
        }
        self.out.extend_from_slice(line);
        Ok(())
    }

    /// Writes what can be written.
    ///
    /// # Errors
    /// When the other side has gone, or has got the one answer it was to get.
    pub fn flush(&mut self) -> Result<(), Broken> {
        let had = !self.out.is_empty();
        while self.written < self.out.len() {
            let rest = &self.out[self.written..];
            let written = match &mut self.wire {
                Wire::Unix(stream, _) => stream.write(rest),
                Wire::Tcp(stream, _) => stream.write(rest),
            };
            match written {
                Ok(0) => return Err(Broken::Gone),
                Ok(n) => self.written += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Broken::Gone),
            }
        }
        self.forget_written();
        if self.last && had && self.out.is_empty() { Err(Broken::Gone) } else { Ok(()) }
    }

    /// Gives memory back once half of the queue is written, so that moving bytes stays cheap.
    fn forget_written(&mut self) {
        if self.written * 2 >= self.out.len() {
            self.out.drain(..self.written);
            self.written = 0;
            self.out.shrink_to(KEPT_ROOM);
        }
    }
}
