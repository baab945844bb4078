//! Brings a broker's socket here from another machine, by OpenSSH's stream-local forwarding, and brings it again
//! when the link has been cut.

use crate::cli::Connect;
use crate::ready;
use mn_cli::{Cannot, Error, Result, Signals, Status, note, warn};
use mn_ipc::Client;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Between two attempts.
const AGAIN: Duration = Duration::from_millis(500);
/// Between two looks at ssh.
const LOOK: u16 = 100;
/// How long the first attempt may take.
const FIRST: Duration = Duration::from_secs(30);

/// Forwards until a signal comes.
///
/// # Errors
/// Status 3 when the first attempt fails.
pub fn connect(options: &Connect) -> Result<Status> {
    let mut signals = Signals::new()?;
    let began = Instant::now();
    let mut told = false;
    loop {
        let mut ssh = start(options)?;
        loop {
            if signals.take().is_some() {
                end(&mut ssh);
                let _ = std::fs::remove_file(&options.socket);
                return Ok(Status::Success);
            }
            if let Some(status) = ssh.try_wait().cannot("wait for ssh")? {
                if !told {
                    return Err(Error::lab(format_args!("cannot reach '{}': ssh ended with {status}", options.target)));
                }
                warn(format_args!("lost '{}': ssh ended with {status}; trying again", options.target));
                break;
            }
            if !told && Client::connect(&options.socket).is_ok() {
                told = true;
                note(1, format_args!("the broker of '{}' is at '{}'", options.target, options.socket.display()));
                options.ready_fd.map_or(Ok(()), ready::tell)?;
            }
            if !told && began.elapsed() > FIRST {
                end(&mut ssh);
                return Err(Error::timeout(format_args!("cannot reach the broker of '{}' in time", options.target)));
            }
            wait(&signals, LOOK)?;
        }
        wait(&signals, u16::try_from(AGAIN.as_millis()).unwrap_or(LOOK))?;
    }
}

fn start(options: &Connect) -> Result<Child> {
    let mut forward = OsString::from(&options.socket);
    forward.push(":");
    forward.push(&options.remote);
    let mut ssh = Command::new("ssh");
    // Ours come last: ssh takes the first value that it is given.
    for option in &options.options {
        ssh.arg("-o").arg(option);
    }
    for option in [
        "BatchMode=yes",
        "ConnectTimeout=5",
        "ControlPath=none",
        "ExitOnForwardFailure=yes",
        "ServerAliveCountMax=3",
        "ServerAliveInterval=2",
        "StreamLocalBindMask=0177",
        "StreamLocalBindUnlink=yes",
    ] {
        ssh.args(["-o", option]);
    }
    ssh.args(["-N", "-T", "-L"]).arg(forward).arg("--").arg(&options.target);
    ssh.stdin(Stdio::null()).stdout(Stdio::null());
    ssh.spawn().cannot("run 'ssh'")
}

fn end(ssh: &mut Child) {
    if let Ok(pid) = i32::try_from(ssh.id()) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
    let _ = ssh.wait();
}

fn wait(signals: &Signals, milliseconds: u16) -> Result<()> {
    match poll(&mut [PollFd::new(signals.as_fd(), PollFlags::POLLIN)], PollTimeout::from(milliseconds)) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno).cannot("wait for ssh"),
    }
}
