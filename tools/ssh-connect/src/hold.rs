use crate::broker::Member;
use crate::console::Console;
use crate::relay::{End, Relay};
use crate::ssh::Ssh;
use crate::watch::Watch;
use mn_cli::{Deadline, Error, Result, Status};
use mn_msg::{Holder, Message, Wake, Writer};
use nix::poll::{PollFd, PollFlags};
use std::os::fd::AsFd;

/// A shell on a board and the socket that serves it: what this stage holds.
pub struct Session {
    /// The connection.
    pub ssh: Ssh,
    /// The shell.
    pub relay: Relay,
    /// The socket.
    pub console: Console,
}

/// Why holding ended.
enum Release {
    /// The reader has closed, or has had its time to.
    Done,
    /// A signal came.
    Signal(i32),
    /// What was held is gone: the status, and the reason for the reader.
    Gone(Status, String),
}

impl Session {
    /// Relays until the reader goes, a signal comes, or there is nothing left to relay; tells the reader why, and lets
    /// everything go.
    pub fn hold(mut self, member: &mut Member, watch: &mut Watch, writer: &mut Writer) -> Result<Status> {
        let release = self.relay_until_release(member, watch, None);
        let outcome = release.and_then(|release| self.tell(release, member, watch, writer));
        self.close().and(outcome)
    }

    /// Says `gone` where the reader has to know, and gives this tool's own end.
    fn tell(
        &mut self,
        release: Release,
        member: &mut Member,
        watch: &mut Watch,
        writer: &mut Writer,
    ) -> Result<Status> {
        match release {
            Release::Done => Ok(Status::Success),
            Release::Signal(signal) => {
                let (status, reason) = (Status::Signal(signal), format!("ssh-connect was ended by signal {signal}"));
                if writer.write(&Message::gone(status, &reason)).is_ok() && watch.holder.has_reader() {
                    // The reader may still want to log out.
                    self.relay_until_release(member, watch, Some(Deadline::after(Holder::GRACE)))?;
                }
                Err(Error::silent(status))
            }
            Release::Gone(status, reason) => {
                watch.holder.dismiss(writer, &mut watch.signals, status, &reason)?;
                if status == Status::Success { Ok(status) } else { Err(Error::new(status, reason)) }
            }
        }
    }

    /// Logs out and removes the socket.
    pub fn close(mut self) -> Result<()> {
        self.ssh.hang_up();
        self.console.close()
    }

    fn relay_until_release(
        &mut self,
        member: &mut Member,
        watch: &mut Watch,
        deadline: Option<Deadline>,
    ) -> Result<Release> {
        loop {
            if let Some(end) = self.relay.pump() {
                return self.release_after(end, member, watch, deadline);
            }
            let (wake, end) = self.wait(member, watch, deadline)?;
            if let Some(release) = judge(&wake, member) {
                return Ok(release);
            }
            if let Some(end) = end {
                return self.release_after(end, member, watch, deadline);
            }
            if !self.relay.has_client()
                && let Some(client) = self.console.accept()?
            {
                self.relay.attach(client);
            }
        }
    }

    /// Waits for something to relay. A descriptor that has hung up and is not read now would be ready for ever: that
    /// is the end of the relaying.
    fn wait(&self, member: &Member, watch: &mut Watch, deadline: Option<Deadline>) -> Result<(Wake, Option<End>)> {
        let board = self.relay.board_events(&self.ssh);
        let (client, events) = self.relay.client_events().unwrap_or((self.console.as_fd(), PollFlags::POLLIN));
        let fds = [
            PollFd::new(member.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.ssh.as_fd(), board),
            PollFd::new(client, events),
        ];
        let wake = match watch.wake(&fds, deadline) {
            Ok(wake) => wake,
            // The board has gone, or the broker: not a failure of the wait.
            Err(error) => return Ok((Wake::Ready(vec![PollFlags::empty(); fds.len()]), Some(End::Gone(error)))),
        };
        let hung_up = |at: usize, asked: PollFlags| {
            let Wake::Ready(flags) = &wake else { return false };
            !asked.contains(PollFlags::POLLIN) && flags[at].intersects(PollFlags::POLLHUP | PollFlags::POLLERR)
        };
        let end = match (hung_up(1, board), hung_up(2, events)) {
            (true, _) => Some(End::Lost("it has closed the connection".to_owned())),
            (false, true) => Some(End::Client),
            (false, false) => None,
        };
        Ok((wake, end))
    }

    fn release_after(
        &mut self,
        end: End,
        member: &mut Member,
        watch: &mut Watch,
        deadline: Option<Deadline>,
    ) -> Result<Release> {
        match end {
            End::Client => self.wait_for_reader(member, watch, deadline),
            End::Shell => Ok(self.shell_ended()),
            End::Gone(error) => Ok(Release::Gone(error.status(), error.to_string())),
            End::Lost(reason) => Ok(Release::Gone(Status::Lab, format!("lost the connection to the board: {reason}"))),
        }
    }

    fn shell_ended(&mut self) -> Release {
        let (status, how) = match self.relay.status(&mut self.ssh) {
            // A logout of its own accord is no failure of the lab.
            Ok(0) => (Status::Success, "exit status 0".to_owned()),
            Ok(status) => (Status::Lab, format!("exit status {status}")),
            Err(fault) => (Status::Lab, fault.text().to_owned()),
        };
        Release::Gone(status, format!("the shell on the board has ended: {how}"))
    }

    /// After the client's goodbye: the session ends at once, and nothing is left to do but to wait.
    fn wait_for_reader(
        &mut self,
        member: &mut Member,
        watch: &mut Watch,
        deadline: Option<Deadline>,
    ) -> Result<Release> {
        self.ssh.hang_up();
        loop {
            let fds = [PollFd::new(member.as_fd(), PollFlags::POLLIN)];
            let wake = watch.holder.wait(&mut watch.signals, &fds, deadline)?;
            if let Some(release) = judge(&wake, member) {
                return Ok(release);
            }
        }
    }
}

/// Whether holding is over. The first descriptor that was waited for is the broker's.
fn judge(wake: &Wake, member: &mut Member) -> Option<Release> {
    match wake {
        Wake::ReaderGone | Wake::Deadline => Some(Release::Done),
        Wake::Signal(signal) => Some(Release::Signal(*signal)),
        Wake::Ready(flags) if !flags[0].is_empty() => {
            member.check().err().map(|error| Release::Gone(error.status(), error.to_string()))
        }
        Wake::Ready(_) => None,
    }
}
