use mn_cli::{Cannot, Error, Result, Status};
use mn_ipc::socket;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

/// Joins standard input and output with the console until one of them ends. A terminal is made raw, as telnet does:
/// whoever runs this as a console command on a pseudo terminal gets bytes, not lines.
pub fn join(directory: &Path) -> Result<Status> {
    let path = directory.join("console");
    let socket = socket::connect(&path).cannot(format_args!("reach the board at '{}'", path.display()))?;
    let stdin = unbuffered(std::io::stdin().as_fd())?;
    let stdout = unbuffered(std::io::stdout().as_fd())?;
    let _raw = RawTerminal::new(&stdin)?;
    loop {
        let mut fds = [&stdin.as_fd(), &socket.as_fd()].map(|fd| PollFd::new(*fd, PollFlags::POLLIN));
        poll(&mut fds, PollTimeout::NONE).cannot("wait for the console")?;
        let [typed, said] = fds.map(|fd| fd.any().unwrap_or(true));
        if said && pass(&socket, &stdout)? == 0 {
            return Err(Error::lab("the console has gone, or is in use"));
        }
        if typed && pass(&stdin, &socket)? == 0 {
            return Ok(Status::Success);
        }
    }
}

/// Passes on what one read gives; 0 at the end.
fn pass(mut from: impl Read, mut to: impl Write) -> Result<usize> {
    let mut chunk = [0; 4096];
    let n = match from.read(&mut chunk) {
        Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
        other => other.cannot("read from the console")?,
    };
    to.write_all(&chunk[..n]).cannot("write to the console")?;
    Ok(n)
}

fn unbuffered(fd: BorrowedFd<'_>) -> Result<File> {
    fd.try_clone_to_owned().map(File::from).cannot("copy a descriptor")
}

/// A terminal in raw mode, and how it was before.
struct RawTerminal<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> RawTerminal<'a> {
    /// None when `file` is no terminal.
    fn new(terminal: &'a File) -> Result<Option<Self>> {
        let Ok(before) = tcgetattr(terminal) else { return Ok(None) };
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(terminal, SetArg::TCSANOW, &raw).cannot("make the terminal raw")?;
        Ok(Some(Self { terminal, before }))
    }
}

impl Drop for RawTerminal<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, SetArg::TCSANOW, &self.before);
    }
}
