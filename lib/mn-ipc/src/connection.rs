//! The socket behind a descriptor that stays the same: a broker may go and come back.

use crate::socket;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A stream to the broker, or the attempt to get one again.
pub struct Connection {
    path: PathBuf,
    stream: Option<UnixStream>,
    /// What callers watch: readable when the stream is, or when it is time to try again.
    pulse: Epoll,
    timer: TimerFd,
}

impl Connection {
    /// How often a broker that has gone is looked for.
    const AGAIN: Duration = Duration::from_millis(20);

    /// Connects.
    pub fn new(path: &Path) -> Result<Self> {
        let pulse = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK)?;
        pulse.add(&timer, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
        let mut connection = Self { path: path.to_owned(), stream: None, pulse, timer };
        connection.open()?;
        Ok(connection)
    }

    /// Connects anew.
    pub fn open(&mut self) -> Result<()> {
        let stream = socket::connect(&self.path)?;
        stream.set_nonblocking(true)?;
        self.pulse.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP, 1))?;
        self.stream = Some(stream);
        Ok(())
    }

    /// Closes what there is.
    pub fn close(&mut self) {
        self.stream = None;
    }

    /// Whether there is a stream.
    pub fn is_open(&self) -> bool {
        self.stream.is_some()
    }

    /// Lets the descriptor become readable now and then, until told to stop.
    pub fn keep_trying(&mut self) -> Result<()> {
        let again = TimeSpec::from_duration(Self::AGAIN);
        Ok(self.timer.set(Expiration::Interval(again), TimerSetTimeFlags::empty())?)
    }

    /// The descriptor is readable when something has come only.
    pub fn stop_trying(&mut self) -> Result<()> {
        self.clear();
        Ok(self.timer.unset()?)
    }

    /// Takes note that it was readable.
    pub fn clear(&mut self) {
        let _ = nix::unistd::read(&self.timer, &mut [0; 8]);
        // So that an edge-triggered watcher outside hears of the next time.
        let _ = self.pulse.wait(&mut [EpollEvent::empty(); 2], EpollTimeout::ZERO);
    }

    /// The process at the other end: the broker, or who forwards to it.
    pub fn peer(&self) -> Option<i32> {
        let credentials = getsockopt(self.stream.as_ref()?, PeerCredentials).ok()?;
        Some(credentials.pid())
    }

    /// What has come; `Ok(0)` when the other side has closed.
    pub fn read(&mut self, bytes: &mut [u8]) -> Result<usize> {
        let Some(stream) = &mut self.stream else { return Err(ErrorKind::WouldBlock.into()) };
        stream.read(bytes)
    }

    /// Writes everything, within this time.
    pub fn write_all(&mut self, mut bytes: &[u8], patience: Duration) -> Result<()> {
        let end = Instant::now() + patience;
        let Some(stream) = &mut self.stream else { return Err(ErrorKind::NotConnected.into()) };
        while !bytes.is_empty() {
            match stream.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => bytes = &bytes[n..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let left = end.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(Error::new(ErrorKind::TimedOut, "it does not read"));
                    }
                    wait_for(stream.as_fd(), PollFlags::POLLOUT, left)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits until it is readable, for so long at most.
    pub fn wait(&self, limit: Duration) -> Result<()> {
        wait_for(self.as_fd(), PollFlags::POLLIN, limit)
    }
}

fn wait_for(fd: BorrowedFd<'_>, flags: PollFlags, limit: Duration) -> Result<()> {
    let milliseconds = i32::try_from(limit.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX);
    match poll(&mut [PollFd::new(fd, flags)], PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX)) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pulse.0.as_fd()
    }
}
