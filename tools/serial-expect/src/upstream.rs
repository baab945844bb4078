//! Standard input: the role message, and then the sign that what the role uses is still there.

use mn_cli::{Cannot, Error, Result, Signals, Status};
use mn_msg::{Decoder, Input, Kind, Reader, read_one_role};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::stat::{SFlag, fstat};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, RawFd};

/// The stage before this one, as long as it holds something.
pub struct Upstream {
    /// None when standard input is no pipe or socket: a file holds nothing.
    input: Option<File>,
    decoder: Decoder,
}

/// Reads the one role message. A signal ends the wait.
///
/// # Errors
/// Status 128+N after a signal, else as [`read_one_role`].
pub fn read_role(signals: &mut Signals) -> Result<(Input, Upstream)> {
    let stdin = std::io::stdin();
    let input = File::from(stdin.as_fd().try_clone_to_owned().cannot("read the input")?);
    let mut caught = None;
    let mut reader = Reader::new(Interruptible { input, signals, caught: &mut caught });
    let read = read_one_role(&mut reader);
    let (interruptible, decoder) = reader.into_parts();
    let input = interruptible.input;
    if let Some(signal) = caught {
        return Err(ended_by(signal));
    }
    let input = watched(&input)?.then_some(input);
    Ok((read?, Upstream { input, decoder }))
}

/// The error of a role that a signal has ended.
pub fn ended_by(signal: i32) -> Error {
    let name = Signal::try_from(signal).map_or_else(|_| signal.to_string(), |signal| signal.as_str().to_owned());
    Error::new(Status::Signal(signal), format_args!("ended by {name}"))
}

/// Whether the end of the input means that a holder has gone.
fn watched(input: &File) -> Result<bool> {
    let mode = fstat(input).cannot("look at the input")?.st_mode;
    let kind = SFlag::from_bits_truncate(mode & SFlag::S_IFMT.bits());
    Ok(kind == SFlag::S_IFIFO || kind == SFlag::S_IFSOCK)
}

/// An input whose reads end when a signal comes.
struct Interruptible<'a> {
    input: File,
    signals: &'a mut Signals,
    caught: &'a mut Option<i32>,
}

impl Read for Interruptible<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        loop {
            if let Some(signal) = self.signals.take() {
                *self.caught = Some(signal);
                return Err(std::io::Error::other("a signal came"));
            }
            let flags = PollFlags::POLLIN;
            let mut fds = [PollFd::new(self.signals.as_fd(), flags), PollFd::new(self.input.as_fd(), flags)];
            match poll(&mut fds, PollTimeout::NONE) {
                Err(Errno::EINTR) => continue,
                polled => polled?,
            };
            if fds[1].any() == Some(true) {
                return self.input.read(bytes);
            }
        }
    }
}

impl Upstream {
    /// The descriptor to be watched, if any.
    pub fn descriptor(&self) -> Option<RawFd> {
        self.input.as_ref().map(AsRawFd::as_raw_fd)
    }

    /// Takes what has come.
    ///
    /// # Errors
    /// Status 3 when what the role uses is gone.
    pub fn check(&mut self) -> Result<()> {
        let mut bytes = [0; 4096];
        self.heed()?;
        while let Some(input) = &mut self.input {
            let mut fds = [PollFd::new(input.as_fd(), PollFlags::POLLIN)];
            if !matches!(poll(&mut fds, PollTimeout::ZERO), Ok(1..)) {
                break;
            }
            match input.read(&mut bytes).cannot("read the input")? {
                0 => {
                    self.input = None;
                    return Err(Error::lab("what the role uses is gone: the stage before has ended"));
                }
                count => self.decoder.push(&bytes[..count]),
            }
            self.heed()?;
        }
        Ok(())
    }

    fn heed(&mut self) -> Result<()> {
        while let Some(message) = self.decoder.next_message()? {
            if message.kind() == Kind::Gone {
                return Err(Error::lab(format_args!("what the role uses is gone: {}", message.text("reason"))));
            }
        }
        Ok(())
    }

    /// Closes standard input: the stage before may release what it holds.
    ///
    /// # Errors
    /// Status 3 when /dev/null cannot take its place.
    pub fn close(&mut self) -> Result<()> {
        self.input = None;
        let null = File::open("/dev/null").cannot("open '/dev/null'")?;
        nix::unistd::dup2_stdin(null).cannot("close the input")
    }
}
