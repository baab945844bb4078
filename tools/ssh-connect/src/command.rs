use crate::fault::{Fault, Trouble};
use crate::ssh::Ssh;
use crate::watch::Watch;
use mn_cli::Deadline;
use ssh2::{Channel, ExtendedData};
use std::io::{Read, Write};

/// How a command on the board ended.
#[derive(Debug)]
pub struct Answer {
    /// Its exit status.
    pub status: i32,
    /// The first 4 KiB of what it wrote, on standard error too.
    pub output: String,
}

/// Runs `command` in the account's shell on the board with `input` as its standard input.
pub fn run(
    ssh: &mut Ssh,
    watch: &mut Watch,
    deadline: Deadline,
    command: &str,
    input: impl Read,
) -> Result<Answer, Trouble> {
    let mut channel = ssh.drive(watch, deadline, |session| Ok(session.channel_session()?))?;
    channel.handle_extended_data(ExtendedData::Merge).map_err(|error| Trouble::Fault(error.into()))?;
    ssh.drive(watch, deadline, |_| Ok(channel.exec(command)?))?;
    let mut exchange = Exchange::new(&mut channel, input);
    ssh.drive(watch, deadline, |_| exchange.go_on())?;
    let output = String::from_utf8_lossy(&exchange.output).into_owned();
    ssh.drive(watch, deadline, |_| Ok(channel.close()?))?;
    ssh.drive(watch, deadline, |_| Ok(channel.wait_close()?))?;
    let status = exit_status(&channel).map_err(Trouble::Fault)?;
    Ok(Answer { status, output })
}

/// The exit status of a command that has ended; libssh2 has 0 for one that a signal ended.
pub fn exit_status(channel: &Channel) -> Result<i32, Fault> {
    match channel.exit_signal()?.exit_signal {
        Some(signal) => Err(Fault::new(format!("it was ended by signal {signal}"))),
        None => Ok(channel.exit_status()?),
    }
}

/// Input on its way to a command, and what comes back.
struct Exchange<'a, R> {
    channel: &'a mut Channel,
    input: R,
    chunk: Vec<u8>,
    sent: usize,
    filled: usize,
    input_ended: bool,
    eof_sent: bool,
    output: Vec<u8>,
}

/// How much is sent at once: libssh2 is slow with small writes.
const CHUNK: usize = 128 * 1024;
/// How much of what a command writes is kept.
const OUTPUT: usize = 4096;

impl<'a, R: Read> Exchange<'a, R> {
    fn new(channel: &'a mut Channel, input: R) -> Self {
        let chunk = vec![0; CHUNK];
        Self { channel, input, chunk, sent: 0, filled: 0, input_ended: false, eof_sent: false, output: Vec::new() }
    }

    /// Goes on until the command has ended its output. A command that ends before it has read its input is none of
    /// this loop's business: its status says why.
    fn go_on(&mut self) -> Result<(), Fault> {
        loop {
            self.take_output()?;
            if self.channel.eof() {
                return Ok(());
            }
            if self.eof_sent {
                return Err(Fault::would_block());
            }
            self.send()?;
        }
    }

    fn take_output(&mut self) -> Result<(), Fault> {
        let mut bytes = [0; OUTPUT];
        loop {
            match self.channel.read(&mut bytes).map_err(Fault::from) {
                Ok(0) => return Ok(()),
                Ok(n) => {
                    let room = OUTPUT - self.output.len();
                    self.output.extend_from_slice(&bytes[..n.min(room)]);
                }
                Err(fault) if fault.is_would_block() => return Ok(()),
                Err(fault) => return Err(fault),
            }
        }
    }

    fn send(&mut self) -> Result<(), Fault> {
        if self.sent == self.filled && !self.input_ended {
            (self.sent, self.filled) = (0, self.input.read(&mut self.chunk)?);
            self.input_ended = self.filled == 0;
        }
        if self.input_ended {
            self.channel.send_eof()?;
            self.eof_sent = true;
            return Ok(());
        }
        self.sent += self.channel.write(&self.chunk[self.sent..self.filled])?;
        Ok(())
    }
}
