use crate::command::exit_status;
use crate::fault::{Fault, Trouble};
use crate::ssh::Ssh;
use crate::watch::Watch;
use mn_cli::Deadline;
use nix::poll::PollFlags;
use ssh2::{Channel, ExtendedData};
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// How long the board may take to say how a shell has ended.
const PATIENCE: Duration = Duration::from_secs(2);

/// A login shell on a terminal of the board, and its client once there is one.
pub struct Relay {
    channel: Channel,
    client: Option<UnixStream>,
    to_board: Flow,
    to_client: Flow,
}

/// Why nothing is relayed any more.
#[derive(Debug)]
pub enum End {
    /// The client has closed its end.
    Client,
    /// The shell has ended; [`Relay::status`] knows how.
    Shell,
    /// The connection to the board is lost.
    Lost(String),
    /// The member that has the board is gone, or the broker.
    Gone(mn_cli::Error),
}

impl Relay {
    /// Starts the shell, on a terminal of 80 by 24 characters that can do nothing (TERM=dumb).
    pub fn start(ssh: &mut Ssh, watch: &mut Watch, deadline: Deadline) -> Result<Self, Trouble> {
        const SIZE: Option<(u32, u32, u32, u32)> = Some((80, 24, 0, 0));
        let mut channel = ssh.drive(watch, deadline, |session| Ok(session.channel_session()?))?;
        channel.handle_extended_data(ExtendedData::Merge).map_err(|error| Trouble::Fault(error.into()))?;
        ssh.drive(watch, deadline, |_| Ok(channel.request_pty("dumb", None, SIZE)?))?;
        ssh.drive(watch, deadline, |_| Ok(channel.shell()?))?;
        Ok(Self { channel, client: None, to_board: Flow::default(), to_client: Flow::default() })
    }

    /// Lets the client in.
    pub fn attach(&mut self, client: UnixStream) {
        self.client = Some(client);
    }

    /// Whether a client has come.
    pub fn has_client(&self) -> bool {
        self.client.is_some()
    }

    /// Relays all that can be relayed without waiting.
    pub fn pump(&mut self) -> Option<End> {
        loop {
            let from_board = self.to_client.step(&mut self.channel, self.client.as_mut());
            let from_client = match &mut self.client {
                Some(client) => self.to_board.step(client, Some(&mut self.channel)),
                None => Ok(Step::Blocked),
            };
            match (from_board, from_client) {
                (Ok(Step::Ended), _) => return Some(End::Shell),
                (_, Ok(Step::Ended)) | (Err(Failure::Writing(_)), _) | (_, Err(Failure::Reading(_))) => {
                    return Some(End::Client);
                }
                (Err(Failure::Reading(fault)), _) | (_, Err(Failure::Writing(fault))) => {
                    return Some(End::Lost(fault.text().to_owned()));
                }
                (Ok(Step::Blocked), Ok(Step::Blocked)) => return None,
                (Ok(_), Ok(_)) => {}
            }
        }
    }

    /// What to wait for on the connection to the board.
    pub fn board_events(&self, ssh: &Ssh) -> PollFlags {
        match (self.to_client.is_empty(), self.to_board.is_empty()) {
            (_, false) => ssh.directions() | PollFlags::POLLIN,
            (true, true) => PollFlags::POLLIN,
            (false, true) => PollFlags::empty(),
        }
    }

    /// The client with what to wait for on it; none before it has come.
    pub fn client_events(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        let when = |wanted: bool, flag: PollFlags| if wanted { flag } else { PollFlags::empty() };
        let events =
            when(self.to_board.is_empty(), PollFlags::POLLIN) | when(!self.to_client.is_empty(), PollFlags::POLLOUT);
        self.client.as_ref().map(|client| (client.as_fd(), events))
    }

    /// The exit status of a shell that has ended. It may come a moment after the end of what the shell wrote.
    pub fn status(&mut self, ssh: &mut Ssh) -> Result<i32, Fault> {
        ssh.drive_alone(Deadline::after(PATIENCE), |_| Ok(self.channel.wait_close()?));
        exit_status(&self.channel)
    }
}

/// Bytes on their way in one direction: read only when all before them are through, so that a slow reader holds the
/// writer up instead of filling memory.
#[derive(Default)]
struct Flow {
    bytes: Vec<u8>,
    passed: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Something moved.
    Moved,
    /// Nothing moves without waiting.
    Blocked,
    /// There is nothing more to read.
    Ended,
}

#[derive(Debug)]
enum Failure {
    Reading(Fault),
    Writing(Fault),
}

impl Flow {
    const CHUNK: usize = 32 * 1024;

    fn is_empty(&self) -> bool {
        self.passed == self.bytes.len()
    }

    /// One read if there is room, and one write if there is something and somebody to write to.
    fn step(&mut self, from: &mut impl Read, to: Option<&mut impl Write>) -> Result<Step, Failure> {
        if self.is_empty() {
            self.passed = 0;
            self.bytes.resize(Self::CHUNK, 0);
            let read = from.read(&mut self.bytes).map_err(Fault::from);
            self.bytes.truncate(*read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => return Ok(Step::Ended),
                Ok(_) => {}
                Err(fault) if fault.is_would_block() => return Ok(Step::Blocked),
                Err(fault) => return Err(Failure::Reading(fault)),
            }
        }
        let Some(to) = to else { return Ok(Step::Blocked) };
        match to.write(&self.bytes[self.passed..]).map_err(Fault::from) {
            Ok(n) => self.passed += n,
            Err(fault) if fault.is_would_block() => return Ok(Step::Blocked),
            Err(fault) => return Err(Failure::Writing(fault)),
        }
        Ok(Step::Moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Error, ErrorKind};

    /// Takes three bytes at a time, and nothing at every second try.
    #[derive(Default)]
    struct Slow {
        taken: Vec<u8>,
        tries: usize,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.tries += 1;
            if self.tries.is_multiple_of(2) {
                return Err(Error::from(ErrorKind::WouldBlock));
            }
            let n = bytes.len().min(3);
            self.taken.extend_from_slice(&bytes[..n]);
            Ok(n)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_slow_writer_gets_every_byte_once_and_then_the_end() {
        let (mut flow, mut slow, mut input) = (Flow::default(), Slow::default(), &b"abcdefgh"[..]);
        let mut steps = Vec::new();
        while steps.last() != Some(&Step::Ended) {
            steps.push(flow.step(&mut input, Some(&mut slow)).unwrap());
        }
        assert_eq!(slow.taken, b"abcdefgh");
        assert!(steps.contains(&Step::Blocked));
    }

    #[test]
    fn nothing_more_is_read_while_there_is_nobody_to_write_to() {
        let (mut flow, mut input) = (Flow::default(), std::io::repeat(b'x'));
        for _ in 0..3 {
            assert_eq!(flow.step(&mut input, None::<&mut Slow>).unwrap(), Step::Blocked);
        }
        assert_eq!(flow.bytes.len(), Flow::CHUNK);
    }
}
