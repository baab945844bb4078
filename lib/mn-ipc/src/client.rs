use crate::{Call, Class, Greeting, Incoming, Lines, Request, VERSION, socket};
use mn_cli::{Cannot, Deadline, Error, Status};
use serde_json::Value;
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// A connection to the broker.
///
/// Tools that have nothing else to do use [`Client::call`]; event loops use [`Client::submit`], watch the
/// descriptor for reading, and take what [`Client::receive`] gives.
pub struct Client {
    stream: UnixStream,
    lines: Lines,
    ready: VecDeque<Incoming>,
    greeting: Greeting,
    next_id: i64,
}

/// Why a call has no answer.
#[derive(Debug)]
pub enum Failure {
    /// The broker said so.
    Refused(Class, String),
    /// There is no broker, or it speaks another protocol: the reason.
    Lost(String),
}

impl From<Failure> for Error {
    /// Status 124 for `timeout`, 2 for a wrong request, 1 for `left` and `deadlock`, 3 when the broker is lost.
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(class, text) => Error::new(
                match class {
                    Class::Timeout => Status::Timeout,
                    Class::BadRequest | Class::NotJoined | Class::Unknown | Class::Limit => Status::Wrong,
                    Class::Left | Class::Deadlock | Class::Other => Status::No,
                },
                text,
            ),
            Failure::Lost(text) => Error::lab(text),
        }
    }
}

fn lost(what: impl std::fmt::Display) -> Failure {
    Failure::Lost(format!("lost the broker: {what}"))
}

impl Client {
    /// How long the broker may take for its greeting, and for an answer beyond the time of its call.
    const PATIENCE: Duration = Duration::from_secs(10);

    /// Connects and reads the greeting.
    ///
    /// # Errors
    /// `Lost` when there is no broker at `path`, or one of another version.
    pub fn connect(path: &Path) -> Result<Self, Failure> {
        let stream = socket::connect(path)
            .cannot(format_args!("reach the broker at '{}'", path.display()))
            .map_err(|error| Failure::Lost(error.to_string()))?;
        let greeting = Greeting { mn: 0, broker: String::new(), group: String::new(), capabilities: Vec::new() };
        let mut client = Self { stream, lines: Lines::default(), ready: VecDeque::new(), greeting, next_id: 1 };
        let line = client.read_line(Deadline::after(Self::PATIENCE))?;
        client.greeting =
            serde_json::from_slice(&line).map_err(|error| lost(format_args!("it does not greet: {error}")))?;
        if client.greeting.mn != VERSION {
            return Err(lost(format_args!("it speaks version {} of the protocol, not {VERSION}", client.greeting.mn)));
        }
        Ok(client)
    }

    /// What the broker said first.
    pub fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// Makes a call and waits for its answer, as long as the call says and 10 seconds more.
    ///
    /// # Errors
    /// `Refused` with the broker's class, `Lost` when the broker ends or keeps silent.
    pub fn call(&mut self, call: Call) -> Result<Value, Failure> {
        let limit = Duration::try_from_secs_f64(call.timeout().unwrap_or(0.0)).unwrap_or_default();
        let deadline = Deadline::after(limit + Self::PATIENCE);
        let id = self.submit(call)?;
        loop {
            let line = self.read_line(deadline)?;
            match Incoming::parse(&line) {
                Some(Incoming::Return(answered, value)) if answered == id => return Ok(value),
                Some(Incoming::Error(Some(answered), class, text)) if answered == id => {
                    return Err(Failure::Refused(class, text));
                }
                Some(Incoming::Error(None, class, text)) => return Err(Failure::Refused(class, text)),
                Some(other) => self.ready.push_back(other),
                None => return Err(lost("it sent no answer of this protocol")),
            }
        }
    }

    /// Makes a call without waiting; gives the id that its answer will carry.
    ///
    /// # Errors
    /// `Refused` for arguments that the broker would refuse, `Lost` when the broker has ended.
    pub fn submit(&mut self, call: Call) -> Result<i64, Failure> {
        call.check().map_err(|text| Failure::Refused(Class::BadRequest, text))?;
        let id = self.next_id;
        self.next_id += 1;
        let line = Request { id, call }.to_line();
        self.stream
            .set_write_timeout(Some(Self::PATIENCE))
            .and_then(|()| self.stream.write_all(&line))
            .map_err(lost)?;
        Ok(id)
    }

    /// What has come so far, without waiting: answers and events.
    ///
    /// # Errors
    /// `Lost` when the broker has ended; what came before is given first.
    pub fn receive(&mut self) -> Result<Vec<Incoming>, Failure> {
        self.stream.set_nonblocking(true).map_err(lost)?;
        let read = self.read_available();
        self.stream.set_nonblocking(false).map_err(lost)?;
        while let Some(line) = self.lines.next_line().map_err(|_| lost("it sent a line that is too long"))? {
            self.ready.push_back(Incoming::parse(&line).ok_or_else(|| lost("it sent no answer of this protocol"))?);
        }
        if self.ready.is_empty() {
            read?;
        }
        Ok(self.ready.drain(..).collect())
    }

    fn read_available(&mut self) -> Result<(), Failure> {
        let mut bytes = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return Err(lost("it has closed the connection")),
                Ok(n) => self.lines.push(&bytes[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(lost(error)),
            }
        }
    }

    fn read_line(&mut self, deadline: Deadline) -> Result<Vec<u8>, Failure> {
        let mut bytes = [0; 16 * 1024];
        loop {
            if let Some(line) = self.lines.next_line().map_err(|_| lost("it sent a line that is too long"))? {
                return Ok(line);
            }
            let left = deadline.remaining();
            if left.is_zero() {
                return Err(lost("it does not answer"));
            }
            self.stream.set_read_timeout(Some(left)).map_err(lost)?;
            match self.stream.read(&mut bytes) {
                Ok(0) => return Err(lost("it has closed the connection")),
                Ok(n) => self.lines.push(&bytes[..n]),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {
                }
                Err(error) => return Err(lost(error)),
            }
        }
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
