//! A command on a pseudo-terminal that changes no byte.

use mn_cli::{Cannot, Result};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::pty::openpty;
use nix::sys::signal::{Signal, killpg};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::Pid;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// Runs `words` with its standard input and output on a pseudo-terminal; gives the other end.
pub fn spawn(words: &[String]) -> Result<(File, Child)> {
    let pty = openpty(None, None).cannot("open a pseudo-terminal")?;
    for end in [&pty.master, &pty.slave] {
        fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).cannot("set up a pseudo-terminal")?;
    }
    let mut mode = tcgetattr(&pty.slave).cannot("set up a pseudo-terminal")?;
    cfmakeraw(&mut mode);
    tcsetattr(&pty.slave, SetArg::TCSANOW, &mode).cannot("set up a pseudo-terminal")?;
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
