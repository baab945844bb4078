use crate::{Message, Writer};
use mn_cli::{Cannot, Deadline, Result, Signals, Status};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::stat::{SFlag, fstat};
use std::io::Stdout;
use std::os::fd::AsFd;
use std::time::Duration;

/// The holder's half of a pipe: knows when the reader of standard output has gone.
///
/// When standard output is no pipe or socket there is no reader to watch, and only a signal releases.
pub struct Holder {
    out: Stdout,
    watched: bool,
}

/// Why a wait of a holder ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wake {
    /// The reader has closed: release.
    ReaderGone,
    /// SIGINT, SIGTERM or SIGHUP came: [`Holder::dismiss`], then release.
    Signal(i32),
    /// Some of the other descriptors are ready: what happened on each, in their order.
    Ready(Vec<PollFlags>),
    /// The deadline has passed.
    Deadline,
}

impl Holder {
    /// How long a holder waits for its reader to close after `gone`.
    pub const GRACE: Duration = Duration::from_secs(30);

    /// Watches standard output from now on.
    ///
    /// # Errors
    /// When standard output cannot be looked at.
    pub fn stdout() -> Result<Self> {
        let out = std::io::stdout();
        let mode =
            SFlag::from_bits_truncate(fstat(&out).cannot("look at standard output")?.st_mode & SFlag::S_IFMT.bits());
        Ok(Self { watched: mode == SFlag::S_IFIFO || mode == SFlag::S_IFSOCK, out })
    }

    /// Whether there is a reader to watch.
    pub fn has_reader(&self) -> bool {
        self.watched
    }

    /// Waits until the reader goes, a signal comes, one of `others` is ready, or `deadline` passes, in this order of weight.
    ///
    /// # Errors
    /// When poll(2) fails.
    pub fn wait(&self, signals: &mut Signals, others: &[PollFd<'_>], deadline: Option<Deadline>) -> Result<Wake> {
        loop {
            if let Some(signal) = signals.take() {
                return Ok(Wake::Signal(signal));
            }
            if let Some(wake) = self.poll(signals, others, deadline)? {
                return Ok(wake);
            }
            if deadline.is_some_and(Deadline::passed) {
                return Ok(Wake::Deadline);
            }
        }
    }

    /// One poll; a signal is left for the caller to take.
    fn poll(&self, signals: &Signals, others: &[PollFd<'_>], deadline: Option<Deadline>) -> Result<Option<Wake>> {
        // No events are asked for on standard output: POLLERR comes when a pipe's reader has closed, POLLHUP for a socket.
        let mut fds =
            vec![PollFd::new(self.out.as_fd(), PollFlags::empty()), PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        fds.extend(others.iter().cloned());
        // An unwatched standard output may report anything at any time, a file does.
        let first = usize::from(!self.watched);
        match poll(&mut fds[first..], deadline.map_or(u16::MAX, Deadline::poll_timeout)) {
            Err(Errno::EINTR) => return Ok(None),
            polled => drop(polled.cannot("wait for the reader")?),
        }
        let seen = |fd: &PollFd<'_>| fd.revents().unwrap_or(PollFlags::empty());
        if self.watched && seen(&fds[0]).intersects(PollFlags::POLLERR | PollFlags::POLLHUP) {
            return Ok(Some(Wake::ReaderGone));
        }
        let ready: Vec<PollFlags> = fds[2..].iter().map(seen).collect();
        let any = seen(&fds[1]).is_empty() && ready.iter().any(|flags| !flags.is_empty());
        Ok(any.then_some(Wake::Ready(ready)))
    }

    /// Says `gone`, and waits up to 30 seconds for the reader to close; another signal ends the wait.
    ///
    /// # Errors
    /// When poll(2) fails; a reader that has gone already is none.
    pub fn dismiss(&self, writer: &mut Writer, signals: &mut Signals, status: Status, reason: &str) -> Result<()> {
        if writer.write(&Message::gone(status, reason)).is_ok() && self.watched {
            self.wait(signals, &[], Some(Deadline::after(Self::GRACE)))?;
        }
        Ok(())
    }
}
