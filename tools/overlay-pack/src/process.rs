//! A command that has to end in time.

use mn_cli::{Cannot, Deadline, Result, Signals};
use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use crate::attend::attend;

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
    let output = tempfile::tempfile().cannot("make a temporary file")?;
    let (status, errors) = execute(command, Stdio::null(), &output, deadline, signals)?;
    Ok(Ended { status, output: tail(output)?, errors })
}

/// Runs a command that turns `input` into its output, which is given open at its beginning, a file
/// without a name in the directory `parent`.
///
/// # Errors
/// As [`run`].
pub fn filter(
    command: &mut Command,
    input: File,
    parent: &Path,
    deadline: Deadline,
    signals: &mut Signals,
) -> Result<(Ended, File)> {
    let mut output = tempfile::tempfile_in(parent).cannot("make a temporary file")?;
    let (status, errors) = execute(command, Stdio::from(input), &output, deadline, signals)?;
    output.seek(SeekFrom::Start(0)).cannot("read a temporary file")?;
    Ok((Ended { status, output: String::new(), errors }, output))
}

fn execute(
    command: &mut Command,
    input: Stdio,
    output: &File,
    deadline: Deadline,
    signals: &mut Signals,
) -> Result<(ExitStatus, String)> {
    let name = command.get_program().to_string_lossy().into_owned();
    let errors = tempfile::tempfile().cannot("make a temporary file")?;
    let copy = |file: &File| file.try_clone().cannot("copy a descriptor");
    command.stdin(input).stdout(copy(output)?).stderr(copy(&errors)?);
    // A group of its own: what git starts is to be killed with it.
    let mut child = command.process_group(0).spawn().cannot(format_args!("run '{name}'"))?;
    if let Err(error) = wait(&child, &name, deadline, signals) {
        // Not reaped yet, so its number is still its own.
        let _ = killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
        let _ = child.wait();
        return Err(error);
    }
    let status = child.wait().cannot(format_args!("wait for '{name}'"))?;
    Ok((status, tail(errors)?))
}

/// Waits until the child has ended, and leaves it to be reaped.
fn wait(child: &Child, name: &str, deadline: Deadline, signals: &mut Signals) -> Result<()> {
    let pid = Pid::from_raw(child.id().cast_signed());
    attend(&format!("'{name}'"), deadline, signals, move || {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        while waitid(Id::Pid(pid), flags) == Err(Errno::EINTR) {}
    })
}

fn tail(mut file: File) -> Result<String> {
    let mut bytes = Vec::new();
    let length = file.metadata().cannot("read a temporary file")?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(MAX_OUTPUT))).cannot("read a temporary file")?;
    file.take(MAX_OUTPUT).read_to_end(&mut bytes).cannot("read a temporary file")?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
