use crate::cable;
use crate::leash;
use crate::model::Model;
use mn_cli::{Cannot, Result, Status};
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::{getppid, pause};
use std::fs::File;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

/// What the board's processor may not do to the machine that it runs on.
const FORBIDDEN: &str = "-sys_module,-sys_time,-sys_rawio,-mknod,-syslog";

/// Gives a board its namespaces and its cable, starts its processor and waits for its end: with the signal that
/// reboot(2) in a process namespace ends process 1 by. Runs with the console as standard output.
pub fn run(model: &Model) -> Result<Status> {
    leash::tie_to_parent()?;
    enter_namespaces()?;
    let myself = std::env::current_exe().cannot("find this program")?;
    let mut processor = Command::new("setpriv")
        .args(["--bounding-set", FORBIDDEN])
        .arg(myself)
        .arg("board")
        .args(model.arguments())
        .stdin(Stdio::piped())
        .spawn()
        .cannot("run 'setpriv'")?;
    // Not dropped: the processor's leash.
    let _leash = processor.stdin.take();
    let end = processor.wait().cannot("wait for the board")?;
    if let Some(signal) = end.signal() {
        return Ok(Status::Signal(signal));
    }
    let text = format!("Kernel panic - not syncing: Attempted to kill init! ({end})");
    write!(std::io::stdout(), "\r\n{text}\r\n---[ end {text} ]---\r\n").cannot("write to the console")?;
    loop {
        pause();
    }
}

fn enter_namespaces() -> Result<()> {
    let network = || File::open("/proc/self/ns/net").cannot("open '/proc/self/ns/net'");
    let lab = network()?;
    unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC)
        .cannot("make namespaces")?;
    cable::make_board(getppid())?;
    let board = network()?;
    setns(&lab, CloneFlags::CLONE_NEWNET).cannot("enter the lab's network")?;
    cable::plug()?;
    setns(&board, CloneFlags::CLONE_NEWNET).cannot("enter the board's network")?;
    // Last, because it concerns children: the first one is process 1.
    unshare(CloneFlags::CLONE_NEWPID).cannot("make a process namespace")
}
