//! What a console is made of: something that is read and written without waiting.

use crate::pty::{self, Pty};
use crate::serial_port;
use crate::share_client::SharedLine;
use crate::specification::Specification;
use crate::tcp::{self, Terms};
use crate::telnet_line::TelnetLine;
use mn_cli::{Cannot, Result};
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::process::Child;

/// An open line.
pub trait Line: Read + Write + AsRawFd + Send {}

impl<T: Read + Write + AsRawFd + Send> Line for T {}

/// Opens a console's line, a server's on these terms; with it comes the command that is behind it.
///
/// # Errors
/// Status 3 when it cannot be opened.
pub fn open(place: &Specification, terms: Terms) -> Result<(Box<dyn Line>, Option<Child>)> {
    let line: Box<dyn Line> = match place {
        Specification::Exec(words) => {
            let (terminal, process) = pty::spawn(words)?;
            return Ok((Box::new(nonblocking(terminal)?), Some(process)));
        }
        Specification::Unix(path) => {
            let stream = mn_ipc::socket::connect(path).cannot(format_args!("connect to '{}'", path.display()))?;
            Box::new(nonblocking(stream)?)
        }
        Specification::Tcp(address) => Box::new(nonblocking(tcp::connect(address, terms)?)?),
        Specification::Telnet(address) => Box::new(TelnetLine::open(address, None, terms)?),
        Specification::Rfc2217(address, mode) => Box::new(TelnetLine::open(address, Some(*mode), terms)?),
        Specification::Serial(path, mode) => Box::new(serial_port::open(path, *mode)?),
        Specification::Pty => {
            let (pty, name) = Pty::make()?;
            mn_cli::note(0, format_args!("the console is '{}'", name.display()));
            Box::new(nonblocking(pty)?)
        }
        Specification::Share(path) => Box::new(SharedLine::open(Path::new(path))?),
    };
    Ok((line, None))
}

/// Has reads and writes give `WouldBlock` instead of waiting.
fn nonblocking<T: AsFd>(line: T) -> Result<T> {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let flags = fcntl(&line, FcntlArg::F_GETFL).cannot("set up the console")?;
    let flags = OFlag::from_bits_truncate(flags) | OFlag::O_NONBLOCK;
    fcntl(&line, FcntlArg::F_SETFL(flags)).cannot("set up the console")?;
    Ok(line)
}
