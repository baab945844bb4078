use crate::fault::{Fault, Trouble};
use crate::watch::Watch;
use mn_cli::Deadline;
use nix::poll::{PollFd, PollFlags, poll};
use ssh2::{BlockDirections, Session};
use std::io::{ErrorKind, Read};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// An ssh session over a TCP connection that never blocks.
pub struct Ssh {
    session: Session,
    tcp: TcpStream,
}

impl Ssh {
    /// A session that has yet to shake hands.
    pub fn new(tcp: TcpStream) -> Result<Self, Fault> {
        let mut session = Session::new()?;
        session.set_tcp_stream(tcp.try_clone()?);
        session.set_blocking(false);
        Ok(Self { session, tcp })
    }

    /// The session.
    pub fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Makes a call of libssh2 again and again until it no longer has to wait.
    pub fn drive<T>(
        &mut self,
        watch: &mut Watch,
        deadline: Deadline,
        mut call: impl FnMut(&mut Session) -> Result<T, Fault>,
    ) -> Result<T, Trouble> {
        loop {
            match call(&mut self.session) {
                Ok(value) => return Ok(value),
                Err(fault) if fault.is_would_block() => {}
                Err(fault) => return Err(Trouble::Fault(fault)),
            }
            let ready = watch.wait(&[PollFd::new(self.tcp.as_fd(), self.directions())], deadline);
            if ready.map_err(Trouble::Ended)?.is_none() {
                return Err(Trouble::Deadline);
            }
        }
    }

    /// As [`Ssh::drive`] for what is still to be said when nobody listens any more: nothing but the time ends it.
    pub fn drive_alone(&mut self, deadline: Deadline, mut call: impl FnMut(&mut Session) -> Result<(), Fault>) {
        while matches!(call(&mut self.session), Err(fault) if fault.is_would_block()) && !deadline.passed() {
            let mut fds = [PollFd::new(self.tcp.as_fd(), self.directions())];
            if poll(&mut fds, deadline.poll_timeout()).is_err() {
                return;
            }
        }
    }

    /// Ends the session: the board ends its shell and closes the connection, for which it has two seconds. A second
    /// call does nothing.
    ///
    /// Closing the channel would not do: dropbear keeps a shell that has lost its channel as long as its connection.
    pub fn hang_up(&mut self) {
        let deadline = Deadline::after(Duration::from_secs(2));
        self.drive_alone(deadline, |session| Ok(session.disconnect(None, "logged out", None)?));
        let _ = self.tcp.shutdown(Shutdown::Write);
        let mut tcp = &self.tcp;
        let mut bytes = [0; 4096];
        while !deadline.passed() {
            match tcp.read(&mut bytes) {
                Ok(n) if n > 0 => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let mut fds = [PollFd::new(tcp.as_fd(), PollFlags::POLLIN)];
                    let _ = poll(&mut fds, deadline.poll_timeout());
                }
                _ => return,
            }
        }
    }

    /// What libssh2's last call waits for.
    pub fn directions(&self) -> PollFlags {
        match self.session.block_directions() {
            BlockDirections::Outbound => PollFlags::POLLOUT,
            BlockDirections::Both => PollFlags::POLLIN | PollFlags::POLLOUT,
            BlockDirections::Inbound | BlockDirections::None => PollFlags::POLLIN,
        }
    }
}

impl AsFd for Ssh {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.tcp.as_fd()
    }
}
