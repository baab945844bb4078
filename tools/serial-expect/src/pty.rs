//! Pseudo-terminals that change no byte: one for a command, one for whoever opens it.

use mn_cli::{Cannot, Result};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::pty::{OpenptyResult, openpty};
use nix::sys::signal::{Signal, killpg};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::{Pid, ttyname};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// A pseudo-terminal whose other end may come and go.
pub struct Pty {
    here: File,
    /// Kept open: without it the end of the last process there would be the end of the console.
    _there: OwnedFd,
}

impl Pty {
    /// Makes one; gives the name of its other end too.
    ///
    /// # Errors
    /// Status 3 when the system has no more.
    pub fn make() -> Result<(Pty, PathBuf)> {
        let pty = raw()?;
        let name = ttyname(&pty.slave).cannot("name a pseudo-terminal")?;
        Ok((Pty { here: File::from(pty.master), _there: pty.slave }, name))
    }
}

impl Read for Pty {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.here.read(bytes)
    }
}

impl Write for Pty {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.here.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for Pty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.here.as_fd()
    }
}

impl AsRawFd for Pty {
    fn as_raw_fd(&self) -> RawFd {
        self.here.as_raw_fd()
    }
}

fn raw() -> Result<OpenptyResult> {
    let pty = openpty(None, None).cannot("open a pseudo-terminal")?;
    for end in [&pty.master, &pty.slave] {
        fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).cannot("set up a pseudo-terminal")?;
    }
    let mut mode = tcgetattr(&pty.slave).cannot("set up a pseudo-terminal")?;
    cfmakeraw(&mut mode);
    tcsetattr(&pty.slave, SetArg::TCSANOW, &mode).cannot("set up a pseudo-terminal")?;
    Ok(pty)
}

/// Runs `words` with its standard input and output on a pseudo-terminal; gives the other end.
pub fn spawn(words: &[String]) -> Result<(File, Child)> {
    let pty = raw()?;
    let input = pty.slave.try_clone().cannot("set up a pseudo-terminal")?;
    let child = Command::new(&words[0])
        .args(&words[1..])
        .stdin(input)
        .stdout(pty.slave)
        // A group of its own: ^C at a terminal ends the dialogue in order, not the console under it.
        .process_group(0)
        .spawn()
        .cannot(format_args!("run the console command '{}'", words[0]))?;
    Ok((File::from(pty.master), child))
}

/// Ends a command whose terminal has been closed: by SIGTERM, and by SIGKILL if it does not heed that.
pub fn reap(mut child: Child) {
    const PATIENCE: Duration = Duration::from_secs(2);
    let group = Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
    // It may have ended by itself: then there is nobody to signal.
    let _ = killpg(group, Signal::SIGTERM);
    let (ended, end) = std::sync::mpsc::channel();
    let waiter = std::thread::spawn(move || {
        let _ = child.wait();
        let _ = ended.send(Instant::now());
    });
    if end.recv_timeout(PATIENCE).is_err() {
        let _ = killpg(group, Signal::SIGKILL);
    }
    let _ = waiter.join();
}
