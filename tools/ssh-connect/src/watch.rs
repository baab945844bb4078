use mn_cli::{Deadline, Error, Result, Signals, Status};
use mn_msg::{Holder, Wake};
use nix::poll::{PollFd, PollFlags};

/// What every wait looks at besides its own descriptors: the reader of standard output, and signals.
pub struct Watch {
    /// The reader.
    pub holder: Holder,
    /// The signals that ask to end.
    pub signals: Signals,
}

impl Watch {
    /// Watches from now on.
    pub fn new() -> Result<Self> {
        Ok(Self { holder: Holder::stdout()?, signals: Signals::new()? })
    }

    /// Waits until one of `fds` is ready, and says what happened on each; nothing when `deadline` has passed.
    ///
    /// # Errors
    /// 128+N after a signal, 128+SIGPIPE when the reader has gone: then there is nobody to work for.
    pub fn wait(&mut self, fds: &[PollFd<'_>], deadline: Deadline) -> Result<Option<Vec<PollFlags>>> {
        match self.holder.wait(&mut self.signals, fds, Some(deadline))? {
            Wake::Ready(events) => Ok(Some(events)),
            Wake::Deadline => Ok(None),
            Wake::ReaderGone => Err(Error::silent(Status::Signal(13))),
            Wake::Signal(signal) => Err(Error::silent(Status::Signal(signal))),
        }
    }
}
