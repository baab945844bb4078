//! An open console: bytes in and out, without waiting.

use crate::pty;
use crate::specification::Specification;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use mio_serial::SerialPortBuilderExt;
use mn_cli::{Cannot, Error, Result};
use nix::errno::Errno;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, AsRawFd};
use std::process::Child;
use std::time::Duration;

/// How long a TCP connection may take.
const CONNECT: Duration = Duration::from_secs(15);

/// What a console is made of.
trait Line: Read + Write + AsRawFd + Send {}

impl<T: Read + Write + AsRawFd + Send> Line for T {}

/// An open console.
pub struct Console {
    line: Option<Box<dyn Line>>,
    child: Option<Child>,
}

/// What a read gave.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// So many bytes.
    Bytes(usize),
    /// Nothing for now.
    Nothing,
    /// The console is closed: why, where the system said it.
    Closed(Option<String>),
}

impl Console {
    /// Opens a console.
    ///
    /// # Errors
    /// Status 3 when it cannot be opened.
    pub fn open(place: &Specification) -> Result<Console> {
        let mut child = None;
        let line: Box<dyn Line> = match place {
            Specification::Exec(words) => {
                let (terminal, process) = pty::spawn(words)?;
                child = Some(process);
                Box::new(nonblocking(terminal)?)
            }
            Specification::Unix(path) => {
                let stream = mn_ipc::socket::connect(path).cannot(format_args!("connect to '{}'", path.display()))?;
                Box::new(nonblocking(stream)?)
            }
            Specification::Tcp(address) => Box::new(nonblocking(connect(address)?)?),
            Specification::Serial(path, rate) => {
                let port = mio_serial::new(path.as_str(), *rate).open_native_async();
                Box::new(port.map_err(|error| Error::lab(format_args!("cannot open '{path}': {error}")))?)
            }
        };
        Ok(Console { line: Some(line), child })
    }

    /// Has an event loop watch it.
    pub fn register(&self, registry: &Registry, token: Token) -> Result<()> {
        let Some(line) = &self.line else { return Ok(()) };
        let interest = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut SourceFd(&line.as_raw_fd()), token, interest).cannot("watch the console")
    }

    /// Reads what is there.
    pub fn read(&mut self, bytes: &mut [u8]) -> Heard {
        let Some(line) = &mut self.line else { return Heard::Nothing };
        match line.read(bytes) {
            Ok(0) => Heard::Closed(None),
            Ok(count) => Heard::Bytes(count),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Heard::Nothing,
            // What a pseudo-terminal says when its command has ended.
            Err(error) if error.raw_os_error() == Some(Errno::EIO as i32) => Heard::Closed(None),
            Err(error) => Heard::Closed(Some(reason(&error))),
        }
    }

    /// Writes as many bytes as it takes now.
    ///
    /// # Errors
    /// Why it takes no more.
    pub fn write(&mut self, bytes: &[u8]) -> std::result::Result<usize, String> {
        let Some(line) = &mut self.line else { return Err("it is closed".into()) };
        match line.write(bytes) {
            Ok(count) => Ok(count),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(0),
            Err(error) => Err(reason(&error)),
        }
    }

    /// Closes it; a command behind it is ended.
    pub fn close(&mut self) {
        // An event loop forgets a descriptor that is closed.
        self.line = None;
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

fn reason(error: &std::io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), |number| Errno::from_raw(number).desc().to_owned())
}

fn connect(address: &str) -> Result<TcpStream> {
    let cannot = format!("connect to '{address}'");
    let mut last = Err(std::io::Error::new(ErrorKind::NotFound, "the name has no address"));
    for address in address.to_socket_addrs().cannot(&cannot)? {
        last = TcpStream::connect_timeout(&address, CONNECT);
        if last.is_ok() {
            break;
        }
    }
    let stream = last.cannot(&cannot)?;
    stream.set_nodelay(true).cannot(&cannot)?;
    Ok(stream)
}

fn nonblocking<T: AsFd>(line: T) -> Result<T> {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let flags = fcntl(&line, FcntlArg::F_GETFL).cannot("set up the console")?;
    let flags = OFlag::from_bits_truncate(flags) | OFlag::O_NONBLOCK;
    fcntl(&line, FcntlArg::F_SETFL(flags)).cannot("set up the console")?;
    Ok(line)
}
