//! A shared console as its watchers have it: for attach, and for a role that records it.

use crate::share_words::{Answer, Request};
use mn_cli::{Cannot, Result};
use mn_msg::Decoder;
use std::collections::VecDeque;
use std::io::{self, Error, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long the other side may take to take a request.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection to a shared console.
pub struct Client {
    stream: UnixStream,
    decoder: Decoder,
    ended: bool,
}

impl Client {
    /// Connects, and asks for the console from a byte on; below 0 so many from its end, none from now on.
    ///
    /// # Errors
    /// Status 3 when there is none, or it does not listen.
    pub fn attach(socket: &Path, from: Option<i64>) -> Result<Client> {
        let what = format!("attach to '{}'", socket.display());
        let stream = mn_ipc::socket::connect(socket).cannot(&what)?;
        stream.set_write_timeout(Some(PATIENCE)).cannot(&what)?;
        let mut client = Client { stream, decoder: Decoder::default(), ended: false };
        client.ask(&Request::Attach(from)).cannot(what)?;
        Ok(client)
    }

    /// Asks for something.
    ///
    /// # Errors
    /// When the other side has gone.
    pub fn ask(&mut self, request: &Request) -> io::Result<()> {
        let line = request.message().to_line().map_err(Error::other)?;
        self.stream.write_all(&line)
    }

    /// What has come, after one read. Nothing more comes after `End`.
    ///
    /// # Errors
    /// `UnexpectedEof` when the other side has gone without it.
    pub fn hear(&mut self) -> io::Result<Vec<Answer>> {
        let mut bytes = [0; 16 * 1024];
        let count = self.stream.read(&mut bytes)?;
        if count == 0 && !self.ended {
            return Err(Error::new(ErrorKind::UnexpectedEof, "who shared it has ended without a word"));
        }
        self.decoder.push(&bytes[..count]);
        let mut answers = Vec::new();
        while let Some(message) = self.decoder.next_message().map_err(Error::other)? {
            answers.extend(Answer::read(&message));
        }
        self.ended |= answers.contains(&Answer::End);
        Ok(answers)
    }

    /// Has reads give `WouldBlock` instead of waiting.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_nonblocking(&self) -> io::Result<()> {
        self.stream.set_nonblocking(true)
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl AsRawFd for Client {
    fn as_raw_fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }
}

/// Another member's console as this role's: it can be read, not typed on.
pub struct SharedLine {
    client: Client,
    heard: VecDeque<u8>,
    ended: bool,
}

impl SharedLine {
    /// The whole of the console at this socket, from its first byte.
    ///
    /// # Errors
    /// Status 3 when it is not there.
    pub fn open(socket: &Path) -> Result<SharedLine> {
        let client = Client::attach(socket, Some(0))?;
        client.set_nonblocking().cannot("set up the console")?;
        Ok(SharedLine { client, heard: VecDeque::new(), ended: false })
    }
}

impl Read for SharedLine {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        while self.heard.is_empty() && !self.ended {
            for answer in self.client.hear()? {
                match answer {
                    Answer::Bytes(_, bytes) => self.heard.extend(bytes),
                    Answer::Warning(text) => return Err(Error::other(text)),
                    Answer::Keyboard(_) => {}
                    Answer::End => self.ended = true,
                }
            }
        }
        self.heard.read(bytes)
    }
}

impl Write for SharedLine {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        Err(Error::other("it is another member's, to be read only"))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsRawFd for SharedLine {
    fn as_raw_fd(&self) -> RawFd {
        self.client.as_raw_fd()
    }
}
