//! Waiting for what ends by itself, until it is too late or a signal comes.

use mn_cli::{Cannot, Deadline, Error, Result, Signals, Status};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;

/// Does `work` on a thread of its own and gives what it gave. `what` names it in messages.
///
/// # Errors
/// Status 124 when it has not ended in time, 128+N when a signal came: then the thread is left to itself.
pub fn attend<T: Send + 'static>(
    what: &str,
    deadline: Deadline,
    signals: &mut Signals,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let (ended, ending) = UnixStream::pair().cannot("make a socket")?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        // Nobody listens any more when the time is up.
        let _ = sender.send(work());
        drop(ending);
    });
    loop {
        let mut polled =
            [PollFd::new(ended.as_fd(), PollFlags::POLLIN), PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        match poll(&mut polled, deadline.poll_timeout()) {
            Err(Errno::EINTR) => {}
            polled => drop(polled.cannot(format_args!("wait for {what}"))?),
        }
        let has_ended = polled[0].any() == Some(true);
        if let Some(signal) = signals.take() {
            return Err(Error::silent(Status::Signal(signal)));
        }
        if has_ended {
            return receiver.try_recv().map_err(|_| Error::lab(format_args!("cannot finish {what}: it was lost")));
        }
        if deadline.passed() {
            return Err(Error::timeout("out of time"));
        }
    }
}
