use mn_cli::{Cannot, Error, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use std::os::fd::AsFd;

/// Lets this process die with its parent, which holds the other end of the pipe on standard input.
///
/// # Errors
/// When the parent is dead already: then the signal would never come, but the pipe has hung up.
pub fn tie_to_parent() -> Result<()> {
    set_pdeathsig(Signal::SIGKILL).cannot("ask for a signal at the parent's death")?;
    let stdin = std::io::stdin();
    let mut pipe = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    poll(&mut pipe, PollTimeout::ZERO).cannot("poll the parent's pipe")?;
    match pipe[0].revents() {
        Some(events) if events.is_empty() => Ok(()),
        _ => Err(Error::lab("the parent is gone")),
    }
}
