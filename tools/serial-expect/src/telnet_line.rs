//! A console behind telnet, with or without RFC 2217: the connection around the pure protocol.

use crate::playback::last_line;
use crate::specification::Address;
use crate::tcp::{self, Terms};
use mn_cli::{Cannot, Deadline, Error, Result};
use mn_console::rfc2217::{ComPort, Notice};
use mn_console::serial_mode::SerialMode;
use mn_console::telnet::{Event, Telnet, option};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use std::collections::{BTreeSet, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, RawFd};

/// Bytes that wait to be sent, at which nothing more is read: answers to a server that does not read them.
const PENDING: usize = 16 * 1024;
/// Bytes of the console that may come before its port is set up.
const EARLY: usize = 1 << 20;

/// How far the port is that is to be set up.
#[derive(Debug, PartialEq, Eq)]
enum Port {
    Asked,
    Ready,
    Failed(String),
}

/// A connection to a terminal server.
pub struct TelnetLine {
    stream: TcpStream,
    address: String,
    telnet: Telnet,
    com_port: Option<ComPort>,
    port: Port,
    pending: Vec<u8>,
    heard: VecDeque<u8>,
    suspended: bool,
    /// The line's errors that have been told.
    told: BTreeSet<&'static str>,
}

impl TelnetLine {
    /// Connects, and sets the port up where a mode is given.
    ///
    /// # Errors
    /// Status 3 when the server cannot be reached in time, or does not set up its port as it is asked to.
    pub fn open(address: &Address, mode: Option<SerialMode>, terms: Terms) -> Result<TelnetLine> {
        let stream = tcp::connect(address, terms)?;
        stream.set_nonblocking(true).cannot("set up the console")?;
        let mut telnet = Telnet::new(mode.map(|_| option::COM_PORT));
        let mut line = TelnetLine {
            stream,
            address: address.to_string(),
            pending: telnet.start(),
            telnet,
            com_port: mode.map(ComPort::new),
            port: Port::Asked,
            heard: VecDeque::new(),
            suspended: false,
            told: BTreeSet::new(),
        };
        match line.com_port {
            Some(_) => line.set_up()?,
            None => line.flush().cannot(format_args!("connect to '{address}'"))?,
        }
        Ok(line)
    }

    /// Waits until the port is as it was asked to be. What came before is of another rate or another time.
    fn set_up(&mut self) -> Result<()> {
        let deadline = Deadline::after(tcp::CONNECT);
        let cannot = format!("set up the port behind '{}'", self.address);
        loop {
            let heard = self.flush().and_then(|()| self.receive());
            match &self.port {
                Port::Ready => break,
                Port::Failed(why) => return Err(Error::lab(format_args!("cannot {cannot}: {why}"))),
                Port::Asked => {}
            }
            match heard {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Ok(1..) => {}
                Ok(0) | Err(_) => return Err(Error::lab(format_args!("cannot {cannot}: {}", self.last_words()))),
            }
            if deadline.passed() || self.heard.len() > EARLY {
                let why = "the server does not confirm it; one without RFC 2217 is 'telnet:'";
                return Err(Error::lab(format_args!("cannot {cannot}: {why}")));
            }
            match poll(&mut [PollFd::new(self.stream.as_fd(), PollFlags::POLLIN)], deadline.poll_timeout()) {
                Err(Errno::EINTR) => {}
                polled => drop(polled.cannot(&cannot)?),
            }
        }
        self.heard.clear();
        Ok(())
    }

    /// Why a server hangs up is told in what it says before.
    fn last_words(&self) -> String {
        let said: Vec<u8> = self.heard.iter().copied().collect();
        match last_line(&said) {
            Some(line) => format!("the server has closed the connection: '{line}'"),
            None => "the server has closed the connection".to_owned(),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.pending.is_empty() {
            match self.stream.write(&self.pending) {
                Ok(count) => drop(self.pending.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads once; gives how many bytes came, of whatever kind.
    fn receive(&mut self) -> io::Result<usize> {
        if self.pending.len() >= PENDING {
            return Err(ErrorKind::WouldBlock.into());
        }
        let mut bytes = [0; 4096];
        let count = self.stream.read(&mut bytes)?;
        let heard = self.telnet.receive(&bytes[..count]);
        self.heard.extend(heard.data);
        self.pending.extend(heard.reply);
        for event in heard.events {
            self.heed(event);
        }
        // What is wrong with the other direction is found again, and must not hide what was heard.
        let _ = self.flush();
        Ok(count)
    }

    fn heed(&mut self, event: Event) {
        let Some(com_port) = &mut self.com_port else { return };
        match event {
            Event::Accepted(option::COM_PORT) => {
                let requests = com_port.requests();
                self.pending
                    .extend(requests.iter().flat_map(|request| Telnet::subnegotiate(option::COM_PORT, request)));
            }
            Event::Refused(option::COM_PORT) => {
                self.port = Port::Failed("the server does not speak RFC 2217 there; try 'telnet:'".into());
            }
            Event::Subnegotiation(option::COM_PORT, message) => match com_port.answer(&message) {
                Some(Notice::Ready) if self.port == Port::Asked => self.port = Port::Ready,
                Some(Notice::Differs(why)) => self.port = Port::Failed(why),
                Some(Notice::Suspend) => self.suspended = true,
                Some(Notice::Resume) => self.suspended = false,
                Some(Notice::Line(what)) if self.told.insert(what) => {
                    mn_cli::warn(format_args!("the port behind '{}' reports {what}: is its rate right?", self.address));
                }
                _ => {}
            },
            _ => {}
        }
    }
}

impl Read for TelnetLine {
    /// `Interrupted` where only the protocol has spoken.
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        // A server that takes nothing more may have said why.
        let flushed = self.flush();
        if self.heard.is_empty() {
            match self.receive() {
                Ok(0) => return Ok(0),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return flushed.and(Err(error)),
                Err(error) => return Err(error),
            }
        }
        if self.heard.is_empty() { Err(ErrorKind::Interrupted.into()) } else { self.heard.read(bytes) }
    }
}

impl Write for TelnetLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.flush()?;
        let room = PENDING.saturating_sub(self.pending.len()).min(bytes.len());
        if self.suspended || room == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.pending.extend(self.telnet.send(&bytes[..room]));
        self.flush()?;
        Ok(room)
    }

    fn flush(&mut self) -> io::Result<()> {
        TelnetLine::flush(self)
    }
}

impl AsRawFd for TelnetLine {
    fn as_raw_fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }
}
