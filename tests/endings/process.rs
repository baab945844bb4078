//! mn-run as a process: told, killed, waited for.

use crate::case::Cause;
use crate::world::World;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use std::io::Result;
use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::time::{Duration, Instant, SystemTime};

/// After this a run is killed, and has failed.
const GIVE_UP: Duration = Duration::from_secs(90);

/// Sends mn-run what the case says; gives when, unless it had ended before.
pub fn strike(cause: Cause, child: &mut Child, at: Duration) -> Result<Option<SystemTime>> {
    std::thread::sleep(at);
    if child.try_wait()?.is_some() {
        return Ok(None);
    }
    let struck = SystemTime::now();
    match cause {
        // A key of the terminal and its end come to all of the foreground.
        Cause::Signal(signal @ (Signal::SIGINT | Signal::SIGHUP)) => killpg(pid(child), signal)?,
        Cause::Signal(signal) => kill(pid(child), signal)?,
        _ => kill(pid(child), Signal::SIGKILL)?,
    }
    Ok(Some(struck))
}

/// Its number.
pub fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX))
}

/// The exit status; none when it had to be killed.
pub fn wait(child: &mut Child) -> Result<Option<i32>> {
    let until = Instant::now() + GIVE_UP;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.code().or_else(|| status.signal().map(|signal| 128 + signal)));
        }
        if Instant::now() > until {
            kill(pid(child), Signal::SIGKILL)?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// mn-run was killed: its members end by themselves.
pub fn wait_for_all(before: &World) {
    let until = Instant::now() + GIVE_UP;
    while before.news().iter().any(|thing| thing.starts_with("process")) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
}
