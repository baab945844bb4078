//! Telling whoever started us that the socket can be used.

use mn_cli::{Cannot, Result};
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;

/// Writes a newline to an inherited descriptor and closes it.
///
/// # Errors
/// Status 3 when it is not open for writing, or a pipe that nobody reads.
pub fn tell(fd: i32) -> Result<()> {
    // Opened anew through /proc: only unsafe code can turn a number into a file. A FIFO without a reader
    // must not hold us up.
    let flags = nix::fcntl::OFlag::O_NONBLOCK.bits();
    let open = OpenOptions::new().append(true).custom_flags(flags).open(format!("/proc/self/fd/{fd}"));
    let open = open.map_err(|error| match error.kind() {
        ErrorKind::NotFound => io::Error::other("it is not open"),
        _ => error,
    });
    open.and_then(|mut file| file.write_all(b"\n")).cannot(format_args!("write to descriptor {fd}"))?;
    if fd > 2 {
        nix::unistd::close(fd).cannot(format_args!("close descriptor {fd}"))?;
    }
    Ok(())
}
