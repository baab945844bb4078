//! A command that has to end in time.

use mn_cli::{Cannot, Deadline, Error, Result, Signals, Status};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};

/// How much of what a command wrote is looked at: its last bytes.
const MAX_OUTPUT: u64 = 64 << 10;

/// How a command ended and what it wrote.
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// The last of its standard output.
    pub output: String,
    /// The last of its standard error.
    pub errors: String,
}

/// Runs a command without input to its end.
///
/// # Errors
/// Status 3 when it cannot be started, 124 when it did not end in time, 128+N when a signal came;
/// then it and its children are killed.
pub fn run(command: &mut Command, deadline: Deadline, signals: &mut Signals) -> Result<Ended> {
    let name = command.get_program().to_string_lossy().into_owned();
    let file = || tempfile::tempfile().cannot("make a temporary file");
    let (output, errors) = (file()?, file()?);
    let copy = |file: &File| file.try_clone().cannot("copy a descriptor");
    command.stdin(Stdio::null()).stdout(copy(&output)?).stderr(copy(&errors)?);
    // A group of its own: what git starts is to be killed with it.
    let mut child = command.process_group(0).spawn().cannot(format_args!("run '{name}'"))?;
    if let Err(error) = wait(&child, &name, deadline, signals) {
        // Not reaped yet, so its number is still its own.
        let _ = killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
        let _ = child.wait();
        return Err(error);
    }
    let status = child.wait().cannot(format_args!("wait for '{name}'"))?;
    Ok(Ended { status, output: tail(output)?, errors: tail(errors)? })
}

/// Waits until the child has ended, and leaves it to be reaped.
fn wait(child: &Child, name: &str, deadline: Deadline, signals: &mut Signals) -> Result<()> {
    let (ended, ending) = UnixStream::pair().cannot("make a socket")?;
    let pid = Pid::from_raw(child.id().cast_signed());
    std::thread::spawn(move || {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        while waitid(Id::Pid(pid), flags) == Err(Errno::EINTR) {}
        drop(ending);
    });
    loop {
        let mut polled =
            [PollFd::new(ended.as_fd(), PollFlags::POLLIN), PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        match poll(&mut polled, deadline.poll_timeout()) {
            Err(Errno::EINTR) => {}
            polled => drop(polled.cannot(format_args!("wait for '{name}'"))?),
        }
        let has_ended = polled[0].any() == Some(true);
        if let Some(signal) = signals.take() {
            return Err(Error::silent(Status::Signal(signal)));
        }
        if has_ended {
            return Ok(());
        }
        if deadline.passed() {
            return Err(Error::timeout("out of time"));
        }
    }
}

fn tail(mut file: File) -> Result<String> {
    let mut bytes = Vec::new();
    let length = file.metadata().cannot("read a temporary file")?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(MAX_OUTPUT))).cannot("read a temporary file")?;
    file.take(MAX_OUTPUT).read_to_end(&mut bytes).cannot("read a temporary file")?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
