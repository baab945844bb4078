use crate::buffer::Buffer;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};

/// The lab's end of the console: at most one client. What the board says while there is none is lost, as on a serial
/// port; what is typed while the board has no power is lost too.
#[derive(Default)]
pub struct Port {
    client: Option<UnixStream>,
    to_client: Buffer,
    to_board: Buffer,
}

impl Port {
    /// Lets a client in; a second one finds its connection closed.
    pub fn accept(&mut self, listener: &UnixListener) {
        let Ok((stream, _)) = listener.accept() else { return };
        if self.client.is_none() && stream.set_nonblocking(true).is_ok() {
            self.client = Some(stream);
        }
    }

    /// The client's descriptor, with whether there is room for more of what it types and whether something waits
    /// for it.
    pub fn client(&self) -> Option<(BorrowedFd<'_>, bool, bool)> {
        self.client.as_ref().map(|stream| (stream.as_fd(), self.to_board.is_empty(), !self.to_client.is_empty()))
    }

    /// Whether there is room for more from the board.
    pub fn wants_output(&self) -> bool {
        self.to_client.is_empty()
    }

    /// Whether something waits for the board.
    pub fn has_input(&self) -> bool {
        !self.to_board.is_empty()
    }

    /// Reads from and writes to the client.
    pub fn serve_client(&mut self) {
        let Some(mut stream) = self.client.as_ref() else { return };
        let read = if self.to_board.is_empty() { self.to_board.fill(stream) } else { Ok(1) };
        let gone = match read {
            Ok(n) => n == 0,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        };
        if gone || self.to_client.drain(&mut stream).is_err() {
            self.client = None;
            self.to_client.clear();
        }
    }

    /// Reads from and writes to the board's line, which does not block.
    pub fn serve_line(&mut self, line: impl Read + Write + Copy) {
        self.take_output(line);
        let _ = self.to_board.drain(line);
        self.serve_client();
    }

    /// Takes what the board said last, before its line goes away.
    pub fn take_last(&mut self, line: impl Read + Copy) {
        const LIMIT: usize = 16;
        for _ in 0..LIMIT {
            if !matches!(self.to_client.fill(line), Ok(n) if n > 0) {
                break;
            }
        }
        self.to_board.clear();
        if self.client.is_none() {
            self.to_client.clear();
        }
        self.serve_client();
    }

    /// Forgets what was typed at a board without power.
    pub fn drop_input(&mut self) {
        self.to_board.clear();
    }

    fn take_output(&mut self, line: impl Read) {
        if self.client.is_none() {
            self.to_client.clear();
        }
        if self.to_client.is_empty() {
            let _ = self.to_client.fill(line);
        }
        if self.client.is_none() {
            self.to_client.clear();
        }
    }
}
