use crate::{Cannot, Result};
use nix::sys::signal::Signal;
use signal_hook::low_level::pipe;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

/// The signals that ask a tool to end, as a descriptor for an event loop.
///
/// A signal that was inherited as ignored stays ignored, as in a background job of a shell without job control.
pub struct Signals {
    streams: Vec<(i32, UnixStream)>,
    wake: UnixStream,
}

impl Signals {
    /// Catches SIGINT, SIGTERM and SIGHUP from now on.
    ///
    /// # Errors
    /// When the system refuses a socket or a handler.
    pub fn new() -> Result<Self> {
        Self::of(&[Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP])
    }

    fn of(signals: &[Signal]) -> Result<Self> {
        let (wake, waker) = pair()?;
        let mut streams = Vec::new();
        for &signal in signals.iter().filter(|&&signal| !ignored(signal)) {
            let (end, handler) = pair()?;
            let register = |stream: UnixStream| pipe::register(signal as i32, stream);
            register(handler).cannot(format_args!("catch {signal}"))?;
            register(waker.try_clone().cannot("copy a socket")?).cannot(format_args!("catch {signal}"))?;
            streams.push((signal as i32, end));
        }
        Ok(Self { streams, wake })
    }

    /// The first signal that has come and was not yet taken.
    pub fn take(&mut self) -> Option<i32> {
        let mut bytes = [0; 64];
        while matches!(self.wake.read(&mut bytes), Ok(n) if n > 0) {}
        let mut byte = [0; 1];
        let (signal, _) = self.streams.iter().find(|(_, stream)| matches!((&*stream).read(&mut byte), Ok(1)))?;
        Some(*signal)
    }
}

impl AsFd for Signals {
    /// Readable when a signal has come; [`Signals::take`] until it gives `None`.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

fn pair() -> Result<(UnixStream, UnixStream)> {
    let (a, b) = UnixStream::pair().cannot("make a socket")?;
    for end in [&a, &b] {
        end.set_nonblocking(true).cannot("set up a socket")?;
    }
    Ok((a, b))
}

/// Whether the signal was ignored when the process began, from /proc; not known is no.
fn ignored(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .unwrap_or(0);
    mask >> (signal as u32 - 1) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_taken_once() {
        let mut signals = Signals::of(&[Signal::SIGUSR2]).unwrap();
        assert_eq!(signals.take(), None);
        nix::sys::signal::raise(Signal::SIGUSR2).unwrap();
        assert_eq!(signals.take(), Some(Signal::SIGUSR2 as i32));
        assert_eq!(signals.take(), None);
    }
}
