//! One connection: lines in, a bounded queue of lines out, never waiting for the other side.

use mio::net::UnixStream;
use mn_ipc::{Lines, TooLong};
use std::io::{ErrorKind, Read, Write};

/// Bytes a client may leave unread before it is dropped.
const MAX_UNREAD: usize = 1 << 20;

/// A client.
pub struct Peer {
    stream: UnixStream,
    lines: Lines,
    out: Vec<u8>,
    /// How much of `out` is written.
    written: usize,
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

/// The other side has gone, or does not read.
#[derive(Debug, PartialEq, Eq)]
pub enum Broken {
    /// It has closed the connection.
    Gone,
    /// It has left too many answers unread.
    Unread,
}

impl Peer {
    pub fn new(stream: UnixStream) -> Self {
        Self { stream, lines: Lines::default(), out: Vec::new(), written: 0 }
    }

    /// The stream, for the event loop.
    pub fn stream(&mut self) -> &mut UnixStream {
        &mut self.stream
    }

    /// Reads once, so that one busy client does not keep the others waiting.
    pub fn hear(&mut self) -> Heard {
        let mut bytes = [0; 16 * 1024];
        match self.stream.read(&mut bytes) {
            Ok(0) => Heard::End,
            Ok(n) => {
                self.lines.push(&bytes[..n]);
                Heard::Some
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Heard::Nothing,
            Err(error) if error.kind() == ErrorKind::Interrupted => Heard::Some,
            Err(_) => Heard::End,
        }
    }

    /// The next whole line.
    ///
    /// # Errors
    /// When the line is longer than the protocol allows.
    pub fn next_line(&mut self) -> Result<Option<Vec<u8>>, TooLong> {
        self.lines.next_line()
    }

    /// Queues a line and writes what can be written.
    ///
    /// # Errors
    /// When the connection is of no more use.
    pub fn say(&mut self, line: &[u8]) -> Result<(), Broken> {
        if self.out.len() - self.written + line.len() > MAX_UNREAD {
            return Err(Broken::Unread);
        }
        self.out.extend_from_slice(line);
        self.flush()
    }

    /// Writes what can be written.
    ///
    /// # Errors
    /// When the other side has gone.
    pub fn flush(&mut self) -> Result<(), Broken> {
        while self.written < self.out.len() {
            match self.stream.write(&self.out[self.written..]) {
                Ok(0) => return Err(Broken::Gone),
                Ok(n) => self.written += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Broken::Gone),
            }
        }
        self.forget_written();
        Ok(())
    }

    /// Gives memory back once half of the queue is written, so that moving bytes stays cheap.
    fn forget_written(&mut self) {
        if self.written * 2 >= self.out.len() {
            self.out.drain(..self.written);
            self.written = 0;
            self.out.shrink_to(64 * 1024);
        }
    }
}
