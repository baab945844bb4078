//! An open console: bytes in and out, without waiting. A serial port may be unplugged for a while.

use crate::pty::{self, Pty};
use crate::serial_port;
use crate::share_client::SharedLine;
use crate::specification::Specification;
use crate::tcp;
use crate::telnet_line::TelnetLine;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use mn_cli::{Cannot, Result, reason};
use nix::errno::Errno;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

/// How long a serial port may be unplugged.
const UNPLUGGED: Duration = Duration::from_secs(30);
/// Time between two looks whether it is there. What udev makes it may open only later, so its name alone says nothing.
const LOOK: Duration = Duration::from_millis(200);

/// What a console is made of.
trait Line: Read + Write + AsRawFd + Send {}

impl<T: Read + Write + AsRawFd + Send> Line for T {}

/// An open console.
pub struct Console {
    place: Specification,
    line: Option<Box<dyn Line>>,
    child: Option<Child>,
    watch: Option<(Registry, Token)>,
    away: Option<Away>,
    /// Why one that is not there will not come any more.
    given_up: Option<String>,
}

/// A console that is not there and may come.
struct Away {
    since: Instant,
    /// None where only the role's own end is waited for.
    limit: Option<Duration>,
    look: Instant,
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
    /// Opens a console. That of another member need not be there yet.
    ///
    /// # Errors
    /// Status 3 when it cannot be opened.
    pub fn open(place: &Specification) -> Result<Console> {
        let place = place.clone();
        let mut console = Console { place, line: None, child: None, watch: None, away: None, given_up: None };
        match console.open_line() {
            Ok(line) => console.line = Some(line),
            Err(_) if matches!(&console.place, Specification::Share(path) if !Path::new(path).exists()) => {
                mn_cli::note(1, "waiting for the other member's console");
                console.away = Some(Away { since: Instant::now(), limit: None, look: Instant::now() });
            }
            Err(error) => return Err(error),
        }
        Ok(console)
    }

    fn open_line(&mut self) -> Result<Box<dyn Line>> {
        Ok(match &self.place {
            Specification::Exec(words) => {
                let (terminal, process) = pty::spawn(words)?;
                self.child = Some(process);
                Box::new(nonblocking(terminal)?)
            }
            Specification::Unix(path) => {
                let stream = mn_ipc::socket::connect(path).cannot(format_args!("connect to '{}'", path.display()))?;
                Box::new(nonblocking(stream)?)
            }
            Specification::Tcp(address) => Box::new(nonblocking(tcp::connect(address)?)?),
            Specification::Telnet(address) => Box::new(TelnetLine::open(address, None)?),
            Specification::Rfc2217(address, mode) => Box::new(TelnetLine::open(address, Some(*mode))?),
            Specification::Serial(path, mode) => Box::new(serial_port::open(path, *mode)?),
            Specification::Pty => {
                let (pty, name) = Pty::make()?;
                mn_cli::note(0, format_args!("the console is '{}'", name.display()));
                Box::new(nonblocking(pty)?)
            }
            Specification::Share(path) => Box::new(SharedLine::open(Path::new(path))?),
        })
    }

    /// Has an event loop watch it, also after it has come back.
    pub fn register(&mut self, registry: &Registry, token: Token) -> Result<()> {
        self.watch = Some((registry.try_clone().cannot("watch the console")?, token));
        self.watch_line()
    }

    fn watch_line(&self) -> Result<()> {
        let (Some(line), Some((registry, token))) = (&self.line, &self.watch) else { return Ok(()) };
        let interest = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut SourceFd(&line.as_raw_fd()), *token, interest).cannot("watch the console")
    }

    /// Reads what is there.
    pub fn read(&mut self, bytes: &mut [u8]) -> Heard {
        let Some(line) = &mut self.line else { return self.look() };
        match line.read(bytes) {
            Ok(0) => self.lost(None),
            Ok(count) => Heard::Bytes(count),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Heard::Nothing,
            Err(error) if error.kind() == ErrorKind::Interrupted => Heard::Bytes(0),
            // What a pseudo-terminal says when its command has ended.
            Err(error) if error.raw_os_error() == Some(Errno::EIO as i32) => self.lost(None),
            Err(error) => self.lost(Some(reason(&error))),
        }
    }

    /// Writes as many bytes as it takes now.
    ///
    /// # Errors
    /// Why it takes no more.
    pub fn write(&mut self, bytes: &[u8]) -> std::result::Result<usize, String> {
        let Some(line) = &mut self.line else {
            return if self.away.is_some() { Ok(0) } else { Err("it is closed".into()) };
        };
        match line.write(bytes) {
            Ok(count) => Ok(count),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(0),
            Err(error) => match self.lost(Some(reason(&error))) {
                Heard::Closed(why) => Err(why.unwrap_or_default()),
                _ => Ok(0),
            },
        }
    }

    /// When it has to be read though nothing has happened to it.
    pub fn look_in(&self) -> Option<Duration> {
        self.away.as_ref().map(|away| away.look.saturating_duration_since(Instant::now()))
    }

    /// Says why a console that is not there will not come: it is looked for once more.
    pub fn give_up(&mut self, why: String) {
        if let Some(away) = &mut self.away {
            away.look = Instant::now();
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
        self.line = Some(Box::new(record));
        Heard::Bytes(0)
    }

    /// A serial port that is gone may only have been unplugged, as when its board's own USB port is the console.
    fn lost(&mut self, reason: Option<String>) -> Heard {
        let Specification::Serial(path, _) = &self.place else { return Heard::Closed(reason) };
        mn_cli::warn(format_args!("'{}' has gone: waiting {} s for it", path.display(), UNPLUGGED.as_secs()));
        self.line = None;
        let now = Instant::now();
        self.away = Some(Away { since: now, limit: Some(UNPLUGGED), look: now });
        Heard::Nothing
    }

    /// Looks whether the console is there again.
    fn look(&mut self) -> Heard {
        let Some(Away { since, limit, look }) = self.away else { return Heard::Nothing };
        if Instant::now() < look {
            return Heard::Nothing;
        }
        let opened = self.open_line().and_then(|line| {
            self.line = Some(line);
            self.watch_line()
        });
        let Err(error) = opened else {
            self.away = None;
            if limit.is_some() {
                let seconds = since.elapsed().as_secs_f64();
                mn_cli::warn(format_args!("the console is there again after {seconds:.1} s"));
            }
            return Heard::Bytes(0);
        };
        self.line = None;
        if let Some(why) = self.given_up.take() {
            self.away = None;
            return self.open_record(why);
        }
        if limit.is_some_and(|limit| since.elapsed() >= limit) {
            self.away = None;
            return Heard::Closed(Some(format!("it did not come back: {error}")));
        }
        self.away = Some(Away { since, limit, look: Instant::now() + LOOK });
        Heard::Nothing
    }

    /// Closes it; a command behind it is ended.
    pub fn close(&mut self) {
        // An event loop forgets a descriptor that is closed.
        self.line = None;
        self.away = None;
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

/// Has reads and writes give `WouldBlock` instead of waiting.
fn nonblocking<T: AsFd>(line: T) -> Result<T> {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let flags = fcntl(&line, FcntlArg::F_GETFL).cannot("set up the console")?;
    let flags = OFlag::from_bits_truncate(flags) | OFlag::O_NONBLOCK;
    fcntl(&line, FcntlArg::F_SETFL(flags)).cannot("set up the console")?;
    Ok(line)
}
