use crate::lookout::Lookout;
use mn_cli::{Deadline, Error, Result, Signals, Status};
use mn_msg::{Holder, Wake};
use nix::poll::{PollFd, PollFlags};
use std::os::fd::AsFd;

/// What every wait looks at besides its own descriptors: the reader of standard output, and signals.
pub struct Watch {
    /// The reader.
    pub holder: Holder,
    /// The signals that ask to end.
    pub signals: Signals,
    /// The member whose board is used, as soon as it is.
    pub lookout: Option<Lookout>,
}

impl Watch {
    /// Watches from now on.
    pub fn new() -> Result<Self> {
        Ok(Self { holder: Holder::stdout()?, signals: Signals::new()?, lookout: None })
    }

    /// Waits until one of `fds` is ready, and says what happened on each; nothing when `deadline` has passed.
    ///
    /// # Errors
    /// 128+N after a signal, 128+SIGPIPE when the reader has gone: then there is nobody to work for; 3 when the board has.
    pub fn wait(&mut self, fds: &[PollFd<'_>], deadline: Deadline) -> Result<Option<Vec<PollFlags>>> {
        match self.wake(fds, Some(deadline))? {
            Wake::Ready(events) => Ok(Some(events)),
            Wake::Deadline => Ok(None),
            Wake::ReaderGone => Err(Error::silent(Status::Signal(13))),
            Wake::Signal(signal) => Err(Error::silent(Status::Signal(signal))),
        }
    }

    /// Waits as [`Watch::wait`] does, and says what came.
    ///
    /// # Errors
    /// 3 when the board or the broker has gone.
    pub fn wake(&mut self, fds: &[PollFd<'_>], deadline: Option<Deadline>) -> Result<Wake> {
        let Some(lookout) = &self.lookout else { return self.holder.wait(&mut self.signals, fds, deadline) };
        let all: Vec<PollFd<'_>> =
            fds.iter().cloned().chain([PollFd::new(lookout.as_fd(), PollFlags::POLLIN)]).collect();
        let mut wake = self.holder.wait(&mut self.signals, &all, deadline)?;
        drop(all);
        if let (Wake::Ready(flags), Some(lookout)) = (&mut wake, &mut self.lookout)
            && flags.pop().is_some_and(|seen| !seen.is_empty())
        {
            lookout.check()?;
        }
        Ok(wake)
    }
}
